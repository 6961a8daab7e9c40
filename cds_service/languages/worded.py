"""English texts that know their message, so that plain data can be said in another language later.

A page's data are texts, which JSON, the terminal and the English page show as they are. A `Worded` text is such a text
with the message and the values that it was written from. A text without a message, such as a sentence of a table, is a
message itself, with its facts apart (`facts.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Any, Literal

import msgspec

from cds_service.languages.facts import has_words, with_facts_apart
from cds_service.languages.known import ENGLISH
from cds_service.languages.messages import PLACEHOLDER, Message, Money, Month, Quantity, Value, written


@dataclass(frozen=True)
class Joined:
    """Facts and worded texts in a row."""

    separator: str
    parts: tuple[Value, ...]


Last = Literal["and", "or"]


@dataclass(frozen=True)
class Listed:
    """Facts and worded texts as a list, such as `A, B and C`, with the word before the last."""

    last: Last
    parts: tuple[Value, ...]


@dataclass(frozen=True)
class Capitalized:
    """A worded text whose first letter is a capital."""

    part: "Worded"


@dataclass(frozen=True)
class Shortened:
    """A worded text, cut to so many characters in each language."""

    part: "Worded"
    limit: int


Content = Message | Joined | Listed | Capitalized | Shortened


class Worded(str):
    """An English text with the message that it was written from; `content` None: the same in every language.

    It is equal to its English text. Most texts are only read in English, so that a message and its values are kept as
    they came, and made a Message where it is asked for.
    """

    __slots__ = ("_made",)
    _made: Content | tuple[str, dict[str, Value]] | None

    def __new__(cls, text: str, content: Content | tuple[str, dict[str, Value]] | None) -> "Worded":
        """The text with its content, or with a message's text and values."""
        self = str.__new__(cls, text)
        self._made = content
        return self

    @property
    def content(self) -> Content | None:
        """The message, or the parts, that the text was written from."""
        made = self._made
        return Message(made[0], values=made[1]) if isinstance(made, tuple) else made

    def __reduce__(self) -> tuple[type["Worded"], tuple[str, Content | None]]:
        """The text with its content, for another process."""
        return Worded, (str(self), self.content)


def worded(text: str, /, **values: Value) -> Worded:
    """A text written from a message and its values, which may be worded texts themselves."""
    return Worded(english_text(text, values), (text, values))


def counted(one: str, many: str, count: Decimal | int, /, **values: Value) -> Worded:
    """A text that counts: the English singular and plural with `{count}`. A part of a unit counts as the next whole."""
    every = {**values, "count": count}
    whole = ceil(count)
    return Worded(english_text(one if count == 1 else many, every), Message(one, many, whole, every))


def joined(separator: str, parts: Iterable[Value]) -> Worded:
    """Texts and facts in a row."""
    every = tuple(parts)
    return Worded(separator.join(map(in_english, every)), Joined(separator, every))


def listed(parts: Iterable[Value], last: Last = "and") -> Worded:
    """Facts and worded texts as a list: `A, B and C`; other languages write it by their own pattern. One at least."""
    every = tuple(parts)
    return Worded(in_a_row(map(in_english, every), last), Listed(last, every))


def linked(parts: Iterable[Value], last: Last = "and") -> Worded:
    """The same, with the word between all of them in English: `A and B and C`."""
    every = tuple(parts)
    return Worded(f" {last} ".join(map(in_english, every)), Listed(last, every))


def in_a_row(words: Iterable[str], last: str) -> str:
    """Words as a list in English: `A, B and C`, without a comma before the last."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final


def capitalized(text: str) -> str:
    """A text whose first letter is a capital in each language; the others stay."""
    changed = text[:1].upper() + text[1:]
    if not isinstance(text, Worded):
        return changed
    return Worded(changed, None if text.content is None else Capitalized(text))


SUMMARY_LIMIT = 139  # characters of a card's summary: fewer than 140

_ISOLATE, _END_OF_ISOLATE = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def shortened(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """The text, cut at a word to so many characters in each language."""
    changed = str(text) if len(text) <= limit else _cut(text, limit)
    if not isinstance(text, Worded):
        return changed
    return Worded(changed, None if text.content is None else Shortened(text, limit))


def _cut(text: str, limit: int) -> str:
    """The text cut at a word; an isolated value that was cut ends, so that what follows keeps its own direction."""
    if _ISOLATE not in text:
        return text[: limit - 1].rsplit(" ", 1)[0] + "…"
    left = text[: limit - 2].rsplit(" ", 1)[0]
    return left + _END_OF_ISOLATE * (left.count(_ISOLATE) - left.count(_END_OF_ISOLATE)) + "…"


def fact(value: Value) -> Worded:
    """A fact by itself, which is written as the language writes it."""
    return joined("", (value,))


def name(text: str) -> Worded:
    """A name, code or the like: the same in every language."""
    return Worded(text, None)


def prose(text: str, /, **names: Value) -> Worded:
    """A sentence of a table or a docstring, whose facts are set apart; `names` fill the placeholders that it has."""
    found = with_facts_apart(text)
    return Worded(english_text(text, names), Message(found.text, values={**names, **found.values}))


def content_of(text: str) -> Content | None:
    """The content of a text; None if it is the same in every language."""
    if isinstance(text, Worded):
        return text.content
    found = with_facts_apart(text)
    return found if has_words(found.text) else None


def plain_text(value: Any) -> str:
    """A worded text as the text that JSON holds: a hook for msgspec. Raises NotImplementedError for anything else."""
    if isinstance(value, Worded):
        return str(value)
    raise NotImplementedError(f"expected plain data, found {type(value).__name__}")


# Encodes plain data as JSON: worded texts in English, amounts as numbers.
JSON = msgspec.json.Encoder(decimal_format="number", enc_hook=plain_text)


def in_english(value: Value) -> str:
    """A value as the English pages write it: short, with ISO dates."""
    if isinstance(value, str):
        return value
    if isinstance(value, Quantity):
        return f"{in_english(value.number)} {value.unit}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return written(value, ENGLISH) if isinstance(value, Money | Month) else str(value)


def english_text(text: str, values: Mapping[str, Value]) -> str:
    """A text with its placeholders filled as the English pages write values. Raises KeyError for an unknown one."""
    pattern, names = _pattern_of(text)
    return pattern % tuple([in_english(values[each]) for each in names])


@lru_cache(maxsize=4096)  # the messages of the modules and tables, which are few
def _pattern_of(text: str) -> tuple[str, tuple[str, ...]]:
    """A message as Python's `%` takes it, and the names of its placeholders: faster than a search in each text."""
    parts = PLACEHOLDER.split(text)
    return "%s".join(part.replace("%", "%%") for part in parts[::2]), tuple(parts[1::2])
