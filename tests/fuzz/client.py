"""Ways to send a case: over HTTP on a connection that is kept, or straight into the application."""

import gzip
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

from flask import Flask

from tests.fuzz.case import Case
from tests.fuzz.fetched import Shelf

# Longer than any answer may take, in seconds; what comes later is a hang.
PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    """A response: header names in lower case, the body decompressed; `status` is 0 if none was received."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0


class Client(Protocol):
    """Sends cases."""

    def send(self, case: Case) -> Answer:
        """Send a case and take the answer."""


class HttpClient:
    """Sends over one connection, which is opened again where it was closed."""

    def __init__(self, address: str, shelf: Shelf | None = None) -> None:
        self._host = urlsplit(address).netloc
        self._shelf = shelf
        self._connection = HTTPConnection(self._host, timeout=PATIENCE)

    def send(self, case: Case) -> Answer:
        """Send a case; once more where the server closed a connection that was kept."""
        if case.served and self._shelf:
            self._shelf.put(case.served["token"].decode(), case.served)
            body = case.body.replace(case.served["address"], self._shelf.address.encode())
            case = replace(case, body=body)
        for attempt in (1, 2):
            started = time.perf_counter()
            try:
                return self._exchange(case, started)
            except (HTTPException, OSError) as error:
                self._renew()
                if attempt == 2 or isinstance(error, TimeoutError):
                    return Answer(0, {}, type(error).__name__.encode(), time.perf_counter() - started)
        raise AssertionError

    def _exchange(self, case: Case, started: float) -> Answer:
        body = _pieces(case.body) if case.chunked else case.body or None
        with suppress(BrokenPipeError, ConnectionResetError):  # who is refused half-way is told why
            self._connection.request(case.method, case.path, body, case.headers, encode_chunked=case.chunked)
        response = self._connection.getresponse()
        content = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self._renew()
        return Answer(response.status, headers, _unpacked(content, headers), time.perf_counter() - started)

    def _renew(self) -> None:
        """Close the connection; the next case opens another."""
        self.close()
        self._connection = HTTPConnection(self._host, timeout=PATIENCE)

    def close(self) -> None:
        """Close the connection for good."""
        with suppress(OSError):
            self._connection.close()


class InsideClient:
    """Sends into an application of this process, for what a running server cannot show: broken parts of it."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def send(self, case: Case) -> Answer:
        """Send a case."""
        started = time.perf_counter()
        with self._client.open(case.path, method=case.method, headers=case.headers, data=case.body or None) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = _unpacked(response.data, headers)
        return Answer(response.status_code, headers, content, time.perf_counter() - started)


def _pieces(body: bytes) -> Iterator[bytes]:
    size = max(1, len(body) // 3)
    return (body[start : start + size] for start in range(0, len(body), size))


def _unpacked(content: bytes, headers: dict[str, str]) -> bytes:
    return gzip.decompress(content) if content and headers.get("content-encoding") == "gzip" else content
