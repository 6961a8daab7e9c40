"""Fetches and caches a client's public keys (JSON Web Key Set).

Keys are refreshed after ten minutes, and immediately for an unknown key id, at most once in ten seconds. If a refresh
fails, cached keys stay valid for at most a day.
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
MAX_BYTES = 256 * 1024
LEAST_RSA_BITS = 2048

# The required key type and curve of each algorithm.
_KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    **{"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521")},
}


class KeysUnavailable(ServiceError):
    """The key set cannot be fetched or parsed; the message is the reason."""


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
            key = jwt.PyJWK(self.content, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise UnusableKey(f"the key cannot be parsed ({type(error).__name__})") from None
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
            raise UnusableKey(f"the key has fewer than {LEAST_RSA_BITS} bits")
        return key


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
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._unknown_key_at: float | None = None

    def key(self, kid: str) -> Key | None:
        """The key with an id, None if there is none. Raises KeysUnavailable if no keys can be loaded."""
        self._refresh_if_due()
        if kid not in self._keys:
            self._refresh_for(kid)
        if not self._is_within(self._fetched_at, STALE_SECONDS):
            raise KeysUnavailable("the client's keys are unavailable")
        return self._keys.get(kid)

    def load(self) -> dict[str, Key]:
        """The currently published keys, without the cache. Raises KeysUnavailable."""
        return read_keys(_file(self._source) if isinstance(self._source, Path) else _fetch(self._source))

    def _is_within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < seconds

    def _refresh_if_due(self) -> None:
        """Refresh the keys when due. Other calls meanwhile use the cached keys, if there are any."""
        if self._is_due() and self._lock.acquire(blocking=not self._keys):
            try:
                if self._is_due():
                    self._reload()
            finally:
                self._lock.release()

    def _is_due(self) -> bool:
        return not (
            self._is_within(self._fetched_at, FRESH_SECONDS) or self._is_within(self._tried_at, COOL_DOWN_SECONDS)
        )

    def _refresh_for(self, kid: str) -> None:
        """Refresh the keys for an unknown key id; concurrent calls wait for the result."""
        with self._lock:
            if kid not in self._keys and not self._is_within(self._unknown_key_at, COOL_DOWN_SECONDS):
                self._unknown_key_at = self._clock()
                self._reload()

    def _reload(self) -> None:
        self._tried_at = self._clock()
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


def _fetch(address: str) -> bytes:
    """The response of a key set URL, without redirects, proxies and .netrc."""
    deadline = time.monotonic() + FETCH_SECONDS
    received = bytearray()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(address, timeout=FETCH_SECONDS, stream=True, allow_redirects=False) as response:
                if response.status_code != 200:
                    raise KeysUnavailable(f"the key set URL responded with {response.status_code}")
                while chunk := response.raw.read1(MAX_BYTES, decode_content=True):
                    received += chunk
                    if len(received) > MAX_BYTES or time.monotonic() > deadline:
                        raise KeysUnavailable("the key set URL responded too slowly or with too much data")
    except (requests.RequestException, HTTPError, OSError) as error:
        raise KeysUnavailable(f"the request for the key set failed ({type(error).__name__})") from None
    return bytes(received)
