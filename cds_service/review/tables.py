"""The code tables that answer: those of this package, and the releases of CMS that are loaded."""

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from operator import attrgetter

import msgspec

from cds_service.cms.catalog import Release, missing_parts
from cds_service.cms.lookup import Snapshot
from cds_service.core.tables import Table


class TableSource(msgspec.Struct, rename="camel", omit_defaults=True):
    """A source of a built-in table; `checked` is `verified through` a day, or the year of a publication."""

    source: str
    checked: str
    url: str | None = None


class BuiltIn(msgspec.Struct, rename="camel"):
    """A table of this package: name, title, number of entries, and sources."""

    name: str
    title: str
    entries: int
    sources: tuple[TableSource, ...]


class LoadedFile(msgspec.Struct, rename="camel", omit_defaults=True):
    """A file of a loaded release: CMS's name of it, its rows and the SHA-256 of its bytes."""

    file: str
    rows: int
    sha256: str
    part: int | None = None


class LoadedTable(msgspec.Struct, rename="camel", omit_defaults=True):
    """A loaded release of one kind and setting, and the days of service that it answers for.

    `missing` are the parts that are not loaded; codes in them are not known.
    """

    table: str
    title: str
    first: date
    last: date
    files: tuple[LoadedFile, ...]
    missing: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """The rows of all its files."""
        return sum(file.rows for file in self.files)


class TablesInUse(msgspec.Struct, rename="camel"):
    """All tables. `faults` name files in the folder of loaded tables that cannot be read."""

    loaded: tuple[LoadedTable, ...]
    faults: tuple[str, ...]
    built_in: tuple[BuiltIn, ...]


def tables_in_use(built_in: Iterable[Table], snapshot: Snapshot) -> TablesInUse:  # type: ignore[type-arg]
    """The tables as they are at one moment."""
    return TablesInUse(loaded_tables(snapshot), snapshot.faults, tuple(map(_built_in, built_in)))


def loaded_tables(snapshot: Snapshot) -> tuple[LoadedTable, ...]:
    """The loaded releases, each with its files, by name."""
    ordered = sorted(snapshot.releases, key=lambda each: (each.table, each.part or 0))
    return tuple(_loaded(list(alike)) for _, alike in groupby(ordered, key=attrgetter("table")))


def _loaded(releases: list[Release]) -> LoadedTable:
    return LoadedTable(
        table=releases[0].table,
        title=releases[0].title,
        first=min(each.answers_from for each in releases),
        last=max(each.last for each in releases),
        files=tuple(LoadedFile(each.file, each.rows, each.sha256, each.part) for each in releases),
        missing=tuple(missing_parts(releases)),
    )


def _built_in(table: Table) -> BuiltIn:  # type: ignore[type-arg]
    sources = tuple(TableSource(each.label, each.checked, each.url) for each in table.sources.values())
    return BuiltIn(table.name, table.title, len(table.entries), sources)
