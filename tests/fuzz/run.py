"""Many cases against a running service, from several processes at once, within a time."""

import json
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from tests.fuzz.bases import MARK, Base
from tests.fuzz.case import Case, save
from tests.fuzz.client import Client, HttpClient
from tests.fuzz.draw import Deck
from tests.fuzz.fetched import Shelf
from tests.fuzz.oracles import BaseFailed, Judge, again, can_be_repeated

# Of failures alike, so many are kept.
_ALIKE = 3
_BATCH = 200
# The same call is the same answer: every so many cases one is sent three times.
_AGAIN_EVERY = 25


@dataclass(frozen=True)
class Failure:
    """A case that went wrong, and why."""

    case: Case
    reasons: list[str]


@dataclass
class Tally:
    """Results of cases: number judged, requests sent, statuses by route, and failures."""

    cases: int = 0
    requests: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def note(self, failure: Failure) -> None:
        """Count a failure, and keep it unless there are enough like it."""
        kind = _kind(failure)
        self.failed += 1
        self.kinds[kind] += 1
        if self.kinds[kind] <= _ALIKE:
            self.failures.append(failure)

    def add(self, other: "Tally") -> None:
        """Take in what came of other cases."""
        self.cases += other.cases
        self.requests += other.requests
        self.statuses += other.statuses
        self.failed += other.failed
        self.kinds += other.kinds
        self.failures += other.failures


def _kind(failure: Failure) -> str:
    return re.sub(r"\d+|'.*'|\[.*\]", "…", f"{failure.case.route}: {failure.reasons[0][:60]}")


@dataclass(frozen=True)
class Plan:
    """The load: cases `first` to `first + count`, within so many seconds, from so many processes."""

    count: int
    seed: int = 1
    seconds: float = 900.0
    clients: int = 3
    first: int = 0


def hammer(address: str, shelf: Shelf, bases: tuple[Base, ...], plan: Plan) -> Tally:
    """Send the cases of a plan to a service, which may ask the FHIR server, and judge the answers."""
    ends = time.monotonic() + plan.seconds
    context = multiprocessing.get_context("fork")
    total = Tally()
    with context.Pool(plan.clients, initializer=_begin, initargs=(address, shelf, bases, plan.seed, ends)) as pool:
        for tally in pool.imap_unordered(_batch, _batches(plan)):
            total.add(tally)
    return total


def _batches(plan: Plan) -> Iterator[range]:
    last = plan.first + plan.count
    for start in range(plan.first, last, _BATCH):
        yield range(start, min(start + _BATCH, last))


class Hammer:
    """Sends cases one after the other, and judges the answers."""

    def __init__(self, client: Client) -> None:
        self.client, self.judge = client, Judge(client)

    def send(self, cases: Iterable[Case]) -> Tally:
        """Send these cases; some of them several times, since the same call is the same answer."""
        tally, asked = Tally(), self.judge.asked
        for number, case in enumerate(cases):
            self._one(case, tally)
            tally.cases += 1
            if number % _AGAIN_EVERY == 0 and can_be_repeated(case):
                self._one(again(case), tally)
        tally.requests += self.judge.asked - asked
        return tally

    def _one(self, case: Case, tally: Tally) -> None:
        answer = self.client.send(case)
        tally.requests += 1
        tally.statuses[case.route, answer.status] += 1
        try:
            reasons = self.judge.faults(case, answer)
        except BaseFailed as failed:
            case, reasons = failed.case, failed.reasons
        except Exception as error:  # noqa: BLE001  # an answer that no oracle was prepared for is a failure too
            reasons = [f"the answer cannot be judged: {type(error).__name__}: {error}"]
        if reasons:
            tally.note(Failure(case, reasons))


_hammer: Hammer
_deck: Deck
_ends: float


def _begin(address: str, shelf: Shelf, bases: tuple[Base, ...], seed: int, ends: float) -> None:
    global _hammer, _deck, _ends  # a pool's process has no other place to keep what it begins with
    _hammer, _deck, _ends = Hammer(HttpClient(address, shelf)), Deck(bases, seed, shelf.address), ends


def _batch(numbers: range) -> Tally:
    in_time = takewhile(lambda _: time.monotonic() < _ends, numbers)
    return _hammer.send(_deck.case(number) for number in in_time)


# --- afterwards -----------------------------------------------------------------------------------------------------

_ALARM = re.compile(r"Traceback|Exception|panicked|\[ERROR\]|Segmentation|MemoryError")


def faults_of_log(lines: Iterable[str]) -> list[str]:
    """Forbidden content of a log: marks of patient data, uncaught exceptions, and errors."""
    found = []
    for line in lines:
        if MARK in line:
            found.append(f"the log repeats a patient's data: {line[:300].replace(MARK, '…')}")
        elif _is_alarm(line):
            found.append(f"the log: {line.strip()[:300]}")
    return found


def _is_alarm(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return _ALARM.search(line) is not None
    return isinstance(event, dict) and event.get("level") in {"error", "critical"}


def keep(failures: Iterable[Failure], folder: Path) -> list[Path]:
    """Write each failure into a file that can be sent again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, failure in enumerate(failures):
        path = folder / f"{number:03}.json"
        save(failure.case, failure.reasons, path)
        paths.append(path)
    return paths
