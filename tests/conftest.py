"""What the tests share: an advisor in this process, and a running server of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cds_service.advice import Advisor
from cds_service.app import create_advisor
from cds_service.settings import Settings

# Who may call is shown by tests of its own; all others call from this machine.
os.environ.setdefault("CDS_MODE", "development")

ROOT = Path(__file__).parent.parent
SAMPLES = sorted((ROOT / "sample_bundles").glob("*/*.json"))


@pytest.fixture(scope="session")
def advisor() -> Advisor:
    return create_advisor(Settings())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server process, started as `cds-service serve` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port)]
    database = tmp_path_factory.mktemp("server") / "feedback.sqlite3"
    environment = {"PYTHONWARNINGS": "error", "CDS_DATABASE_URL": f"sqlite:///{database}"}
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        yield _wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode} before it answered")
        try:
            requests.get(f"{address}/health/ready", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return address
    raise RuntimeError("the server did not answer within ten seconds")
