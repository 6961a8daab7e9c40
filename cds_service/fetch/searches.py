"""Searches for a prefetch key: narrowed to the days under review, with alternatives for servers that refuse them.

Published templates ask for the whole record of a patient, since CDS Hooks 2.0.1 has no other tokens. Here the days
under review are known, and a whole record may have more pages than fit into the time limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from cds_service.core.case import Days

# Results per page; a server may send fewer.
COUNT = 200

# The search parameter for the date of service by type. A ChargeItem may have no date to be found by.
_DATE_PARAMETERS = {"MedicationAdministration": "effective-time", "Procedure": "date", "Observation": "date"}

# Statuses of servers that do not support a parameter, and of servers that do not support any search by patient.
_UNSUPPORTED = frozenset({400, 422, 501})
_NOT_SERVED = _UNSUPPORTED | {403, 404}

_OF_ENCOUNTER_ONLY = "the FHIR server has no search of charges by patient: only charges of the encounter are known"


@dataclass(frozen=True, slots=True)
class Search:
    """A search, or with `by_id`, a read of one resource: its URL, relative to the server or absolute.

    `days` are the days that it asks for, None for all. `partial` is the reason why it does not return the whole part of
    the record, empty if it does. `after` are the statuses of the search before it upon which it is run.
    """

    url: str
    days: Days | None = None
    partial: str = ""
    after: frozenset[int] = frozenset()
    by_id: bool = False


def is_dated(template: str) -> bool:
    """True if a template's search can be limited to days."""
    return "?" in template and template.partition("?")[0] in _DATE_PARAMETERS


def searches(filled: str, days: Days | None, encounter_id: str) -> tuple[Search, ...]:
    """The searches for a filled template, to be run in turn until one succeeds.

    `days` are the days under review and `encounter_id` is the encounter of the call, if known.
    """
    if "?" not in filled:
        return (Search(filled, by_id=True),)
    return tuple(_alternatives(filled, filled.partition("?")[0], days, encounter_id))


def _alternatives(filled: str, resource_type: str, days: Days | None, encounter_id: str) -> Iterator[Search]:
    parameter = _DATE_PARAMETERS.get(resource_type)
    if parameter and days:
        yield Search(f"{filled}&{_dates(parameter, days)}&_count={COUNT}", days)
    else:
        yield Search(f"{filled}&_count={COUNT}")
    if resource_type == "ChargeItem" and encounter_id:
        encounter = quote(encounter_id, safe="")
        yield Search(f"ChargeItem?context=Encounter/{encounter}", partial=_OF_ENCOUNTER_ONLY, after=_NOT_SERVED)
        # Oracle Health requires `-status`, which other servers do not know.
        oracle = f"ChargeItem?context={encounter}&-status=billable"
        yield Search(oracle, partial=_OF_ENCOUNTER_ONLY, after=_NOT_SERVED)
    yield Search(filled, after=_UNSUPPORTED)


def _dates(parameter: str, days: Days) -> str:
    """Both ends of a range, a day wider each: the day of an instant in UTC may be the one before or after."""
    first, last = _shifted(days.first, -1), _shifted(days.last, 1)
    return f"{parameter}=ge{first.isoformat()}&{parameter}=le{last.isoformat()}"


def _shifted(day: date, by: int) -> date:
    try:
        return day + timedelta(by)
    except OverflowError:
        return day  # the first or the last day of the calendar


def encounter_search(patient_id: str, encounter_id: str) -> str:
    """A search that finds the encounter if the server understands searches by patient."""
    return f"Encounter?_id={quote(encounter_id, safe='')}&patient={quote(patient_id, safe='')}"
