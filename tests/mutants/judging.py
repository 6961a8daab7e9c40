"""Judges mutants: each in a copy of the tree, against the tests that run its lines."""

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from tests.mutants.making import Mutant
from tests.mutants.parts import CASES, judges_of
from tests.support.running import ROOT

COPIED = ("cds_service", "hooks", "tests", "sample_bundles", "deploy")
COPIED_FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "LICENSE")
CACHE = ROOT / ".mutants"

# Tests are added up to so many seconds of a processor, as while they were recorded, which is longer; a mutant may take
# longer by a factor.
MOST_SECONDS = 25.0
_FACTOR, _START = 3, 12


@dataclass(frozen=True)
class Verdict:
    """A mutant and what became of it: `killed`, `hangs`, `survived`, or `untested` where no test loads its module."""

    mutant: Mutant
    outcome: str

    @property
    def is_noticed(self) -> bool:
        """True if a test failed, or never ended, by the change."""
        return self.outcome in {"killed", "hangs"}


class Coverage:
    """The tests that run each line, and the seconds of each: what the runs of several folders of tests recorded."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.tests: list[str] = []
        self.seconds: list[float] = []
        self.modules: list[str] = []
        self._lines: dict[str, dict[str, list[int]]] = {}
        self._at_import: dict[str, set[int]] = {}
        self._ways_through: dict[str, dict[int, int]] = {}
        for recorded in records:
            self._add(recorded)

    def _add(self, recorded: dict[str, Any]) -> None:
        before = len(self.tests)
        self.tests += recorded["tests"]
        self.seconds += recorded["seconds"]
        self.modules += [name for name in recorded["modules"] if name not in self.modules]
        for module, numbers in recorded["at_import"].items():
            self._at_import.setdefault(module, set()).update(numbers)
        for module, lines in recorded["lines"].items():
            held = self._lines.setdefault(module, {})
            for line, tests in lines.items():
                held.setdefault(line, []).extend(before + test for test in tests)

    @property
    def files(self) -> list[str]:
        """The files of the tests."""
        return list(dict.fromkeys(map(_file_of, self.tests)))

    def runs_at_import(self, mutant: Mutant) -> bool:
        """True if a line of the mutant runs when its module, or another, is imported."""
        return not self._at_import.get(mutant.module, set()).isdisjoint(range(mutant.first_line, mutant.last_line + 1))

    def tests_of(self, module: str, first_line: int, last_line: int) -> list[str]:
        """The tests of some lines, then those of the rest of the module, up to some seconds, together by their files.

        The judges of the part are the first, then the cases of rules and those of files that import the module, first
        those that bear its name; of these one of each way through the module, by the lines that it runs, then
        a second of each, and the fastest before the others: hundreds take the same way. A line that runs once, at
        import or for a kept result, is noted for one test at most: others see its outcome.
        """
        lines = self._lines.get(module, {})
        near = {test for line in range(first_line, last_line + 1) for test in lines.get(str(line), ())}
        first = judges_of(module)
        judges = [number for number, test in enumerate(self.tests) if _file_of(test) in first]
        near.difference_update(judges)
        far = {test for tests in lines.values() for test in tests}.difference(near, judges)
        chosen: dict[str, list[str]] = {}
        total = 0.0
        for test in [*judges, *self._ranked(near, module), *self._ranked(far, module)]:
            total += self.seconds[test]
            if total > MOST_SECONDS:
                break
            chosen.setdefault(_file_of(self.tests[test]), []).append(self.tests[test])
        return [test for tests in chosen.values() for test in tests]

    def seconds_for(self, tests: list[str]) -> int:
        """The processor time after which these tests count as hanging."""
        pace = dict(zip(self.tests, self.seconds, strict=True))
        return math.ceil(_START + _FACTOR * sum(pace[test] for test in tests))

    def _ranked(self, tests: Iterable[int], module: str) -> list[int]:
        """Tests in the order in which they are to judge."""
        seen: Counter[int] = Counter()
        ranks: list[tuple[bool, bool, int, int, int]] = []
        ways, name = self._ways(module), Path(module).stem
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            file = _file_of(self.tests[test])
            is_of_other_file = file != CASES and not _imports(file, module)
            is_of_other_name = name not in self.tests[test].replace("-", "_")
            ranks.append((is_of_other_file, is_of_other_name, seen[ways[test]], len(ranks), test))
            seen[ways[test]] += 1
        return [test for *_, test in sorted(ranks)]

    def _ways(self, module: str) -> dict[int, int]:
        """For each test a number that stands for the lines of a module that it runs."""
        if module not in self._ways_through:
            ways: dict[int, int] = {}
            for line, tests in sorted(self._lines.get(module, {}).items()):
                for test in tests:
                    ways[test] = hash((ways.get(test), line))
            self._ways_through[module] = ways
        return self._ways_through[module]


def _file_of(test: str) -> str:
    return test.partition("::")[0]


@cache
def _imports(file: str, module: str) -> bool:
    """True if a file of tests imports a module by its name, rather than only what uses it."""
    package, _, name = module.removesuffix(".py").replace("/", ".").rpartition(".")
    imported = rf"^from {re.escape(package)}(?:\.{name} import | import .*\b{name}\b)"
    path = ROOT / file
    return path.exists() and re.search(imported, path.read_text(), re.MULTILINE) is not None


@contextmanager
def copied_tree(source: Path = ROOT) -> Iterator[Path]:
    """A copy of the tree that goes when it is no longer needed, however the run ends."""
    with TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        for name in COPIED:
            if (source / name).is_dir():
                shutil.copytree(source / name, tree / name, symlinks=True)
        for name in COPIED_FILES:
            if (source / name).exists():
                shutil.copy2(source / name, tree / name)
        yield tree


def recorded_coverage(files: dict[str, list[str]], say: Callable[[str], None]) -> Coverage:
    """The coverage of the test files of each folder, recorded again only after a change of the sources or the tests."""
    CACHE.mkdir(exist_ok=True)
    records = [
        CACHE / f"{folder.replace('/', '-')}-{_fingerprint(folder, names)}.json" for folder, names in files.items()
    ]
    for old in set(CACHE.glob("*.json")).difference(records):
        old.unlink()
    missing = [(record, names) for record, names in zip(records, files.values(), strict=True) if not record.exists()]
    if missing:
        say(f"recording which of {sum(len(names) for _, names in missing)} files of tests run which lines ...")
    with ThreadPoolExecutor(len(missing) or 1) as pool:
        list(pool.map(_record, missing))
    return Coverage([json.loads(record.read_text()) for record in records])


def _record(missing: tuple[Path, list[str]]) -> None:
    record, names = missing
    with copied_tree() as tree:
        record_in(tree, names, record)


def record_in(tree: Path, files: list[str], record: Path) -> None:
    """Record the coverage of test files in a tree. Raises ValueError if a test fails before anything is changed."""
    made = tree / "record.json"
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "tests.mutants.recording"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    environment = os.environ | {"MUTANTS_RECORD": str(made)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"a test fails without any mutant:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    shutil.move(made, record)


def _fingerprint(folder: str, files: list[str]) -> str:
    """A name for what a record hangs on: the sources, what tests share, and the files of the folder itself."""
    known = hashlib.sha256(" ".join(files).encode())
    for name in ("cds_service", "hooks", "sample_bundles", "tests/support", folder):
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                known.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return known.hexdigest()[:16]


def judged(mutants: list[Mutant], coverage: Coverage, processes: int, tree: Path = ROOT) -> Iterator[Verdict]:
    """A verdict for each mutant, in their order, by so many processes at once.

    Raises ValueError if the tests of the first one also fail without it: then no verdict would mean anything.
    """
    idle: SimpleQueue[_Worker] = SimpleQueue()
    workers = [_Worker(tree, coverage) for _ in range(processes)]
    for worker in workers:
        idle.put(worker)

    def verdict(mutant: Mutant) -> Verdict:
        worker = idle.get()
        try:
            return Verdict(mutant, worker.outcome(mutant, mutant.text))
        finally:
            idle.put(worker)

    try:
        if mutants and workers[0].outcome(mutants[0], mutants[0].source) not in {"survived", "untested"}:
            raise ValueError(f"the tests of {mutants[0].module} fail without any mutant")
        with ThreadPoolExecutor(processes) as pool:
            yield from pool.map(verdict, mutants)
    finally:
        for worker in workers:
            worker.close()


class _Worker:
    """Judges one mutant at a time, in a copy of the tree of its own: warm if that is possible, else cold."""

    def __init__(self, source: Path, coverage: Coverage) -> None:
        self._coverage = coverage
        self._copy = copied_tree(source)
        tree = self._copy.__enter__()
        self._warm, self._cold = _Process(tree, *coverage.files), _Process(tree)
        self._cold.send(coverage.modules)

    def outcome(self, mutant: Mutant, text: str) -> str:
        tests = self._coverage.tests_of(mutant.module, mutant.first_line, mutant.last_line)
        if not tests:
            return "untested"
        seconds = self._coverage.seconds_for(tests)
        job = {"file": mutant.module, "text": text, "tests": tests, "seconds": seconds}
        found = self._warm.answer(job)
        is_open = found == "cold" or (found == "survived" and self._coverage.runs_at_import(mutant))
        return self._cold.answer(job) if is_open else found

    def close(self) -> None:
        self._warm.close()
        self._cold.close()
        self._copy.__exit__(None, None, None)


class _Process:
    """`worker.py` in a copy of the tree."""

    def __init__(self, tree: Path, *files: str) -> None:
        command = [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), *files]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=tree, stdin=pipe, stdout=pipe, text=True, bufsize=1)

    def send(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def answer(self, job: dict[str, Any]) -> str:
        self.send(job)
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the process that judges mutants ended at {job['file']}")
        return answer

    def close(self) -> None:
        self._process.communicate()  # closes its input, which ends it, and its output
