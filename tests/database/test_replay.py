"""Each token is accepted once across workers, on SQLite and PostgreSQL."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import select

from cds_service.auth.replay import MemoryReplayStore, SharedReplayStore
from cds_service.database import migrate
from cds_service.database.connections import Database, create
from cds_service.database.quick_insert import Row
from cds_service.database.schema import USED_TOKENS
from cds_service.settings import Settings
from tests.support.running import eventually

Worker = Callable[[], SharedReplayStore]


@pytest.fixture
def address(database_url: str) -> str:
    """The address with its driver."""
    return Settings(database_url=database_url).database_url


@pytest.fixture
def worker(address: str) -> Iterator[Worker]:
    """Makes the store of one more worker on a database that is ready."""
    engine = create(address)
    with engine.begin() as connection:
        migrate.upgrade(connection)
    engine.dispose()
    made: list[Database] = []

    def make() -> SharedReplayStore:
        made.append(Database(address, is_durable=False))
        return SharedReplayStore(made[-1])

    yield make
    for database in made:
        database.close()


def tokens_in(address: str) -> Sequence[int]:
    """The ends of the tokens in a database."""
    engine = create(address)
    with engine.connect() as connection:
        ends = connection.execute(select(USED_TOKENS.c.ends_at)).scalars().all()
    engine.dispose()
    return ends


def test_used_tokens_are_shared_and_forgotten_when_they_end(address: str, worker: Worker) -> None:
    one, other = worker(), worker()
    assert one.record_use("i", "1", 1e10)
    assert not other.record_use("i", "1", 1e10)
    assert other.record_use("i", "2", 1e10)
    assert other.record_use("j", "1", 1e10)
    assert not one.record_use("i", "2", 1e10)
    assert one.record_use("i", "old", 5.0)
    assert worker().record_use("i", "new", 1e10), "a new worker purges what has ended"
    ends = tokens_in(address)
    assert len(ends) == 4
    assert min(ends) > 6


def test_of_tokens_that_come_at_once_each_is_accepted_once(worker: Worker) -> None:
    """By two workers with many calls each, which record what came together in one transaction."""
    stores = [worker(), worker()]
    names = [str(number) for number in range(40)]
    together = Barrier(8)

    def use_all(number: int) -> list[str]:
        together.wait()
        order = random.Random(number).sample(names, len(names))
        return [name for name in order if stores[number % 2].record_use("i", name, 1e10)]

    with ThreadPoolExecutor(8) as threads:
        accepted = [name for found in threads.map(use_all, range(8)) for name in found]
    assert sorted(accepted) == sorted(names)


def test_tokens_that_wait_are_recorded_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.auth.replay.WAIT_SECONDS", 30.0)
    database = Database(f"sqlite:///{tmp_path}/store.sqlite3", is_durable=False)
    store = SharedReplayStore(database)
    began, go_on = Event(), Event()
    transactions: list[int] = []
    insert = store._quick.new_of

    def held(rows: Sequence[Row]) -> list[bool] | None:
        transactions.append(len(rows))
        began.set()
        go_on.wait(10)
        return insert(rows)

    assert store.record_use("i", "first", 1e10)
    monkeypatch.setattr(store._quick, "new_of", held)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(store.record_use, "i", "0", 1e10)
        assert began.wait(10)
        others = [threads.submit(store.record_use, "i", str(number), 1e10) for number in range(1, 6)]
        eventually(lambda: len(store._waiting) == 5)
        go_on.set()
        assert all(each.result(10) for each in (first, *others))
    database.close()
    assert transactions == [1, 5]
    assert len(tokens_in(f"sqlite:///{tmp_path}/store.sqlite3")) == 7


def test_a_database_that_comes_back_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.database.connections.PAUSE_SECONDS", 0.0)
    folder = tmp_path / "later"
    databases = [Database(f"sqlite:///{folder}/store.sqlite3", is_durable=False) for _ in range(2)]
    one, other = (SharedReplayStore(each) for each in databases)
    assert one.record_use("i", "1", 1e10)
    assert not one.record_use("i", "1", 1e10), "each worker remembers for itself"
    folder.mkdir()
    assert one.record_use("i", "2", 1e10)
    assert not other.record_use("i", "2", 1e10)
    for each in databases:
        each.close()


def test_a_process_forgets_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryReplayStore()
    now = 1000.0
    monkeypatch.setattr("cds_service.auth.replay.time.time", lambda: now)
    for number in range(100):
        assert store.record_use("i", str(number), now + 10)
    now += 100
    assert store.record_use("i", "last", now + 10)
    assert len(store._used) == 1
