"""Loads a service for minutes, faults included, and fails where a worker's memory, files, threads or connections grow.

`python -m tests.fuzz.soak`. Each round is a burst of calls as they come from everywhere: good ones, damaged ones,
feedback, bodies of megabytes, packed and too large, data that a FHIR server has or fails to give, connections that are
dropped half-way or never used. Then the callers leave, and what the workers still hold is measured.
"""

import gzip
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import click

from tests.fuzz.bases import Base, bases
from tests.fuzz.case import JSON_TYPE, Case
from tests.fuzz.client import HttpClient
from tests.fuzz.document import Document, encoded
from tests.fuzz.draw import Deck
from tests.fuzz.growth import growth, rows, watched
from tests.fuzz.run import faults_of_log
from tests.support.ehr import access
from tests.support.fhir_double import Double, body, resource, running_double, searchset
from tests.support.running import Service, running

Way = Callable[[HttpClient, random.Random], None]

CALLERS = 4
MOST_AT_ONCE = 16  # calls that a worker answers at once
BURST_SECONDS = 5.0
FILLING_ROUNDS = 3
# So long the workers are left alone before they are measured: rows are written, connections are found to be closed.
REST_SECONDS = 1.5


@dataclass
class Load:
    """Callers that send for some seconds, then hang up. `statuses` are the answers that they got."""

    address: str
    fhir: Double
    deck: Deck
    good: tuple[Base, ...]
    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    _number: int = 0

    def fill(self) -> None:
        """Large bodies from as many callers as are answered at once, so that every thread has had some.

        What a thread has needed once, its memory keeps.
        """
        self._round({self._large: 1}, 2 * MOST_AT_ONCE)

    def burst(self) -> None:
        """One round."""
        self._round(
            {self._drawn: 80, self._fetching: 8, self._large: 2, self._dropped: 6, self._idle: 2},
            CALLERS,
        )

    def _round(self, ways: dict[Way, int], callers: int) -> None:
        ends = time.monotonic() + self.seconds
        threads = [threading.Thread(target=self._call, args=(ends, seed, ways)) for seed in self._seeds(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(REST_SECONDS)

    def _seeds(self, count: int) -> Iterator[int]:
        for _ in range(count):
            self._number += 1
            yield self._number

    def _call(self, ends: float, seed: int, ways: dict[Way, int]) -> None:
        rng = random.Random(seed)
        with closing(HttpClient(self.address)) as client:
            while time.monotonic() < ends:
                (way,) = rng.choices(list(ways), list(ways.values()))
                way(client, rng)

    def _send(self, client: HttpClient, case: Case) -> None:
        self.statuses[client.send(case).status] += 1

    def _drawn(self, client: HttpClient, rng: random.Random) -> None:
        """A case of `make fuzz`, feedback and pages among them."""
        self._send(client, self.deck.case(rng.getrandbits(32)))

    def _fetching(self, client: HttpClient, rng: random.Random) -> None:
        """A call whose data are on a FHIR server, in its good and bad moments."""
        base = rng.choice([each for each in self.good if each.path.endswith("discharge")])
        document = Document(base.body)
        document.tree["prefetch"] = {}
        body = encoded(document.tree | access(self.fhir.address))
        self._send(client, Case(name="fetching", route="", path=base.path, body=body))

    def _large(self, client: HttpClient, rng: random.Random) -> None:
        """Megabytes that are read, that are too many, or that are packed into few."""
        base = rng.choice(self.good)
        size = rng.choice([1, 4, 9, 11]) * 2**20
        whole = base.body + b" " * size
        headers = {"Content-Type": JSON_TYPE}
        if rng.random() < 0.5:
            whole, headers = gzip.compress(whole, 1), headers | {"Content-Encoding": "gzip"}
        self._send(client, Case(name="large", route="", path=base.path, headers=headers, body=whole))

    def _dropped(self, _: HttpClient, rng: random.Random) -> None:
        """A caller that hangs up: in the head, in the body, or before the answer; politely or not."""
        base = rng.choice(self.good)
        size = len(base.body)
        head = f"POST {base.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON_TYPE}\r\nContent-Length: {size}\r\n\r\n"
        whole = head.encode() + base.body
        with self._connection() as connection:
            connection.sendall(whole[: rng.choice([0, 20, len(head), len(head) + size // 2, len(whole)])])
            if rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _idle(self, _: HttpClient, __: random.Random) -> None:
        """A pool of connections that are opened and not used."""
        with ExitStack() as pool:
            for _number in range(20):
                pool.enter_context(self._connection())

    def _connection(self) -> socket.socket:
        parts = urlsplit(self.address)
        return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)


# --- a FHIR server of all moods -------------------------------------------------------------------------------------


def moody(handler: BaseHTTPRequestHandler) -> None:
    """An answer, a fault, junk, too late, or none at all."""
    moods = [
        resource(searchset([])),
        resource(searchset([{"resourceType": "Procedure", "status": "completed"}])),
        resource({"resourceType": "OperationOutcome", "issue": []}, status=404),
        body(b"", 500),
        body(b"", 503, Retry_After="0"),
        body(b"{", 200),
        body(gzip.compress(b" " * 2**20), 200, Content_Encoding="gzip"),
        _late,
        _cut_short,
    ]
    random.choice(moods)(handler)


def _late(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(0.7)
    resource(searchset([]))(handler)


def _cut_short(handler: BaseHTTPRequestHandler) -> None:
    body(b"{", 200, Content_Length="1000")(handler)


# --- the whole ------------------------------------------------------------------------------------------------------


@contextmanager
def started(workers: int) -> Iterator[tuple[Service, Double]]:
    """A service with several workers, and a FHIR server for it."""
    with tempfile.TemporaryDirectory() as folder, running_double() as fhir:
        for kind in ("ChargeItem", "Procedure", "MedicationAdministration", "Coverage", "Observation"):
            fhir.replies[kind] = moody
        with running(
            Path(folder),
            workers,
            CDS_FHIR_SERVERS=fhir.address,
            CDS_FETCH_SECONDS="0.5",
            CDS_MAX_CALLS=str(MOST_AT_ONCE),
        ) as service:
            yield service, fhir


def soaked(service: Service, load: Load, rounds: int) -> list[str]:
    """Load a service for so many rounds and print what its workers held; what is wrong, nothing where all is well."""
    workers = service.workers()
    for _ in range(FILLING_ROUNDS):
        load.fill()
    by_process = [growth(each) for each in watched(workers, rounds, load.burst)]
    for row in rows(by_process):
        click.echo(row)
    wrong = [
        f"worker {number}: {each.what} grows"
        for number, grown in enumerate(by_process, 1)
        for each in grown
        if each.is_too_much
    ]
    if service.workers() != workers:
        wrong.append("a worker ended and was replaced")
    wrong += [
        f"{load.statuses[status]} calls were answered {status or 'not at all'}"
        for status in (0, 500)
        if load.statuses[status]
    ]
    return wrong + faults_of_log(service.log.read_text(errors="replace").splitlines())[:20]


@click.command()
@click.option("--minutes", default=3.0, show_default=True, help="How long it loads the service.")
@click.option("--workers", default=2, show_default=True, help="How many workers the service has.")
@click.option("--seed", default=1, show_default=True, help="Which cases are sent.")
def main(minutes: float, workers: int, seed: int) -> None:
    """Watch what a service holds under minutes of load. Exit code 1: something grows, or something was wrong."""
    corpus = os.environ.get("CORPUS_DIR")
    good = bases(Path(corpus) if corpus else None)
    rounds = max(6, round(minutes * 60 / (BURST_SECONDS + REST_SECONDS)) - FILLING_ROUNDS)
    with started(workers) as (service, fhir):
        load = Load(service.address, fhir, Deck(good, seed), good, BURST_SECONDS)
        wrong = soaked(service, load, rounds)
    answers = ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(load.statuses.items()))
    click.echo(f"{sum(load.statuses.values())} answers in {rounds} rounds ({answers})")
    for each in wrong:
        click.echo(each)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
