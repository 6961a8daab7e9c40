"""Worded texts as plain data, for processes and files that hold texts only: the content of a text, to be read again.

A value that is no text, number or list is a list of the name of its type and its parts.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any, get_args

from cds_service.languages.messages import Money, Month, Quantity
from cds_service.languages.worded import Content, Worded

_SHAPES: Mapping[str, Any] = {each.__name__: each for each in (*get_args(Content), Quantity, Money, Month)}


def stored(text: Worded) -> Any:
    """The content of a worded text as plain data."""
    return _plain(text.content)


def restored(text: str, content: Any) -> Worded:
    """A worded text from its English and its content as plain data."""
    return Worded(text, _read(content))


def _plain(value: Any) -> Any:
    if isinstance(value, Worded):
        return ["Worded", str(value), _plain(value.content)]
    if isinstance(value, Decimal | date):
        return [type(value).__name__, str(value)]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, each.name)) for each in fields(value))]
    if isinstance(value, tuple):
        kind = type(value).__name__
        return [kind, *map(_plain, value)]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    kind, *parts = value
    every = tuple(map(_read, parts))
    return _READERS[kind](*every) if kind in _READERS else every if kind == "tuple" else _SHAPES[kind](*every)


_READERS: Mapping[str, Any] = {"Worded": Worded, "Decimal": Decimal, "date": date.fromisoformat}
