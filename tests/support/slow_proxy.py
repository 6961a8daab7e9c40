"""An HTTP proxy before a FHIR server that delays each response, and notes the requests."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import requests

from tests.support.fhir_double import body, serving

_FORWARDED = ("Accept", "Authorization", "Prefer")


@dataclass
class SlowProxy:
    """The proxy: its own base address, the server's, the delay in seconds, and the paths requested, in order."""

    address: str
    behind: str
    seconds: float
    paths: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Wait, and pass the server's response on."""
        handler.close_connection = True
        path = handler.path.removeprefix("/fhir/")
        self.paths.append(path)
        time.sleep(self.seconds)
        headers = {name: handler.headers[name] for name in _FORWARDED if handler.headers[name]}
        answer = requests.get(f"{self.behind}/{path}", headers=headers, timeout=30)
        body(answer.content, answer.status_code)(handler)

    def asked_of(self, resource_type: str) -> list[str]:
        """The requests for one type."""
        return [path for path in self.paths if path.startswith(resource_type)]


@contextmanager
def slow_proxy(behind: str, seconds: float) -> Iterator[SlowProxy]:
    """Run a proxy before a FHIR server for the time of the block."""
    proxy = SlowProxy("", behind, seconds)
    with serving(proxy.answer) as proxy.address:
        yield proxy
