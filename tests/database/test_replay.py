"""Each token is accepted once across workers, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from cds_service.auth.replay import MemoryReplayStore, SharedReplayStore
from cds_service.database import migrate
from cds_service.database.connections import Database, create
from cds_service.database.schema import USED_TOKENS
from cds_service.settings import Settings

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


def test_used_tokens_are_shared_and_forgotten_when_they_end(address: str, worker: Worker) -> None:
    one, other = worker(), worker()
    assert one.record_use("i", "1", 1e10)
    assert not other.record_use("i", "1", 1e10)
    assert other.record_use("i", "2", 1e10)
    assert other.record_use("j", "1", 1e10)
    assert not one.record_use("i", "2", 1e10)
    assert one.record_use("i", "old", 5.0)
    assert worker().record_use("i", "new", 1e10), "a new worker purges what has ended"
    engine = create(address)
    with engine.connect() as connection:
        ends = connection.execute(select(USED_TOKENS.c.ends_at)).scalars().all()
    engine.dispose()
    assert len(ends) == 4
    assert min(ends) > 6


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
