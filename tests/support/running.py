"""Runs `cds-service serve`, or another command that serves, in a process of its own."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support import forked
from tests.support.forked import ForkedCommand, Streams

ROOT = forked.ROOT
START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Service:
    """A running service: its address, its database, what it logs and its process."""

    address: str
    database: Path
    log: Path
    process: ForkedCommand

    def workers(self) -> list[int]:
        """The processes that answer calls."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that is to happen soon; fails where it does not."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@contextmanager
def running(folder: Path, workers: int = 1, **environment: str) -> Iterator[Service]:
    """Run the service for the time of the block, with its database and its log in a folder."""
    with running_command(folder, "serve", "--workers", str(workers), **environment) as service:
        yield service


@contextmanager
def running_command(folder: Path, *arguments: str, **environment: str) -> Iterator[Service]:
    """Run a command that serves HTTP for the time of the block, on a free port."""
    port, database, log_file = free_port(), folder / "feedback.sqlite3", folder / "log.txt"
    command = [*arguments, "--port", str(port)]
    defaults = {"CDS_DATABASE_URL": f"sqlite:///{database}"}
    process = ForkedCommand(command, os.environ | defaults | environment, Streams(log_file, log_file))
    service = Service(f"http://127.0.0.1:{port}", database, log_file, process)
    try:
        _wait_for(service, process)
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=STOP_SECONDS)


def free_port() -> int:
    """A port of this machine that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(service: Service, process: ForkedCommand) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            requests.get(f"{service.address}/health/ready", timeout=1)
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
        else:
            return
    reason = "does not answer" if process.poll() is None else f"ended with exit code {process.poll()}"
    raise RuntimeError(f"the service {reason}; its log:\n{service.log.read_text()[-4000:]}")
