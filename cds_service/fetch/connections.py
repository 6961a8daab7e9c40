"""Pooled connections to FHIR servers, with a timeout for each whole response."""

import io
import logging
import socket
import time
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# urllib3 logs URLs, and search URLs identify the patient.
_log_of_urls = logging.getLogger("urllib3")
_NOWHERE = logging.NullHandler()


def session(connections: int) -> requests.Session:
    """A session without proxies, .netrc and cookies, for use by all calls."""
    _log_of_urls.addHandler(_NOWHERE)
    _log_of_urls.propagate = False
    made = requests.Session()
    made.trust_env = False  # a .netrc would replace the token, and a proxy would see it
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # cookies would leak one user's session to another
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(pool_maxsize=connections))
    return made


def with_connections(session: requests.Session, mixin: type[HTTPConnection]) -> requests.Session:
    """The session, its connections changed by a mixin."""
    for adapter in set(session.adapters.values()):  # one adapter may serve both schemes
        manager: Any = adapter.poolmanager  # type: ignore[attr-defined]
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _changed_pool(pool, mixin) for scheme, pool in pools.items()}
    return session


def _changed_pool(pool: type[HTTPConnectionPool], mixin: type[HTTPConnection]) -> type[HTTPConnectionPool]:
    name = mixin.__name__.strip("_")
    connection = type(f"{name}{pool.ConnectionCls.__name__}", (mixin, pool.ConnectionCls), {})
    return type(f"{name}{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _DeadlineStream(io.RawIOBase):
    """A socket stream that times out a fixed time after its creation."""

    def __init__(self, received: io.RawIOBase, sock: socket.socket) -> None:
        self._received, self._socket = received, sock
        self._end = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        count: int | None = self._received.readinto(buffer)
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    """A response whose timeout covers all of it, including headers.

    By default the timeout applies to each read, so a slow server could hold a connection forever.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineStream(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _DeadlineResponse


class _SecureConnection(HTTPSConnection):
    response_class = _DeadlineResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
