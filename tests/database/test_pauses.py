"""The pause of a database that is away, and the rows that wait meanwhile; clock and database are given."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from cds_service.database import background_writer, connections
from cds_service.database.background_writer import BackgroundWriter, Row
from cds_service.database.schema import AUDIT
from cds_service.errors import StoreUnavailable

MOST_SECONDS = 20.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A clock that stands still until it is moved."""
    now = {"seconds": 100.0}
    monkeypatch.setattr("cds_service.database.connections.time.monotonic", lambda: now["seconds"])
    return now


def test_a_pause_ends_with_one_attempt_before_others(clock: dict[str, float]) -> None:
    breaker = connections._CircuitBreaker(5.0)
    assert breaker.allows_attempt()
    assert breaker.allows_attempt(), "nothing has failed"
    breaker.open()
    assert not breaker.allows_attempt()
    clock["seconds"] += 4.9
    assert not breaker.allows_attempt()
    clock["seconds"] += 0.1
    assert breaker.allows_attempt()
    assert not breaker.allows_attempt(), "others wait for the first attempt"
    clock["seconds"] += 4.9
    assert not breaker.allows_attempt()
    clock["seconds"] += 0.1
    assert breaker.allows_attempt()
    breaker.close()
    assert breaker.allows_attempt()
    assert breaker.allows_attempt(), "after a success, all may try"


class Away:
    """A database that is away: each write fails, after what happens during it."""

    def __init__(self, during: Callable[[], None]) -> None:
        self.during = during

    def run_inline(self, _work: Callable[[Connection], Any]) -> None:
        self.during()
        raise StoreUnavailable("away")


def numbered(*numbers: int) -> list[Row]:
    return [(AUDIT, {"id": number}) for number in numbers]


def waiting(writer: BackgroundWriter) -> list[int]:
    return [values["id"] for _, values in writer._rows]


def test_rows_that_come_during_a_failing_write_are_younger_than_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_writer, "MAX_WAITING", 3)
    lost: list[int] = []
    during: list[Callable[[], None]] = []
    away = Away(lambda: during.pop()() if during else None)
    writer = BackgroundWriter(away, lost.append)  # type: ignore[arg-type] # only what it calls
    during.append(lambda: writer._rows.extend(numbered(3, 4)))
    writer.add(numbered(1, 2))
    writer.flush(MOST_SECONDS)
    assert waiting(writer) == [2, 3, 4]
    assert lost == [1]


def test_as_many_rows_as_may_wait_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_writer, "MAX_WAITING", 3)
    lost: list[int] = []
    writer = BackgroundWriter(Away(lambda: None), lost.append)  # type: ignore[arg-type]
    writer.add(numbered(1, 2, 3))
    writer.flush(MOST_SECONDS)
    assert (waiting(writer), lost) == ([1, 2, 3], [])
