"""Servers in processes of their own, pinned to cores, and what they have used so far."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.bench.calls import Call
from tests.support.running import ROOT, free_port

Tokens = Callable[[str, int], Sequence[str]]

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0

PEER_PYTHON = ROOT / ".venv-peer" / "bin" / "python"


@dataclass(frozen=True)
class Server:
    """The command that starts a server; `{port}` in it is filled in.

    `answers` tells whether it advises: the baseline and the peer give a constant. `tokens` makes so many tokens for an
    address, one for each request.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    answers: bool = False
    tokens: Tokens | None = None


def granian(name: str, target: str) -> Server:
    """A WSGI app that has no command of its own, served as the service is."""
    options = ("--interface", "wsgi", "--factory", "--host", "127.0.0.1", "--port", "{port}", "--no-ws")
    threads = ("--blocking-threads", str(2 * (os.cpu_count() or 1) + 1))
    return Server(name, (sys.executable, "-m", "granian", *options, *threads, target))


def service(name: str, workers: int = 1, tokens: Tokens | None = None, **environment: str) -> Server:
    """The service as `cds-service serve` starts it."""
    command = (sys.executable, "-m", "cds_service", "serve", "--port", "{port}", "--workers", str(workers))
    return Server(name, command, _ROOMY | environment, True, tokens)


# The largest calls go beyond what a site would let in.
_ROOMY = {"CDS_MODE": "development", "CDS_MAX_BODY_BYTES": str(16 * 1024 * 1024), "CDS_MAX_ENTRIES": "200000"}

BASELINE = granian("baseline", "tests.bench.baseline:create_app")
FROZEN_BASELINE = granian("baseline with gc.freeze()", "tests.bench.baseline:create_frozen_app")


def peers() -> Iterator[Server]:
    """HealthChain on the prefetch as dicts and parsed into its types, where it is installed (`make bench-peer`)."""
    if PEER_PYTHON.exists():
        for mode in ("raw", "typed"):
            command = (str(PEER_PYTHON), "-m", "tests.bench.peer", "{port}", mode)
            yield Server(f"HealthChain, {'raw dicts' if mode == 'raw' else 'typed'}", command)


@dataclass(frozen=True)
class Running:
    """A server that runs: its address, its process, and how long it took from the start to the first answer."""

    server: Server
    address: str
    process: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far, in seconds."""
        return sum(_cpu_seconds(each) for each in _family(self.process))

    def peak_megabytes(self) -> float:
        """The most memory that one of its processes held."""
        return max(_peak_kilobytes(each) for each in _family(self.process)) / 1024


@contextmanager
def running(server: Server, folder: Path, cores: Iterable[int], first: Call) -> Iterator[Running]:
    """Run a server on some cores for the time of the block. It is up when it has answered the first call."""
    port = free_port()
    command = [part.format(port=port) for part in server.command]
    defaults = {"CDS_DATABASE_URL": f"sqlite:///{folder / f'{port}.sqlite3'}"}
    wanted = ",".join(map(str, cores))
    began = time.monotonic()
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", wanted, *command],
            cwd=ROOT,
            env=os.environ | defaults | server.environment,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for_answer(process, address, first, server, folder / f"{port}.log")
        yield Running(server, address, process.pid, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_STOP_SECONDS)


def _wait_for_answer(process: subprocess.Popen[bytes], address: str, call: Call, server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            check_answer(address, call, server)
        except requests.ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{server.name} does not answer; its log:\n{log.read_text()[-2000:]}")


def check_answer(address: str, call: Call, server: Server) -> None:
    """Raise where a server does not say what it must: what says nothing at all may be as fast as it likes."""
    headers = {"Content-Type": "application/json"}
    if server.tokens:
        headers["Authorization"] = f"Bearer {server.tokens(address + call.path, 1)[0]}"
    response = requests.post(address + call.path, call.body, headers=headers, timeout=60)
    response.raise_for_status()
    cards = response.json()["cards"]
    if server.answers and (len(cards) != call.cards or not all(card.get("suggestions") for card in cards)):
        raise RuntimeError(f"{server.name}, {call.name}: expected {call.cards} cards with suggestions, not {cards}")


def _family(process: int) -> Sequence[int]:
    """A process and all that it started."""
    found = [process]
    for each in found:
        for thread in Path(f"/proc/{each}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_kilobytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
