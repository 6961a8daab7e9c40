"""Rows that are inserted by SQLite's driver alone; whatever is unusual is left to the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cds_service.auth.replay import SharedReplayStore
from cds_service.database import migrate
from cds_service.database.connections import Database, create
from cds_service.database.quick_insert import QuickInsert, Row
from cds_service.database.schema import USED_TOKENS

ROWS: tuple[Row, ...] = (("a", 5), ("b", 6), ("a", 7))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file that is ready."""
    return made(tmp_path / "store.sqlite3")


@pytest.fixture
def quick(path: Path) -> Iterator[QuickInsert]:
    found = QuickInsert(f"sqlite:///{path}", USED_TOKENS)
    yield found
    found.close()


def made(path: Path) -> Path:
    engine = create(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate.upgrade(connection)
    engine.dispose()
    return path


def rows_in(path: Path) -> list[Row]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT digest, ends_at FROM used_tokens ORDER BY digest").fetchall()


def test_each_row_is_inserted_once(quick: QuickInsert, path: Path) -> None:
    assert quick.new_of(ROWS) == [True, True, False]
    assert quick.new_of(ROWS[:1]) == [False]
    assert quick.new_of([("c", 8)]) == [True]
    assert rows_in(path) == [("a", 5), ("b", 6), ("c", 8)]


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    assert QuickInsert(f"sqlite:///{tmp_path}/none.sqlite3", USED_TOKENS).new_of(ROWS) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_the_table_is_left_to_the_database(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.sqlite3").close()
    (tmp_path / "empty.sqlite3").touch()
    assert QuickInsert(f"sqlite:///{tmp_path}/empty.sqlite3", USED_TOKENS).new_of(ROWS) is None


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql+psycopg://nobody@localhost/none"])
def test_what_is_no_file_is_left_to_the_database(url: str) -> None:
    assert QuickInsert(url, USED_TOKENS).new_of(ROWS) is None


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_a_file_that_another_writes_to_is_left_to_the_database(
    quick: QuickInsert, path: Path, rows: tuple[Row, ...]
) -> None:
    assert quick.new_of([("first", 1)]) == [True]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert quick.new_of(rows) is None
        other.execute("ROLLBACK")
    assert rows_in(path) == [("first", 1)]
    assert quick.new_of(rows) == [True, True, False][: len(rows)]


def test_a_file_that_was_replaced_is_opened_again(quick: QuickInsert, path: Path, tmp_path: Path) -> None:
    assert quick.new_of([("a", 5)]) == [True]
    with closing(sqlite3.connect(made(tmp_path / "other.sqlite3"))) as kept:
        kept.execute("SELECT count(*) FROM used_tokens")  # keeps the other file's log, which moves with it
        for end in ("", "-wal", "-shm"):
            (tmp_path / f"other.sqlite3{end}").replace(f"{path}{end}")
        assert quick.new_of([("a", 5)]) is None
        assert quick.new_of([("a", 5)]) == [True]


def test_a_token_is_recorded_in_the_file_that_replaced_the_first(path: Path) -> None:
    databases = [Database(f"sqlite:///{path}", is_durable=False) for _ in range(2)]
    one, other = (SharedReplayStore(each) for each in databases)
    assert one.record_use("i", "0", 1e10)
    assert one.record_use("i", "1", 1e10)
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    assert one.record_use("i", "2", 1e10)
    assert not other.record_use("i", "2", 1e10)
    assert len(rows_in(path)) == 1
    for each in databases:
        each.close()
