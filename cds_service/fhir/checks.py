"""What of a resource was decoded and cannot be understood: a date that is none, a medication in it that is broken.

The resource counts without it, and that something of it was not understood is reported.
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


def _getter(kind: type[Any]) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """A way to take from elements of a type, in passes by C, all that may be odd."""
    names = [name for name in kind.__struct_fields__ if name in _MOMENTS | _PERIODS | {"contained"}]
    if not names:
        return lambda _: ()
    get = attrgetter(*names)
    return partial(map, get) if len(names) == 1 else lambda alike: chain.from_iterable(map(get, alike))


_GET = {kind: _getter(kind) for kind in _TYPES}
_ENDS = attrgetter("start", "end")
# Moments, each on a line, that are certainly dates: all days of a calendar but the 29th of February.
_SURE_DATES = re.compile(
    r"""(?:
        [12]\d{3}-(?:
            (?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]) | (?:0[13-9]|1[0-2])-(?:29|30) | (?:0[13578]|1[02])-31
        )(?:T.*+)?+\n
    )*+""",
    re.ASCII | re.VERBOSE,
)


def doubtful(resources: Iterable[Any]) -> set[type]:
    """The types of resources among which some may have doubts; looked at together, since hardly ever one has."""
    of_type: dict[type, list[Any]] = {}
    for kind, run in groupby(resources, type):
        of_type.setdefault(kind, []).extend(run)
    held = {kind: _held(kind, alike) for kind, alike in of_type.items()}
    if _are_dates([*chain.from_iterable(held.values())]):
        return set()
    return {kind for kind, values in held.items() if not _are_dates(values)}


def _held(kind: type, alike: list[Any]) -> list[Any]:
    """Moments, periods and contained resources in resources of one type."""
    values = [*filter(None, _GET[kind](alike))]
    if kind is r.Claim:
        values += filter(None, _GET[r.ClaimItem](item for claim in alike for item in claim.item or ()))
    return values


def _are_dates(values: list[Any]) -> bool:
    """Whether all are dates, alone or of a period."""
    moments = [each for each in values if type(each) is str]
    if len(moments) < len(values):
        periods = [each for each in values if type(each) is r.Period]
        if len(moments) + len(periods) < len(values):
            return False
        moments += filter(None, chain.from_iterable(map(_ENDS, periods)))
    lines = "\n".join([*moments, ""])
    is_sure = lines.count("\n") == len(moments) and _SURE_DATES.fullmatch(lines)
    return bool(is_sure) or all(map(is_date, moments))


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
        return HEAD.decode(raw).resource_type
    except UNREADABLE:
        return ""
