"""Other days that records may be of: instants in UTC by the hour, dates written as midnight, periods over days."""

from datetime import date
from typing import Any

import pytest

from cds_service.core.case import MIDNIGHT, Administration, Case, Line, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records
from hooks.coding.other_days import other_days
from hooks.coding.unclear import shifted_day

SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 3)


def given(name: str, day: date = THIRD, **members: Any) -> Administration:
    concept, origin = Concept(codes=(Code(BILLING, "Q9957"),)), Origin("record", name)
    return Administration(origin=origin, identity=name, status="given", concept=concept, day=day, **members)


def moved(*records: Administration) -> list[str]:
    """The records that each reading moves, with their days there."""
    charge = Line(origin=Origin("claim", "line"), code="93350", day=SECOND, under_review=True)
    case = Case(stage="claim", lines=Records([charge]), administrations=Records(records))
    return [
        " ".join(f"{each.identity}:{each.day}" for each in found.case.administrations if each not in records)
        for found in other_days(case)
    ]


@pytest.mark.parametrize(("hour", "is_open"), [(0, True), (1, True), (4, True), (10, True), (11, False)])
def test_an_hour_in_utc_may_be_of_the_evening_before(hour: int, is_open: bool) -> None:
    assert moved(given("a", utc_hour=hour)) == (["a:2026-03-02"] if is_open else [])


def test_hours_are_moved_together_by_each_difference_of_time() -> None:
    records = [given("one", utc_hour=1), given("seven", utc_hour=7), given("day")]
    assert moved(*records) == ["one:2026-03-02", "one:2026-03-02 seven:2026-03-02"]


def test_a_date_written_as_midnight_is_moved_with_others_and_alone() -> None:
    records = [given("one", utc_hour=1), given("midnight", utc_hour=MIDNIGHT)]
    assert moved(*records) == ["midnight:2026-03-02", "one:2026-03-02", "one:2026-03-02 midnight:2026-03-02"]


def test_a_period_may_be_of_its_last_day() -> None:
    records = [given("night", day=SECOND, last_day=THIRD), given("one", utc_hour=1), given("day")]
    assert moved(*records) == ["one:2026-03-02", "night:2026-03-03"]


def test_a_day_may_be_of_no_other() -> None:
    assert moved(given("a"), given("b", day=SECOND)) == []


def test_the_calendar_has_ends() -> None:
    assert shifted_day(date(9999, 12, 30), 1) == date.max
    assert shifted_day(date.max, 1) == date.max
    assert shifted_day(date(1, 1, 2), -1) == date.min
    assert shifted_day(date.min, -1) == date.min
    assert shifted_day(None, 1) is None
