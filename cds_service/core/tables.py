"""Dated code tables: the law as data.

A table is a YAML file with a head (what it holds, its sources and through when each was verified) and entries, each in
force from its `first` to its `last` date of service. `load_table` reads one strictly: a code that is not quoted, a key
that is unknown or written twice, a source that is not named, or two entries of one code (or of another key that the
entries have) in force on one day are errors that name the file, the line and what was expected.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec

from cds_service.core import strict_yaml
from cds_service.errors import TableError

Confidence = Literal["seen", "secondary", "memory"]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document that a fact was taken from, and through which date of service it was held against the law.

    `url` leads to the publisher's page about it, where one is known.
    """

    publisher: str
    document: str
    year: int
    verified_through: date
    url: str | None = None

    @property
    def label(self) -> str:
        """How a card names it."""
        written = str(self.year) in self.document
        return f"{self.publisher}, {self.document}" + ("" if written else f" ({self.year})")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every entry says: which code, in force from when to when, by which source, how sure, checked through when.

    `first` None: in force as far back as the source reaches. `last` None: no end is known.
    """

    code: str
    first: date | None = None
    last: date | None = None
    source: str
    confidence: Confidence = "seen"
    verified_through: date

    @property
    def key(self) -> str:
        """What only one entry of a table may speak of on any one day: the code, where a table does not say more."""
        return self.code

    def in_force(self, day: date | None) -> bool:
        """Whether the entry holds on a date of service; an unknown date asks for an entry without an end."""
        if day is None:
            return self.last is None
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


EntryT = TypeVar("EntryT", bound=Entry)

_CODE = re.compile(r"[0-9A-Z]{5}")


class Table(Generic[EntryT]):
    """A loaded table. Entries are found by code and date of service."""

    def __init__(self, name: str, title: str, sources: dict[str, Source], entries: tuple[EntryT, ...]) -> None:
        self.name = name
        self.title = title
        self.sources = sources
        self.entries = entries
        found: dict[str, list[EntryT]] = {}
        for entry in entries:
            found.setdefault(entry.code, []).append(entry)
        self._by_code = {code: tuple(alike) for code, alike in found.items()}

    def __iter__(self) -> Iterator[EntryT]:
        return iter(self.entries)

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every billing code that an entry names, in whatever member."""
        return frozenset(code for entry in self.entries for code in _codes_in(msgspec.structs.astuple(entry)))

    def history(self, code: str) -> tuple[EntryT, ...]:
        """All entries of a code, in the order of the file."""
        return self._by_code.get(code, ())

    def on(self, code: str, day: date | None) -> EntryT | None:
        """The entry of a code that is in force on a date of service, or None."""
        for entry in self._by_code.get(code, ()):
            if entry.in_force(day):
                return entry
        return None

    def source(self, entry: EntryT) -> Source:
        """The document that an entry was taken from."""
        return self.sources[entry.source]


def _codes_in(value: object) -> Iterator[str]:
    """The texts in the form of a billing code, anywhere in a value."""
    if isinstance(value, str) and _CODE.fullmatch(value):
        yield value
    elif isinstance(value, tuple | list):
        yield from (code for each in value for code in _codes_in(each))
    elif isinstance(value, dict):
        yield from (code for pair in value.items() for code in _codes_in(pair))


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    sources: dict[str, Source]
    entries: list[dict[str, Any]]


def load_table(path: Path, entry_type: type[EntryT]) -> Table[EntryT]:
    """Read a table whose entries have the fields of `entry_type`. Raises TableError."""
    document = strict_yaml.read(path, TableError)
    try:
        head = msgspec.convert(document.data, _Head)
    except msgspec.ValidationError as error:
        raise TableError(f"{path.name}: {error}") from None
    entries = tuple(_entry(document, head, number, raw, entry_type) for number, raw in enumerate(head.entries))
    _require_disjoint(path, entries)
    return Table(path.stem, head.title, head.sources, entries)


def _entry(
    document: strict_yaml.Document, head: _Head, number: int, raw: dict[str, Any], entry_type: type[EntryT]
) -> EntryT:
    line = document.line_of(f"$.entries[{number}]")
    where = f"{document.name}: line {line}: entries[{number}] ({raw.get('code', 'no code')})"
    name = raw.get("source", next(iter(head.sources)) if len(head.sources) == 1 else None)
    if name not in head.sources:
        raise TableError(f"{where}: expected `source` to be one of {', '.join(head.sources)}")
    defaults = {"source": name, "verified_through": head.sources[name].verified_through}
    try:
        entry = msgspec.convert(defaults | raw, entry_type)
    except msgspec.ValidationError as error:
        raise TableError(f"{where}: {error}") from None
    if entry.first and entry.last and entry.last < entry.first:
        raise TableError(f"{where}: expected `last` to be no earlier than `first`")
    return entry


def _require_disjoint(path: Path, entries: tuple[Entry, ...]) -> None:
    seen: dict[str, list[Entry]] = {}
    for entry in entries:
        for other in seen.setdefault(entry.key, []):
            if (entry.first or date.min) <= (other.last or date.max) and (other.first or date.min) <= (
                entry.last or date.max
            ):
                raise TableError(f"{path.name}: two entries of {entry.key} are in force on one day")
        seen[entry.key].append(entry)
