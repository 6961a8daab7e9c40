"""Processes of the command line, forked from one that has imported it.

Importing takes most of the time of a start, and the suite starts the service and its commands hundreds of times. Tests
of the start itself run the command in a new interpreter (`tests/http/test_server.py`, `tests/documents/test_wheel.py`).
"""

import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, set_start_method
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(["cds_service.cli.main", "cds_service.server.granian", "tests.support.preloaded"])
_MOST_SECONDS = 300.0


@dataclass(frozen=True)
class Streams:
    """The files of a process: its input, and those that its outputs are added to."""

    stdout: Path
    stderr: Path
    stdin: Path = Path(os.devnull)


class ForkedCommand:
    """A process of `cds-service`, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], streams: Streams) -> None:
        self._process = _FORKING.Process(target=_run, args=([*arguments], dict(environment), streams))
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
            raise TimeoutError(f"the process did not end within {timeout} seconds")
        return code


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `cds-service` to its end; with variables, these alone are its environment."""
    with TemporaryDirectory() as name:
        given, stdout, stderr = (Path(name) / each for each in ("stdin", "stdout", "stderr"))
        given.write_bytes(stdin)
        process = ForkedCommand(arguments, environment or os.environ, Streams(stdout, stderr, given))
        try:
            code = process.wait(_MOST_SECONDS)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, code, stdout.read_bytes(), stderr.read_bytes())


def run_text(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `cds-service` to its end as `run` does; what it wrote is text."""
    done = run(*arguments, stdin=b"", **environment)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _run(arguments: list[str], environment: dict[str, str], streams: Streams) -> None:
    """Run the command in this process, which is a fork of its own."""
    from cds_service.cli.main import main  # noqa: PLC0415  # it is loaded in the process that forks, not in the tests'

    with streams.stdin.open("rb") as stdin, streams.stdout.open("ab") as stdout, streams.stderr.open("ab") as stderr:
        for number, stream in enumerate((stdin, stdout, stderr)):
            os.dup2(stream.fileno(), number)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))  # multiprocessing has closed it
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    warnings.simplefilter("error")
    set_start_method("fork", force=True)  # as the command has it: workers inherit what the service has set
    main(arguments, prog_name="cds-service")
