"""Each token is taken once: a store of used token ids that all workers share.

What is kept is a digest of issuer and `jti`, and when the token ends; nothing of who called or for whom. A database
that is down does not stop advice: until it is back, each worker remembers for itself what it has seen.
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
from cds_service.telemetry.logs import log

PURGE_SECONDS = 60.0

# How long a call waits for the database, in seconds; after that it is let in on what this worker knows.
WAIT_SECONDS = 1.0


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


class SharedReplayStore:
    """Remembers in a database; the key of the table lets only one of several workers take a token.

    Each worker remembers for itself too: a token that it has seen is refused without a look at the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._purged_at = 0.0
        self._own = MemoryReplayStore()

    def take(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Whether the token is used for the first time."""
        if not self._own.take(issuer, jti, ends_at):
            return False
        entry = {"digest": _digest(issuer, jti), "ends_at": int(ends_at) + 1}
        try:
            return self._database.run(partial(self._insert, entry), WAIT_SECONDS)
        except StoreUnavailable:
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
