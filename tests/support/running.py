"""Runs `cds-service serve`, or another command that serves, in a process of its own.

The process is forked from one that has imported the service, as importing it takes most of the time of a start, and the
suite starts the service a hundred times. Tests of the start itself run the command (`tests/http/test_server.py`).
"""

import os
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, set_start_method
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(["cds_service.cli.main", "cds_service.server.granian", "tests.support.preloaded"])
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class ServiceProcess:
    """A process of the service, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._process = _FORKING.Process(target=_serve, args=(arguments, environment, log))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, or the negative number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises TimeoutError after some seconds."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise TimeoutError(f"the service did not end within {timeout} seconds")
        return code


def _serve(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """Run the command in this process, which is a fork of its own."""
    from cds_service.cli.main import main  # noqa: PLC0415  # it is loaded in the process that forks, not in the tests'

    with log.open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    warnings.simplefilter("error")
    set_start_method("fork", force=True)  # as the command has it: workers inherit what the service has set
    main(arguments, prog_name="cds-service")


@dataclass(frozen=True)
class Service:
    """A running service: its address, its database, what it logs and its process."""

    address: str
    database: Path
    log: Path
    process: ServiceProcess

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
    process = ServiceProcess(command, os.environ | defaults | environment, log_file)
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


def _wait_for(service: Service, process: ServiceProcess) -> None:
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
