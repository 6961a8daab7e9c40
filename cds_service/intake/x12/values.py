"""Reads elements of claims. Each raises Broken with the form that was expected, never with the value."""

import re
from datetime import date
from decimal import Decimal

from cds_service.fhir import resources as r
from cds_service.fhir.elements import OutOfRange, amount
from cds_service.intake.x12.claim import Dates
from cds_service.intake.x12.segments import Segment

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MOST_DIGITS = 18
_ONE_DAY = frozenset({"D8", "DT"})


class Broken(Exception):
    """An element that is not as the guides have it; the text names the element and the expected form."""


def money(segment: Segment, number: int, name: str) -> Decimal | None:
    """An amount of money; None if it is not sent."""
    return _number(segment.value(number), name)


def quantity(segment: Segment, number: int, name: str) -> Decimal | None:
    """A quantity within the limits of FHIR quantities; None if it is not sent."""
    found = _number(segment.value(number), name)
    try:
        return amount(r.Quantity(value=found))
    except OutOfRange as error:
        raise Broken(f"{name}: {str(error).partition(': ')[2]}") from None


def _number(written: str, name: str) -> Decimal | None:
    if not written:
        return None
    if len(written) > _MOST_DIGITS or not _NUMBER.fullmatch(written) or not written.isascii():
        raise Broken(f"{name}: expected a number")
    return Decimal(written)


def dates(segment: Segment) -> Dates:
    """The day or days of a DTP segment."""
    kind, written = segment.value(2), segment.value(3)
    if kind == "RD8":
        first, _, last = written.partition("-")
        found = Dates(_day(first), _day(last))
        if found.last < found.first:
            raise Broken("DTP03: expected a first and a later last day")
        return found
    if kind not in _ONE_DAY:
        raise Broken("DTP02: expected D8 or RD8")
    day = _day(written[:8])
    return Dates(day, day)


def _day(written: str) -> str:
    found = _DAY.fullmatch(written)
    try:
        return date(*map(int, found.groups())).isoformat() if found and written.isascii() else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> str:
    raise Broken("DTP03: expected days as CCYYMMDD, or CCYYMMDD-CCYYMMDD")


def pointers(written: list[str], name: str) -> tuple[int, ...]:
    """Diagnosis pointers: numbers from 1 to 12."""
    found = [each for each in written if each]
    if not all(each.isascii() and each.isdigit() and 1 <= int(each[:4]) <= 12 for each in found):
        raise Broken(f"{name}: expected numbers from 1 to 12, which name diagnoses of HI")
    return tuple(map(int, found))
