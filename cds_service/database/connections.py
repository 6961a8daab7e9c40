"""Access to SQLite or PostgreSQL with time limits on every wait, and a circuit breaker after failures.

Work runs in the database's own threads, so an unresponsive database cannot block the threads that answer calls.
"""

import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, NullPool, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.database.outage import Outage, error_name
from cds_service.database.sqlite_file import FILES, FileCheck, FileReplaced, Identity, identity, set_up
from cds_service.database.write_check import write_and_delete
from cds_service.errors import StoreUnavailable
from cds_service.languages.worded import worded
from cds_service.telemetry.logs import log

T = TypeVar("T")
State = Literal["up", "outdated", "damaged", "down"]

# Lock timeout and statement timeout, in milliseconds. On a starved machine a writer holds its lock for two seconds.
_LOCK_MILLISECONDS = 4000
_STATEMENT_MILLISECONDS = 5000

# Timeouts for a connection (PostgreSQL's minimum) and for a piece of work, in seconds.
CONNECT_SECONDS = 2
WORK_SECONDS = 6.0

# Timeout for the connection of a command, in seconds: an operator waits rather than start again.
COMMAND_CONNECT_SECONDS = 15

# Timeout of a health check, in seconds; shorter than that of a probe.
_HEALTH_SECONDS = 0.8

# Time for which a good health check holds, in seconds, since each writes to the disk.
_SAME_HEALTH_SECONDS = 1.0

# SQLite's errors of a damaged file.
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

# Time without attempts after the database could not be reached, in seconds.
PAUSE_SECONDS = 5.0

# Insert constructs that support ON CONFLICT, by dialect.
INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

UPGRADE = "cds-service database upgrade"

# The option of a connection whose transaction only reads.
_READS = "only_reads"

# The reason of a failure if the schema is of an older version.
OUTDATED = "schema outdated"


