"""Access to SQLite or PostgreSQL with time limits on every wait, and a circuit breaker after failures.

Work runs in the database's own threads, so an unresponsive database cannot block the threads that answer calls.
"""

import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cds_service.errors import StoreUnavailable
from cds_service.telemetry.logs import log

T = TypeVar("T")
Health = Literal["up", "outdated", "down"]

# Lock timeout and statement timeout, in milliseconds.
_LOCK_MILLISECONDS = 2000
_STATEMENT_MILLISECONDS = 5000

# Timeouts for a connection (PostgreSQL's minimum) and for a piece of work, in seconds.
_CONNECT_SECONDS = 2
WORK_SECONDS = 6.0

# Timeout of a health check, in seconds; shorter than that of a probe.
_HEALTH_SECONDS = 0.5

# Time without attempts after the database could not be reached, in seconds.
PAUSE_SECONDS = 5.0

# Insert constructs that support ON CONFLICT, by dialect.
INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

UPGRADE = "cds-service database upgrade"


class SchemaOutdated(StoreUnavailable):
    """The database schema is of an older version."""


class Database:
    """Runs work on a database, each piece in one transaction.

    `connections` is the maximum for PostgreSQL, one of them for `run_inline`; SQLite has a single writer and needs two.
    Without `is_durable`, commits are faster but may be lost in a power failure.
    """

    def __init__(self, url: str, connections: int = 4, is_durable: bool = True) -> None:
        connections = 2 if make_url(url).get_backend_name() == "sqlite" else connections
        self.engine = create(url, is_durable, pool_size=connections, max_overflow=0, pool_timeout=_CONNECT_SECONDS)
        self._threads = ThreadPoolExecutor(connections - 1, thread_name_prefix="database")
        self._breaker = _CircuitBreaker(PAUSE_SECONDS)
        self._is_ready = False

    def run(self, work: Callable[[Connection], T], seconds: float = WORK_SECONDS) -> T:
        """Run work and return its result.

        Raises StoreUnavailable on failure or timeout. Timed-out work may still complete, so it must be idempotent.
        """
        future = self._submit(work)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            self._breaker.open()
            raise StoreUnavailable("the database is too slow at the moment; retry later") from None

    def run_inline(self, work: Callable[[Connection], T]) -> T:
        """Run work in the current thread, without a timeout. Raises StoreUnavailable."""
        self._require_closed_breaker()
        return self._execute(work)

    def health(self) -> Health:
        """The state of the database; `outdated` if its schema must be upgraded first."""
        try:
            self._submit(lambda _: None).result(_HEALTH_SECONDS)
        except SchemaOutdated:
            return "outdated"
        except (StoreUnavailable, TimeoutError):
            return "down"
        return "up"

    def close(self) -> None:
        """Finish running work and close the connections."""
        self._threads.shutdown()
        self.engine.dispose()

    # --- in a database thread ----------------------------------------------------------------------------------------

    def _submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        self._require_closed_breaker()
        return self._threads.submit(contextvars.copy_context().run, self._execute, work)

    def _require_closed_breaker(self) -> None:
        if not self._breaker.allows_attempt():
            raise StoreUnavailable("the database is unreachable; retry later")

    def _execute(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._connect() as connection:
                self._ensure_schema(connection)
                with connection.begin():
                    result = work(connection)
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                self._breaker.open()
            log.error("database", error=type(error).__name__, cause=type(getattr(error, "orig", None)).__name__)
            raise StoreUnavailable("the database cannot store this at the moment; retry later") from None
        self._breaker.close()
        return result

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except SQLAlchemyError:
            self._breaker.open()
            raise

    def _ensure_schema(self, connection: Connection) -> None:
        """Upgrade SQLite on first use. PostgreSQL may be shared, so it is upgraded by hand only."""
        if self._is_ready:
            return
        from cds_service.database import migrate  # noqa: PLC0415  # Alembic loads slowly; no call waits here

        with connection.begin():
            if connection.dialect.name == "sqlite":
                migrate.upgrade(connection)
            elif migrate.state_of(connection) == "behind":
                log.error("database outdated", hint=f"run `{UPGRADE}`")
                raise SchemaOutdated("the database is being upgraded; retry later")
        self._is_ready = True


class _CircuitBreaker:
    """Blocks attempts for some seconds after a failure; then one attempt is allowed before others."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._lock = threading.Lock()

    def allows_attempt(self) -> bool:
        with self._lock:
            if self._until is not None and time.monotonic() < self._until:
                return False
            if self._until is not None:
                self._until = time.monotonic() + self._seconds
            return True

    def open(self) -> None:
        with self._lock:
            self._until = time.monotonic() + self._seconds

    def close(self) -> None:
        self._until = None


# --- engines --------------------------------------------------------------------------------------------------------


def create(url: str, is_durable: bool = True, **options: Any) -> Engine:
    """An engine with serialized writes and, if `is_durable`, commits that are flushed to disk."""
    engine = create_engine(url, pool_pre_ping=True, connect_args=_connect_arguments(url, is_durable), **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _create_private_file)
        event.listen(engine, "connect", partial(_set_up_sqlite, is_durable))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_arguments(url: str, is_durable: bool) -> dict[str, Any]:
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return {}
    limits = f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_LOCK_MILLISECONDS}"
    limits += "" if is_durable else " -c synchronous_commit=off"
    defaults = {"connect_timeout": _CONNECT_SECONDS, "application_name": "contrast-echo-cds", "options": limits}
    return {name: value for name, value in defaults.items() if name not in address.query}


def _create_private_file(_dialect: object, _record: object, arguments: list[Any], _members: object) -> None:
    """Create a missing SQLite file for its owner only; SQLite gives its log and index the same permissions."""
    path = str(arguments[0]) if arguments else ""
    if path and not path.startswith((":memory:", "file:")) and not Path(path).exists():
        with suppress(OSError):  # the driver fails next, and says why
            Path(path).touch(0o600)


def _set_up_sqlite(is_durable: bool, connection: sqlite3.Connection, _: object) -> None:
    """Set lock waits, write-ahead logging and durability for several workers."""
    connection.isolation_level = None  # transactions are started explicitly below, not by the driver
    synchronous = "FULL" if is_durable else "NORMAL"
    settings = (f"busy_timeout={_LOCK_MILLISECONDS}", "journal_mode=WAL", f"synchronous={synchronous}")
    for pragma in (*settings, "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock immediately; a transaction that starts with a read could not wait for it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
