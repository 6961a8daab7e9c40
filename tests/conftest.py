"""What the tests share: an advisor in this process, and a running server of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from cds_service.advice import Advisor
from cds_service.app import create_advisor
from cds_service.settings import Settings
from tests.ehr import FHIR_TOKEN, load_corpus
from tests.fhir_server.server import FhirServer, running_server

ROOT = Path(__file__).parent.parent
SAMPLES = sorted((ROOT / "sample_bundles").glob("*/*.json"))


@pytest.fixture(scope="session")
def advisor() -> Advisor:
    return create_advisor(Settings())


@pytest.fixture(scope="session")
def server_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that takes what the server process writes to its outputs."""
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="session")
def server(server_log: Path) -> Iterator[str]:
    """The address of a server process, started as `cds-service serve` starts it."""
    with running_service(server_log) as address:
        yield address


@pytest.fixture(scope="session")
def fhir() -> Iterator[FhirServer]:
    """A FHIR R4 server that refuses whoever lacks the token; samples are loaded under ids of their own."""
    with running_server(bearer_token=FHIR_TOKEN) as running:
        load_corpus(running)
        yield running


@contextmanager
def running_service(log: Path, **environment: str) -> Iterator[str]:
    """Run a server process for the time of the block, with further environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port)]
    environment = {"CDS_DATABASE_URL": f"sqlite:///{log.with_suffix('.sqlite3')}"} | environment
    variables = os.environ | {"PYTHONWARNINGS": "error"} | environment
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
        try:
            yield _wait_for(f"http://127.0.0.1:{port}", process, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}: {log.read_text()[-2000:]}")
        try:
            requests.get(f"{address}/health/ready", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return address
    raise RuntimeError(f"the server did not answer within ten seconds: {log.read_text()[-2000:]}")
