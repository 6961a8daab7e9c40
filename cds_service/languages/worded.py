"""English texts that know their message, so that plain data can be said in another language later.

A page's data are texts, which JSON, the terminal and the English page show as they are. A `Worded` text is such a text
with the message and the values that it was written from. A text without a message, such as a sentence of a table, is a
message itself, with its facts apart (`facts.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any

from cds_service.languages.facts import has_words, with_facts_apart
from cds_service.languages.known import ENGLISH
from cds_service.languages.messages import PLACEHOLDER, Message, Money, Month, Quantity, Value, written


@dataclass(frozen=True)
class Joined:
    """Facts and worded texts in a row."""

    separator: str
    parts: tuple[Value, ...]


Content = Message | Joined


class Worded(str):
    """An English text with the message that it was written from; `content` None: the same in every language."""

    content: Content | None

    def __new__(cls, text: str, content: Content | None) -> "Worded":
        """The text with its content."""
        self = super().__new__(cls, text)
        self.content = content
        return self


def worded(text: str, **values: Value) -> Worded:
    """A text written from a message and its values, which may be worded texts themselves."""
    return Worded(english_text(text, values), Message(text, values=values))


def counted(one: str, many: str, count: Decimal | int, **values: Value) -> Worded:
    """A text that counts: the English singular and plural with `{count}`. A part of a unit counts as the next whole."""
    every = {**values, "count": count}
    whole = ceil(count)
    return Worded(english_text(one if count == 1 else many, every), Message(one, many, whole, every))


def joined(separator: str, parts: Iterable[Value]) -> Worded:
    """Texts and facts in a row."""
    every = tuple(parts)
    return Worded(separator.join(map(in_english, every)), Joined(separator, every))


def fact(value: Value) -> Worded:
    """A fact by itself, which is written as the language writes it."""
    return joined("", (value,))


def name(text: str) -> Worded:
    """A name, code or the like: the same in every language."""
    return Worded(text, None)


def prose(text: str, **names: Value) -> Worded:
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


def in_english(value: Value) -> str:
    """A value as the English pages write it: short, with ISO dates."""
    if isinstance(value, Quantity):
        return f"{in_english(value.number)} {value.unit}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return written(value, ENGLISH) if isinstance(value, Money | Month) else str(value)


def english_text(text: str, values: Mapping[str, Value]) -> str:
    """A text with its placeholders filled as the English pages write values. Raises KeyError for an unknown one."""
    return PLACEHOLDER.sub(lambda found: in_english(values[found[1]]), text)
