"""Things that are gathered are handed on once, in order and together; nobody waits but who asks to."""

import threading
import time
from collections.abc import Sequence

import pytest

from cds_service import batch
from cds_service.batch import Batch


class Taker:
    """Takes what is handed on; `gate` holds it up."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []

    def __call__(self, things: Sequence[int]) -> None:
        self.gate.wait(10)
        self.batches.append(list(things))


def test_what_is_gathered_is_handed_on_in_order_and_together() -> None:
    taker = Taker()
    gathered = Batch[int](taker)
    assert all(gathered.add(number) for number in range(1000))
    assert gathered.flush(5)
    assert [number for each in taker.batches for number in each] == list(range(1000))
    assert len(taker.batches) < 20


def test_nobody_waits_for_a_slow_taker_but_who_asks_to() -> None:
    taker = Taker()
    taker.gate.clear()
    gathered = Batch[int](taker)
    began = time.monotonic()
    assert gathered.add(1)
    assert time.monotonic() - began < 1
    assert not gathered.flush(0.1)
    taker.gate.set()
    assert gathered.flush(5)


def test_threads_that_add_at_once_lose_nothing() -> None:
    taker = Taker()
    gathered = Batch[int](taker)
    threads = [threading.Thread(target=lambda: [gathered.add(1) for _ in range(500)]) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert gathered.flush(5)
    assert sum(sum(each) for each in taker.batches) == 4000


def test_what_is_too_much_is_not_taken_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_MOST_WAITING", 3)
    taker = Taker()
    taker.gate.clear()
    gathered = Batch[int](taker)
    assert [gathered.add(number) for number in range(3)] == [True] * 3
    deadline = time.monotonic() + 5
    while gathered.add(7) and time.monotonic() < deadline:
        pass
    assert not gathered.add(8)
    taker.gate.set()
    assert gathered.flush(5)
    assert 8 not in [number for each in taker.batches for number in each]
