"""One measurement, and series of them."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests

from tests.bench.calls import Call
from tests.bench.load import Load, send
from tests.bench.servers import Running, check_answer

# One core serves, the other sends.
SERVER_CORE, LOAD_CORE = 0, 1

# How many tokens a second of load may use up.
_MOST_PER_SECOND = 2_500


@dataclass(frozen=True)
class Figure:
    """The cost of a call: CPU milliseconds of the server, latencies in milliseconds, answers a second."""

    cpu_ms: float
    p50: float
    p99: float
    per_second: float


def measure(server: Running, call: Call, seconds: float, folder: Path) -> Figure:
    """Load a server with a call. The server's own user and system time counts, not how long it took."""
    make = server.server.tokens
    tokens = make(server.address + call.path, int(seconds * _MOST_PER_SECOND)) if make else ()
    before = server.cpu_seconds()
    load = send(server.address, call, seconds, LOAD_CORE, folder, tokens)
    return _figure(server.cpu_seconds() - before, load)


def _figure(cpu_seconds: float, load: Load) -> Figure:
    return Figure(1000 * cpu_seconds / load.answers, load.p50, load.p99, load.answers / load.seconds)


def alternating(pairs: Sequence[tuple[Running, Call]], rounds: int, seconds: float, folder: Path) -> list[Figure]:
    """The median figures of each server with its call, after so many rounds in which each has its turn: what else the
    machine does then falls on all alike.
    """
    for server, call in pairs:
        check_answer(server.address, call, server.server)
    found: list[list[Figure]] = [[] for _ in pairs]
    for _ in range(rounds):
        for mine, (server, call) in zip(found, pairs, strict=True):
            mine.append(measure(server, call, seconds, folder))
    return [_middle(mine) for mine in found]


def _middle(figures: Iterable[Figure]) -> Figure:
    every = list(figures)
    return Figure(
        median(each.cpu_ms for each in every),
        median(each.p50 for each in every),
        median(each.p99 for each in every),
        median(each.per_second for each in every),
    )


def one_by_one(server: Running, call: Call, seconds: float) -> float | None:
    """CPU milliseconds of a call that is sent one at a time, for so many seconds; None where one takes too long."""
    headers = {"Content-Type": "application/json"}
    answers, before, began = 0, server.cpu_seconds(), time.monotonic()
    with requests.Session() as session:
        while not answers or time.monotonic() - began < seconds:
            try:
                session.post(server.address + call.path, call.body, headers=headers, timeout=10).raise_for_status()
            except requests.Timeout:
                return None
            answers += 1
    return 1000 * (server.cpu_seconds() - before) / answers


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """The growth of a cost: the slope of a straight line through the logarithms. 1 is linear."""
    logs = [(math.log(size), math.log(cost)) for size, cost in points]
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
