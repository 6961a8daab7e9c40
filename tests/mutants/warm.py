"""A process that holds the collected tests and forks once per mutant; the fork changes the function in place.

Nothing is imported or collected again, which takes longer than most tests. That works for a change inside of a
function that ran at no import; for any other the answer is `cold`. Started by path in the copy of the tree, with the
files of tests as arguments. Reads and answers like `worker.py`.
"""

import gc
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TextIO

import pytest

sys.path.insert(0, str(Path.cwd()))
from tests.mutants import worker

_COLD = 3
_IS_FUNCTION = 1  # CO_OPTIMIZED: neither a module's body nor a class's, which run at import


class Judge:
    """A plugin of pytest that judges mutants in place of running the collected tests once."""

    def __init__(self, jobs: TextIO, answers: TextIO) -> None:
        self._jobs, self._answers = jobs, answers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge mutants until there are no more."""
        items = {item.nodeid: item for item in session.items}
        gc.collect()
        for line in self._jobs:
            job = json.loads(line)
            chosen = [items[name] for name in job["tests"] if name in items]
            self._answers.write(_judge(job, chosen, session) + "\n")
            self._answers.flush()
        return True


def _judge(job: dict[str, Any], items: list[pytest.Item], session: pytest.Session) -> str:
    path = Path(job["file"])
    before = path.read_text()
    with worker.written(path, job["text"]):
        child = os.fork()
        if child == 0:
            _run_tests(job, before, items, session)
        return worker.ended(child, job["seconds"] * worker.WAITING, {_COLD: "cold"})


def _run_tests(job: dict[str, Any], before: str, items: list[pytest.Item], session: pytest.Session) -> None:
    """Run the tests in their order and end this process, with 0 if all passed."""
    code = worker.KILLED
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"] + 1))
        if before != job["text"] and not _changed_in_place(job["file"], before, job["text"]):
            code = _COLD
        else:
            code = worker.SURVIVED if _all_pass(items, session) else worker.KILLED
    finally:
        os._exit(code)


def _all_pass(items: list[pytest.Item], session: pytest.Session) -> bool:
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return False
    return True


def _changed_in_place(path: str, before: str, after: str) -> bool:
    """Give the functions that are loaded the code of the changed text; False if another place is changed."""
    old, new = (compile(text, path, "exec", dont_inherit=True) for text in (before, after))
    pairs = list(_differing(old, new))
    if not pairs or not all(one.co_flags & _IS_FUNCTION for one, _ in pairs):
        return False
    loaded = [each for each in gc.get_objects() if type(each) is FunctionType]
    for one, other in pairs:
        functions = [each for each in loaded if each.__code__ == one and each.__code__.co_filename.endswith(path)]
        for function in functions:
            function.__code__ = other
        if not functions:
            return False
    return True


def _differing(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The outermost functions that differ, or the body of the module or class that does."""
    if old == new:
        return
    within = [_code_in(each) for each in (old, new)]
    if old.co_flags & _IS_FUNCTION or _shell(old) != _shell(new) or len(within[0]) != len(within[1]):
        yield old, new
        return
    for one, other in zip(*within, strict=True):
        yield from _differing(one, other)


def _code_in(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _shell(code: CodeType) -> tuple[Any, ...]:
    """A module's or class's own instructions and values, without the functions in it."""
    values = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, values


def main() -> None:
    """Collect the tests of the files that the arguments name, then judge."""
    jobs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    options = ["-q", "-s", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    sys.exit(int(pytest.main([*options, *sys.argv[1:]], plugins=[Judge(jobs, answers)])))


if __name__ == "__main__":
    main()
