"""Starts a FHIR R4 server (the package sekmet-fhir) in a process of its own, and talks to it."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

HOST = "127.0.0.1"
DEFAULT_PYTHON = Path(__file__).resolve().parents[3] / ".venv-fhir" / "bin" / "python"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
REQUEST_SECONDS = 30.0
LOG_TAIL_LINES = 40

Json = dict[str, Any]


class FhirServer:
    """A client of the running server that takes any refusal as an error."""

    def __init__(self, base_url: str, session: requests.Session) -> None:
        self.base_url = base_url
        self._session = session

    def put(self, resource: Json) -> None:
        """Create or replace the resource under its own id."""
        self._send("PUT", f"{resource['resourceType']}/{resource['id']}", resource)

    def get(self, path: str) -> Json:
        """Return what the server has at a path below its base, or at an absolute URL of it."""
        return self._send("GET", path)

    def search(self, path: str) -> list[Json]:
        """Return the resources that match a search such as `Procedure?patient=p1`, from all its pages."""
        matches: list[Json] = []
        url: str | None = path
        while url:
            page = self.get(url)
            matches += [e["resource"] for e in page.get("entry", []) if e["search"]["mode"] == "match"]
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        return matches

    def transaction(self, entries: Sequence[Json]) -> Json:
        """Apply all entries of a transaction Bundle or none, and return the answering Bundle."""
        return self._send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)})

    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send one request and return the resource it is answered with."""
        url = path if path.startswith(f"{self.base_url}/") else f"{self.base_url}/{path}".rstrip("/")
        response = self._session.request(method, url, json=body, timeout=REQUEST_SECONDS)
        if not response.ok:
            raise RuntimeError(f"{method} {url} was answered {response.status_code}: {response.text}")
        answer: Json = response.json()
        return answer


@contextmanager
def running_server(python: Path = DEFAULT_PYTHON, *, bearer_token: str | None = None) -> Iterator[FhirServer]:
    """Run an empty server for the time of the block; with a bearer token it refuses requests that lack it."""
    if not python.exists():
        raise RuntimeError(f"the FHIR server is not installed: there is no {python}")
    with TemporaryDirectory(prefix="fhir-server-") as directory:
        data, port = Path(directory), _free_port()
        config = _write_config(data, port, bearer_token)
        with _process(python, config, data / "server.log") as process, _session(bearer_token) as session:
            server = FhirServer(f"http://{HOST}:{port}/fhir", session)
            _wait_until_healthy(server, process, data / "server.log")
            yield server


def _free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def _write_config(data: Path, port: int, bearer_token: str | None) -> Path:
    """Write the server's settings; they are YAML, of which JSON is a part."""
    settings: Json = {
        "host": HOST,
        "port": port,
        "base_url": f"http://{HOST}:{port}/fhir",  # what its page links start with
        "data_dir": str(data),
        "db_path": ":memory:",  # each server starts empty, and no request waits for a disk
        "log_inbound": False,  # uvicorn's own lines in server.log are enough
        "simulator": {"enabled": False},  # it would write resources that no test asked for
    }
    if bearer_token is not None:
        settings["server_auth"] = {"types": ["bearer"], "tokens": [bearer_token]}
    config = data / "settings.yaml"
    config.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return config


@contextmanager
def _process(python: Path, config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server process in its data directory and end it, and no other, after the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEKMET_")}
    command = [str(python), "-I", "-m", "sekmet.cli", "serve", "--config", str(config)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=log.parent, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and kill it when it does not."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _session(bearer_token: str | None) -> requests.Session:
    """Return a session that uses no proxy and has the server refuse search parameters that it does not know."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"})
    session.headers["Prefer"] = "handling=strict"
    if bearer_token is not None:
        session.headers["Authorization"] = f"Bearer {bearer_token}"
    return session


def _wait_until_healthy(server: FhirServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers, or raise what its log says when it ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.get("metadata")
        except (requests.RequestException, RuntimeError):
            time.sleep(0.05)
        else:
            return
    reason = "does not answer" if process.poll() is None else f"ended with code {process.returncode}"
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    raise RuntimeError("\n".join([f"the FHIR server {reason}; the end of its log:", *tail]))
