"""Fetches a key set from its URL within one total deadline, whatever the server does."""

import socket
import time
from contextlib import suppress
from threading import Lock, Timer

import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from cds_service.errors import KeysUnavailable
from cds_service.fetch.connections import session, with_connections

FETCH_SECONDS = 3.0
MAX_BYTES = 256 * 1024


class _Cutter:
    """Shuts down sockets at the deadline: their reads end at once, in a TLS handshake and in headers too.

    Each phase has a timeout of its own: each address that is tried, TLS, and the response; their sum would be the time
    that a slow server takes. The cutter keeps duplicates, since TLS takes the socket over.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self.has_cut = False

    def watch(self, connected: socket.socket) -> None:
        """Watch a connected socket."""
        with self._lock:
            self._sockets.append(connected.dup())
            if self.has_cut:
                self._shut_down()

    def cut(self) -> None:
        """Shut down all sockets, and those to come."""
        with self._lock:
            self.has_cut = True
            self._shut_down()

    def close(self) -> None:
        """Close the duplicates."""
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def _shut_down(self) -> None:
        for each in self._sockets:
            with suppress(OSError):  # the server has closed it already
                each.shutdown(socket.SHUT_RDWR)


def fetch(address: str, seconds: float = FETCH_SECONDS) -> bytes:
    """The response of a key set URL, without redirects, proxies and .netrc. Raises KeysUnavailable.

    `seconds` is the total time for connecting, TLS and the response together.
    """
    cutter, started = _Cutter(), time.monotonic()
    timer = Timer(seconds, cutter.cut)
    timer.daemon = True
    timer.start()
    try:
        content = _response(address, cutter, seconds)
    except (requests.RequestException, HTTPError, OSError) as error:
        if time.monotonic() - started < seconds:
            raise KeysUnavailable(f"the request for the key set failed ({type(error).__name__})") from None
        content = None
    finally:
        timer.cancel()
        cutter.close()
    if content is None or cutter.has_cut:
        raise KeysUnavailable(f"the key set URL did not respond within {seconds:g} seconds")
    return content


def _response(address: str, cutter: _Cutter, seconds: float) -> bytes:
    class Watched(HTTPConnection):
        """A connection mixin that shows its socket to the cutter before TLS begins."""

        def _new_conn(self) -> socket.socket:
            connected = super()._new_conn()
            cutter.watch(connected)
            return connected

    received = bytearray()
    with (
        with_connections(session(1), Watched) as requester,
        requester.get(address, timeout=seconds, stream=True, allow_redirects=False) as response,
    ):
        if response.status_code != 200:
            raise KeysUnavailable(f"the key set URL responded with {response.status_code}")
        while chunk := response.raw.read1(MAX_BYTES, decode_content=True):
            received += chunk
            if len(received) > MAX_BYTES:
                raise KeysUnavailable("the key set URL responded with too much data")
    return bytes(received)
