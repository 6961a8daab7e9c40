"""The SQLite file at its path, compared with the file that a connection has open.

A file that was deleted or replaced stays open: what is written to it is gone after a restart. SQLite itself does not
notice this in write-ahead mode.
"""

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

# Time between two checks of the whole file, in seconds: at least this, and many times what the last one took.
_CHECK_SECONDS = 60.0
_CHECK_PART = 200

# Pause before a locked file is tried again, in seconds.
_LOCKED_SECONDS = 0.005

# Key of the files that a connection has open, in its `info`.
FILES = "files"

Identity = tuple[tuple[int, int], tuple[int, int]]


class FileReplaced(Exception):
    """The file at the path is no longer the one that is open."""


def identity(path: str) -> Identity:
    """Device and number of a file and of its write-ahead log. Raises FileReplaced if one of them is missing.

    Only their directory is read: a process that opens and closes a file drops the locks that SQLite has on it.
    """
    try:
        file, log = os.stat(path), os.stat(f"{path}-wal")  # noqa: PTH116  # asked with each token: a Path costs as much
    except OSError:
        raise FileReplaced from None
    return (file.st_dev, file.st_ino), (log.st_dev, log.st_ino)


def set_up(connection: sqlite3.Connection, path: str, lock_milliseconds: int, is_durable: bool) -> Identity:
    """Set lock waits, write-ahead logging and durability of a new connection; returns which files it has open.

    Transactions are started by whoever uses it, not by the driver. Raises FileReplaced.
    """
    connection.isolation_level = None
    synchronous = "FULL" if is_durable else "NORMAL"
    settings = (f"busy_timeout={lock_milliseconds}", "journal_mode=WAL", f"synchronous={synchronous}")
    end = time.monotonic() + lock_milliseconds / 1000
    for pragma in (*settings, "foreign_keys=ON"):
        _execute(connection, f"PRAGMA {pragma}", end)
    _execute(connection, "SELECT count(*) FROM sqlite_master", end)  # opens the log
    return identity(path)


def _execute(connection: sqlite3.Connection, statement: str, end: float) -> None:
    """Execute a statement, again while the file is locked and until `end`, a `time.monotonic()` value.

    Where several connections turn a new file to write-ahead logging at once, SQLite lets one of them wait and refuses
    the others at once.
    """
    while True:
        try:
            connection.execute(statement).fetchone()
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or time.monotonic() >= end:
                raise
            time.sleep(_LOCKED_SECONDS)
        else:
            return


def _is_locked(error: sqlite3.Error) -> bool:
    """True if another connection holds the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class FileCheck:
    """Checks the whole file from time to time, in a thread of its own, as a restart would find it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._due_at = 0.0
        self.fault = ""  # the name of SQLite's error; empty if there was none

    def start_if_due(self) -> None:
        """Start a check if it is due; does not wait for it."""
        if time.monotonic() >= self._due_at and self._lock.acquire(blocking=False):
            threading.Thread(target=self._check, daemon=True, name="database-check").start()

    def _check(self) -> None:
        started = time.monotonic()
        try:
            self.fault = _fault_in(self._path)
        finally:
            now = time.monotonic()
            self._due_at = now + max(_CHECK_SECONDS, _CHECK_PART * (now - started))
            self._lock.release()


def _fault_in(path: str) -> str:
    with suppress(OSError, sqlite3.OperationalError):  # a file that is missing or busy is found by every write
        if not Path(path).stat().st_size:
            return ""
        try:
            with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as connection:
                answer = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return error.sqlite_errorname
        return "" if answer == ("ok",) else "SQLITE_CORRUPT"
    return ""
