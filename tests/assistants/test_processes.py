"""The processes behind the tools: what they write, when they end, whom they admit, and what they log."""

import importlib.util
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from mcp import Client
from mcp.shared.exceptions import MCPError

from cds_service.assistants.server import create_server
from cds_service.cli.main import main
from cds_service.settings import Settings
from cds_service.telemetry.logs import configure
from cds_service.wiring import create_toolbox
from tests.assistants.clients import COMMAND, connected, over_http, over_stdio
from tests.http.test_authentication import REGISTRATIONS
from tests.support.forked import run
from tests.support.running import ROOT, Service, eventually, running_command
from tests.support.tokens import BASE, P384, RSA, jwk, key_set, published, token

ENDPOINT = f"{BASE}/mcp"
SECRET = "ZEBEDEE"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}


def spoken(*lines: bytes, answers: int, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A process that was told these lines, and whose stdin was closed after so many answers."""
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"".join(line + b"\n" for line in lines))
    process.stdin.flush()
    out = b"".join(process.stdout.readline() for _ in range(answers))
    rest, err = process.communicate(timeout=20)
    return subprocess.CompletedProcess(COMMAND, process.returncode, out + rest, err)


def message(**members: Any) -> bytes:
    return json.dumps(members).encode()


# --- stdio ----------------------------------------------------------------------------------------------------------


def test_stdout_has_the_protocol_alone_and_a_closed_stdin_ends_the_process() -> None:
    done = spoken(message(**INITIALIZE), answers=1)
    (first,) = (json.loads(line) for line in done.stdout.splitlines())
    assert first["result"]["serverInfo"]["name"] == "contrast-echo-cds"
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.exhaustive
def test_what_is_no_message_is_passed_over() -> None:
    done = spoken(
        b"not json", b"\xff\xfe", b"[]", b"", b'"text"', message(**INITIALIZE), b"{", message(**LIST), answers=2
    )
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["id"] for each in answers if "result" in each] == [1, 2]
    assert b"Traceback" not in done.stderr


def test_a_call_of_another_form_is_refused_by_the_protocol() -> None:
    wrong = {"name": "review_claim", "arguments": SECRET}
    call = message(jsonrpc="2.0", id=2, method="tools/call", params=wrong)
    done = spoken(message(**INITIALIZE), call, answers=2)
    (_, refused) = (json.loads(line) for line in done.stdout.splitlines())
    assert refused["error"]["code"] == -32602
    assert SECRET not in json.dumps(refused)
    assert SECRET.encode() not in done.stderr


@pytest.mark.exhaustive
def test_a_large_message_without_an_id_is_refused_too() -> None:
    large, limit = b"x" * 200_000, {"CDS_MAX_BODY_BYTES": "100000"}
    done = spoken(message(**INITIALIZE), large, message(**LIST), answers=3, **limit)
    answers = {each["id"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == {1, None, 2}, "each has its answer; a refusal may overtake an answer that takes longer"
    assert "at most 100000 bytes" in answers[None]["error"]["message"]


def test_a_fault_of_the_settings_is_one_line() -> None:
    result = run("mcp", CDS_MAX_LINES="many")
    assert result.returncode == 1
    assert result.stdout == b""
    assert result.stderr.decode().startswith("Error: CDS_MAX_LINES: ")
    assert len(result.stderr.splitlines()) == 1


def test_the_log_has_nothing_of_the_arguments(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with over_stdio(log) as made:
        made.call("review_claim", notation=f'professional: 93352\nday: 2026-06-01\nreported: words "{SECRET}"')
        made.call("review_claim", notation=SECRET)
        made.call("review_claim", **{SECRET: SECRET})
        made.call("review_bundle", bundle={"resourceType": "Bundle", "id": SECRET, "type": SECRET})
        made.call("search_codes", query=SECRET)
        made.call("explain_code", code=SECRET)
        for uri in (f"contrast-echo:///codes/{SECRET}", f"{SECRET}://"):
            with pytest.raises(MCPError):
                made.read(uri)
        with pytest.raises(MCPError):
            made.call(SECRET)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    called = [each["service"] for each in lines if each["event"] == "call"]
    assert called == ["review_claim", "review_bundle", "search_codes"]
    assert {each["event"] for each in lines} == {"call", "refused"}
    assert SECRET not in log.read_text()


# --- without the extra ----------------------------------------------------------------------------------------------


def test_without_the_extra_one_line_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else found(name))
    result = CliRunner().invoke(main, ["mcp"])
    assert result.exit_code == 2
    assert result.output == "this needs the extra `mcp`: pip install 'contrast-echo-cds[mcp]'\n"


def test_other_commands_do_not_import_the_sdk() -> None:
    code = (
        "import sys, cds_service.cli.main, cds_service.app; print([m for m in sys.modules if m.split('.')[0] == 'mcp'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout == b"[]\n"


# --- defects --------------------------------------------------------------------------------------------------------


class _Broken:
    """An asker that fails in a way that nobody expected, with words of the question."""

    def ask(self, question: str) -> None:
        raise RuntimeError(question)


def test_a_defect_is_one_line_without_its_message(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure(sys.stderr)
    toolbox = replace(create_toolbox(Settings()), asker=_Broken())  # type: ignore[arg-type]
    server = create_server(toolbox, Settings(), lambda _, __: None)
    with connected(lambda: Client(server)) as made:
        assert made.fault("ask", question=SECRET) == "internal error: nothing was reviewed"
        assert made.answer("explain_code", code="93352"), "it serves on"
    logged = json.loads(capfdbinary.readouterr().err.splitlines()[-1])
    assert (logged["event"], logged["service"], logged["error"]) == ("defect", "ask", "RuntimeError")
    assert SECRET not in json.dumps(logged)


# --- over HTTP ------------------------------------------------------------------------------------------------------


WITH_DESK = f"""{REGISTRATIONS}\
  - id: desk
    issuer: https://desk.example.org
    jwks_file: ward.json
    services: [mcp]
"""


@dataclass(frozen=True)
class Server:
    """A production server for assistants."""

    service: Service

    def post(self, bearer: str | None, body: Any = LIST, path: str = "/mcp", **headers: str) -> requests.Response:
        sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"} | headers
        sent |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        content = body if isinstance(body, bytes) else json.dumps(body)
        return requests.post(self.service.address + path, data=content, headers=sent, timeout=30)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.service.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("http")
    (folder / "ward.json").write_bytes(key_set(jwk(P384, "k1")))
    with published(key_set(jwk(P384, "k1"), jwk(RSA, "r1"))) as keys:
        (folder / "clients.yaml").write_text(WITH_DESK.format(keys=keys.address))
        settings = {"CDS_MODE": "production", "CDS_CLIENTS_FILE": str(folder / "clients.yaml")}
        settings |= {"CDS_PUBLIC_BASE_URL": BASE, "CDS_MAX_BODY_BYTES": "100000"}
        with running_command(folder, "mcp", "--http", **settings) as service:
            yield Server(service)


def test_a_client_calls_with_its_token_and_each_token_once(server: Server) -> None:
    bearer = token(aud=ENDPOINT)
    assert server.post(bearer).json()["result"]["tools"]
    again = server.post(bearer)
    assert (again.status_code, again.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert again.json() == {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]}


@pytest.mark.parametrize(
    "bearer",
    [None, "x.y.z", lambda: token(aud=f"{BASE}/review"), lambda: token(iss="https://other.example"),
     lambda: token(aud=ENDPOINT, exp=1.0), lambda: token(P384, aud=ENDPOINT, header={"kid": "r1"})],
)  # fmt: skip
def test_without_a_good_token_nobody_is_admitted(server: Server, bearer: Any) -> None:
    refused = server.post(bearer() if callable(bearer) else bearer)
    assert refused.status_code == 401
    assert "diagnostics" not in refused.text


def test_a_token_for_another_address_is_named_in_the_log(server: Server) -> None:
    server.post(token(aud=f"{BASE}/review"))
    refused = [each for each in server.log() if each.get("expected_aud")]
    assert refused[-1]["expected_aud"] == ENDPOINT


def test_a_registration_opens_it_by_name(server: Server) -> None:
    """The ward's registration lists one service, and not `mcp`; that of the desk lists it alone."""
    assert server.post(token(iss="https://desk.example.org", aud=ENDPOINT)).status_code == 200
    refused = server.post(token(iss="https://ward.example.org", tenant="north", aud=ENDPOINT))
    assert refused.status_code == 403
    assert "not registered for this service" in refused.text


@pytest.mark.parametrize(
    ("headers", "path", "body", "status"),
    [
        ({}, "/review", LIST, 404),
        ({"Origin": "https://evil.example"}, "/mcp", LIST, 403),
        ({"Content-Encoding": "gzip"}, "/mcp", LIST, 415),
        ({}, "/mcp", b"x" * 100_001, 413),
        ({}, "/mcp", b"not json", 400),
        ({}, "/mcp", b"", 400),
        ({"Content-Type": "text/plain"}, "/mcp", LIST, 400),
    ],
)
def test_other_requests_are_refused(server: Server, headers: Any, path: str, body: Any, status: int) -> None:
    refused = server.post(token(aud=BASE + path), body, path, **headers)
    assert refused.status_code == status
    assert "Traceback" not in refused.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_only_post_is_answered(server: Server, method: str) -> None:
    headers = {"Authorization": f"Bearer {token(aud=ENDPOINT)}", "Accept": "text/event-stream"}
    refused = requests.request(method, f"{server.service.address}/mcp", headers=headers, timeout=5)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


def test_a_body_that_is_too_large_is_answered_to_the_sdks_client(server: Server) -> None:
    with over_http(server.service.address, lambda: token(aud=ENDPOINT)) as made:
        with pytest.raises(MCPError):
            made.call("search_codes", query="x" * 200_000)
        assert made.answer("search_codes", query="lumason")["codes"]


def test_calls_are_audited_and_logged_under_the_client(server: Server) -> None:
    with over_http(server.service.address, lambda: token(aud=ENDPOINT)) as made:
        made.answer("review_claim", professional="93352", day="2026-06-01", reported=f'words "{SECRET}"')

    def is_stored() -> bool:
        with closing(sqlite3.connect(server.service.database)) as database:
            rows = database.execute("SELECT client, service, rules FROM audit").fetchall()
        return any(row[:2] == ("hospital", "review_claim") and "add-on-without-primary" in row[2] for row in rows)

    eventually(is_stored)
    called = [each for each in server.log() if each["event"] == "call" and each["service"] == "review_claim"]
    assert called[-1]["client"] == "hospital"
    assert re.fullmatch(r"[0-9a-f-]{36}", called[-1]["request_id"])
    assert SECRET not in server.service.log.read_text()


def test_a_client_that_calls_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    with published(key_set(jwk(P384, "k1"))) as keys:
        (tmp_path / "ward.json").write_bytes(key_set(jwk(P384, "k1")))
        (tmp_path / "clients.yaml").write_text(REGISTRATIONS.format(keys=keys.address))
        settings = {"CDS_MODE": "production", "CDS_CLIENTS_FILE": str(tmp_path / "clients.yaml")}
        settings |= {"CDS_PUBLIC_BASE_URL": BASE, "CDS_CALLS_PER_SECOND": "0.1"}
        with running_command(tmp_path, "mcp", "--http", **settings) as service:
            answers = [Server(service).post(token(aud=ENDPOINT)) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_in_development_only_this_machine_calls(tmp_path: Path) -> None:
    with running_command(tmp_path, "mcp", "--http", CDS_MODE="development") as service:
        server = Server(service)
        assert server.post(None).status_code == 200
        assert server.post(None, Origin="http://localhost:3000").status_code == 200
        assert server.post(None, Host="evil.example").status_code == 421
        assert server.post(None, Origin="http://evil.example").status_code == 403
    assert service.process.poll() == 0
    result = run("mcp", "--http", "--host", "0.0.0.0", CDS_MODE="development")
    assert result.returncode == 1
    assert b"development mode has no authentication" in result.stderr


def test_production_needs_its_clients() -> None:
    result = run("mcp", "--http", CDS_MODE="production")
    assert result.returncode == 1
    assert b"CDS_CLIENTS_FILE: required in production" in result.stderr
