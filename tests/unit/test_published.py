"""The published texts about codes are those that were approved: `published.py` says how to approve a change."""

from datetime import timedelta
from itertools import combinations

import pytest

from hooks.codes.tables import PAIRS
from hooks.publish.ask_facts import pair
from tests.unit.published import KINDS, PAIRED, approved, written


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_was_approved(kind: str) -> None:
    published = written(kind)
    assert len(published) > 10_000
    assert published == approved(kind).read_text(encoding="utf-8"), "`make docs`, then read the difference"


def test_that_two_codes_are_no_pair_is_said_from_the_first_day_of_the_table_to_its_last() -> None:
    rows = [row for row in PAIRS if row.setting == "professional"]
    first = min(row.start for row in rows if row.start)
    last = max(row.verified_through for row in rows if row.verified_through)
    none = next(
        (one, other)
        for one, other in combinations(PAIRED, 2)
        if [each for each in pair(one, other, last) if each.id.startswith("pairs:none:")]
    )
    days = (first - timedelta(days=1), first, last, last + timedelta(days=1))
    said = {day: {each.id.rpartition(":")[2] for each in pair(*none, day)} for day in days}
    assert [day for day in days if "professional" in said[day]] == [first, last]
