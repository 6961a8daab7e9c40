"""A stand-in for a FHIR server with faults on demand, which counts its queries."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[BaseHTTPRequestHandler], None]


def resource(content: Any, status: int = 200, **headers: str) -> Reply:
    """An answer with a resource, or with any other JSON."""
    return body(json.dumps(content).encode(), status, **headers)


def body(content: bytes, status: int = 200, **headers: str) -> Reply:
    """An answer with these bytes; names of headers are written with `_` for `-`."""
    given = {"Content-Type": "application/fhir+json", "Content-Length": str(len(content)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in given.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def searchset(resources: list[dict[str, Any]], next_page: str | None = None, **members: Any) -> dict[str, Any]:
    """A page of matches."""
    link = {"link": [{"relation": "next", "url": next_page}]} if next_page is not None else {}
    entries = [{"resource": each, "search": {"mode": "match"}} for each in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | link | members


def in_turn(*replies: Reply) -> Reply:
    """One answer after the other, the last one from then on."""
    left = list(replies)

    def reply(handler: BaseHTTPRequestHandler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return reply


@dataclass
class Double:
    """Queries to the stand-in and its answers: a configured one for a search by type, else an empty Bundle."""

    address: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The paths queried, in order."""
        return [path for path, _ in self.asked]

    def asked_of(self, resource_type: str) -> list[str]:
        """The requests for one type."""
        return [path for path in self.paths if path.removeprefix("/fhir/").startswith(resource_type)]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Note a request, answer it and hang up. `body` says so; a client would use the connection once more."""
        handler.close_connection = True
        self.asked.append((handler.path, dict(handler.headers)))
        resource_type = handler.path.removeprefix("/fhir/").partition("?")[0]
        self.replies.get(resource_type, resource(searchset([])))(handler)


@contextmanager
def running_double() -> Iterator[Double]:
    """Run the stand-in for the time of the block."""
    double = Double("")
    with serving(double.answer) as double.address:
        yield double


@contextmanager
def serving(answer: Reply) -> Iterator[str]:
    """A FHIR server that gives each request to a function, for the time of the block; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked has hung up

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/fhir"
        finally:
            server.shutdown()
            thread.join()
