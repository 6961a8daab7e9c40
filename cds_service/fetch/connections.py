"""Connections to FHIR servers: kept and shared by all calls, and each answer must be whole within its time."""

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


def session(connections: int) -> requests.Session:
    """A session that takes nothing from its surroundings and keeps nothing of one call for the next."""
    # Its lines name addresses, and the address of a search names the patient.
    logger = logging.getLogger("urllib3")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    made = requests.Session()
    made.trust_env = False  # a .netrc would replace the token, a proxy would see it
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a cookie would carry one user to another's call
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(pool_maxsize=connections))
    return made


class _Timed(io.RawIOBase):
    """What a socket receives, until its timeout, counted from now, is over."""

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


class _WholeAnswer(HTTPResponse):
    """An answer for which the timeout holds as a whole, headers included.

    Otherwise it holds for each piece, and a server that sends a byte now and then could hold on for ever.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _WholeAnswer


class _SecureConnection(HTTPSConnection):
    response_class = _WholeAnswer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
