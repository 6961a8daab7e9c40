"""Start, stop and settings of the server, for operators."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from cds_service.errors import SettingsError
from cds_service.settings import load_settings
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.notation import bundle, request_of
from tests.support.running import ROOT, running

UNSURE = request_of({"lines": "93350", "given": ["Definity 1.3 mL"]})


@contextmanager
def slow_fhir_server(asked: threading.Event, seconds: float) -> Iterator[str]:
    """A FHIR server that knows nothing, and takes its time to say so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            time.sleep(seconds)
            self.send_response(200)
            self.send_header("Content-Type", "application/fhir+json")
            self.end_headers()
            self.wfile.write(str(bundle([])).replace("'", '"').encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_call_in_flight_is_finished_when_the_service_is_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    asked, answers = threading.Event(), []
    with (
        slow_fhir_server(asked, 1.5) as fhir,
        running(tmp_path, workers=2, CDS_FETCH_SECONDS="10") as service,
    ):
        body = UNSURE | {"prefetch": {}, "fhirServer": fhir}
        call = threading.Thread(target=lambda: answers.append(post(service.address, CLAIM_REVIEW, body)), daemon=True)
        call.start()
        assert asked.wait(10)
        service.process.send_signal(stop)
        call.join(20)
        assert [answer.status_code for answer in answers] == [200]
        assert service.process.wait(20) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{service.address}/health/live", timeout=5)


def test_what_was_answered_last_is_kept_when_the_service_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        other = sqlite3.connect(service.database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        assert post(service.address, CLAIM_REVIEW, UNSURE).status_code == 200
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        other.execute("ROLLBACK")
        assert service.process.wait(20) == 0
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (1,)
        other.close()


def test_what_could_not_be_kept_is_said_when_the_service_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path, CDS_DATABASE_URL=f"sqlite:///{tmp_path}/no/such/folder.sqlite3") as service:
        assert post(service.address, CLAIM_REVIEW, UNSURE).status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
        assert [line["rows"] for line in lines if line["event"] == "calls not kept"] == [2], "the call and its card"


@pytest.mark.repeats(3)
@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6, 0.9, 1.2, 1.5])
def test_a_service_that_is_starting_can_be_stopped(tmp_path: Path, delay: float) -> None:
    command = [sys.executable, "-m", "cds_service", "serve", "--port", "0", "--workers", "3"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        command[5] = str(probe.getsockname()[1])
    environment = os.environ | {"CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'x.sqlite3'}"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)


def test_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    with running(tmp_path) as service, ExitStack() as open_connections:
        for _ in range(200):
            session = open_connections.enter_context(requests.Session())
            assert session.get(f"{service.address}/health/live", timeout=5).ok
        started = time.monotonic()
        assert post(service.address, CLAIM_REVIEW, UNSURE).status_code == 200
        assert time.monotonic() - started < 5


# --- settings -------------------------------------------------------------------------------------------------------


def test_every_fault_of_the_settings_is_named_at_once_and_without_its_value() -> None:
    environment = {
        "CDS_HOOK_NAMESPACE": "nonsense",
        "CDS_DATABASE_URL": "mysql://u:zyzzyva@h/d",
        "CDS_RETENTION_DAYS": "0",
        "CDS_FETCH_SECONDS": "zyzzyva",
        "CDS_CORS_ORIGINS": "*",
        "CDS_PUBLIC_BASE_URL": "zyzzyva",
        "CDS_DATABASE_CONNECTIONS": "0",
        "CDS_ORDER_SUGGESTIONS": "zyzzyva",
    }
    command = [sys.executable, "-W", "error", "-m", "cds_service", "serve"]
    result = subprocess.run(
        command, cwd=ROOT, env={"PATH": "/usr/bin"} | environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    for name in environment:
        assert f"{name}: " in result.stderr
    assert "zyzzyva" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://u:p@h:5432/d?sslmode=require", "postgresql+psycopg://u:p@h:5432/d?sslmode=require"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("sqlite:///feedback.sqlite3", "sqlite:///feedback.sqlite3"),
    ],
)
@pytest.mark.parametrize("name", ["CDS_DATABASE_URL", "DATABASE_URL"])
def test_addresses_of_databases(monkeypatch: pytest.MonkeyPatch, name: str, given: str, used: str) -> None:
    monkeypatch.setenv(name, given)
    assert load_settings().database_url == used
    assert used not in repr(load_settings()), "it holds a password"


@pytest.mark.parametrize(
    "given", ["sqlite://", "sqlite:///:memory:", "nonsense", "postgresql+psycopg2://h/d", "postgresql://h:port/d", ""]
)
def test_addresses_that_keep_nothing_or_are_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CDS_DATABASE_URL", given)
    with pytest.raises(SettingsError, match=r"^CDS_DATABASE_URL: .*expected sqlite:///FILE or postgresql://"):
        load_settings()


def test_our_own_variable_comes_before_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/general")
    monkeypatch.setenv("CDS_DATABASE_URL", "sqlite:///ours.sqlite3")
    assert load_settings().database_url == "sqlite:///ours.sqlite3"
