"""Each token is taken once: a store of used token ids that all workers share.

What is kept is a digest of issuer and `jti`, and when the token ends; nothing of who called or for whom. A database
that is down does not stop advice: until it is back, each worker remembers for itself what it has seen.
"""

import hashlib
import sqlite3
import time
from threading import Lock
from typing import Protocol

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, create_engine, event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from cds_service.logs import log

METADATA = MetaData()

USED_TOKENS = Table(
    "used_tokens",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("ends_at", BigInteger, nullable=False, index=True),  # seconds since 1970, UTC
)

PURGE_SECONDS = 60.0
PAUSE_SECONDS = 10.0


class ReplayStore(Protocol):
    """Remembers which tokens were used."""

    def take(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Whether the token is used for the first time; remembered until it ends, in seconds since 1970."""


class MemoryReplayStore:
    """Remembers within this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: dict[str, float] = {}
        self._purged_at = 0.0

    def take(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Whether the token is used for the first time."""
        with self._lock:
            self._purge()
            digest = _digest(issuer, jti)
            is_new = digest not in self._used
            self._used.setdefault(digest, ends_at)
            return is_new

    def _purge(self) -> None:
        now = time.time()
        if now - self._purged_at > PURGE_SECONDS:
            self._purged_at = now
            self._used = {digest: end for digest, end in self._used.items() if end > now}


class SqlReplayStore:
    """Remembers in a database; the key of the table lets only one of several workers take a token."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._is_ready = False
        self._purged_at = 0.0
        self._pause_until = 0.0
        self._own = MemoryReplayStore()

    def take(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Whether the token is used for the first time."""
        is_new_here = self._own.take(issuer, jti, ends_at)
        if not is_new_here or time.monotonic() < self._pause_until:
            return is_new_here
        try:
            return self._insert(_digest(issuer, jti), int(ends_at) + 1)
        except SQLAlchemyError as error:
            self._pause_until = time.monotonic() + PAUSE_SECONDS
            self._is_ready = False
            log.error("used tokens not shared between workers", error=type(error).__name__)
            return True

    def _insert(self, digest: str, ends_at: int) -> bool:
        self._get_ready()
        self._purge()
        try:
            with self._engine.begin() as connection:
                connection.execute(USED_TOKENS.insert(), {"digest": digest, "ends_at": ends_at})
        except IntegrityError:
            return False
        return True

    def _get_ready(self) -> None:
        """Make the table when it is first needed; several workers may do so at once."""
        if self._is_ready:
            return
        with self._engine.begin() as connection:
            connection.execute(CreateTable(USED_TOKENS, if_not_exists=True))
            for index in USED_TOKENS.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        self._is_ready = True

    def _purge(self) -> None:
        if time.monotonic() - self._purged_at < PURGE_SECONDS:
            return
        self._purged_at = time.monotonic()
        with self._engine.begin() as connection:
            connection.execute(USED_TOKENS.delete().where(USED_TOKENS.c.ends_at < int(time.time())))


def _digest(issuer: str, jti: str) -> str:
    return hashlib.sha256(f"{len(issuer)} {issuer} {jti}".encode()).hexdigest()


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Workers wait for one another. A token lost with the machine's power is worth no write to the disk."""
    for pragma in ("busy_timeout=2000", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
