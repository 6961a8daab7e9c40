"""Acknowledged feedback survives a killed worker, database client or database server."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, text

from cds_service.database import migrate
from cds_service.database.connections import Database, create
from cds_service.database.schema import COMMENTS, FEEDBACK
from cds_service.database.store import AuditActor, Store
from cds_service.errors import StoreUnavailable
from cds_service.settings import Settings
from tests.database.test_store import overridden
from tests.http.test_services import CLAIM_REVIEW
from tests.support.postgresql import running_postgresql
from tests.support.running import ROOT, running

pytestmark = pytest.mark.repeats(3)

BATCH = 20


def prepared(database_url: str) -> str:
    address = Settings(database_url=database_url).database_url
    engine = create(address)
    with engine.begin() as connection:
        migrate.upgrade(connection)
    engine.dispose()
    return address


def kept(address: str) -> Counter[str]:
    """Number of rows of each card in the database."""
    engine = create(address)
    with engine.connect() as connection:
        check = {"sqlite": "PRAGMA integrity_check"}.get(engine.dialect.name, "SELECT 'ok'")
        assert connection.execute(text(check)).scalar() == "ok"
        joined = select(FEEDBACK.c.card).join(COMMENTS, COMMENTS.c.feedback == FEEDBACK.c.id)
        found = Counter(row[0] for row in connection.execute(joined))
    engine.dispose()
    return found


# --- a worker -------------------------------------------------------------------------------------------------------


def body(card: str) -> dict[str, Any]:
    item = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05Z"}
    return {"feedback": [item | {"overrideReason": {"userComment": "said"}}]}


def test_a_worker_is_killed_while_it_takes_feedback(database_url: str, tmp_path: Path) -> None:
    address = prepared(database_url)
    acknowledged: set[str] = set()
    stop = threading.Event()

    def hammer(thread: int) -> None:
        for number in range(100_000):
            if stop.is_set():
                return
            card = f"card-{thread}-{number}"
            try:
                sent = requests.post(f"{service.address}{CLAIM_REVIEW}/feedback", json=body(card), timeout=30)
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                continue  # the worker that had it is gone: nothing was acknowledged
            if sent.status_code == 200:
                acknowledged.add(card)

    with running(tmp_path, workers=2, CDS_DATABASE_URL=database_url) as service, ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(hammer, thread) for thread in range(8)]
        _wait_for(lambda: len(acknowledged) > 100)
        killed = service.workers()
        os.kill(killed[0], signal.SIGKILL)
        _wait_for(lambda: len(set(service.workers()) - set(killed)) == 1, "the worker is replaced")
        before = len(acknowledged)
        _wait_for(lambda: len(acknowledged) > before + 100, "the service goes on")
        stop.set()
        for job in jobs:
            job.result()
    found = kept(address)
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}


def _wait_for(condition: Callable[[], bool], what: str = "feedback is taken") -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


# --- the client of the database -------------------------------------------------------------------------------------

WRITER = f"""
import sys
from cds_service.database.connections import Database
from cds_service.database.store import AuditActor, Store
from tests.database.test_store import overridden

store = Store(Database(sys.argv[1]))
for batch in range(100_000):
    store.save_feedback(AuditActor("ehr", "r"), "s", [overridden(f"{{batch}}-{{n}}") for n in range({BATCH})])
    print(batch, flush=True)
"""


@pytest.mark.parametrize("batches", [1, 7, 30])
def test_the_client_is_killed_in_mid_write(database_url: str, batches: int) -> None:
    address = prepared(database_url)
    command = [sys.executable, "-c", WRITER, address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            process.stdout.readline()
        time.sleep(0.002)  # now it is in the middle of the next
        process.kill()
        acknowledged = batches + len(process.stdout.readlines())
    found = Counter(card.split("-")[0] for card in kept(address).elements())
    assert set(found.values()) == {BATCH}, "each batch is there as a whole or not at all"
    assert {str(batch) for batch in range(acknowledged)} <= set(found)
    assert len(found) <= acknowledged + 1
    database = Database(address)
    assert Store(database).save_feedback(AuditActor("ehr", "r"), "s", [overridden("after")]).new_items == 1, (
        "no lock is left behind"
    )
    database.close()


def test_postgresql_loses_a_process_and_recovers() -> None:
    with running_postgresql() as server:
        database = Database(address := prepared(server.new_database()))
        store = Store(database)
        acknowledged: set[str] = set()
        deadline = time.monotonic() + 60
        killed = False
        refused: list[bool] = []
        while len(acknowledged) < 100 and time.monotonic() < deadline:
            card = f"c{time.monotonic_ns()}"
            try:
                store.save_feedback(AuditActor("ehr", "r"), "s", [overridden(card)])
                acknowledged.add(card)
            except StoreUnavailable:
                refused.append(killed)
                time.sleep(0.1)
            if len(acknowledged) == 50 and not killed:
                killed = True
                for pid in server.children():
                    os.kill(pid, signal.SIGKILL)
        database.close()
        assert len(acknowledged) == 100
        assert False not in refused, "it is refused only after the server was killed"
        assert acknowledged <= set(kept(address))
