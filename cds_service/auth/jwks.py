"""Caches a client's public keys (JSON Web Key Set), and fetches them in the background.

Keys are refreshed after ten minutes, and immediately for an unknown key id, at most once in ten seconds. If a refresh
fails, cached keys stay valid for at most a day. No call waits for keys that are cached; of the calls that need a key
that is not, one waits briefly, and all others are refused at once, so a slow address costs nobody else a call.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cds_service.auth.key_fetch import fetch
from cds_service.errors import KeysUnavailable, ServiceError
from cds_service.telemetry.logs import log

FRESH_SECONDS = 600.0
STALE_SECONDS = 24 * 3600.0
COOL_DOWN_SECONDS = 10.0

# How long one call at a time waits for a key that is being fetched, in seconds.
WAIT_SECONDS = 1.0
LEAST_RSA_BITS = 2048

# The required key type and curve of each algorithm.
_KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    **{"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521")},
}


class UnusableKey(ServiceError):
    """A key cannot be used for a token; the message is the reason."""


class Key(msgspec.Struct, frozen=True):
    """A public key as published; `content` is the complete JWK."""

    kid: str
    kty: str
    content: dict[str, Any]
    crv: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: tuple[str, ...] | None = None

    def for_algorithm(self, algorithm: str) -> jwt.PyJWK:
        """The key for verifying signatures of an algorithm. Raises UnusableKey."""
        if (self.kty, self.crv) != _KINDS.get(algorithm):
            raise UnusableKey(f"the key type does not match {algorithm}")
        if self.alg not in (None, algorithm):
            raise UnusableKey(f"the key is not published for {algorithm}")
        if self.use not in (None, "sig") or (self.key_ops is not None and "verify" not in self.key_ops):
            raise UnusableKey("the key is not published for signatures")
        try:
            key = _parsed(msgspec.json.encode(self.content), algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise UnusableKey(f"the key cannot be parsed ({type(error).__name__})") from None
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
            raise UnusableKey(f"the key has fewer than {LEAST_RSA_BITS} bits")
        return key


@lru_cache(maxsize=256)  # each call names one of a few keys
def _parsed(content: bytes, algorithm: str) -> jwt.PyJWK:
    return jwt.PyJWK(msgspec.json.decode(content), algorithm)


class _KeySet(msgspec.Struct):
    keys: tuple[dict[str, Any], ...]


def read_keys(content: bytes) -> dict[str, Key]:
    """The public keys of a key set by id; invalid keys and keys without an id are skipped. Raises KeysUnavailable."""
    try:
        published = msgspec.json.decode(content, type=_KeySet).keys
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise KeysUnavailable("expected a JSON Web Key Set") from None
    return {key.kid: key for key in map(_key, published) if key is not None}


def _key(raw: dict[str, Any]) -> Key | None:
    if "d" in raw:
        return None  # a published private key is compromised
    try:
        return msgspec.convert(raw | {"content": raw}, Key)
    except msgspec.ValidationError:
        return None


class KeySource:
    """The keys of one client, from a URL or a file.

    `clock` returns monotonic seconds.
    """

    def __init__(self, source: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = Lock()
        self._seat = Lock()  # of the one call that waits
        self._running: Event | None = None  # set when the running fetch has ended
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._unknown_key_at: float | None = None

    def key(self, kid: str) -> Key | None:
        """The key with an id, None if there is none.

        Raises KeysUnavailable if no keys could be loaded, or if they are being fetched and this call may not wait.
        """
        running = self.refresh(kid)
        if running and kid not in self._keys and not self._has_waited(running):
            raise KeysUnavailable("the client's keys are being fetched; the next call may find them")
        if not self._is_within(self._fetched_at, STALE_SECONDS):
            raise KeysUnavailable("the client's keys are unavailable")
        return self._keys.get(kid)

    def load(self) -> dict[str, Key]:
        """The currently published keys, without the cache. Raises KeysUnavailable."""
        return read_keys(_file(self._source) if isinstance(self._source, Path) else fetch(self._source))

    def refresh(self, kid: str | None = None) -> Event | None:
        """Fetch the keys in the background if they are due, or if the key id is unknown and none was lately.

        Returns the end of the running fetch, None if there is none. A file is read at once.
        """
        with self._lock:
            if self._running is None and (self._is_due() or self._is_unknown(kid)):
                if not self._is_due():
                    self._unknown_key_at = self._clock()
                self._start()
            return self._running

    def _start(self) -> None:
        self._tried_at = self._clock()
        if isinstance(self._source, Path):
            self._reload()
        else:
            self._running = Event()
            Thread(target=self._run, args=(self._running,), name="keys", daemon=True).start()

    def _run(self, ended: Event) -> None:
        try:
            self._reload()
        finally:
            with self._lock:
                self._running = None
            ended.set()

    def _has_waited(self, running: Event) -> bool:
        """Wait for the running fetch; False without waiting if another call does, or if it takes too long."""
        if not self._seat.acquire(blocking=False):
            return running.is_set()
        try:
            return running.wait(WAIT_SECONDS)
        finally:
            self._seat.release()

    def _is_within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < seconds

    def _is_due(self) -> bool:
        return not (
            self._is_within(self._fetched_at, FRESH_SECONDS) or self._is_within(self._tried_at, COOL_DOWN_SECONDS)
        )

    def _is_unknown(self, kid: str | None) -> bool:
        return (
            kid is not None and kid not in self._keys and not self._is_within(self._unknown_key_at, COOL_DOWN_SECONDS)
        )

    def _reload(self) -> None:
        try:
            self._keys = self.load()
            self._fetched_at = self._clock()
        except KeysUnavailable as error:
            self._unknown_key_at = self._clock()
            log.warning("keys not renewed", source=str(self._source), reason=str(error))


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysUnavailable(error.strerror or "cannot open the key file") from None
