"""A steady mixture of calls: good and bad, small and large, feedback, and clients that hang up half-way."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from urllib.parse import urlsplit

import requests

from tests.conftest import SAMPLES
from tests.notation import request_of
from tests.test_http import CLAIM_REVIEW, SERVICES

Step = Callable[[requests.Session], requests.Response | None]

_PAUSE_SECONDS = 0.005


class Load:
    """Threads that call a service until they are stopped, and count its answers by status."""

    def __init__(self, address: str, threads: int = 3) -> None:
        self.address = address
        self.statuses: Counter[int] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        steps = cycle(list(self._steps())[number:] + list(self._steps())[:number])
        with requests.Session() as session:
            while not self._stop.is_set():
                answer = next(steps)(session)
                if answer is not None:
                    with self._lock:
                        self.statuses[answer.status_code] += 1
                time.sleep(_PAUSE_SECONDS)

    def _steps(self) -> Iterator[Step]:
        for path in SAMPLES[::6]:
            yield self._post(SERVICES[json.loads(path.read_bytes())["hook"]], path.read_bytes())
        yield self._feedback
        yield self._post(CLAIM_REVIEW, b"{")
        yield self._post("/cds-services/none", b"{}")
        yield self._post(CLAIM_REVIEW, json.dumps(_large()).encode())
        yield self._post("/review", json.dumps(request_of({"lines": "93350"})["context"]["draftCharges"]).encode())
        yield self._post(CLAIM_REVIEW, json.dumps(_asking()).encode())
        yield lambda session: session.get(f"{self.address}/rules", timeout=60)
        yield lambda session: session.get(f"{self.address}/metrics", timeout=60)
        yield lambda _: self._hang_up()

    def _post(self, path: str, body: bytes) -> Step:
        headers = {"Content-Type": "application/json"}
        return lambda session: session.post(self.address + path, data=body, headers=headers, timeout=60)

    def _feedback(self, session: requests.Session) -> requests.Response:
        answer = self._post(CLAIM_REVIEW, json.dumps(request_of({"lines": "93350, Q9957x2"})).encode())(session)
        assert answer is not None
        card = answer.json()["cards"][0]["uuid"]
        item = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05Z"}
        return session.post(f"{self.address}{CLAIM_REVIEW}/feedback", json={"feedback": [item]}, timeout=60)

    def _hang_up(self) -> None:
        """Announce a body, send a part of it, and go."""
        parts = urlsplit(self.address)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
            head = (
                f"POST {CLAIM_REVIEW} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n"
            )
            connection.sendall(head.encode() + b"\r\n" + b"{" * 100)


def _large() -> dict[str, object]:
    """About half a megabyte of a record that has nothing to do with an echo."""
    call: dict[str, object] = request_of({"lines": "93350, 93352, Q9957x2"})
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "a text " * 30}}
    entries = [{"resource": observation | {"id": f"o{number}"}} for number in range(1500)]
    return call | {"prefetch": {"observations": {"resourceType": "Bundle", "type": "searchset", "entry": entries}}}


def _asking() -> dict[str, object]:
    """A call whose FHIR server is not there."""
    call: dict[str, object] = request_of({"lines": "93350"})
    return call | {"prefetch": {}, "fhirServer": "http://127.0.0.1:9/fhir"}
