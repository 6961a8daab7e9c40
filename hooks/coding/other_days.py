"""Other days that a record may be of: instants in UTC, dates written as midnight, periods over several days."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from cds_service.core.alternatives import Alternative, reading
from cds_service.core.case import MIDNIGHT, Case, Record, RecordT, cached_fact
from cds_service.languages.worded import Worded, worded
from hooks.coding.products import agent_in
from hooks.coding.studies import records_of_echo
from hooks.coding.unclear import (
    days_that_matter,
    shifted_day,
    unclear_administrations,
    unclear_lines,
    unclear_orders,
    unclear_procedures,
)

# In the Americas, an instant in UTC before this hour is of the day before: Puerto Rico is 4 hours behind, Samoa 11.
_HOURS_BEHIND = range(4, 12)


def other_days(case: Case) -> Iterator[Alternative]:
    """Instants in UTC as of the day before, for each difference of time that moves other records; dates written as
    midnight with them and without; periods over several days as of their last day.
    """
    dated = _of_several_days(case)
    midnights = tuple(each for each in dated if each.utc_hour == MIDNIGHT)
    seen: set[tuple[int, ...]] = {()}
    for hours in (0, *_HOURS_BEHIND):
        early = tuple(each for each in dated if each.utc_hour is not None and 0 <= each.utc_hour < hours)
        for moved in (early, (*early, *midnights)):
            if (key := tuple(map(id, moved))) not in seen:
                seen.add(key)
                yield _moved(case, moved, _day_before, _dated_in_utc)
    if several := tuple(each for each in dated if each.last_day is not None):
        yield _moved(case, several, _on_last_day, _over_several_days)


def _dated_in_utc(record: Record, moved: Record) -> Worded:
    return worded(
        "{record} is dated by an instant in UTC, and the site's time zone is not set: it may be of {day}",
        record=record.origin.reference,
        day=moved.day or "",
    )


def _over_several_days(record: Record, moved: Record) -> Worded:
    return worded(
        "{record} has a period over several days: it may be of {day}",
        record=record.origin.reference,
        day=moved.day or "",
    )


@cached_fact
def _of_several_days(case: Case) -> tuple[Record, ...]:
    """The records that may be of another day."""
    near = _near_days_that_matter(case)
    return tuple(each for each in near if each.utc_hour is not None or each.last_day is not None)


def _near_days_that_matter(case: Case) -> Iterator[Record]:
    """The records of echoes, those that were not understood, and observations and documents near days that matter."""
    found: dict[int, Record] = {}
    unclear = (*unclear_lines(case), *unclear_administrations(case), *unclear_procedures(case), *unclear_orders(case))
    injections = case.procedures.matching(agent_in)
    for each in (*records_of_echo(case), *injections, *unclear):
        found[id(each)] = each
    near = days_that_matter(case)
    for each in (*case.observations.near(near), *case.documents.near(near)):
        found[id(each)] = each
    yield from found.values()


def _moved(
    case: Case, moved: tuple[Record, ...], move: Callable[[Record], Record], why: Callable[[Record, Record], Worded]
) -> Alternative:
    """The case with records moved to another day."""
    return reading(case, moved, move, lambda each: why(each, move(each)))


def _on_last_day(record: RecordT) -> RecordT:
    return replace(record, day=record.last_day)


def _day_before(record: RecordT) -> RecordT:
    return replace(record, day=shifted_day(record.day, -1))
