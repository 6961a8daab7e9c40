"""The days on which a coverage is in force, from its period."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cds_service.core.case import ALWAYS, Term
from cds_service.fhir import resources as r
from cds_service.fhir.checks import is_date
from cds_service.fhir.elements import days_of_part, local_day


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
    first_part, last_part = days_of_part(period.start), days_of_part(period.end)
    return Term(
        first=first or (first_part and first_part[0]),
        last=last or (last_part and last_part[1]),
        unsure=frozenset(unsure),
        unclear=not (is_date(period.start) and is_date(period.end)),
    )
