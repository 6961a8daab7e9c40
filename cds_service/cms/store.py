"""Loading and removing tables.

SQLite, since it is in Python itself: a file is opened immutable, so all workers share its pages in the system's cache,
without locks and without a copy. A table is written to a hidden file, synced and renamed; a process that is killed
leaves the catalog as it was, and the next one deletes what it left. All tables of one command appear after all of them
were read without a fault.
"""

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cds_service.cms.catalog import ENDING, FORM, Release, catalog
from cds_service.cms.layouts.base import OpenText
from cds_service.cms.recognize import Given, Source, openers, sources_in
from cds_service.errors import UnusableFile

PAGE = 8192  # bytes
_UNFINISHED = ".adding-"
_FORM = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    f"PRAGMA page_size={PAGE}",
    "CREATE TABLE indexes (key TEXT PRIMARY KEY, codes BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE groups (key TEXT PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE release (form TEXT NOT NULL, content BLOB NOT NULL)",
    "BEGIN",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A table of a download; `new` is False if it was loaded before."""

    release: Release
    new: bool


@dataclass(frozen=True, slots=True)
class Added:
    """The tables of the downloads, and the texts in them that are none."""

    tables: tuple[Loaded, ...]
    skipped: tuple[str, ...]


def add(folder: Path, paths: Sequence[Path], options: Given, *, replace: bool = False) -> Added:
    """Load the tables of downloads into a folder, all or none.

    A table of a release that is loaded with other content is refused unless `replace` is true. Raises UnusableFile
    with one line.
    """
    with _locked(folder):
        skipped: list[str] = []
        sources = [source for path in paths for source in sources_in(path, options, skipped)]
        loaded, _ = catalog(folder)
        written: dict[Path, Release] = {}
        try:
            for number, source in enumerate(sources):
                path = folder / f"{_UNFINISHED}{number}"
                written[path] = _write(path, source)
            tables = _judged(written, loaded, replace)
            _publish(folder, {path: written[path] for path, table in tables.items() if table.new}, loaded)
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UnusableFile(f"{folder}: could not be written: {reason}") from None
        finally:
            _clean(folder)
    return Added(tuple(tables.values()), tuple(skipped))


def remove(folder: Path, names: Iterable[str]) -> list[Release]:
    """Remove tables by name, as `Release.table` or `Release.name`. Raises UnusableFile for a name that is not there."""
    with _locked(folder):
        loaded, _ = catalog(folder)
        chosen: dict[Path, Release] = {}
        for name in names:
            matching = {path: each for path, each in loaded.items() if name in {each.table, each.name}}
            if not matching:
                raise UnusableFile(f"{name}: no such table; `cds-service tables list` names them")
            chosen |= matching
        try:
            for path in chosen:
                path.unlink()
        except OSError as error:
            raise UnusableFile(f"{folder}: could not be written: {error.strerror}") from None
    return list(chosen.values())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other commands, and delete what a killed one left. Raises UnusableFile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UnusableFile(f"{folder}: could not be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            raise UnusableFile(f"{folder}: could not be written: expected the right to write")
        _clean(folder)
        yield
    except BlockingIOError:
        raise UnusableFile(f"{folder}: another command is changing the tables; try again when it is done") from None
    finally:
        os.close(handle)


def _clean(folder: Path) -> None:
    """Delete unfinished files."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink()


def _write(path: Path, source: Source) -> Release:
    """Read a text into a new file. Raises UnusableFile, sqlite3.Error or OSError."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in _FORM:
            connection.execute(statement)
        try:
            release = _fill(connection, source)
        except UnusableFile as error:
            raise UnusableFile(f"{source.place}: {error}") from None
        connection.execute("INSERT INTO release VALUES (?, ?)", (FORM, msgspec.json.encode(release)))
        connection.execute("COMMIT")
    return release


def _fill(connection: sqlite3.Connection, source: Source) -> Release:
    """Insert the groups of a text and return its description."""
    shared: list[str] = []
    with source.text.opened() as (stream, digest):
        groups = list(source.layout.groups(OpenText(source.head, stream, shared, openers(source.beside))))
        sha256 = _digest_of(source) if source.beside else digest.hexdigest()
    if not groups:
        raise UnusableFile("expected rows after the header")
    indexes = [(group.key, group.codes) for group in groups if group.codes]
    connection.executemany("INSERT INTO indexes VALUES (?, ?)", indexes)  # first, in pages that readers map
    (pages,) = connection.execute("PRAGMA page_count").fetchone() if indexes else (0,)
    connection.executemany("INSERT INTO groups VALUES (?, ?)", [(group.key, group.blob) for group in groups])
    return Release(
        kind=source.layout.kind,
        setting=source.setting,
        quarter=str(source.quarter),
        part=source.part,
        first=source.first,
        last=source.quarter.last,
        low=groups[0].key,
        high=groups[-1].key,
        rows=sum(group.rows for group in groups),
        indexed=pages * PAGE,
        file=source.file,
        sha256=sha256,
        added=datetime.now(UTC).isoformat(timespec="microseconds"),
        texts=tuple(shared),
    )


def _digest_of(source: Source) -> str:
    """The SHA-256 of a table in several texts: of their bytes, in the order of their names."""
    whole = hashlib.sha256()
    for _, text in sorted({source.text.name: source.text, **source.beside}.items()):
        whole.update(text.packed_bytes())
    return whole.hexdigest()


def _judged(written: dict[Path, Release], loaded: dict[Path, Release], replace: bool) -> dict[Path, Loaded]:
    """Each written table, and if it is new. Raises UnusableFile where another content holds its place."""
    names = {each.name: each for each in loaded.values()}
    judged: dict[Path, Loaded] = {}
    for path, release in written.items():
        if release.name in names:
            judged[path] = Loaded(names[release.name], new=False)
            continue
        rivals = [each for each in loaded.values() if _same_place(each, release)]
        if rivals and not replace:
            raise UnusableFile(
                f"{release.file}: {release.title} is loaded with other content ({rivals[0].name}); "
                f"take this one in its place with --replace"
            )
        names[release.name] = release
        judged[path] = Loaded(release, new=True)
    return judged


def _same_place(one: Release, other: Release) -> bool:
    """True for two tables that answer for the same days and parts."""
    return (one.table, one.part, one.first) == (other.table, other.part, other.first)


def _publish(folder: Path, written: dict[Path, Release], loaded: dict[Path, Release]) -> None:
    """Sync the files, rename them, and remove those in whose place they come."""
    for path in written:
        path.chmod(0o444)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    published: list[Path] = []
    try:
        for path, release in written.items():
            published.append(path.rename(folder / f"{release.name}{ENDING}"))
    except OSError:
        for path in published:
            path.unlink()
        raise
    for path, earlier in loaded.items():
        if any(_same_place(earlier, release) for release in written.values()):
            path.unlink()
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
