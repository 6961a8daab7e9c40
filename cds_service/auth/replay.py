"""Replay protection: each token (`jti`) is accepted once across all workers.

Stores a digest of issuer and `jti` with the token's expiry, and nothing about the call. While the database is down,
calls are still answered, and each worker checks only the tokens that it has seen itself.
"""

import hashlib
import time
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection

from cds_service.database.connections import INSERTS, Database
from cds_service.database.quick_insert import QuickInsert
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

    Each worker also remembers its own tokens, and rejects those without a query. Tokens that come at the same time are
    recorded in one transaction, by the call that has its turn first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._quick = QuickInsert(database.url, USED_TOKENS)
        self._purged_at = 0.0
        self._own = MemoryReplayStore()
        self._seldom = Seldom()
        self._waiting: list[_Use] = []
        self._guard, self._turn = Lock(), Lock()

    def record_use(self, issuer: str, jti: str, ends_at: float) -> bool:
        """Record a token; True if this is its first use."""
        if not self._own.record_use(issuer, jti, ends_at):
            return False
        use = _Use(_digest(issuer, jti), int(ends_at) + 1)
        with self._guard:
            self._waiting.append(use)
        if self._turn.acquire(timeout=WAIT_SECONDS):
            try:
                if use.is_first is None:
                    self._record_waiting()
            finally:
                self._turn.release()
        if use.is_shared:
            return use.is_first is not False
        if self._seldom.allows():
            log.error("used tokens not shared between workers")
        return True

    def _record_waiting(self) -> None:
        with self._guard:
            uses, self._waiting = self._waiting, []
        new = self._new_of(uses)
        for use in uses:
            use.is_shared = new is not None
            use.is_first = new is None or use.digest in new

    def _new_of(self, uses: list["_Use"]) -> set[str] | None:
        """The digests that were not recorded before; None while the database is down."""
        if time.time() - self._purged_at <= PURGE_SECONDS and not self._database.is_failing:
            found = self._quick.new_of([(use.digest, use.ends_at) for use in uses])
            if found is not None:
                return {use.digest for use, is_new in zip(uses, found, strict=True) if is_new}
        try:
            return self._database.run_pooled(partial(self._insert, uses), WAIT_SECONDS)
        except StoreUnavailable:
            return None

    def _insert(self, uses: list["_Use"], connection: Connection) -> set[str]:
        """The digests that were not recorded before."""
        now = time.time()
        if now - self._purged_at > PURGE_SECONDS:
            self._purged_at = now
            connection.execute(USED_TOKENS.delete().where(USED_TOKENS.c.ends_at < int(now)))
        insert = _insert_of(connection.dialect.name)
        entries = ({"digest": use.digest, "ends_at": use.ends_at} for use in uses)
        return {digest for entry in entries for (digest,) in connection.execute(insert, entry)}


@dataclass(slots=True)
class _Use:
    """A token that is to be recorded; `is_first` is None until that was tried, `is_shared` tells if it succeeded."""

    digest: str
    ends_at: int
    is_first: bool | None = None
    is_shared: bool = False


@cache
def _insert_of(dialect: str) -> Any:
    return INSERTS[dialect](USED_TOKENS).on_conflict_do_nothing().returning(USED_TOKENS.c.digest)


def _digest(issuer: str, jti: str) -> str:
    return hashlib.sha256(f"{len(issuer)} {issuer} {jti}".encode()).hexdigest()
