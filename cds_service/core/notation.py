"""Billers' notation: a code, its modifiers and its units in one word, such as `CODE-26` or `CODEx2`."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from cds_service.errors import UnreadableCase
from cds_service.languages.worded import Worded, counted, in_a_row


def notation(code: str, modifiers: Iterable[str], units: Decimal | None, *, with_one: bool = False) -> str:
    """A line in billers' notation: code, `x` and units (one only `with_one`), `-` and each modifier."""
    return _written(code, tuple(modifiers), units, with_one)


@lru_cache(maxsize=4096)  # claims repeat few lines
def _written(code: str, modifiers: tuple[str, ...], units: Decimal | None, with_one: bool) -> str:
    times = "" if units is None or (units == 1 and not with_one) else f"x{plain(units)}"
    return code + times + "".join(f"-{modifier}" for modifier in modifiers)


def plain(number: Decimal) -> str:
    """A number without trailing zeros or exponent: 2, 1.3."""
    return f"{number.normalize():f}"


def counted_units(units: Decimal) -> Worded:
    """A number of units: `1 unit`, `2 units`."""
    return counted("{count} unit", "{count} units", units)


class WrittenLine(NamedTuple):
    """A line in billers' notation: code, modifiers, and HCPCS units, None if not stated."""

    code: str
    modifiers: tuple[str, ...]
    units: Decimal | None


MOST_UNITS = 100_000
_CODE = r"[0-9]{4}[0-9A-Z]|[A-Z][0-9]{4}"
_WRITTEN_CODE = re.compile(_CODE, re.IGNORECASE | re.ASCII)
# A modifier behind a hyphen (`-26`, `-X1`), or units behind an x (`x2`).
_WRITTEN_PART = re.compile(r"-([0-9A-Z]{2})(?![0-9A-WYZ])|x([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE | re.ASCII)
_UNITS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,4})?")


def parse_line(written: str) -> WrittenLine:
    """A line as coders type it: `CODE`, `CODE-26`, `CODEx2-JZ`. Raises UnreadableCase, which names the fault."""
    found = _WRITTEN_CODE.match(written)
    if found is None or (written[found.end() : found.end() + 1].isalnum() and written[found.end()] not in "xX"):
        raise UnreadableCase(written, "a code has five characters: five digits, or a letter and digits")
    modifiers: list[str] = []
    units: Decimal | None = None
    end = found.end()
    while end < len(written):
        part = _WRITTEN_PART.match(written, end)
        if part is None:
            raise UnreadableCase(written, _expected_at(written[end:]))
        if part[1]:
            modifiers.append(part[1].upper())
        elif units is not None:
            raise UnreadableCase(written, "units are written once")
        else:
            units = _units(written, part[2])
        end = part.end()
    if len(set(modifiers)) < len(modifiers):
        raise UnreadableCase(written, "a modifier is written once")
    return WrittenLine(found[0].upper(), tuple(modifiers), units)


def _units(written: str, number: str) -> Decimal:
    if not _UNITS.fullmatch(number) or Decimal(number) > MOST_UNITS:
        raise UnreadableCase(written, f"units are a number from 0 to {MOST_UNITS:,} with at most four decimals")
    return Decimal(number)


def _expected_at(rest: str) -> str:
    """The expectation for the part of a line that could not be read."""
    if rest[0] == "-":
        return "a modifier has two characters"
    if rest[0] in "xX":
        return "units are a number, such as x2"
    return "expected only modifiers (-26) and units (x2) behind the code"


def is_billing_code(written: str) -> bool:
    """True if a text has the form of a CPT or HCPCS code."""
    return _WRITTEN_CODE.fullmatch(written) is not None


# A code of five characters. A modifier follows a separator, or begins with a letter: a longer number is no code.
_SEPARATOR = "[-:/^|,_ ]"
_CODE_WITH_MODIFIERS = re.compile(
    rf"({_CODE})((?:(?:{_SEPARATOR}+[0-9A-Z]|[A-Z])[0-9A-Z](?:{_SEPARATOR}*[0-9A-Z]{{2}})*)?)"
)


def joined(words: Iterable[str], last: str = "and") -> str:
    """Facts as a list: `A, B and C`, with another word before the last if given. `listed` is for texts to be said."""
    return in_a_row(words, last)


@lru_cache(maxsize=4096)  # records repeat few codes
def code_with_modifiers(written: str) -> tuple[str, tuple[str, ...]]:
    """The billing code in a coding's code, and the modifiers behind it; an empty code if it has another form."""
    found = _CODE_WITH_MODIFIERS.fullmatch(written.upper())
    return (found[1], tuple(re.findall(r"[0-9A-Z]{2}", found[2]))) if found else ("", ())


def rewritten(written: str, code: str, modifiers: Iterable[str]) -> str:
    """A coding's code with another billing code and other modifiers behind it, separated as they were."""
    separated = re.search(f"{_SEPARATOR}+", written)
    between = separated[0] if separated else "-"
    return between.join((code, *modifiers))


def codes_without_modifiers(written: Iterable[str]) -> list[str]:
    """The billing codes in codings' codes, without the modifiers behind them."""
    return [code for each in written if (code := code_with_modifiers(each)[0])]
