"""Rows that are kept soon: they gather while calls go on, and are written together.

Nobody waits for them. While the database is down they wait for it, up to a number; what is lost is logged and counted.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from multiprocessing.util import Finalize
from threading import Condition, Lock
from typing import Any

from sqlalchemy import Connection, Table

from cds_service.database.connections import Database
from cds_service.errors import StoreUnavailable
from cds_service.telemetry.logs import log

# How long rows gather before they are written, in seconds: a transaction for each call would cost more than the call.
GATHER_SECONDS = 0.05

# A database that takes longer is said to be slow, in seconds.
SLOW_SECONDS = 1.0

# So many rows wait for a database that is down.
MOST_WAITING = 20_000

Row = tuple[Table, dict[str, Any]]


class BackgroundWriter:
    """Rows on their way to the database. `lost` is told how many were not kept."""

    def __init__(self, database: Database, lost: Callable[[int], None]) -> None:
        self._database = database
        self._lost = lost
        self._rows: list[Row] = []
        self._is_gathering = False
        self._writing_since: float | None = None
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._added = self._tried = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-notes")
        Finalize(None, self._end, exitpriority=10)  # a worker of granian ends without `atexit`

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows soon."""
        with self._lock:
            self._rows += rows
            self._added += 1
            is_first, self._is_gathering = not self._is_gathering, True
        if is_first:
            self._thread.submit(self._write_soon)
        self._mind_the_time()

    def settle(self, seconds: float) -> None:
        """Wait until what was added is written, as far as it can be, and no longer than so many seconds."""
        with self._lock:
            added = self._added
            self._changed.wait_for(lambda: self._tried >= added, seconds)

    def _write_soon(self) -> None:
        time.sleep(GATHER_SECONDS)
        with self._lock:
            rows, self._rows = self._rows, []
            added, self._is_gathering = self._added, False
            self._writing_since = time.monotonic()
        try:
            self._database.do(lambda connection: _insert(connection, rows))
        except StoreUnavailable:
            self._put_back(rows)
        with self._lock:
            self._tried, self._writing_since = added, None
            self._changed.notify_all()

    def _put_back(self, rows: list[Row]) -> None:
        """They are tried again with the next rows."""
        with self._lock:
            self._rows = rows + self._rows
        self._say_waiting()

    def _mind_the_time(self) -> None:
        """A database that hangs lets its writer wait without a word, and rows would gather without end."""
        since = self._writing_since
        if since is not None and time.monotonic() - since > SLOW_SECONDS:
            with self._lock:
                self._writing_since = time.monotonic()
            self._say_waiting()

    def _say_waiting(self) -> None:
        """The oldest go where too many wait."""
        with self._lock:
            too_many = max(0, len(self._rows) - MOST_WAITING)
            del self._rows[:too_many]
            waiting = len(self._rows)
        log.warning("calls not kept yet", rows=waiting)
        self._say_lost(too_many)

    def _end(self) -> None:
        self._thread.shutdown()
        self._say_lost(len(self._rows))

    def _say_lost(self, number: int) -> None:
        if number:
            log.error("calls not kept", rows=number)
            self._lost(number)


def _insert(connection: Connection, rows: list[Row]) -> None:
    for table, found in groupby(sorted(rows, key=lambda row: row[0].name), key=lambda row: row[0]):
        connection.execute(table.insert(), [values for _, values in found])
