"""Dated code tables: coding rules as data.

A table is a YAML file with a title, its sources with their verification dates, and entries, each in force from its
`first` to its `last` date of service. Some sources list what is in force without saying since when: their entries
answer from the date of the oldest `release` that was read, which is not the date of a change. `load_table` is strict:
unquoted codes, unknown or duplicate keys, unknown sources, and two entries with the same code (or other key) in force
on one day are errors that name the file, the line and the expected value.
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
    """A document that entries cite, and the last date of service for which it was verified.

    `verified_through` None: a publication that does not change, such as an article or our own words. `release`: the
    document states no start dates, and lists what was in force on that day, the oldest that was read. `url` is the
    publisher's page, if known.
    """

    publisher: str
    document: str
    year: int
    verified_through: date | None = None
    release: date | None = None
    url: str | None = None

    @property
    def label(self) -> str:
        """The source as cited on cards."""
        written = str(self.year) in self.document
        return f"{self.publisher}, {self.document}" + ("" if written else f" ({self.year})")

    @property
    def checked(self) -> str:
        """The words for its age: `verified through 2026-12-31`, or `published 2018`."""
        return f"verified through {self.verified_through}" if self.verified_through else f"published {self.year}"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of every entry: code, dates in force, source, confidence and verification date.

    `first` None: the start is not known. The entry then answers from the `release` of its source, or with none, as far
    back as the source goes. `last` None: no known end.
    """

    code: str
    first: date | None = None
    last: date | None = None
    source: str
    confidence: Confidence = "seen"
    verified_through: date | None = None
    release: date | None = None

    @property
    def key(self) -> str:
        """The key that at most one entry may have on any day; by default the code."""
        return self.code

    @property
    def start(self) -> date | None:
        """The date of service from which the entry answers: its first, else the release that it was read from."""
        return self.first or self.release

    def in_force(self, day: date | None) -> bool:
        """True if the entry is in force on a date of service; for an unknown date, if it has no end."""
        if day is None:
            return self.last is None
        return (self.start is None or self.start <= day) and (self.last is None or day <= self.last)


EntryT = TypeVar("EntryT", bound=Entry)

_CODE = re.compile(r"[0-9A-Z]{5}")


class Table(Generic[EntryT]):
    """A loaded table, with lookup by code and date of service."""

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
        """All entries of a code, in file order."""
        return self._by_code.get(code, ())

    def on(self, code: str, day: date | None) -> EntryT | None:
        """The entry of a code in force on a date of service, or None."""
        for entry in self._by_code.get(code, ()):
            if entry.in_force(day):
                return entry
        return None

    def source(self, entry: EntryT) -> Source:
        """The source of an entry."""
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
    """Load a table of `entry_type` entries. Raises TableError."""
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
    def fault(text: str) -> TableError:
        place = f"{document.name}: line {document.line_of(f'$.entries[{number}]')}: entries[{number}]"
        return TableError(f"{place} ({raw.get('code', 'no code')}): {text}")

    name = raw.get("source", next(iter(head.sources)) if len(head.sources) == 1 else None)
    if name not in head.sources:
        raise fault(f"expected `source` to be one of {', '.join(head.sources)}")
    source = head.sources[name]
    defaults = {"source": name, "verified_through": source.verified_through}
    defaults |= {} if "first" in raw else {"release": source.release}
    try:
        entry = msgspec.convert(defaults | raw, entry_type)
    except msgspec.ValidationError as error:
        raise fault(str(error)) from None
    if entry.start and entry.last and entry.last < entry.start:
        raise fault("expected `last` to be no earlier than `first`")
    return entry


def _require_disjoint(path: Path, entries: tuple[Entry, ...]) -> None:
    seen: dict[str, list[Entry]] = {}
    for entry in entries:
        for other in seen.setdefault(entry.key, []):
            if (entry.start or date.min) <= (other.last or date.max) and (other.start or date.min) <= (
                entry.last or date.max
            ):
                raise TableError(f"{path.name}: two entries for {entry.key} are in force on the same day")
        seen[entry.key].append(entry)
