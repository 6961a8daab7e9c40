"""An outage of the database: one log line when it begins, and one when it ends with how long and how many it refused.

Successes and failures may alternate, such as on a file with one damaged page; the outage ends when nothing has failed
for some seconds.
"""

import sqlite3
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from cds_service.telemetry.logs import log

# Time without a failure after which a success ends an outage, in seconds.
QUIET_SECONDS = 10.0

_HINT = "feedback is refused and calls are not stored until the database is back"


def error_name(error: SQLAlchemyError) -> str:
    """The name of an error without its text: SQLite's own such as SQLITE_FULL, or the class of the driver's error."""
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", None) if isinstance(cause, sqlite3.Error) else None
    return str(name or type(cause).__name__)


class Outage:
    """Follows attempts to use the database. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._failed_at = 0.0
        self._is_failing = False
        self._reason = ""
        self._refused = 0

    @property
    def reason(self) -> str:
        """The error of the last piece of work if it failed some seconds ago at most; empty otherwise."""
        is_recent = self._clock() - self._failed_at < QUIET_SECONDS
        return self._reason if self._is_failing and is_recent else ""

    @property
    def last_error(self) -> str:
        """The last error of this outage, also of a health check; empty if there is no outage."""
        return self._reason if self._began_at is not None else ""

    def failed(self, reason: str, hint: str = "", is_check: bool = False) -> None:
        """A piece of work failed, or a health check did."""
        with self._lock:
            is_new = self._began_at is None
            self._failed_at, self._reason = self._clock(), reason
            self._began_at = self._failed_at if self._began_at is None else self._began_at
            if not is_check:
                self._is_failing, self._refused = True, self._refused + 1
        if is_new:
            log.error("database", state="failing", error=reason, hint=hint or _HINT)

    def refused(self) -> None:
        """A piece of work was refused without an attempt."""
        with self._lock:
            self._refused += 1

    def succeeded(self, is_check: bool = False) -> None:
        """A piece of work was done, or a health check found that it could be."""
        if self._began_at is None:
            return
        with self._lock:
            now = self._clock()
            is_quiet = now - self._failed_at >= QUIET_SECONDS
            self._is_failing = self._is_failing and is_check and not is_quiet
            if self._began_at is None or not is_quiet:
                return
            seconds, refused = round(now - self._began_at, 1), self._refused
            self._began_at, self._refused = None, 0
        log.warning("database", state="back", seconds=seconds, refused=refused)
