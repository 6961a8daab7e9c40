"""What of a resource was decoded and cannot be understood: a date that is none, a medication in it that is broken.

The resource counts without it, and that something of it was not understood is reported.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from cds_service.fhir import resources as r

# What decoding raises: other JSON than expected, text that is not UTF-8, nesting without end.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?", re.ASCII)
_MOMENTS = {
    "occurrence_date_time", "performed_date_time", "effective_date_time", "authored_on", "serviced_date", "started",
    "date",
}  # fmt: skip
_PERIODS = {"occurrence_period", "performed_period", "effective_period", "serviced_period", "billable_period"}

_TYPES = (*r.Read.__args__, r.ClaimItem)

# The members of an element that hold dates, by their names in Python and in FHIR.
_DATED = {
    kind: tuple(
        (attribute, name)
        for attribute, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        if attribute in _MOMENTS | _PERIODS
    )
    for kind in _TYPES
}


def _getters(names: set[str]) -> dict[type, tuple[Callable[[Any], Any], ...]]:
    return {kind: tuple(attrgetter(name) for name in kind.__struct_fields__ if name in names) for kind in _TYPES}


_GET_MOMENTS, _GET_PERIODS, _GET_CONTAINED = _getters(_MOMENTS), _getters(_PERIODS), _getters({"contained"})
_ENDS = (attrgetter("start"), attrgetter("end"))
# As much of a moment as tells whether it is one, but for a line break behind it.
_DAY = itemgetter(slice(len("2026-03-17T")))


def doubtful(resources: Iterable[Any]) -> set[type]:
    """The types of resources among which some may have doubts; looked at together, since hardly ever one has."""
    of_type: dict[type, list[Any]] = {}
    for kind, run in groupby(resources, type):
        of_type.setdefault(kind, []).extend(run)
    return {kind for kind, alike in of_type.items() if _may_have_doubts(kind, alike)}


def _may_have_doubts(kind: type, alike: list[Any]) -> bool:
    if any(any(map(get, alike)) for get in _GET_CONTAINED[kind]) or not _are_dates(_moments(kind, alike)):
        return True
    items = [item for claim in alike for item in claim.item or ()] if kind is r.Claim else []
    return not _are_dates(_moments(r.ClaimItem, items))


def _moments(kind: type, alike: list[Any]) -> list[str]:
    """All that stands where resources of one type hold a date."""
    moments = [moment for get in _GET_MOMENTS[kind] for moment in filter(None, map(get, alike))]
    periods = [period for get in _GET_PERIODS[kind] for period in filter(None, map(get, alike))]
    return moments + [moment for end in _ENDS for moment in filter(None, map(end, periods))]


def _are_dates(moments: list[str]) -> bool:
    """Whether all are dates: there are fewer days than moments."""
    return all(map(is_date, set(map(_DAY, moments)))) and "\n" not in "".join(moments)


def doubts(resource: Any) -> Iterator[str]:
    """What is not understood of a resource: the member, and what was expected there. Repeats no values."""
    yield from _odd_dates(resource)
    for item in getattr(resource, "item", None) or ():
        yield from (f"item.{each}" for each in _odd_dates(item))
    if any(_is_broken_medication(raw) for raw in getattr(resource, "contained", None) or ()):
        yield "contained: expected a Medication that can be read"


def _odd_dates(element: Any) -> Iterator[str]:
    for attribute, name in _DATED[type(element)]:
        value = getattr(element, attribute)
        if isinstance(value, str) and not is_date(value):
            yield _expected(name)
        elif isinstance(value, r.Period):
            yield from (_expected(f"{name}.{end}") for end in ("start", "end") if not is_date(getattr(value, end)))


def _expected(name: str) -> str:
    return f"{name}: expected a date such as 2026-03-17"


def is_date(text: str | None) -> bool:
    """Whether a text is a date of FHIR, if only to the month or the year; no text is no fault."""
    if not text:
        return True
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text[:10] if len(text) >= 10 else f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True


class _Head(msgspec.Struct):
    resource_type: str = msgspec.field(name="resourceType")


def _is_broken_medication(raw: msgspec.Raw) -> bool:
    """Whether a contained resource is, or may be, a medication, and cannot be read."""
    try:
        msgspec.json.decode(raw, type=r.Medication)
    except UNREADABLE:
        return type_of(raw) in {"Medication", ""}
    return False


def type_of(raw: msgspec.Raw | bytes) -> str:
    """The type that a piece of JSON gives itself as a resource; empty where it gives none."""
    try:
        return msgspec.json.decode(raw, type=_Head).resource_type
    except UNREADABLE:
        return ""
