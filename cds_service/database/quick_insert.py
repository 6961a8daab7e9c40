"""Inserts into SQLite by its driver alone, in the thread that asks: a fifth of the CPU time of `Database.run`.

Only what goes well is done here. A file that is missing, new, locked, replaced or damaged is left to `Database`, which
makes and upgrades files, waits in threads of its own and tells of outages.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote

from sqlalchemy import Table, make_url
from sqlalchemy.dialects import sqlite

from cds_service.database.sqlite_file import FileReplaced, Identity, identity, set_up

# Wait for another writer, in milliseconds: most write in less than one. `Database` waits longer.
_LOCK_MILLISECONDS = 50

Row = tuple[str | int, ...]


class QuickInsert:
    """Inserts rows of one table, those that are not there yet. Not for several threads at once.

    Commits are not flushed to the disk: they outlast the end of a process, and may be lost in a power failure.
    """

    def __init__(self, url: str, table: Table) -> None:
        address = make_url(url)
        self._path = str(address.database or "") if address.get_backend_name() == "sqlite" else ""
        insert = sqlite.insert(table).on_conflict_do_nothing()
        self._insert = str(insert.compile(dialect=sqlite.dialect()))
        self._opened: tuple[sqlite3.Connection, Identity] | None = None

    def new_of(self, rows: Sequence[Row]) -> list[bool] | None:
        """For each row, in the order of the table's columns, true if it was not there. None if `Database` is needed."""
        if not self._path:
            return None
        try:
            connection, opened = self._opened = self._opened or self._open()
            new = self._inserted(connection, rows)
            is_kept = identity(self._path) == opened  # what is written to a file that is gone is gone after a restart
        except (sqlite3.Error, FileReplaced):
            is_kept = False
        if is_kept:
            return new
        self.close()
        return None

    def close(self) -> None:
        """Close the connection; it is opened again when there are rows."""
        if self._opened is not None:
            with suppress(sqlite3.Error):  # what was not committed is asked of `Database`
                self._opened[0].close()
            self._opened = None

    def _open(self) -> tuple[sqlite3.Connection, Identity]:
        address = f"file:{quote(self._path)}?mode=rw"  # a missing file is not made
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        return connection, set_up(connection, self._path, _LOCK_MILLISECONDS, is_durable=False)

    def _inserted(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> list[bool]:
        if len(rows) == 1:  # a transaction by itself
            return [connection.execute(self._insert, rows[0]).rowcount == 1]
        connection.execute("BEGIN IMMEDIATE")
        new = [connection.execute(self._insert, row).rowcount == 1 for row in rows]
        connection.execute("COMMIT")
        return new
