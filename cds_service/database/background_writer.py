"""Background batch writer for database rows, so that calls do not wait for the database.

While the database is down, up to MAX_WAITING rows are kept for retry; lost rows are logged and counted.
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
from cds_service.telemetry.logs import Seldom, log

# Delay before a batch is written, in seconds: a transaction per call would cost more than the call.
GATHER_SECONDS = 0.05

# A write that takes longer, in seconds, is reported as slow.
SLOW_SECONDS = 1.0

# Maximum number of rows kept while the database is down.
MAX_WAITING = 20_000

Row = tuple[Table, dict[str, Any]]


class BackgroundWriter:
    """Collects rows and writes them in batches. `on_lost` is called with the number of lost rows."""

    def __init__(self, database: Database, on_lost: Callable[[int], None]) -> None:
        self._database = database
        self._on_lost = on_lost
        self._rows: list[Row] = []
        self._is_gathering = False
        self._writing_since: float | None = None
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._added = self._tried = self._lost = 0
        self._seldom_waiting, self._seldom_lost = Seldom(), Seldom()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-notes")
        Finalize(None, self._close, exitpriority=10)  # Granian workers do not run `atexit`

    def add(self, rows: Iterable[Row]) -> None:
        """Queue rows for the next batch."""
        with self._lock:
            self._rows += rows
            self._added += 1
            is_first, self._is_gathering = not self._is_gathering, True
        if is_first:
            self._thread.submit(self._write_soon)
        self._watch_for_hang()

    def flush(self, seconds: float) -> None:
        """Wait until the queued rows were written or failed, at most `seconds`."""
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
            self._database.run_inline(lambda connection: _insert(connection, rows))
        except StoreUnavailable:
            self._requeue(rows)
        with self._lock:
            self._tried, self._writing_since = added, None
            self._changed.notify_all()

    def _requeue(self, rows: list[Row]) -> None:
        """Queue rows again, for the next batch."""
        with self._lock:
            self._rows = rows + self._rows
        self._limit_waiting()

    def _watch_for_hang(self) -> None:
        """Report and limit waiting rows if the current write hangs, since the writer cannot."""
        since = self._writing_since
        if since is not None and time.monotonic() - since > SLOW_SECONDS:
            with self._lock:
                self._writing_since = time.monotonic()
            self._limit_waiting()

    def _limit_waiting(self) -> None:
        """Drop the oldest rows beyond the maximum, and log the rest as waiting."""
        with self._lock:
            too_many = max(0, len(self._rows) - MAX_WAITING)
            del self._rows[:too_many]
            waiting = len(self._rows)
        if self._seldom_waiting.allows():
            log.warning("calls not kept yet", rows=waiting)
        self._report_lost(too_many, self._seldom_lost.allows)

    def _close(self) -> None:
        self._thread.shutdown()
        self._report_lost(len(self._rows), lambda: True)

    def _report_lost(self, number: int, may_log: Callable[[], bool]) -> None:
        """Count lost rows; log them together if the line may be written now, else with a later one."""
        self._lost += number
        if number:
            self._on_lost(number)
        if self._lost and may_log():
            log.error("calls not kept", rows=self._lost)
            self._lost = 0


def _insert(connection: Connection, rows: list[Row]) -> None:
    for table, found in groupby(sorted(rows, key=lambda row: row[0].name), key=lambda row: row[0]):
        connection.execute(table.insert(), [values for _, values in found])
