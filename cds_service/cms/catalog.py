"""The catalog: the files of a folder, each one table of one release, with its own description inside."""

import sqlite3
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from urllib.parse import quote

import msgspec

from cds_service.cms.layouts import LAYOUTS
from cds_service.errors import UnusableFile

ENDING = ".sqlite3"
FORM = f"1-{sys.byteorder}"  # of the files; those of another form have to be added again


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded table: one kind, setting and release, or one part of it.

    `first` and `last` are the release's own days of service. `low` and `high` are its first and last key. `file` is
    CMS's name of the text, `sha256` that of its bytes. `added` is the time of loading, in UTC. `texts`
    are those that many rows share; `indexed` is the size in bytes of the indexes, which stand first in the file.
    """

    kind: str
    setting: str
    quarter: str
    part: int | None
    first: date
    last: date
    low: str
    high: str
    rows: int
    file: str
    sha256: str
    added: str
    texts: tuple[str, ...] = ()
    indexed: int = 0

    @property
    def table(self) -> str:
        """Kind, setting and release: `mue-facility-2026Q4`; the name by which it is removed and compared."""
        return "-".join(each for each in (self.kind, self.setting, self.quarter) if each)

    @property
    def name(self) -> str:
        """The name of its file without ending: its table, part and the beginning of its SHA-256."""
        part = f"-f{self.part}" if self.part else ""
        return f"{self.table}{part}-{self.sha256[:8]}"

    @property
    def title(self) -> str:
        """The title with setting and release: `MUE, practitioner, 2026Q4`."""
        return f"{LAYOUTS[self.kind].title_of(self.setting)}, {self.quarter}"

    @property
    def answers_from(self) -> date:
        """The first day of service that it answers for; `last` is the last one."""
        return LAYOUTS[self.kind].since or self.first


def open_table(path: Path) -> tuple[sqlite3.Connection, Release]:
    """A read-only connection to a file, and the description inside. Raises UnusableFile.

    The file never changes: no locks are taken, and no pages are cached but by the system.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        form, content = connection.execute("SELECT form, content FROM release").fetchone()
    except (sqlite3.Error, TypeError):
        raise UnusableFile("expected a table written by `cds-service tables add`") from None
    try:
        release = msgspec.json.decode(content, type=Release)
    except msgspec.MsgspecError:
        raise UnusableFile("expected a table of this version; add it again") from None
    if form != FORM or release.kind not in LAYOUTS or release.setting not in LAYOUTS[release.kind].settings:
        raise UnusableFile("expected a table of this version and kind of machine; add it again")
    return connection, release


def files_in(folder: Path) -> list[Path]:
    """The files of a folder, by name. Raises UnusableFile if it cannot be listed."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ENDING) and path.name[0] != ".")
    except OSError as error:
        raise UnusableFile(f"{folder}: could not be read: {error.strerror or 'input/output error'}") from None


def catalog(folder: Path) -> tuple[dict[Path, Release], list[str]]:
    """The loaded tables of a folder by file, and a line for each file that could not be read. Raises UnusableFile."""
    found: dict[Path, Release] = {}
    faults = []
    for path in files_in(folder):
        try:
            connection, found[path] = open_table(path)
            connection.close()
        except UnusableFile as error:
            faults.append(f"{path.name}: {error}")
    return found, faults


def missing_parts(releases: Iterable[Release]) -> list[int]:
    """The parts that the given ones of one table lack; empty if it is complete or its parts are not numbered."""
    parts = {each.part for each in releases}
    if None in parts:
        return []
    kind = next(each.kind for each in releases)
    return [part for part in range(1, LAYOUTS[kind].parts + 1) if part not in parts]
