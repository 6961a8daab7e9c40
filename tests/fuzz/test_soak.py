"""The soak measures growth and detects it, and large bodies leave no memory behind."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from click.testing import CliRunner

from tests.fuzz import soak
from tests.fuzz.bases import bases
from tests.fuzz.draw import Deck
from tests.fuzz.growth import BOUNDS, CONNECTIONS, FILES, MEMORY, THREADS, Held, growth, held_by, rows, watched

ROUNDS = 9
CALLS = 12

# A server that keeps something of each call, or nothing.
LEAKY = """
import socket, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
kept, leak = [], sys.argv[1]

def forever():
    threading.Event().wait()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if leak == "memory":
            kept.append(bytearray(b"x" * 400_000))
        elif leak == "files":
            kept.append(open("/dev/null"))
        elif leak == "threads":
            threading.Thread(target=forever, daemon=True).start()
        elif leak == "connections":
            kept.append(socket.create_connection(server.server_address))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def leaking(what: str) -> Iterator[tuple[int, str]]:
    """Such a server: its process and its address."""
    process = subprocess.Popen([sys.executable, "-c", LEAKY, what], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.pid, f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def grown(what: str) -> list[str]:
    """Resources found to grow in such a server after some rounds of calls."""
    with leaking(what) as (pid, address):

        def burst() -> None:
            for _ in range(CALLS):
                requests.get(address, timeout=5)
            time.sleep(0.1)

        (measured,) = watched([pid], ROUNDS, burst)
    return [each.what for each in growth(measured) if each.is_too_much]


@pytest.mark.parametrize("what", [MEMORY, FILES, THREADS])
def test_what_grows_is_found(what: str) -> None:
    assert what in grown(what)


def test_connections_that_are_kept_are_found_and_are_files_too() -> None:
    assert {CONNECTIONS, FILES} <= set(grown(CONNECTIONS))


def test_what_does_not_grow_is_not_found() -> None:
    assert grown("nothing") == []


def test_a_level_that_is_reached_in_the_warm_up_is_no_growth() -> None:
    held = [Held(memory, 30, 20, 2) for memory in (100, 300, 500, 500, 501, 499, 500, 500, 500)]
    assert [each.what for each in growth(held)] == [each.what for each in growth(held) if not each.is_too_much] != []
    rising = [Held(500 + 5 * number, 30 + number, 20, 2) for number in range(9)]
    assert [each.what for each in growth(rising) if each.is_too_much] == [MEMORY, FILES]
    assert "TOO MUCH" in "\n".join(rows([growth(rising)]))
    assert set(BOUNDS) == set(vars(held[0]))


@pytest.fixture(scope="module")
def load() -> Iterator[tuple[int, soak.Load]]:
    """A service with one worker, and callers."""
    good = bases(None)
    with soak.started(1) as (service, fhir):
        (worker,) = service.workers()
        yield worker, soak.Load(service.address, fhir, Deck(good, 1), good, seconds=3)


@pytest.mark.exhaustive
def test_large_bodies_on_all_threads_leave_no_memory_behind(load: tuple[int, soak.Load]) -> None:
    worker, callers = load
    callers.fill()
    assert callers.statuses[200] > 16
    assert held_by(worker).memory < 300, "in MiB; kept by each thread, it was some 900"


@pytest.mark.exhaustive
def test_a_burst_calls_in_every_way_and_leaves_no_connection(load: tuple[int, soak.Load]) -> None:
    worker, callers = load
    before = held_by(worker)
    callers.burst()
    assert {200, 400} <= set(callers.statuses)
    assert not {0, 500} & set(callers.statuses)
    after = held_by(worker)
    pool = 16  # connections to FHIR servers that are kept for the next call
    assert after.connections <= before.connections + pool
    assert after.threads <= before.threads + pool


@pytest.mark.exhaustive
def test_the_command_prints_a_table_and_what_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "BURST_SECONDS", 0.3)
    monkeypatch.setattr(soak, "REST_SECONDS", 0.3)
    monkeypatch.setitem(BOUNDS, FILES, -1000.0)
    done = CliRunner().invoke(soak.main, ["--minutes", "0.1", "--workers", "1"])
    assert done.exit_code == 1
    assert "files" in done.output
    assert "worker 1: files grows" in done.output
