"""Resources of a process (memory, files, threads, connections), and their growth from round to round.

Measured at rest, after each round of load: what a call needs while it runs is given back by then. Read from `/proc`.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

MEMORY, FILES, THREADS, CONNECTIONS = "memory", "files", "threads", "connections"

# What may be gained from the end of the warm-up to the end, by the line through the measurements: memory in MiB, and
# otherwise in pieces. Memory finds its level late: of some 180 MiB, the last ten came in the fourth and fifth minute,
# and none in the next five. A leak of a kilobyte a call is more than the bound in three minutes, a file or a connection
# that one call in a thousand leaves behind is more than two.
BOUNDS = {MEMORY: 16.0, FILES: 2.0, THREADS: 1.0, CONNECTIONS: 2.0}

# The part of the rounds in which pools fill, caches are made and memory finds its level.
WARM_UP = 1 / 2


@dataclass(frozen=True)
class Held:
    """Resources that a process holds at one moment."""

    memory: float
    files: float
    threads: float
    connections: float


def held_by(pid: int) -> Held:
    """Resources of a process: resident memory in MiB, open files, threads, and TCP connections among the files."""
    root = Path(f"/proc/{pid}")
    pages = int((root / "statm").read_text().split()[1])
    files = [_target(each) for each in (root / "fd").iterdir()]
    sockets = {each.removeprefix("socket:[").removesuffix("]") for each in files if each.startswith("socket:[")}
    return Held(
        memory=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        files=len(files),
        threads=len(list((root / "task").iterdir())),
        connections=len(sockets & _tcp(root)),
    )


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""  # closed since the folder was listed


def _tcp(root: Path) -> set[str]:
    """The inodes of all TCP sockets that the process can see."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in (root / "net" / name).read_text().splitlines()[1:]]
    return {row[9] for row in rows}


def watched(pids: Sequence[int], rounds: int, burst: Callable[[], None]) -> list[list[Held]]:
    """Resources of each process after each round of load."""
    found: list[list[Held]] = [[] for _ in pids]
    for _ in range(rounds):
        burst()
        for mine, pid in zip(found, pids, strict=True):
            mine.append(held_by(pid))
    return found


@dataclass(frozen=True)
class Growth:
    """One resource of a process: after warm-up, at the end, and the gain of the fitted line."""

    what: str
    first: float
    last: float
    gained: float

    @property
    def is_too_much(self) -> bool:
        """True if the gain exceeds the limit."""
        return self.gained > BOUNDS[self.what]


def growth(measured: Sequence[Held]) -> list[Growth]:
    """Growth of the resources of one process since warm-up."""
    steady = measured[round(len(measured) * WARM_UP) :]
    return [_growth(what, [getattr(each, what) for each in steady]) for what in BOUNDS]


def _growth(what: str, values: Sequence[float]) -> Growth:
    slope = linear_regression(range(len(values)), values).slope
    return Growth(what, values[0], values[-1], slope * (len(values) - 1))


def rows(by_process: Iterable[list[Growth]]) -> list[str]:
    """A small table: a line for each process and thing."""
    head = f"{'process':>8} {'':12} {'warm':>8} {'end':>8} {'gained':>8} {'bound':>6}"
    return [head] + [
        f"{number:>8} {each.what:12} {each.first:>8.1f} {each.last:>8.1f} {each.gained:>8.2f} {BOUNDS[each.what]:>6.0f}"
        + ("  TOO MUCH" if each.is_too_much else "")
        for number, grown in enumerate(by_process, 1)
        for each in grown
    ]
