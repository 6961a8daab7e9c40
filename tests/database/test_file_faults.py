"""A SQLite file that is deleted, replaced, damaged, downgraded or full while the service runs."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from cds_service.cli.main import main
from cds_service.database import connections
from cds_service.database.connections import Database
from cds_service.database.outage import QUIET_SECONDS, Outage
from cds_service.database.sqlite_file import FileReplaced, set_up
from cds_service.database.store import AuditActor, Store
from cds_service.errors import StoreUnavailable
from tests.database.test_outages import FIRST_SECONDS, FLAGGED, LATER_SECONDS, advice, feedback, ready
from tests.database.test_store import overridden
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.running import Service, eventually, running

pytestmark = pytest.mark.repeats(3)

HERE = AuditActor("ehr", "r")


def send_feedback(service: Service, card: str) -> int:
    item = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05Z"}
    return post(service.address, f"{CLAIM_REVIEW}/feedback", {"feedback": [item]}).status_code


def kept(path: Path) -> set[str]:
    """The cards with feedback that a restart would read."""
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT card FROM feedback")}


def lines(service: Service, event: str = "database") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def files(path: Path) -> list[Path]:
    return [each for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if each.exists()]


def back_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(path.with_name("backup"))) as copy:
        source.backup(copy)


def delete(path: Path) -> None:
    for each in files(path):
        each.unlink()


def delete_only_the_file(path: Path) -> None:
    path.unlink()


def delete_only_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def replace_with_a_backup(path: Path) -> None:
    delete(path)
    shutil.copy(path.with_name("backup"), path)


@pytest.mark.parametrize("change", [delete, delete_only_the_file, delete_only_the_log, replace_with_a_backup])
def test_feedback_is_in_the_file_that_a_restart_reads(tmp_path: Path, change: Callable[[Path], None]) -> None:
    with running(tmp_path) as service:
        assert send_feedback(service, "before") == 200
        with (
            closing(sqlite3.connect(service.database)) as source,
            closing(sqlite3.connect(tmp_path / "backup")) as copy,
        ):
            source.backup(copy)
        change(service.database)
        acknowledged = {card for card in map(str, range(5)) if send_feedback(service, card) == 200}
        assert acknowledged, "the file that is there now is used"
        assert acknowledged <= kept(service.database)
        eventually(lambda: ready(service)["database"] == "up")
        service.process.kill()
        service.process.wait()
    assert acknowledged <= kept(service.database)


def test_a_file_that_is_missing_is_made_again_by_a_health_check(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        delete(service.database)
        eventually(lambda: ready(service)["database"] == "up" and service.database.exists(), seconds=30.0)
        assert service.database.stat().st_mode & 0o777 == 0o600


def overwrite(path: Path, first: int, last: int | None = None) -> None:
    """Overwrite pages of a file, by their numbers, in place."""
    page, size = 4096, path.stat().st_size
    with path.open("r+b") as file:
        file.seek(first * page)
        file.write(b"\xa5" * ((last * page if last else size) - first * page))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, None)], ids=["the-first-page", "all-others"])
def test_overwritten_pages_are_told(tmp_path: Path, first: int, last: int | None) -> None:
    with running(tmp_path) as service:
        assert send_feedback(service, "before") == 200
        with closing(sqlite3.connect(service.database)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        overwrite(service.database, first, last)
        eventually(lambda: ready(service)["database"] == "damaged")
        found = ready(service)
        assert found["status"] == "degraded"
        assert found["reason"] in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
        assert "backup" in found["hint"]
        assert send_feedback(service, "after") == 503
        assert advice(service) < FIRST_SECONDS
        (begun,) = lines(service)
        assert (begun["state"], begun["error"]) == ("failing", found["reason"])


def test_a_damaged_page_that_no_write_reaches_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    database = Database(f"sqlite:///{path}")
    store = Store(database)
    for number in range(30):
        store.save_feedback(HERE, "s", [overridden(f"{number}-{'x' * 150}-{each}") for each in range(20)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = other.execute("SELECT rootpage FROM sqlite_master WHERE name = 'feedback'").fetchone()
    pages = path.stat().st_size // 4096
    for number in range(root + 1, pages - 20):  # the oldest rows, in the middle of the file
        overwrite(path, number, number + 1)
    eventually(lambda: database.health().state == "damaged")
    database.close()


def test_a_schema_that_is_downgraded_is_told_and_not_upgraded_behind_your_back(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert send_feedback(service, "before") == 200
        environment = {"CDS_DATABASE_URL": f"sqlite:///{service.database}"}
        runner = CliRunner()
        assert runner.invoke(main, ["database", "downgrade", "0001", "--yes"], env=environment).exit_code == 0
        eventually(lambda: ready(service)["database"] == "outdated")
        assert "cds-service database upgrade" in ready(service)["hint"]
        assert send_feedback(service, "refused") == 503
        assert runner.invoke(main, ["database", "upgrade"], env=environment).exit_code == 0
        eventually(lambda: send_feedback(service, "again") == 200)
        assert ready(service) == {"status": "ready", "database": "up"}
        assert kept(service.database) == {"before", "again"}


# --- a full disk ----------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of one megabyte, where the tests may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0, "needs root"
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_is_told_and_logged_once(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        database = disk / "x.sqlite3"
        with running(tmp_path, CDS_DATABASE_URL=f"sqlite:///{database}", CDS_CALLS_PER_SECOND="1000") as service:
            assert send_feedback(service, "before") == 200
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(b"x" * 4096)
            eventually(lambda: send_feedback(service, f"{time.monotonic()}") == 503)
            eventually(lambda: ready(service)["database"] == "down")
            assert ready(service)["status"] == "degraded"
            assert ready(service)["reason"] in {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}
            seconds = []
            for number in range(50):
                seconds.append(advice(service))
                feedback(service)
                send_feedback(service, str(number))
            assert median(seconds) < LATER_SECONDS
            assert len(lines(service)) == 1
            assert len(lines(service, "calls not kept yet")) == 1
            filler.unlink()
            eventually(lambda: send_feedback(service, "after") == 200)
            assert ready(service) == {"status": "ready", "database": "up"}
            eventually(lambda: bool(ready(service)) and len(lines(service)) == 2, QUIET_SECONDS + 5)
            begun, ended = lines(service)
            assert begun["error"].startswith("SQLITE_")
            assert ended["state"] == "back"
            assert ended["refused"] >= 100
            assert ended["seconds"] > 0


# --- one line for each outage ---------------------------------------------------------------------------------------


def test_an_outage_with_some_successes_is_one_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[dict[str, Any]] = []
    for level in ("error", "warning"):
        monkeypatch.setattr(f"cds_service.database.outage.log.{level}", lambda _, **facts: found.append(facts))
    now = 100.0
    outage = Outage(lambda: now)
    for _ in range(20):
        outage.failed("SQLITE_CORRUPT")
        now += 1
        outage.succeeded()
    assert outage.reason == ""
    outage.failed("SQLITE_CORRUPT")
    outage.refused()
    outage.succeeded(is_check=True)
    assert outage.reason == "SQLITE_CORRUPT", "a check does not refute a real failure at once"
    now += QUIET_SECONDS
    outage.succeeded(is_check=True)
    assert outage.reason == ""
    assert [line["state"] for line in found] == ["failing", "back"]
    assert (found[1]["refused"], found[1]["seconds"]) == (22, 20 + QUIET_SECONDS)


def test_work_is_refused_where_the_file_is_replaced_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    Store(database).save_feedback(HERE, "s", [overridden("a")])

    def always(_: object) -> None:
        raise FileReplaced

    monkeypatch.setattr(connections, "identity", always)
    with pytest.raises(StoreUnavailable):
        Store(database).save_feedback(HERE, "s", [overridden("b")])
    assert database.health().reason == "file replaced"
    database.close()


def test_a_health_check_leaves_no_row(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        for _ in range(3):
            requests.get(f"{service.address}/health/ready", timeout=5)
        assert post(service.address, CLAIM_REVIEW, FLAGGED).status_code == 200
        eventually(lambda: count(service.database, "audit") == 1)
        assert {count(service.database, table) for table in ("feedback", "feedback_comments", "used_tokens")} == {0}


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


class Refusing(sqlite3.Connection):
    """A connection that refuses to change the journal's mode, as SQLite may while others change it too."""

    refusals = 0
    code = sqlite3.SQLITE_BUSY

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if "journal_mode" in statement and self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("refused")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(statement, *parameters)


@pytest.mark.parametrize(
    ("refusals", "code", "left"),
    [(3, sqlite3.SQLITE_BUSY, 0), (3, sqlite3.SQLITE_BUSY_SNAPSHOT, 0), (3, sqlite3.SQLITE_READONLY, 2)],
)
def test_a_new_file_that_others_set_up_is_tried_again(tmp_path: Path, refusals: int, code: int, left: int) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, factory=Refusing)) as connection:
        connection.refusals, connection.code = refusals, code
        if left:
            with pytest.raises(sqlite3.OperationalError, match="refused"):
                set_up(connection, str(path), 4_000, is_durable=True)
        else:
            set_up(connection, str(path), 4_000, is_durable=True)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.refusals == left


def test_a_file_that_stays_locked_is_given_up_after_the_time_for_locks(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, factory=Refusing)) as connection:
        connection.refusals = 1_000_000
        with pytest.raises(sqlite3.OperationalError, match="refused"):
            set_up(connection, str(path), 20, is_durable=True)
        assert 1 < 1_000_000 - connection.refusals < 10
