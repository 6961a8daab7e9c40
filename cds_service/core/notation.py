"""Billers' notation: a code, its modifiers and its units in one word, such as `CODE-26` or `CODEx2`."""

from collections.abc import Iterable
from decimal import Decimal


def notation(code: str, modifiers: Iterable[str], units: Decimal | None) -> str:
    """A line in billers' notation: code, `x` and units, `-` and each modifier. One unit is omitted."""
    times = "" if units is None or units == 1 else f"x{plain(units)}"
    return code + times + "".join(f"-{modifier}" for modifier in modifiers)


def plain(number: Decimal) -> str:
    """A number without trailing zeros or exponent: 2, 1.3."""
    return f"{number.normalize():f}"
