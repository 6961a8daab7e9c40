"""The way to the database, SQLite or PostgreSQL: every wait for it ends, and after a failure nothing waits for a while.

Work is done by threads of its own, so that whoever asked for it goes on when it takes too long: a server that has
stopped answering would otherwise hold on to every thread that answers calls.
"""

import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cds_service.errors import StoreUnavailable
from cds_service.telemetry.logs import log

T = TypeVar("T")
Health = Literal["up", "outdated", "down"]

# How long one transaction waits for another's, and for the answer to one statement, in milliseconds.
_LOCK_MILLISECONDS = 2000
_STATEMENT_MILLISECONDS = 5000

# The longest wait for a connection (PostgreSQL's own least), and for a piece of work, in seconds.
_CONNECT_SECONDS = 2
WORK_SECONDS = 6.0

# How long somebody who asks how the database is waits for an answer, in seconds: less than a probe waits.
_HEALTH_SECONDS = 0.5

# After the database could not be reached, for so long it is not tried again, in seconds.
PAUSE_SECONDS = 5.0

# How a row is inserted unless it is there already.
INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

UPGRADE = "cds-service database upgrade"


class SchemaOutdated(StoreUnavailable):
    """The tables are of an older version of the program."""


class Database:
    """Does work on a database, each piece in one transaction.

    `connections` is the most that are open at once to PostgreSQL, one of them for `do`. SQLite has one writer at any
    time: two are enough. What is not `is_durable` may be lost with the machine's power, and is written sooner.
    """

    def __init__(self, url: str, connections: int = 4, is_durable: bool = True) -> None:
        connections = 2 if make_url(url).get_backend_name() == "sqlite" else connections
        self.engine = create(url, is_durable, pool_size=connections, max_overflow=0, pool_timeout=_CONNECT_SECONDS)
        self._threads = ThreadPoolExecutor(connections - 1, thread_name_prefix="database")
        self._reach = _Pause(PAUSE_SECONDS)
        self._is_ready = False

    def run(self, work: Callable[[Connection], T], seconds: float = WORK_SECONDS) -> T:
        """Do work and return what it returns.

        Raises StoreUnavailable where it was not done in time; it may be done later, so it must bear to be repeated.
        """
        future = self._submit(work)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            self._reach.start()
            raise StoreUnavailable("the database is too slow at the moment; send it again") from None

    def do(self, work: Callable[[Connection], T]) -> T:
        """Do work in the caller's own thread, however long it takes. Raises StoreUnavailable."""
        self._require_reach()
        return self._do(work)

    def health(self) -> Health:
        """Whether the database takes what it is given; `outdated` where its tables must be upgraded first."""
        try:
            self._submit(lambda _: None).result(_HEALTH_SECONDS)
        except SchemaOutdated:
            return "outdated"
        except (StoreUnavailable, TimeoutError):
            return "down"
        return "up"

    def close(self) -> None:
        """Finish what has begun, and close the connections."""
        self._threads.shutdown()
        self.engine.dispose()

    # --- in a thread of the database ---------------------------------------------------------------------------------

    def _submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        self._require_reach()
        return self._threads.submit(contextvars.copy_context().run, self._do, work)

    def _require_reach(self) -> None:
        if not self._reach.is_over():
            raise StoreUnavailable("the database could not be reached a moment ago; send it again")

    def _do(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._connect() as connection:
                self._make_ready(connection)
                with connection.begin():
                    result = work(connection)
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                self._reach.start()
            log.error("database", error=type(error).__name__, cause=type(getattr(error, "orig", None)).__name__)
            raise StoreUnavailable("the database cannot take this at the moment; send it again") from None
        self._reach.end()
        return result

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except SQLAlchemyError:
            self._reach.start()
            raise

    def _make_ready(self, connection: Connection) -> None:
        """SQLite is upgraded as soon as it is needed; PostgreSQL belongs to others too, and is upgraded by hand."""
        if self._is_ready:
            return
        from cds_service.database import migrate  # noqa: PLC0415  # Alembic takes long to load, and nobody waits for it here

        with connection.begin():
            if connection.dialect.name == "sqlite":
                migrate.upgrade(connection)
            elif migrate.state_of(connection) == "behind":
                log.error("database outdated", hint=f"run `{UPGRADE}`")
                raise SchemaOutdated("the database is being upgraded; send it again")
        self._is_ready = True


class _Pause:
    """A time in which nothing is tried; when it is over one caller tries, and the others wait for what comes of it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._lock = threading.Lock()

    def is_over(self) -> bool:
        with self._lock:
            if self._until is not None and time.monotonic() < self._until:
                return False
            if self._until is not None:
                self._until = time.monotonic() + self._seconds
            return True

    def start(self) -> None:
        with self._lock:
            self._until = time.monotonic() + self._seconds

    def end(self) -> None:
        self._until = None


# --- engines --------------------------------------------------------------------------------------------------------


def create(url: str, is_durable: bool = True, **options: Any) -> Engine:
    """An engine whose transactions are whole, and on disk once they are committed, where they are to be durable."""
    engine = create_engine(url, pool_pre_ping=True, connect_args=_connect_arguments(url, is_durable), **options)
    if engine.dialect.name == "sqlite":
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


def _set_up_sqlite(is_durable: bool, connection: sqlite3.Connection, _: object) -> None:
    """Several workers wait for one another, readers do not block the writer, and what is committed is on disk."""
    connection.isolation_level = None  # transactions begin below, and not where the driver thinks fit
    synchronous = "FULL" if is_durable else "NORMAL"
    settings = (f"busy_timeout={_LOCK_MILLISECONDS}", "journal_mode=WAL", f"synchronous={synchronous}")
    for pragma in (*settings, "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that starts by reading could not wait for it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
