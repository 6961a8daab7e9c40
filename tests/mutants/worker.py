"""A process that judges mutants, each in a fork: there, what can be kept from one mutant to the next is kept.

Without arguments it is cold: it holds what the tests import of others, and each fork imports the project anew. With
files of tests as arguments it is warm: it holds the collected tests, and the fork changes a function in place. That is
much faster, and works for a change inside of a function; for any other it answers `cold`.

Started by path in the copy of the tree. Reads one JSON object a line: `{"file", "text", "tests", "seconds"}`, if it is
cold after the names of what to import; answers each with one line: `killed`, `survived`, `hangs` or `cold`.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TextIO

import pytest

_SURVIVED, _KILLED, _COLD = 0, 1, 3
_OUTCOMES = {_SURVIVED: "survived", _COLD: "cold", -signal.SIGXCPU: "hangs", -signal.SIGKILL: "hangs"}
# Where cores are shared, a process may wait for one: so many times its processor time.
_WAITING = 6
_OPTIONS = ("-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly")
_IS_FUNCTION = 1  # CO_OPTIMIZED: neither a module's body nor a class's, which run at import

Job = dict[str, Any]


# --- a mutant in a fork ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _written(path: Path, text: str) -> Iterator[None]:
    """A file with another text; afterwards it is as it was, with its time, so that its compiled form holds."""
    before, known = path.read_bytes(), path.stat()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


def _judge(job: Job, run: Callable[[], int]) -> str:
    """The outcome of a mutant's tests, which run in a fork of this process."""
    with _written(Path(job["file"]), job["text"]):
        child = os.fork()
        if child == 0:
            _run_alone(job, run)
        return _ended(child, job["seconds"] * _WAITING)


def _run_alone(job: Job, run: Callable[[], int]) -> None:
    """Run the tests in silence and end this process, with 0 if all passed."""
    code = _KILLED
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"] + 1))
        sys.dont_write_bytecode = True
        code = run()
    finally:
        os._exit(code)


def _ended(child: int, seconds: float) -> str:
    """The outcome that a child's end tells; one that does not end is ended, with all that it started."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _OUTCOMES.get(os.waitstatus_to_exitcode(status), "killed")
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


# --- cold -----------------------------------------------------------------------------------------------------------


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


def _run_anew(job: Job) -> int:
    files = list(dict.fromkeys(name.partition("::")[0] for name in job["tests"]))
    return int(pytest.main(["-x", *_OPTIONS, *files], plugins=[Chosen(job["tests"])]))


def _be_cold() -> None:
    """Judge mutants until there are no more."""
    _preload(json.loads(sys.stdin.readline()))
    sys.path.insert(0, str(Path.cwd()))
    for line in sys.stdin:
        job = json.loads(line)
        sys.stdout.write(_judge(job, partial(_run_anew, job)) + "\n")
        sys.stdout.flush()


# --- warm -----------------------------------------------------------------------------------------------------------


class Judge:
    """A plugin of pytest that judges mutants in place of running the collected tests once."""

    def __init__(self, jobs: TextIO, answers: TextIO) -> None:
        self._jobs, self._answers = jobs, answers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge mutants until there are no more."""
        items = {item.nodeid: item for item in session.items}
        for line in self._jobs:
            job = json.loads(line)
            chosen = [items[name] for name in job["tests"]]
            before = Path(job["file"]).read_text()
            self._answers.write(_judge(job, partial(_run_changed, job, before, chosen, session)) + "\n")
            self._answers.flush()
        return True


def _run_changed(job: Job, before: str, items: list[pytest.Item], session: pytest.Session) -> int:
    if before != job["text"] and not _change_in_place(job["file"], before, job["text"]):
        return _COLD
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return _KILLED
    return _SURVIVED


def _change_in_place(path: str, before: str, after: str) -> bool:
    """Give the functions that are loaded the code of the changed text; False if another place is changed."""
    old, new = (compile(text, path, "exec", dont_inherit=True) for text in (before, after))
    pairs = list(_differing(old, new))
    if not all(one.co_flags & _IS_FUNCTION for one, _ in pairs):
        return False
    loaded = [each for each in gc.get_objects() if type(each) is FunctionType]
    loaded = [each for each in loaded if each.__code__.co_filename.endswith(path)]
    for one, other in pairs:
        functions = [each for each in loaded if each.__code__ == one]
        for function in functions:
            function.__code__ = other
        if not functions:
            return False
    return bool(pairs)


def _differing(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The outermost functions that differ, or the body of the module or class that does."""
    if old == new:
        return
    within = [[each for each in code.co_consts if isinstance(each, CodeType)] for code in (old, new)]
    if old.co_flags & _IS_FUNCTION or _shell(old) != _shell(new) or len(within[0]) != len(within[1]):
        yield old, new
        return
    for one, other in zip(*within, strict=True):
        yield from _differing(one, other)


def _shell(code: CodeType) -> tuple[Any, ...]:
    """A module's or class's own instructions and values, without the functions in it."""
    values = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, values


def _be_warm(files: list[str]) -> None:
    """Collect the tests of some files, then judge mutants until there are no more."""
    jobs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, str(Path.cwd()))
    pytest.main(["-s", *_OPTIONS, *files], plugins=[Judge(jobs, answers)])


if __name__ == "__main__":
    if sys.argv[1:]:
        _be_warm(sys.argv[1:])
    else:
        _be_cold()
