"""The forms of codes, amounts, dates and numbers in a text."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cds_service.core.notation import MOST_UNITS, notation, plain

_I = re.IGNORECASE | re.ASCII
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_AMOUNT_OF = r"(?:\d+(?:\.\d+|,\d{1,2}(?!\d))?|\.\d+)"  # with a decimal comma, as many languages write it
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_COUNTS = dict(zip("one two three four five six seven eight nine ten".split(), range(1, 11), strict=True))

_ISO_DAY = re.compile(r"(?<![\w-])((?:19|20)\d\d)-(\d\d)-(\d\d)(?![\w-])", _I)
_US_DAY = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\w/])", _I)
_NAMED_DAY = re.compile(
    rf"(?<!\w)({'|'.join(_MONTHS)})[a-z]*\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+((?:19|20)\d\d)(?!\w)", _I
)
_YEAR = re.compile(r"(?<![\w.-])((?:19|20)\d\d)(?![\w.-]*\w)", _I)
_NDC = re.compile(
    r"(?<![\w-])(NDC\s*(?:#|no\.?|number|code)?\s*:?\s*)?(\d{4,5}-\d{3,4}(?:-\d{1,2})?|\d{10,11})(?![\w-])", _I
)
_AMOUNT = re.compile(
    rf"(?<![A-Za-z0-9_.,])({_AMOUNT_OF})[\s-]*(ml|milliliters?|cc|mg|milligrams?|mcg|micrograms?|µg|vials?)"
    r"(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_VIALS = re.compile(rf"(?<!\w)({'|'.join(_COUNTS)})\s+vials?(?!\w)", _I)
_DISCARDED_BEFORE = re.compile(
    r"(?:discard|discarded|wasted?|wastage|threw away|leftover)(?:\s+(?:of|was|is))?\s*:?\s*$", _I
)
_DISCARDED_BEHIND = re.compile(
    r"\s*(?:of\s+(?:it|contrast)\s+)?(?:was|were|is|are|got)?\s*"
    r"(?:discard|discarded|wasted?|wastage|thrown away|left ?over)(?!\w)",
    _I,
)
_UNITS = re.compile(
    rf"(?<![\w.])(\d{{1,4}}(?:\.\d+)?|\.\d+|{'|'.join(_COUNTS)})\s+(?:hcpcs\s+|billing\s+)?units?(?!\w)", _I
)
_PLACE = re.compile(r"(?<!\w)(?:pos|place of service)\s*(?:code|of)?\s*[#:=-]?\s*(\d{2})(?!\w)", _I)
_BILL = re.compile(r"(?<!\w)(?:tob|type of bill|bill type)\s*[#:=-]?\s*(0?[1-9]\d[0-9A-Z]?[0-9A-Z]?)(?!\w)", _I)
_AGE = re.compile(r"(?<![\w.])(\d{1,3})[\s-]*(?:yo|y/o|y\.o\.?|years?[\s-]old)(?!\w)", _I)
_AGE_AND_SEX = re.compile(r"(?<![\w.])(\d{1,3})\s?(?:M|F)(?!\w)", re.ASCII)
_DIAGNOSIS = re.compile(
    r"(?<!\w)(?:[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}|(?<=icd10 )[A-TV-Z]\d[0-9A-Z]{1,5}|"
    r"(?<=dx )[A-TV-Z]\d[0-9A-Z]{1,5})(?!\w)",
    _I,
)


class Found(NamedTuple):
    """A part of a text in a known form: its place, kind and value."""

    start: int
    end: int
    kind: str
    value: str


def _day(year: str, month: str, day: str) -> str:
    """A date as ISO writes it; empty if there is no such date."""
    try:
        return date(int(year if len(year) == 4 else f"20{year}"), int(month), int(day)).isoformat()
    except ValueError:
        return ""


def _unit(written: str) -> str:
    small = written.lower()
    if small.startswith("vial"):
        return "vials"
    if small in {"mg", "milligram", "milligrams"}:
        return "mg"
    return "mcg" if small in {"mcg", "µg", "microgram", "micrograms"} else "mL"


def number_of(written: str) -> Decimal | None:
    """A number in digits or, up to ten, in letters; None if it is too large to be an amount."""
    number = Decimal(_COUNTS.get(written.lower(), 0)) or Decimal(written.replace(",", "."))
    return number if number <= MOST_UNITS else None


class Patterns:
    """The forms of parts of a text; `modifiers` are the known ones, `named_by` tells the codes that an NDC names."""

    def __init__(self, modifiers: Collection[str], named_by: Callable[[str], frozenset[str]]) -> None:
        letters = "|".join(sorted(each for each in modifiers if not each.isdigit()))
        digits = "|".join(sorted(each for each in modifiers if each.isdigit()))
        behind = (
            rf"(?:[-\u2013/.]?(?:{letters})|[-\u2013/.]\d\d|\s(?:{digits})(?!\s*(?:unit|m[lg]|time|year|day|%)))(?!\w)"
        )
        units = rf"\s?x\s?{_NUMBER}(?!\w)"
        self._modifier = re.compile(rf"[-\u2013/.\s]?((?:{letters})|\d\d)(?!\w)", _I)
        self._code = re.compile(rf"(?<![\w.$])(\d{{5}}|\d{{4}}[TFU]|[A-V]\d{{4}})((?:{behind}|{units})*)(?!\w)", _I)
        one = rf"(?:{letters}|\d\d)(?!\w)"
        self._modifiers = re.compile(
            rf"(?<!\w)(?:modifiers?|mods?)\s*[#:-]?\s*({one}(?:\s*(?:,|and|or|/|&|vs\.?)+\s*{one})*)", _I
        )
        self._before = re.compile(rf"(?<!\w)({one})\s+(?:modifiers?|mods?)(?!\w)", _I)
        self._alone = re.compile(r"(?<!\S)-(\d\d)(?!\w)", _I)
        self._one = re.compile(one, _I)
        self._units = re.compile(rf"x\s?({_NUMBER})", _I)
        self._named_by = named_by

    def found(self, text: str) -> list[Found]:
        """All parts in a known form, in order; where two overlap, the one whose form is looked for first."""
        taken: list[Found] = []
        for each in self._every(text):
            if each.value and all(each.end <= other.start or other.end <= each.start for other in taken):
                taken.append(each)
        return sorted(taken)

    def _every(self, text: str) -> Iterator[Found]:
        for found in _ISO_DAY.finditer(text):
            yield Found(*found.span(), "day", _day(found[1], found[2], found[3]))
        for found in _US_DAY.finditer(text):
            yield Found(*found.span(), "day", _day(found[3], found[1], found[2]))
        for found in _NAMED_DAY.finditer(text):
            yield Found(*found.span(), "day", _day(found[3], str(_MONTHS.index(found[1].lower()) + 1), found[2]))
        yield from self._ndcs(text)
        yield from _amounts(text)
        for pattern, kind in ((_PLACE, "place"), (_BILL, "bill"), (_AGE, "age"), (_AGE_AND_SEX, "age")):
            for found in pattern.finditer(text):
                yield Found(*found.span(), kind, found[1])
        for found in _DIAGNOSIS.finditer(text):
            yield Found(*found.span(), "diagnosis", found[0].upper())
        for found in _UNITS.finditer(text):
            number = number_of(found[1])
            yield Found(*found.span(), "units", "" if number is None else plain(number))
        yield from self._codes(text)
        yield from self._modifiers_in(text)
        for found in _YEAR.finditer(text):
            yield Found(*found.span(), "year", found[1])

    def _ndcs(self, text: str) -> Iterator[Found]:
        """Numbers of drug products: those that are marked, have three parts, or name a product of the tables."""
        for found in _NDC.finditer(text):
            if found[1] or found[2].count("-") == 2 or self._named_by(found[2]):
                yield Found(*found.span(), "ndc", found[2])

    def _codes(self, text: str) -> Iterator[Found]:
        for found in self._code.finditer(text):
            units = self._units.search(found[2])
            number = number_of(units[1]) if units else None
            behind = self._units.sub("", found[2])
            modifiers = dict.fromkeys(each.upper() for each in self._modifier.findall(behind))
            yield Found(*found.span(), "code", notation(found[1].upper(), modifiers, number, with_one=True))

    def _modifiers_in(self, text: str) -> Iterator[Found]:
        for found in self._modifiers.finditer(text):
            start = found.start()  # the first takes the word before it along
            for each in self._one.finditer(text, found.start(1), found.end(1)):
                yield Found(start, each.end(), "modifier", each[0].upper())
                start = each.end()
        for pattern in (self._before, self._alone):
            for found in pattern.finditer(text):
                yield Found(*found.span(), "modifier", found[1].upper())


def _amounts(text: str) -> Iterator[Found]:
    for pattern in (_AMOUNT, _VIALS):
        for found in pattern.finditer(text):
            number = number_of(found[1])
            behind = _DISCARDED_BEHIND.match(text, found.end())
            before = _DISCARDED_BEFORE.search(text, max(0, found.start() - 30), found.start())
            unit = "vials" if pattern is _VIALS else _unit(found[2])
            value = "" if number is None else f"{plain(number)} {unit}"
            kind = "discarded" if behind or before else "amount"
            yield Found(
                before.start() if before else found.start(), behind.end() if behind else found.end(), kind, value
            )
