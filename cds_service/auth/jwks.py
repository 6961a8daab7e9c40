"""A client's public keys (JSON Web Key Set): fetched, kept, and renewed when keys rotate.

Keys are taken anew after ten minutes, and at once when a token names a key that is not among them, but for that no more
than once in ten seconds. While the keys cannot be had, those that are known serve on, for a day at most.
"""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import jwt
import msgspec
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from urllib3.exceptions import HTTPError

from cds_service.errors import ServiceError
from cds_service.telemetry.logs import log

FRESH_SECONDS = 600.0
STALE_SECONDS = 24 * 3600.0
COOL_DOWN_SECONDS = 10.0
FETCH_SECONDS = 3.0
MOST_BYTES = 256 * 1024
LEAST_RSA_BITS = 2048

# Which key each algorithm needs. A key of another kind or curve never meets the algorithm.
_KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    **{"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521")},
}


class KeysUnavailable(ServiceError):
    """The key set cannot be had or read; the text says why."""


class UnusableKey(ServiceError):
    """A key does not fit what a token asks of it; the text says why."""


class Key(msgspec.Struct, frozen=True):
    """A public key as it is published; `content` is the whole of it."""

    kid: str
    kty: str
    content: dict[str, Any]
    crv: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: tuple[str, ...] | None = None

    def for_algorithm(self, algorithm: str) -> jwt.PyJWK:
        """The key, ready to check signatures of an algorithm. Raises UnusableKey."""
        if (self.kty, self.crv) != _KINDS.get(algorithm):
            raise UnusableKey(f"the key is not one for {algorithm}")
        if self.alg not in (None, algorithm):
            raise UnusableKey(f"the key is not published for {algorithm}")
        if self.use not in (None, "sig") or (self.key_ops is not None and "verify" not in self.key_ops):
            raise UnusableKey("the key is not published for signatures")
        try:
            key = jwt.PyJWK(self.content, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise UnusableKey(f"the key cannot be read ({type(error).__name__})") from None
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
            raise UnusableKey(f"the key has fewer than {LEAST_RSA_BITS} bits")
        return key


class _KeySet(msgspec.Struct):
    keys: tuple[dict[str, Any], ...]


def read_keys(content: bytes) -> dict[str, Key]:
    """The public keys of a set by their ids; what is none, or has no id, is left out. Raises KeysUnavailable."""
    try:
        published = msgspec.json.decode(content, type=_KeySet).keys
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise KeysUnavailable("expected a JSON Web Key Set") from None
    return {key.kid: key for key in map(_key, published) if key is not None}


def _key(raw: dict[str, Any]) -> Key | None:
    if "d" in raw:
        return None  # a private key: whoever published it gave it away
    try:
        return msgspec.convert(raw | {"content": raw}, Key)
    except msgspec.ValidationError:
        return None


class KeySource:
    """The keys of one client, from its address or from a file.

    `clock` gives seconds that only grow.
    """

    def __init__(self, source: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = Lock()
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._searched_at: float | None = None

    def key(self, kid: str) -> Key | None:
        """The key with an id, None where there is none. Raises KeysUnavailable where no keys can be had."""
        self._renew()
        if kid not in self._keys:
            self._search(kid)
        if not self._is_within(self._fetched_at, STALE_SECONDS):
            raise KeysUnavailable("the client's keys cannot be had")
        return self._keys.get(kid)

    def load(self) -> dict[str, Key]:
        """The keys as they are published now. Raises KeysUnavailable."""
        return read_keys(_file(self._source) if isinstance(self._source, Path) else _fetched(self._source))

    def _is_within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < seconds

    def _renew(self) -> None:
        """Take the keys anew when it is time. While one call does, others go on with what is known, if there is any."""
        if self._is_due() and self._lock.acquire(blocking=not self._keys):
            try:
                if self._is_due():
                    self._take()
            finally:
                self._lock.release()

    def _is_due(self) -> bool:
        return not (
            self._is_within(self._fetched_at, FRESH_SECONDS) or self._is_within(self._tried_at, COOL_DOWN_SECONDS)
        )

    def _search(self, kid: str) -> None:
        """Look for a key that is not known; who comes while another call looks waits for what that one finds."""
        with self._lock:
            if kid not in self._keys and not self._is_within(self._searched_at, COOL_DOWN_SECONDS):
                self._searched_at = self._clock()
                self._take()

    def _take(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = self.load()
            self._fetched_at = self._clock()
        except KeysUnavailable as error:
            self._searched_at = self._clock()
            log.warning("keys not renewed", source=str(self._source), reason=str(error))


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysUnavailable(error.strerror or "the file cannot be read") from None


def _fetched(address: str) -> bytes:
    """What an address answers; no redirects, and nothing of this machine's surroundings goes along."""
    deadline = time.monotonic() + FETCH_SECONDS
    received = bytearray()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(address, timeout=FETCH_SECONDS, stream=True, allow_redirects=False) as response:
                if response.status_code != 200:
                    raise KeysUnavailable(f"the address answered {response.status_code}")
                while chunk := response.raw.read1(MOST_BYTES, decode_content=True):
                    received += chunk
                    if len(received) > MOST_BYTES or time.monotonic() > deadline:
                        raise KeysUnavailable("the address sent too much, or too slowly")
    except (requests.RequestException, HTTPError, OSError) as error:
        raise KeysUnavailable(f"the address could not be read ({type(error).__name__})") from None
    return bytes(received)
