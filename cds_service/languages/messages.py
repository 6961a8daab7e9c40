"""A message: an English sentence with named placeholders, and the facts that fill them.

A placeholder is `{product}`. The facts come from tables or from what was typed, never from a translation: text stays as
it is, numbers and dates are written as the language writes them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal

from cds_service.languages.known import ENGLISH, Language

PLACEHOLDER = re.compile(r"\{(\w+)\}")

# Isolates a value of the other direction, so that its parts keep their order in a line from right to left.
_ISOLATED = "\N{LEFT-TO-RIGHT ISOLATE}{}\N{POP DIRECTIONAL ISOLATE}"


class Quantity(NamedTuple):
    """A number with its unit, such as 1 mL; units are never translated."""

    number: Decimal
    unit: str


class Money(NamedTuple):
    """An amount of US dollars, with cents."""

    amount: Decimal


class Month(NamedTuple):
    """The month of a day, with its year."""

    day: date


Value = str | int | Decimal | date | Quantity | Money | Month


@dataclass(frozen=True)
class Message:
    """A sentence to be said: its English text, the English plural if it counts something, and its values.

    `count` chooses the plural form; it is among the values as `count` too, unless they have the exact number there.
    """

    text: str
    plural: str = ""
    count: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def every_value(self) -> dict[str, Value]:
        """The values by placeholder, with the count."""
        return {**self.values} if self.count is None else {"count": self.count, **self.values}


def plural(one: str, many: str, count: int, /, **values: Value) -> Message:
    """A message that counts whole things: the English singular and plural."""
    return Message(one, many, count, values)


def message(text: str, /, **values: Value) -> Message:
    """A message, for modules and templates."""
    return Message(text, values=values)


def filled(text: str, values: Mapping[str, Value], language: Language) -> str:
    """A text with its placeholders filled as the language writes values. Raises KeyError for an unknown placeholder."""
    return PLACEHOLDER.sub(lambda found: written(values[found[1]], language), text)


def english(said: Message) -> str:
    """The English text of a message, filled. Raises KeyError for a placeholder without a value."""
    text = said.text if said.count is None or said.count == 1 else said.plural
    return filled(text, said.every_value, ENGLISH)


def placeholders(text: str) -> Iterator[str]:
    """The names of the placeholders in a text."""
    yield from (found[1] for found in PLACEHOLDER.finditer(text))


def written(value: Value, language: Language) -> str:
    """A value as the language writes it; isolated in a language from right to left, unless it is in its words."""
    text = _in_words(value, language)
    return text if isinstance(value, date | Month) else isolated(text, language)


def isolated(text: str, language: Language) -> str:
    """A text from left to right in a line of the language, whose direction may be the other."""
    return _ISOLATED.format(text) if language.direction == "rtl" else text


def _in_words(value: Any, language: Language) -> str:
    if isinstance(value, Quantity):
        return f"{_in_words(value.number, language)}\N{NO-BREAK SPACE}{value.unit}"
    if isinstance(value, Money):
        return str(format_currency(value.amount, "USD", locale=language.locale))
    if isinstance(value, Month):
        return str(format_skeleton("yMMMM", value.day, locale=language.locale))
    if isinstance(value, Decimal | int):
        return str(format_decimal(value, locale=language.locale, decimal_quantization=False))
    if isinstance(value, date):
        return str(format_date(value, "long", locale=language.locale))
    return str(value)
