"""The days on which a coverage is in force, from its period."""

from calendar import monthrange
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cds_service.core.case import ALWAYS, Term
from cds_service.fhir import resources as r
from cds_service.fhir.checks import is_date
from cds_service.fhir.elements import local_day

_DECEMBER = 12


def term_of(period: r.Period | None, zone: ZoneInfo | None) -> Term:
    """The term of a period; a month or a year is a whole one.

    An instant in UTC that may be of the day before leaves one day unsure.
    """
    if period is None:
        return ALWAYS
    first, first_hour = local_day(period.start, None, zone)
    last, last_hour = local_day(period.end, None, zone)
    unsure: set[date] = set()
    if first and first_hour is not None and first > date.min:
        first -= timedelta(days=1)
        unsure.add(first)
    if last and last_hour is not None:
        unsure.add(last)
    return Term(
        first=first or _first_of(period.start),
        last=last or _last_of(period.end),
        unsure=frozenset(unsure),
        unclear=not (is_date(period.start) and is_date(period.end)),
    )


def _first_of(written: str | None) -> date | None:
    """The first day of a month or year."""
    return date.fromisoformat(f"{written}-01-01"[:10]) if written and is_date(written) else None


def _last_of(written: str | None) -> date | None:
    """The last day of a month or year."""
    first = _first_of(written)
    if first is None or written is None:
        return None
    month = first.month if "-" in written else _DECEMBER
    return date(first.year, month, monthrange(first.year, month)[1])
