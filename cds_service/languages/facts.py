"""Sets the facts of a sentence apart, so that a translation cannot drift from them.

Every word with a digit is a fact: a code with its modifiers and units, an NDC, a date, a number with its unit, a sum.
It becomes a placeholder, `{1}`, `{2}` and so on in the order of the sentence; codes in a row are one fact.
"""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from cds_service.languages.messages import PLACEHOLDER, Message, Money, Quantity, Value

# A word with a digit in it, whose parts may be joined: a code with its modifiers, 2026-12-31, 1.3, 1,200, $12.50.
_WORD = r"\$?[A-Za-z_]*\d\w*(?:[-./,]\w*\d\w*|-[A-Z][A-Z0-9]\b)*%?"
_CODE = r"[0-9A-Z]\d{3}[0-9A-Z](?:x\d+)?(?:-[0-9A-Z]{2})*"
_UNITS = "mL|mg|mcg|RVU"
_FACT = re.compile(
    rf"(?<![\w{{])(?:(?P<row>{_CODE}(?:, {_CODE})+)(?![\w-])"
    rf"|(?P<number>\d+(?:\.\d+)?) (?P<unit>{_UNITS})\b|(?P<word>{_WORD}))"
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONEY = re.compile(r"\$(\d[\d,]*\.\d{2})")
_DECIMAL = re.compile(r"\d+\.\d+")
_IN_WORDS = re.compile(r"[a-z]{2}|\bNo\b")


@lru_cache(maxsize=8192)
def with_facts_apart(text: str) -> Message:
    """A sentence as a message, its facts by number."""
    values: dict[str, Value] = {}

    def apart(found: re.Match[str]) -> str:
        values[str(len(values) + 1)] = _value(found)
        return f"{{{len(values)}}}"

    return Message(_FACT.sub(apart, one_line(text)), values=values)


def has_words(text: str) -> bool:
    """True if a message has something to translate: words, and not only facts, abbreviations and placeholders."""
    return _IN_WORDS.search(PLACEHOLDER.sub("", text)) is not None


def one_line(text: str) -> str:
    """A text without the line breaks of its file."""
    return " ".join(text.split()) if "\n" in text else text


def _value(found: re.Match[str]) -> Value:
    if found["unit"]:
        return Quantity(Decimal(found["number"]), found["unit"])
    text = found[0]
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    money = _MONEY.fullmatch(text)
    if money:
        return Money(Decimal(money[1].replace(",", "")))
    return Decimal(text) if _DECIMAL.fullmatch(text) else text
