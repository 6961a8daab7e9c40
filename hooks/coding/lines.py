"""The lines of a case by day, or by the line inside which they stand: a claim may have thousands to look through."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

from cds_service.core.case import Case, Concept, Line, cached_fact
from hooks.codes.tables import KNOWN_CODES

KeyT = TypeVar("KeyT")


@cached_fact
def lines_that_matter(case: Case) -> tuple[Line, ...]:
    """What the call is about, and of all other lines those whose code stands in one of our tables."""
    return tuple(case.lines.under_review_or_matching(_names_known_code))


def _names_known_code(charged: Concept) -> bool:
    return any(code.value[:5].upper() in KNOWN_CODES for code in charged.codes)


def grouped(lines: Iterable[Line], key: Callable[[Line], KeyT]) -> dict[KeyT, list[Line]]:
    """Lines that are alike in something, each kind in the order of the lines."""
    found: dict[KeyT, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return found


def lines_on(day: date | None, case: Case) -> list[Line]:
    """The lines of a date of service; for None, those whose date is not stated."""
    return _by_day(case).get(day, [])


def lines_that_may_be_on(day: date | None, case: Case) -> Iterable[Line]:
    """The lines of a date of service and those whose date is not stated; all, where the date itself is unknown."""
    return lines_that_matter(case) if day is None else [*lines_on(day, case), *lines_on(None, case)]


@cached_fact
def _by_day(case: Case) -> dict[date | None, list[Line]]:
    return grouped(lines_that_matter(case), lambda line: line.day)


@cached_fact
def days_under_review(case: Case) -> frozenset[date | None]:
    """The dates of service of what the call is about."""
    return frozenset(line.day for line in case.lines.under_review())


def lines_inside(line: Line, case: Case) -> list[Line]:
    """The details of a claim's line, and their details."""
    return _by_outer_line(case).get((line.origin.resource, line.origin.within), [])


@cached_fact
def _by_outer_line(case: Case) -> dict[tuple[str, str], list[Line]]:
    found: dict[tuple[str, str], list[Line]] = {}
    for line in case.lines:
        outer = line.origin.within
        while "." in outer:
            outer = outer.rpartition(".")[0]
            found.setdefault((line.origin.resource, outer), []).append(line)
    return found
