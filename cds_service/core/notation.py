"""Billers' notation: a code, its modifiers and its units in one word, such as `CODE-26` or `CODEx2`."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache


def notation(code: str, modifiers: Iterable[str], units: Decimal | None) -> str:
    """A line in billers' notation: code, `x` and units, `-` and each modifier. One unit is omitted."""
    times = "" if units is None or units == 1 else f"x{plain(units)}"
    return code + times + "".join(f"-{modifier}" for modifier in modifiers)


def plain(number: Decimal) -> str:
    """A number without trailing zeros or exponent: 2, 1.3."""
    return f"{number.normalize():f}"


SUMMARY_LIMIT = 139  # characters of a card's summary: fewer than 140


def shortened(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """The text, cut at a word to so many characters."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0] + "…"


# A code of five characters. A modifier follows a separator, or begins with a letter: a longer number is no code.
_SEPARATOR = "[-:/^|,_ ]"
_CODE_WITH_MODIFIERS = re.compile(
    rf"([0-9]{{4}}[0-9A-Z]|[A-Z][0-9]{{4}})((?:(?:{_SEPARATOR}+[0-9A-Z]|[A-Z])[0-9A-Z](?:{_SEPARATOR}*[0-9A-Z]{{2}})*)?)"
)


@lru_cache(maxsize=4096)  # records repeat few codes
def code_with_modifiers(written: str) -> tuple[str, tuple[str, ...]]:
    """The billing code in a coding's code, and the modifiers behind it; an empty code if it has another form."""
    found = _CODE_WITH_MODIFIERS.fullmatch(written.upper())
    return (found[1], tuple(re.findall(r"[0-9A-Z]{2}", found[2]))) if found else ("", ())


def codes_without_modifiers(written: Iterable[str]) -> list[str]:
    """The billing codes in codings' codes, without the modifiers behind them."""
    return [code for each in written if (code := code_with_modifiers(each)[0])]
