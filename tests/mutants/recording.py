"""A plugin of pytest that records which test runs which lines, how long each takes, and which modules are loaded.

Loaded by name (`-p tests.mutants.recording`) in the copy of the tree, before anything of the project is imported.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

_PROJECT = ("cds_service", "hooks", "sample_bundles", "tests", "conftest", "__main__", "__mp_main__")
_measured = coverage.Coverage(data_file=None, source=["cds_service", "hooks"], config_file=False)
_measured.start()
_seconds: dict[str, float] = defaultdict(float)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note the lines under the name of the test."""
    _measured.switch_context(item.nodeid)
    yield
    _measured.switch_context("")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the processor time of a test, which does not hang on what else the machine does; fixtures are shared."""
    started = time.process_time()
    try:
        yield
    finally:
        _seconds[item.nodeid] += time.process_time() - started


def pytest_sessionfinish() -> None:
    """Write what was recorded to the file that MUTANTS_RECORD names."""
    _measured.stop()
    Path(os.environ["MUTANTS_RECORD"]).write_text(json.dumps(_recorded()))


def _recorded() -> dict[str, Any]:
    data = _measured.get_data()
    numbers = {name: number for number, name in enumerate(_seconds)}
    lines: dict[str, dict[int, list[int]]] = {}
    at_import: dict[str, list[int]] = {}
    for path in data.measured_files():
        by_line, module = data.contexts_by_lineno(path), str(Path(path).relative_to(Path.cwd()))
        at_import[module] = [line for line, names in by_line.items() if "" in names]
        lines[module] = {
            line: sorted(numbers[name] for name in names if name in numbers) for line, names in by_line.items()
        }
    return {
        "tests": list(_seconds),
        "seconds": list(_seconds.values()),
        "lines": lines,
        "at_import": at_import,
        "modules": [name for name in sys.modules if name.partition(".")[0] not in _PROJECT],
    }
