"""A database that is down, slow or not upgraded: feedback is refused, cards are issued without delay."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

from cds_service.database.connections import CONNECT_SECONDS, PAUSE_SECONDS
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.notation import request_of
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.running import Service, eventually, running
from tests.support.upgrades import upgrade

FLAGGED = request_of({"lines": "93350, Q9957x2"})
FEEDBACK = {"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05Z"}]}

# The first call after the database has gone may wait for it so long, in seconds; those after it do not wait at all.
FIRST_SECONDS = 1.9  # a call that waits for the database waits for two seconds or more
LATER_SECONDS = 0.5


def upgraded(server: PostgreSQL) -> str:
    url = server.new_database()
    upgrade(url)
    return url


def advice(service: Service) -> float:
    """Ask for advice and return how long it took, in seconds."""
    started = time.monotonic()
    response = post(service.address, CLAIM_REVIEW, FLAGGED)
    assert response.status_code == 200
    assert len(response.json()["cards"]) == 1
    return time.monotonic() - started


def feedback(service: Service) -> int:
    return post(service.address, f"{CLAIM_REVIEW}/feedback", FEEDBACK).status_code


def ready(service: Service) -> dict[str, Any]:
    response = requests.get(f"{service.address}/health/ready", timeout=10)
    assert response.status_code == 200, "a service that gives advice is ready"
    return dict(response.json())


def assert_advice_without_database(service: Service) -> None:
    assert advice(service) < FIRST_SECONDS
    refused = post(service.address, f"{CLAIM_REVIEW}/feedback", FEEDBACK)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert median(advice(service) for _ in range(10)) < LATER_SECONDS, "what else the machine does slows some calls"
    assert feedback(service) == 503
    assert ready(service)["status"] == "degraded"
    assert ready(service)["database"] == "down"
    eventually(lambda: advice(service) < LATER_SECONDS and "calls not kept yet" in service.log.read_text())


def assert_recovers(service: Service) -> None:
    deadline = time.monotonic() + 3 * PAUSE_SECONDS
    while feedback(service) != 200:
        assert time.monotonic() < deadline, "the database is back, and feedback is still refused"
        time.sleep(0.2)
    assert ready(service) == {"status": "ready", "database": "up"}


@contextmanager
def silent() -> Iterator[int]:
    """A port at which somebody listens and never says a word, as behind a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["nobody-there", "silent", "no-folder"])
def test_a_database_that_was_never_there(tmp_path: Path, kind: str) -> None:
    with silent() as port:
        url = {
            "nobody-there": "postgresql://u:p@127.0.0.1:1/x",
            "silent": f"postgresql://u:p@127.0.0.1:{port}/x",
            "no-folder": f"sqlite:///{tmp_path}/no/such/folder.sqlite3",
        }[kind]
        with running(tmp_path, CDS_DATABASE_URL=url) as service:
            assert_advice_without_database(service)


def test_a_postgresql_that_freezes_and_thaws(tmp_path: Path) -> None:
    with running_postgresql() as server, running(tmp_path, CDS_DATABASE_URL=upgraded(server)) as service:
        assert feedback(service) == 200
        with server.frozen():
            assert_advice_without_database(service)
        assert_recovers(service)


def test_a_command_waits_longer_for_a_connection_than_a_call() -> None:
    with running_postgresql() as server, ThreadPoolExecutor(1) as operator:
        url = server.new_database()
        with server.frozen():
            upgraded = operator.submit(upgrade, url)
            with pytest.raises(TimeoutError):
                upgraded.result(timeout=CONNECT_SECONDS + 1)
        upgraded.result(timeout=30)


def test_a_postgresql_that_is_stopped(tmp_path: Path) -> None:
    with running_postgresql() as server, running(tmp_path, CDS_DATABASE_URL=upgraded(server)) as service:
        assert feedback(service) == 200
        server.process.terminate()
        server.process.send_signal(2)
        server.process.wait()
        assert_advice_without_database(service)


def test_a_postgresql_that_is_not_upgraded_says_what_to_run(tmp_path: Path, postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    with running(tmp_path, CDS_DATABASE_URL=url) as service:
        assert advice(service) < FIRST_SECONDS
        assert feedback(service) == 503
        state = ready(service)
        assert (state["status"], state["database"]) == ("degraded", "outdated")
        assert "cds-service database upgrade" in state["hint"]
        assert "cds-service database upgrade" in service.log.read_text()
        upgrade(url)
        assert_recovers(service)
