"""Laws that are shown by many examples: `make test` takes some of these, `make test-rest` the others.

A test marked `repeats(every)` is run with the first of each so many of its examples, and one marked `exhaustive` with
none: it looks at everything, or for long, of which other tests look at a part. A file that is marked so as a whole is
not even imported by `make test`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest

Choice = Literal["all", "some", "rest"]
CHOICES: tuple[Choice, ...] = ("all", "some", "rest")


def divided(items: Iterable[pytest.Item], choice: Choice) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that are chosen, and those that are left out, each in their order."""
    chosen: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    before: Counter[str] = Counter()
    for item in items:
        function = item.nodeid.partition("[")[0]
        is_some = _is_some(item, before[function])
        before[function] += 1
        (chosen if choice == "all" or is_some == (choice == "some") else left_out).append(item)
    return chosen, left_out


_EXHAUSTIVE_FILE = re.compile(r"^pytestmark = pytest\.mark\.exhaustive$", re.MULTILINE)


def is_left_out(file: Path, choice: Choice) -> bool:
    """True for a file that has no test for a choice."""
    return choice == "some" and file.suffix == ".py" and bool(_EXHAUSTIVE_FILE.search(file.read_text()))


def _is_some(item: pytest.Item, number: int) -> bool:
    if item.get_closest_marker("exhaustive"):
        return False
    repeats = item.get_closest_marker("repeats")
    return repeats is None or number % repeats.args[0] == 0
