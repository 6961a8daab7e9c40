"""The call as it is lived: with a FHIR server named, signed, through two workers, and with every code checked.

What each of these adds is measured against the same call without it, in the same rounds.
"""

import json
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import calls
from tests.bench.every_code import SEED, bodies
from tests.bench.measure import SERVER_CORE, Figure, alternating
from tests.bench.report import number, table
from tests.bench.servers import Running, running, service
from tests.bench.variants import VARIANTS, Variant
from tests.support import cms_world
from tests.support.cms_release import load
from tests.support.sound_claims import Facts

SIZES = (12_000, 200_000)
WORKERS = 2

# The most that a FHIR server that need not be asked may cost, of a call's CPU time; and the most milliseconds that a
# check of RS384 may, and the check of every code of a claim of 50 lines.
MOST_FOR_SERVER, MOST_FOR_RS384, MOST_FOR_EVERY_CODE = 0.05, 0.15, 1.0

HEADS = ("call", "with", "CPU ms", "more, ms", "more, %", "target")


@dataclass(frozen=True)
class Rounds:
    """The extent of a measurement: seconds of each call, rounds, and a folder to write to."""

    seconds: float
    rounds: int
    folder: Path

    def figures(self, pairs: list[tuple[Running, calls.Call]]) -> list[Figure]:
        """The figures of each call on its server, which take turns."""
        return alternating(pairs, self.rounds, self.seconds, self.folder)


def lived(rounds: Rounds) -> str:
    """A table of what each part of a lived call adds."""
    rows = [*_named_and_signed(rounds), _every_code(rounds)]
    return table(HEADS, rows)


def _named_and_signed(rounds: Rounds) -> Iterator[tuple[str, ...]]:
    with ExitStack() as stack:
        first = calls.measured(SIZES[0])[0]
        started = [stack.enter_context(_started(each, rounds.folder, first)) for each in VARIANTS]
        plain, es384, rs384 = started
        for size in SIZES:
            every = calls.measured(size)
            for call in (every[0], every[-1]):
                silent, naming = replace(call, naming="never"), replace(call, naming="always")
                pairs = [(plain, silent), (plain, naming), (es384, silent), (rs384, silent)]
                alone, named, slow, quick = rounds.figures(pairs)
                name = f"{size // 1000} KB, {call.name}"
                yield (name, "nothing", number(alone.cpu_ms), "", "", "")
                is_met = named.cpu_ms <= alone.cpu_ms * (1 + MOST_FOR_SERVER)
                yield (name, "a FHIR server", *_more(named, alone), _met(f"{MOST_FOR_SERVER:.0%}", is_met))
                yield (name, "ES384", *_more(slow, alone), "")
                is_met = quick.cpu_ms - alone.cpu_ms <= MOST_FOR_RS384
                yield (name, "RS384", *_more(quick, alone), _met(f"{MOST_FOR_RS384} ms", is_met))


def _every_code(rounds: Rounds) -> tuple[str, ...]:
    """A sound claim of 50 lines of any specialty, with the tables of two quarters."""
    tables = load(rounds.folder / "tables", *cms_world.releases(SEED))
    body = random.Random(SEED).choice(bodies(Facts.of(tables))["sound"])
    call = calls.Call("claim of 50 lines", calls.CLAIM_REVIEW, body, naming="never")
    with ExitStack() as stack:
        pairs = []
        for scope in ("echo", "all"):
            site = rounds.folder / f"{scope}.yaml"
            site.write_text(json.dumps({"scope": scope}))  # JSON is YAML
            environment = {"CDS_TABLES_DIR": str(tables), "CDS_SITE_FILE": str(site)}
            server = service(f"scope: {scope}", WORKERS, None, **environment)
            pairs.append((stack.enter_context(running(server, rounds.folder, [SERVER_CORE], call)), call))
        echo, every = rounds.figures(pairs)
    is_met = every.cpu_ms - echo.cpu_ms <= MOST_FOR_EVERY_CODE
    return (call.name, "every code checked", *_more(every, echo), _met(f"{MOST_FOR_EVERY_CODE:g} ms", is_met))


def _started(variant: Variant, folder: Path, first: calls.Call) -> AbstractContextManager[Running]:
    server = service(f"service, {variant.name}", WORKERS, variant.tokens, **variant.prepare(folder))
    return running(server, folder, [SERVER_CORE], first)


def _more(figure: Figure, without: Figure) -> tuple[str, str, str]:
    more = figure.cpu_ms - without.cpu_ms
    return number(figure.cpu_ms), f"{more:+.2f}", f"{100 * more / without.cpu_ms:+.0f}"


def _met(target: str, is_met: bool) -> str:
    return f"{target}, {'met' if is_met else '**missed**'}"
