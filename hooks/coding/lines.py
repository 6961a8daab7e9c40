"""Lines of a case by day and by parent line, indexed because a claim may have thousands."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import KNOWN_CODES

ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT")


@cached_fact
def relevant_lines(case: Case) -> tuple[Line, ...]:
    """Lines under review, and other lines whose code is in one of our tables; all, if the site wants every code."""
    if case.every_code:
        return tuple(case.lines)
    return tuple(case.lines.under_review_or_matching(lambda charged: charged.names_any(KNOWN_CODES)))


def grouped(items: Iterable[ItemT], key: Callable[[ItemT], KeyT]) -> dict[KeyT, list[ItemT]]:
    """Lines or other items by a common key, each group in input order."""
    found: dict[KeyT, list[ItemT]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def alike(lines: Iterable[Line]) -> list[tuple[Line, ...]]:
    """Lines that differ in their units and links only, together: what a rule says of one is true of all."""
    return [tuple(same) for same in grouped(lines, lambda line: (_alike_key(line), _party(line))).values()]


def alike_on_any_claim(lines: Iterable[Line]) -> list[tuple[Line, ...]]:
    """Lines that differ in their units, links and claims only, together."""
    return [tuple(same) for same in grouped(lines, _alike_key).values()]


def _party(line: Line) -> str:
    """The party that sends a line, as far as it is known: all claims of one known type are of one."""
    return line.claim if line.claim_type == "unknown" else ""


def _alike_key(line: Line) -> tuple[object, ...]:
    return (
        line.code,
        line.certain,
        line.modifiers,
        line.unclear_modifiers,
        line.day,
        line.last_day,
        line.performers,
        line.under_review,
        line.open,
        bool(line.claim),
        line.claim_type,
        line.bill_type,
        line.place_of_service,
        line.coverages,
        line.payer_names,
    )


def lines_on(day: date | None, case: Case) -> list[Line]:
    """The lines of a date of service; for None, those without a date."""
    return _by_day(case).get(day, [])


def possible_lines_on(day: date | None, case: Case) -> Iterable[Line]:
    """The lines of a date of service and those without one; all lines if the date is None."""
    return relevant_lines(case) if day is None else [*lines_on(day, case), *lines_on(None, case)]


@cached_fact
def _by_day(case: Case) -> dict[date | None, list[Line]]:
    return grouped(relevant_lines(case), lambda line: line.day)


@cached_fact
def days_under_review(case: Case) -> frozenset[date | None]:
    """The dates of service under review."""
    return frozenset(line.day for line in case.lines.under_review())


def detail_lines(line: Line, case: Case) -> list[Line]:
    """The details of a claim line and their subdetails."""
    return _by_parent_line(case).get((line.origin.resource, line.origin.within), [])


@cached_fact
def _by_parent_line(case: Case) -> dict[tuple[str, str], list[Line]]:
    found: dict[tuple[str, str], list[Line]] = {}
    for line in case.lines:
        parent = line.origin.within
        while "." in parent:
            parent = parent.rpartition(".")[0]
            found.setdefault((line.origin.resource, parent), []).append(line)
    return found
