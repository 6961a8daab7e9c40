"""The form of a layout: a reader of one kind of table, and the rows that it stores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Generic, NamedTuple, Protocol, TextIO, TypeVar

import msgspec

from cds_service.cms.quarters import Edition, Quarter
from cds_service.cms.text import fault


class Stamp(NamedTuple):
    """A table's setting, release, first day of service and part, as far as a text or a name states them.

    `setting` tells tables of one kind apart: professional, facility or dme; for the fee schedule qpp, nonqpp or all.
    `part` is the number of a part of a release in several files.
    """

    setting: str | None = None
    quarter: Quarter | None = None
    first: date | None = None
    part: int | None = None


# Opens a text that belongs to another one, to be read once.
Opener = Callable[[], AbstractContextManager[TextIO]]


class OpenText(NamedTuple):
    """A text to be read once: its first characters, its stream, and a list for texts that many rows share.

    `beside` opens the other texts of the table, by name.
    """

    head: str
    stream: TextIO
    shared: list[str]
    beside: Mapping[str, Opener] = {}


class Group(NamedTuple):
    """The rows of one key, encoded, and their number, 0 if it is not known.

    `codes` is an index that tells which rows are of interest.
    """

    key: str
    blob: bytes
    rows: int = 0
    codes: bytes = b""


class Row(Protocol):
    """A row of a table: a msgspec structure."""

    @property
    def identity(self) -> tuple[str, ...]:
        """The values that tell it from the other rows of its key and of a day; its codes come first."""
        ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Layout(Generic[RowT]):
    """A kind of table.

    `recognizes` tells it by the first characters of a text, `stamp` reads release and setting from these and from a
    file's name. `settings` are the possible ones, with their titles; a single empty one if there is no choice. `parts`
    is the number of files of a release. `since` is the first day for which any release answers, None if each answers
    for its own quarter only. `groups` reads a text, `rows` decodes a group, with the texts that rows share.
    `beside` are the names of further texts that the table is made of, in the same zip. `edition` reads the date of a
    weekly copy from them; None for a table of quarters.
    """

    kind: str
    title: str
    settings: dict[str, str]
    recognizes: Callable[[str], bool]
    stamp: Callable[[str, str], Stamp]
    groups: Callable[[OpenText], Iterator[Group]]
    rows: Callable[[Group, Sequence[str]], list[RowT]]
    parts: int = 1
    since: date | None = None
    beside: tuple[str, ...] = ()
    edition: Callable[[Mapping[str, Opener]], Edition] | None = None

    def title_of(self, setting: str) -> str:
        """The title with the setting: `MUE, practitioner`."""
        words = self.settings.get(setting, setting)
        return f"{self.title}, {words}" if words else self.title


def gathered(rows: Iterator[tuple[int, str, RowT]]) -> Iterator[Group]:
    """The groups of rows given with their lines and keys, in the order of keys.

    A row that repeats another counts once. Raises UnusableFile if two rows of one identity differ.
    """
    found: dict[str, dict[tuple[str, ...], RowT]] = {}
    for line, key, row in rows:
        earlier = found.setdefault(key, {}).setdefault(row.identity, row)
        if earlier != row:
            raise fault(line, 1, "", "one row for each code; this one contradicts an earlier row")
    for key in sorted(found):
        alike = list(found[key].values())
        yield Group(key, msgspec.msgpack.encode(alike), len(alike))


def decoder(row_type: type[RowT]) -> Callable[[Group, Sequence[str]], list[RowT]]:
    """The function that decodes a group of `gathered`."""
    decode = msgspec.msgpack.Decoder(list[row_type]).decode  # type: ignore[valid-type]

    def rows(group: Group, _texts: Sequence[str]) -> list[RowT]:
        return decode(group.blob)

    return rows
