"""A process that holds what the tests import of others and forks once per mutant: that saves a second each time.

Started by path in the copy of the tree, so that nothing of the project is loaded before a fork. Reads one JSON object
a line: `{"file", "text", "tests", "seconds"}`; answers each with one line: `killed`, `survived` or `hangs`.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

SURVIVED, KILLED = 0, 1
# Where cores are shared, a process may wait for one: so many times its processor time.
WAITING = 6


class Chosen:
    """A plugin of pytest that keeps the named tests, in their order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: number for number, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what was named."""
        kept = [item for item in items if item.nodeid in self.order]
        items[:] = sorted(kept, key=lambda item: self.order[item.nodeid])


def _preload(names: list[str]) -> None:
    """Import what the tests import of others. What cannot be imported by itself is left to the test that does."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(None):
        warnings.simplefilter("ignore")
        for name in names:
            if name not in sys.modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)


@contextlib.contextmanager
def written(path: Path, text: str) -> Iterator[None]:
    """A file with another text; afterwards it is as it was, with its time, so that its compiled form holds."""
    before, known = path.read_bytes(), path.stat()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


def _judge(job: dict[str, Any]) -> str:
    """The outcome of a mutant's tests, which run in a fork of this process."""
    with written(Path(job["file"]), job["text"]):
        child = os.fork()
        if child == 0:
            _run_tests(job)
        return ended(child, job["seconds"] * WAITING)


def _run_tests(job: dict[str, Any]) -> None:
    """Run the tests and end this process, with 0 if all passed."""
    code = KILLED
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"] + 1))
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(Path.cwd()))
        files = list(dict.fromkeys(name.partition("::")[0] for name in job["tests"]))
        options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
        code = int(pytest.main([*options, *files], plugins=[Chosen(job["tests"])]))
    finally:
        os._exit(code)


def ended(child: int, seconds: float, others: Mapping[int, str] = MappingProxyType({})) -> str:
    """The outcome that a child's end tells; one that does not end is ended, with all that it started."""
    known = {SURVIVED: "survived", -signal.SIGXCPU: "hangs", -signal.SIGKILL: "hangs", **others}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return known.get(os.waitstatus_to_exitcode(status), "killed")
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def main() -> None:
    """Judge mutants until there are no more."""
    _preload(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        sys.stdout.write(_judge(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
