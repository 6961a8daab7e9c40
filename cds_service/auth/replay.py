"""Replay protection: each token (`jti`) is accepted once across all workers.

Stores a digest of issuer and `jti` with the token's expiry, and nothing about the call. While the database is down,
calls are still answered, and each worker checks only the tokens that it has seen itself.
"""

import hashlib
import time
from functools import partial
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection

from cds_service.database.connections import INSERTS, Database
from cds_service.database.schema import USED_TOKENS
from cds_service.errors import StoreUnavailable
from cds_service.telemetry.logs import Seldom, log

PURGE_SECONDS = 60.0

# Maximum wait for the database, in seconds; after that only this worker's own memory is checked.
WAIT_SECONDS = 1.0


class ReplayStore(Protocol):
    """A store of used tokens."""

    def record_use(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Record a token until it expires (`ends_at`, Unix time); True if this is its first use."""


class MemoryReplayStore:
    """Used tokens of this process, in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: dict[str, float] = {}
        self._purged_at = 0.0

    def record_use(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Record a token; True if this is its first use."""
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


class SharedReplayStore:
    """Used tokens in the database, where the primary key lets only one worker record a token.

    Each worker also remembers its own tokens, and rejects those without a query.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._purged_at = 0.0
        self._own = MemoryReplayStore()
        self._seldom = Seldom()

    def record_use(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Record a token; True if this is its first use."""
        if not self._own.record_use(issuer, jti, ends_at):
            return False
        entry = {"digest": _digest(issuer, jti), "ends_at": int(ends_at) + 1}
        try:
            return self._database.run(partial(self._insert, entry), WAIT_SECONDS)
        except StoreUnavailable:
            if self._seldom.allows():
                log.error("used tokens not shared between workers")
            return True

    def _insert(self, entry: dict[str, Any], connection: Connection) -> bool:
        now = time.time()
        if now - self._purged_at > PURGE_SECONDS:
            self._purged_at = now
            connection.execute(USED_TOKENS.delete().where(USED_TOKENS.c.ends_at < int(now)))
        insert = INSERTS[connection.dialect.name](USED_TOKENS).on_conflict_do_nothing().returning(USED_TOKENS.c.digest)
        return connection.execute(insert, entry).first() is not None


def _digest(issuer: str, jti: str) -> str:
    return hashlib.sha256(f"{len(issuer)} {issuer} {jti}".encode()).hexdigest()