class DatabaseFailed(StoreUnavailable):
    """The database failed to do a piece of work; `reason` is the name of its error."""

    def __init__(self, reason: str) -> None:
        super().__init__(worded("the database cannot store this at the moment; retry later"))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the database, and the name of the error that it follows from, if any."""

    state: State
    reason: str = ""


class Database:
    """Runs work on a database, each piece in one transaction.

    `connections` is the maximum for PostgreSQL, one of them for `run_inline`; SQLite has a single writer and needs two.
    Without `is_durable`, commits are faster but may be lost in a power failure.
    """

    def __init__(self, url: str, connections: int = 4, is_durable: bool = True) -> None:
        self.url = url
        address = make_url(url)
        is_file = address.get_backend_name() == "sqlite"
        connections = 2 if is_file else connections
        self.engine = create(url, is_durable, pool_size=connections, max_overflow=0, pool_timeout=CONNECT_SECONDS)
        self._fresh = create(url, is_durable, poolclass=NullPool) if is_file else self.engine
        self._path = str(address.database) if is_file else ""
        self._file = FileCheck(self._path) if is_file else None
        self._opened: Identity | None = None  # the file of the last connection
        self._threads = ThreadPoolExecutor(connections - 1, thread_name_prefix="database")
        self._breaker = _CircuitBreaker(PAUSE_SECONDS)
        self._outage = Outage()
        self._is_ready = False  # the schema was found to be current, and nothing has failed since
        self._is_upgraded = False  # this file was upgraded once; if it is outdated later, someone downgraded it
        self._up_until = 0.0

    def run(self, work: Callable[[Connection], T], seconds: float = WORK_SECONDS) -> T:
        """Run work and return its result. On SQLite it has a new connection, which sees the file as it is on disk.

        Raises StoreUnavailable on failure or timeout. Timed-out work may still complete, and work is repeated if the
        database's file was replaced, so it must be idempotent.
        """
        return self._run(partial(self._do, work, self._fresh), seconds)

    def run_pooled(self, work: Callable[[Connection], T], seconds: float = WORK_SECONDS) -> T:
        """Run work as `run` does, in half of the time: its connection stays open, so that a file that was replaced or
        damaged meanwhile may be found later only.
        """
        return self._run(partial(self._do, work, self.engine), seconds)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run work that only reads, as `run` does. On SQLite it waits for no writer and keeps none waiting."""
        return self._run(partial(self._do, work, self._fresh, is_read=True), WORK_SECONDS)

    def _run(self, attempt: Callable[[], T], seconds: float) -> T:
        self._require_closed_breaker()
        future = self._submit(attempt)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            self._breaker.open()
            self._outage.failed("timeout")
            raise StoreUnavailable(worded("the database is too slow at the moment; retry later")) from None

    def run_inline(self, work: Callable[[Connection], T]) -> T:
        """Run work in the current thread, without a timeout. Raises StoreUnavailable."""
        self._require_closed_breaker()
        return self._do(work, self.engine)

    def health(self) -> Health:
        """The state of the database, from what writing does: a write to every table and the last real attempt.

        `outdated`: the schema must be upgraded first. `damaged`: pages of the file are not what SQLite wrote.
        """
        if time.monotonic() < self._up_until and not self._outage.reason:
            return Health("up")
        found = self._check()
        self._up_until = time.monotonic() + _SAME_HEALTH_SECONDS if found.state == "up" else 0.0
        return found

    @property
    def is_failing(self) -> bool:
        """True in an outage, until an attempt some seconds after the last failure succeeds."""
        return bool(self._outage.last_error)

    def close(self) -> None:
        """Finish running work and close the connections."""
        self._threads.shutdown()
        self.engine.dispose()
        self._fresh.dispose()

    def _check(self) -> Health:
        if self._file:
            self._file.start_if_due()
        if not self._breaker.allows_attempt():
            return _health_of(self._outage.last_error or "unreachable")
        try:
            self._submit(self._check_writing).result(_HEALTH_SECONDS)
        except DatabaseFailed as error:
            self._outage.failed(error.reason, _hint(error), is_check=True)
            return _health_of(error.reason)
        except TimeoutError:
            return Health("down", "timeout")
        self._outage.succeeded(is_check=True)
        return _health_of(self._outage.reason or (self._file.fault if self._file else ""))

    # --- in a database thread ----------------------------------------------------------------------------------------

    def _submit(self, function: Callable[[], T]) -> "Future[T]":
        return self._threads.submit(contextvars.copy_context().run, function)

    def _require_closed_breaker(self) -> None:
        if not self._breaker.allows_attempt():
            self._outage.refused()
            raise StoreUnavailable(worded("the database is unreachable; retry later"))

    def _do(self, work: Callable[[Connection], T], engine: Engine, is_read: bool = False) -> T:
        try:
            result = self._execute(work, engine, is_read)
        except DatabaseFailed as error:
            self._outage.failed(error.reason, _hint(error))
            raise
        self._outage.succeeded()
        return result

    def _check_writing(self) -> None:
        """Look at the schema again, then write."""
        self._is_ready = False
        self._execute(write_and_delete, self._fresh)

    def _execute(self, work: Callable[[Connection], T], engine: Engine, is_read: bool = False) -> T:
        """Run work, once more if the file was replaced meanwhile. Raises DatabaseFailed."""
        try:
            try:
                return self._attempt(work, engine, is_read)
            except FileReplaced:
                self._reopen()
                return self._attempt(work, engine, is_read)
        except FileReplaced:
            reason = "file replaced"
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                self._breaker.open()
            reason = error_name(error)
        self._is_ready = False
        if self._path:
            self.engine.dispose()  # what its connections have in memory may not be on disk
        raise DatabaseFailed(reason)

    def _attempt(self, work: Callable[[Connection], T], engine: Engine, is_read: bool) -> T:
        with self._connection(engine) as connection:
            opened = connection.info.get(FILES)
            if opened != self._opened:
                self._is_ready = self._is_upgraded = False
                self._opened = opened
            self._ensure_schema(connection)
            with connection.execution_options(**{_READS: is_read}).begin():
                self._require_same_file(connection)
                result = work(connection)
            self._require_same_file(connection)
        self._breaker.close()
        return result

    def _require_same_file(self, connection: Connection) -> None:
        """Raise FileReplaced if the file at the path is not the one that is open, which would be gone after a restart.

        Called within each transaction and after it.
        """
        if self._path and identity(self._path) != connection.info[FILES]:
            raise FileReplaced

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        """A connection; beside a new one, another stays open, without which SQLite would clear its log each time."""
        with ExitStack() as stack:
            if engine is not self.engine:
                self._require_same_file(stack.enter_context(self._connect(self.engine)))
            yield stack.enter_context(self._connect(engine))

    def _reopen(self) -> None:
        log.warning("database", state="replaced", hint="the file was deleted or replaced; the one at its path is used")
        self._opened = None  # the new file may have the number of the old one
        self.engine.dispose()

    def _connect(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except SQLAlchemyError:
            self._breaker.open()
            raise

    def _ensure_schema(self, connection: Connection) -> None:
        """Upgrade a SQLite file on first use. PostgreSQL may be shared, so it is upgraded by hand only."""
        if self._is_ready:
            return
        from cds_service.database import migrate  # noqa: PLC0415  # Alembic loads slowly; no call waits here

        with connection.begin():
            self._require_same_file(connection)
            is_new = migrate.revision_of(connection) is None  # also a new file under the number of the deleted one
            if connection.dialect.name == "sqlite" and (is_new or not self._is_upgraded):
                migrate.upgrade(connection)
                self._is_upgraded = True
            elif migrate.state_of(connection) == "behind":
                raise DatabaseFailed(OUTDATED)
        self._is_ready = True


def _health_of(reason: str) -> Health:
    """The state that follows from the name of an error; `up` without one."""
    if reason == OUTDATED:
        return Health("outdated")
    return Health("damaged" if reason.startswith(_DAMAGE) else "down", reason) if reason else Health("up")


def _hint(error: DatabaseFailed) -> str:
    return f"run `{UPGRADE}`" if error.reason == OUTDATED else ""


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


def create(url: str, is_durable: bool = True, connect_seconds: int = CONNECT_SECONDS, **options: Any) -> Engine:
    """An engine with serialized writes and, if `is_durable`, commits that are flushed to disk."""
    arguments = _connect_arguments(url, is_durable, connect_seconds)
    engine = create_engine(url, pool_pre_ping=True, connect_args=arguments, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _create_private_file)
        event.listen(engine, "connect", partial(_set_up_sqlite, is_durable, str(engine.url.database)))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_arguments(url: str, is_durable: bool, connect_seconds: int) -> dict[str, Any]:
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return {}
    limits = f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_LOCK_MILLISECONDS}"
    limits += "" if is_durable else " -c synchronous_commit=off"
    defaults = {"connect_timeout": connect_seconds, "application_name": "contrast-echo-cds", "options": limits}
    return {name: value for name, value in defaults.items() if name not in address.query}


def _create_private_file(_dialect: object, _record: object, arguments: list[Any], _members: object) -> None:
    """Create a missing SQLite file for its owner only; SQLite gives its log and index the same permissions."""
    path = str(arguments[0]) if arguments else ""
    if path and not path.startswith((":memory:", "file:")) and not Path(path).exists():
        with suppress(OSError):  # the driver fails next, and says why
            Path(path).touch(0o600)


def _set_up_sqlite(is_durable: bool, path: str, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    """Set up a connection for several workers; note which files are open."""
    record.info[FILES] = set_up(connection, path, _LOCK_MILLISECONDS, is_durable)


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock immediately, unless for reading: a transaction that starts with a read could not wait for it.

    Insights over a year of calls read for seconds, in which nothing could be written.
    """
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(_READS) else "BEGIN IMMEDIATE")
