"""Checks of decoded resources for invalid dates and broken contained resources.

A resource is used without the faulty element, and the fault is reported.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import msgspec

from cds_service.fhir import resources as r
from cds_service.fhir.bundle import HEAD

# Raised by decoding: unexpected JSON, text that is not UTF-8, excessive nesting.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?", re.ASCII)
_DATE_FIELDS = {
    "occurrence_date_time", "performed_date_time", "effective_date_time", "authored_on", "serviced_date", "started",
    "date",
}  # fmt: skip
_PERIOD_FIELDS = {
    "occurrence_period", "performed_period", "effective_period", "serviced_period", "billable_period", "period",
}  # fmt: skip

_TYPES = (*r.AnyResource.__args__, r.ClaimItem)

# The date fields of each element type, by their names in Python and in FHIR.
_DATED_FIELDS = {
    kind: tuple(
        (attribute, name)
        for attribute, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        if attribute in _DATE_FIELDS | _PERIOD_FIELDS
    )
    for kind in _TYPES
}


def _getter(kind: type[Any]) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """A function that collects the values to check from elements of one type, iterating in C."""
    names = [name for name in kind.__struct_fields__ if name in _DATE_FIELDS | _PERIOD_FIELDS | {"contained"}]
    if not names:
        return lambda _: ()
    get = attrgetter(*names)
    return partial(map, get) if len(names) == 1 else lambda alike: chain.from_iterable(map(get, alike))


_GET = {kind: _getter(kind) for kind in _TYPES}
_ENDS = attrgetter("start", "end")
# One valid date or dateTime per line; all days of a calendar except February 29.
_PLAIN_DATES = re.compile(
    r"""(?:
        [12]\d{3}-(?:
            (?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]) | (?:0[13-9]|1[0-2])-(?:29|30) | (?:0[13578]|1[02])-31
        )(?:T.*+)?+\n
    )*+""",
    re.ASCII | re.VERBOSE,
)


def types_with_faults(resources: Iterable[Any]) -> set[type]:
    """The resource types of which some resource may have a fault; checked in bulk because faults are rare."""
    of_type: dict[type, list[Any]] = {}
    for kind, run in groupby(resources, type):
        of_type.setdefault(kind, []).extend(run)
    values_of = {kind: _values_to_check(kind, alike) for kind, alike in of_type.items()}
    if _are_dates([*chain.from_iterable(values_of.values())]):
        return set()
    return {kind for kind, values in values_of.items() if not _are_dates(values)}


def _values_to_check(kind: type, alike: list[Any]) -> list[Any]:
    """The dates, periods and contained resources of resources of one type."""
    values = [*filter(None, _GET[kind](alike))]
    if issubclass(kind, r.BilledClaim):
        values += filter(None, _GET[r.ClaimItem](item for claim in alike for item in claim.item or ()))
    return values


def _are_dates(values: list[Any]) -> bool:
    """True if all values are valid dates or periods."""
    dates = [each for each in values if type(each) is str]
    if len(dates) < len(values):
        periods = [each for each in values if type(each) is r.Period]
        if len(dates) + len(periods) < len(values):
            return False
        dates += filter(None, chain.from_iterable(map(_ENDS, periods)))
    lines = "\n".join([*dates, ""])
    is_plain = lines.count("\n") == len(dates) and _PLAIN_DATES.fullmatch(lines)
    return bool(is_plain) or all(map(is_date, dates))


def element_faults(resource: Any) -> Iterator[str]:
    """The faulty elements of a resource, each with the expected value. Never repeats values."""
    yield from _date_faults(resource)
    for item in getattr(resource, "item", None) or ():
        yield from (f"item.{each}" for each in _date_faults(item))
    broken = (_broken_type(raw) for raw in resource.contained or ())
    yield from (f"contained: expected a valid {each}" for each in dict.fromkeys(broken) if each)


def _date_faults(element: Any) -> Iterator[str]:
    for attribute, name in _DATED_FIELDS[type(element)]:
        value = getattr(element, attribute)
        if isinstance(value, str) and not is_date(value):
            yield date_expected(name)
        elif isinstance(value, r.Period):
            yield from (date_expected(f"{name}.{end}") for end in ("start", "end") if not is_date(getattr(value, end)))


def date_expected(name: str) -> str:
    """The fault of an element that is not a date."""
    return f"{name}: expected a date such as 2026-03-17"


def is_date(text: str | None) -> bool:
    """True if a text is a FHIR date, if only a month or year; also for None and empty texts."""
    if not text:
        return True
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text[:10] if len(text) >= 10 else f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True


_CONTAINED = msgspec.json.Decoder(r.Medication | r.Coverage | r.Patient)


def _broken_type(raw: msgspec.Raw) -> str:
    """The type of a contained resource in use that cannot be parsed, Medication if it has no type; else empty."""
    try:
        _CONTAINED.decode(raw)
    except DECODE_ERRORS:
        found = resource_type_of(raw) or "Medication"
        return found if found in {"Medication", "Coverage", "Patient"} else ""
    return ""


def resource_type_of(raw: msgspec.Raw | bytes) -> str:
    """The `resourceType` of a piece of JSON; empty if it has none."""
    try:
        return HEAD.decode(raw).resource_type
    except DECODE_ERRORS:
        return ""
