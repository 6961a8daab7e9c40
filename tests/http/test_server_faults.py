"""The server when its processes are killed, and when clients keep connections open and send nothing."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from cds_service.server.connection_limit import OTHER_FILES
from cds_service.server.granian import HEADER_SECONDS
from tests.http.test_server import UNSURE, slow_fhir_server
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.running import ROOT, START_SECONDS, Service, eventually, free_port, running

pytestmark = pytest.mark.repeats(3)

IDLE = 1100
PROMPT_SECONDS = HEADER_SECONDS - 1.0  # before the connections that send nothing are closed


def answers(service: Service) -> bool:
    try:
        return requests.get(f"{service.address}/health/live", timeout=5).ok
    except requests.ConnectionError:
        return False


# --- processes ------------------------------------------------------------------------------------------------------


def test_workers_that_die_are_replaced_however_often(tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as service:
        for _ in range(3):
            killed = set(service.workers())
            for worker in killed:
                os.kill(worker, signal.SIGKILL)
            eventually(lambda killed=killed: len(set(service.workers()) - killed) == 2, START_SECONDS)  # type: ignore[misc]
        eventually(lambda: answers(service), START_SECONDS)
        assert post(service.address, CLAIM_REVIEW, UNSURE).status_code == 200
        assert service.process.poll() is None


def test_workers_end_with_their_parent_and_finish_their_calls(tmp_path: Path) -> None:
    asked, found = threading.Event(), []
    with slow_fhir_server(asked, 2.0) as fhir, running(tmp_path, workers=2, CDS_FETCH_SECONDS="10") as service:
        body = UNSURE | {"prefetch": {}, "fhirServer": fhir}
        call = threading.Thread(target=lambda: found.append(post(service.address, CLAIM_REVIEW, body)), daemon=True)
        call.start()
        assert asked.wait(10)
        service.process.kill()
        call.join(20)
        assert [answer.status_code for answer in found] == [200]
        eventually(lambda: not answers(service), START_SECONDS)


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGUSR2])
def test_signals_without_a_meaning_end_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    with running(tmp_path) as service:
        before = service.workers()
        service.process.send_signal(sent)
        time.sleep(0.3)
        assert service.process.poll() is None
        assert (service.workers(), answers(service)) == (before, True)


NEVER_STARTS = """
import sys
from cds_service import app
from cds_service.errors import SettingsError
from cds_service.server import granian
from cds_service.settings import load_settings

def refuse():
    raise SettingsError("clients.yaml: line 1: expected `clients`")

app.create_app = refuse
granian.run(load_settings(), "127.0.0.1", int(sys.argv[1]), 2)
"""


def test_a_service_whose_workers_never_start_ends(tmp_path: Path) -> None:
    environment = os.environ | {"CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'x.sqlite3'}"}
    command = [sys.executable, "-c", NEVER_STARTS, str(free_port())]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    reasons = {line["reason"] for line in lines if line["event"] == "a worker cannot start"}
    assert reasons == {"clients.yaml: line 1: expected `clients`"}


# --- connections ----------------------------------------------------------------------------------------------------


@contextmanager
def connections(service: Service, number: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections that send a few bytes and then nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = int(service.address.rpartition(":")[2])
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(number)]
        for each in opened:
            each.sendall(sent)
        yield opened


@pytest.mark.parametrize("sent", [b"", b"POST /cds-serv"], ids=["nothing", "half-a-line"])
def test_a_good_client_does_not_wait_for_those_that_send_nothing(tmp_path: Path, sent: bytes) -> None:
    with running(tmp_path) as service, connections(service, IDLE, sent):
        started = time.monotonic()
        assert post(service.address, CLAIM_REVIEW, UNSURE).status_code == 200
        assert time.monotonic() - started < PROMPT_SECONDS


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"", b""), (b"GET / HTTP/1.1\r\nX:", b""), (b"GET / HTTP/1.1\r\nX:", b"x")],
    ids=["nothing", "half-headers", "a-byte-at-a-time"],
)
def test_slow_headers_are_cut_early(tmp_path: Path, first: bytes, then: bytes) -> None:
    with running(tmp_path) as service, connections(service, 1, first) as (connection,):
        started = time.monotonic()
        eventually(lambda: is_closed(connection, then), HEADER_SECONDS + 15)
        assert time.monotonic() - started > HEADER_SECONDS - 2, "a slow network has some time"


def is_closed(connection: socket.socket, then: bytes) -> bool:
    connection.settimeout(0.2)
    try:
        connection.sendall(then)
        return connection.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_connection_is_used_again_after_a_pause(tmp_path: Path) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running(tmp_path) as service, connections(service, 1, request) as (connection,):
        assert _answer(connection).startswith(b"HTTP/1.1 200")
        time.sleep(HEADER_SECONDS / 2)
        connection.sendall(request)
        assert _answer(connection).startswith(b"HTTP/1.1 200")


def _answer(connection: socket.socket) -> bytes:
    """A whole answer of `/health/live`: its head and its body may come in two pieces."""
    received = b""
    while not received.endswith(b'{"status":"live"}'):
        piece = connection.recv(1000)
        assert piece, "the connection was closed"
        received += piece
    return received


@pytest.mark.parametrize(("soft", "hard", "limit"), [(300, 600, 600 - OTHER_FILES), (100, 200, 1), (300, 10_000, 8192)])
def test_connections_fit_into_the_limit_of_open_files(soft: int, hard: int, limit: int) -> None:
    source = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from cds_service.server.connection_limit import connection_limit; print(connection_limit())"
    )
    command = [sys.executable, "-c", source]
    assert int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout) == limit
