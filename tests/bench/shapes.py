"""Shapes of calls that are hard for some rule, in any number of lines: a call may be as long as its limits allow.

`python -m tests.bench.shapes` grows each from 10 to 10,000 lines and prints seconds of CPU, megabytes and the size of
the answer, with the fitted exponent of the growth.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from cds_service.cdshooks.services import Service
from cds_service.core import garbage_collection
from cds_service.errors import TooMuchWork
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_advisor, service_directory
from tests.bench.measure import exponent
from tests.bench.report import number, table
from tests.support import notation
from tests.support.notation import service_of

TOO_SLOW_TO_GROW = 1.0  # seconds of CPU after which ten times as many lines are not tried
LINES = (10, 100, 1_000, 10_000)
HEADS = ("shape", *(f"{count:,} lines, s" for count in LINES), "exponent at the end", "MB", "answer, kB")
LOCAL = "99199"  # in place of a local code, which has another form
WRITER = replace(notation.WRITER, most_items=max(LINES))
Shape = Callable[[int], dict[str, Any]]


def _cycled(count: int, *lines: str) -> list[str]:
    return [lines[number % len(lines)].format(number) for number in range(count)]


def _claim(*lines: str, **case: Any) -> Shape:
    """One professional claim that repeats the lines; `{}` in a line is its number."""
    return lambda count: {"professional": _cycled(count, *lines), "place": 11, **case}


def _hospital(*lines: str, **case: Any) -> Shape:
    return lambda count: {"institutional": _cycled(count, *lines), "payer": "Medicare", **case}


def _charges(*lines: str, **case: Any) -> Shape:
    """Charges that are on no claim."""
    return lambda count: {"lines": _cycled(count, *lines), **case}


def _days(count: int) -> list[str]:
    return [f"20{20 + number // 336 % 6}-{1 + number // 28 % 12:02}-{1 + number % 28:02}" for number in range(count)]


def _many_studies(count: int) -> dict[str, Any]:
    """Studies that each have an administration and a charge of their own, on one day."""
    return {
        "lines": [f"93351 for P{number}" for number in range(count // 3)],
        "done": [f"93351 as P{number}" for number in range(count // 3)],
        "given": [f"Definity 1.3 mL for P{number}" for number in range(count // 3)],
        "known": ["chargeItems", "procedures", "medicationAdministrations"],
    }


def _many_days(count: int) -> dict[str, Any]:
    """A study of each day, with contrast and without its charges."""
    days = _days(count // 2)
    return {
        "lines": [f"93351 on {day}" for day in days],
        "given": [f"Definity 1.3 mL on {day}" for day in days],
    }


def _chain(count: int) -> dict[str, Any]:
    """Orders that led to procedures that led to charges."""
    third = range(count // 3)
    return {
        "ordered": [f"93351 as O{number}" for number in third],
        "done": [f"93351 as P{number} for O{number}" for number in third],
        "lines": [f"93351 for P{number}" for number in third],
    }


def _claims(*lines: str, **case: Any) -> Shape:
    """Many professional claims of the same lines."""
    return lambda count: {**_claim(*lines)(len(lines)), "claims": count // len(lines), **case}


def _orders(*orders: str) -> Shape:
    return lambda count: {"hook": "order", "ordered": [orders[number % len(orders)] for number in range(count)]}


SHAPES: dict[str, Shape] = {
    "pair, on a claim": _claim("93350", "93306"),
    "pair, charges": _charges("93350", "93351"),
    "pair with a modifier": _claim("93350", "93306-59"),
    "pair, on many claims": _claims("93350", "93306"),
    "pair, on many claims of no type": _claims("93350", "93306-26", untyped=True),
    "components": _claim("93350", "93016", "93017", "93018"),
    "all codes of an echo": _claim("93350", "93351", "93352", "93306", "93307", "93320", "93325", "Q9957x2", "0439T"),
    "add-ons alone": _charges("93352"),
    "add-ons on a claim": _claim("93352"),
    "add-ons beside studies, undated": lambda count: _undated(_charges("93352", "93351")(count)),
    "add-ons with modifiers": _claim("93352-26", "93351-26"),
    "supplies": _charges("93351", "93352", "Q9957x2", given=["Definity 1.3 mL"]),
    "supplies of all agents": _charges("93350", "Q9950", "Q9956", "Q9957", "A9700"),
    "waste": _claim("93351", "Q9957x2-JZ", "Q9957-JW", payer="Medicare"),
    "stress drugs": _hospital("93350", "J1250", "J0461x40"),
    "practitioners": _charges("93351 by dr{}", "93352 by dr{}", "Q9957x2 by dr{}"),
    "hospital lines": _hospital("93350", "93352", "C8928", "Q9957x2", given=["Definity 1.3 mL"]),
    "diagnoses": lambda count: {**_claim("93351 dx I10", "93352 dx R07.9")(count), "diagnoses": ["I25.10"]},
    "studies": _many_studies,
    "days": _many_days,
    "orders, procedures and charges": _chain,
    "orders": _orders("93350", "93351", "words stress echo with contrast", "Definity"),
    "administrations": lambda count: {"lines": "93351", "given": ["Definity 0.1 mL"] * count},
    "procedures": lambda count: {"lines": "93351", "done": ["93350"] * count, "given": ["Definity 1.3 mL"]},
    "procedures of one practitioner": lambda count: {"lines": "93351 by A", "done": ["93350 by A"] * count},
    "reports": lambda count: {"lines": "93351", "reported": ["words stress echo with Definity"] * count},
    "unknown charges": _charges("93351", f"{LOCAL} bare", given=["Definity 1.3 mL"]),
    "unknown drugs": lambda count: {
        "lines": "93351, 93352",
        "given": [f"RxNorm {number}" for number in range(count)],
    },
}


def _undated(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "undated": True}


def body_of(shape: Shape, count: int) -> tuple[str, bytes]:
    """The service and the body of a call of so many lines."""
    case = shape(count)
    undated, untyped, copies = case.pop("undated", False), case.pop("untyped", False), case.pop("claims", 1)
    request = WRITER.request(WRITER.parsed(case))
    entries = request["context"].get("draftCharges", {}).get("entry", [])
    for entry in entries if undated else ():
        del entry["resource"]["occurrenceDateTime"]
    for entry in entries if untyped else ():
        del entry["resource"]["type"]
    if copies > 1:
        entries[:] = [
            {"resource": {**entry["resource"], "id": f"{number}"}} for entry in entries for number in range(copies)
        ]
    return service_of(case), json.dumps(request).encode().replace(f'"{LOCAL}"'.encode(), b'"615215"')


def measured(advisor: Advisor, shape: Shape, count: int) -> dict[str, Any]:
    """Seconds of CPU, megabytes and bytes of the answer of one call, in a process of its own; empty if refused."""
    service_id, body = body_of(shape, count)
    service = service_directory(advisor.hook_namespace).with_id(service_id)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(TooMuchWork):
            os.write(writer, json.dumps(_figures(advisor, service, body)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        figures: dict[str, Any] = json.loads(pipe.read() or "{}")
    os.waitpid(child, 0)
    return figures


def _figures(advisor: Advisor, service: Service, body: bytes) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    response = advisor.answer(service, body).response
    seconds = time.process_time() - started
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"seconds": seconds, "megabytes": megabytes, "answer": len(msgspec.json.encode(response))}


def rows(names: Collection[str] = SHAPES) -> Iterator[tuple[str, ...]]:
    """The figures of each shape as cells, in the order of HEADS. A call that was refused as too costly has dashes."""
    advisor = create_advisor(Settings(mode="development"))
    garbage_collection.tune()
    for name in names:
        found = []
        for count in LINES:
            found.append(measured(advisor, SHAPES[name], count))
            if found[-1].get("seconds", TOO_SLOW_TO_GROW) >= TOO_SLOW_TO_GROW:
                break
        taken = [(count, each["seconds"]) for count, each in zip(LINES, found, strict=False) if "seconds" in each]
        times = [number(seconds) for _, seconds in taken] + ["-"] * (len(LINES) - len(taken))
        last = found[len(taken) - 1]
        grown = f"{exponent(taken[-2:]):.2f}" if len(taken) > 1 else "-"
        yield (name, *times, grown, f"{last['megabytes']:.0f}", f"{last['answer'] // 1000:,}")


def measured_table() -> str:
    """The shapes as a Markdown table."""
    return table(HEADS, rows())


if __name__ == "__main__":
    for cells in rows(sys.argv[1:] or SHAPES):
        sys.stdout.write(f"{cells[0]:34} {'  '.join(f'{cell:>7}' for cell in cells[1:])}\n")
        sys.stdout.flush()
