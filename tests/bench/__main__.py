"""Measures the service beside the baseline and, where it is installed, HealthChain; prints and writes the tables."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import calls, shapes
from tests.bench.lived import Rounds, lived
from tests.bench.measure import LOAD_CORE, SERVER_CORE, Figure, alternating, exponent, measure, one_by_one
from tests.bench.report import machine, number, ratio, table
from tests.bench.servers import BASELINE, FROZEN_BASELINE, Running, peers, running, service
from tests.bench.variants import VARIANTS
from tests.support.running import ROOT

RESULTS = ROOT / "deploy" / "speed-results.md"

SMALL, LARGE = 12_000, 200_000
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
LINES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)

TOO_SLOW = "over 10 s"

# CPU beside the baseline's, by size, number of cards, and for calls that are not about an echo.
TARGETS = {(SMALL, 0): 3.0, (SMALL, 2): 3.5, (LARGE, 0): 1.2, (LARGE, 2): 1.2}
TARGETS_OF_OTHERS = {SMALL: 1.8, LARGE: 0.8}


def target_of(size: int, call: calls.Call) -> float:
    """The target for a call of about so many bytes."""
    return TARGETS_OF_OTHERS[size] if "another matter" in call.name else TARGETS[size, call.cards]


class Bench:
    """A run: how long each measurement takes in seconds, how many rounds, and where things may be written."""

    def __init__(self, seconds: float, rounds: int, folder: Path) -> None:
        self.seconds = seconds
        self.rounds = rounds
        self.folder = folder

    def sections(self) -> Iterator[str]:
        """The tables, one after the other."""
        first = calls.measured(SMALL)[0]
        with ExitStack() as stack:
            start = partial(running, folder=self.folder, cores=[SERVER_CORE], first=first)
            baselines = [stack.enter_context(start(each)) for each in (BASELINE, FROZEN_BASELINE)]
            variants = []
            for each in VARIANTS:
                environment = each.prepare(self.folder)
                server = service(f"service, {each.name}", 1, each.tokens, **environment)
                variants.append(stack.enter_context(start(server)))
            yield "## Against the baseline\n\n" + self._against_baseline(baselines, variants)
            others = [stack.enter_context(start(each)) for each in peers()]
            if others:
                yield "## Against HealthChain\n\n" + self._beside_peers(variants[0], others)
            yield "## Memory and start\n\n" + _memory_and_start([*baselines, *variants, *others])
            yield "## Growth\n\n" + self._growth(variants[0])
        yield "## The lived call\n\n" + lived(Rounds(self.seconds, self.rounds, self.folder))
        yield "## Shapes\n\n" + shapes.measured_table()
        yield "## Workers\n\n" + self._workers(first)

    # --- tables -----------------------------------------------------------------------------------------------------

    def _against_baseline(self, baselines: list[Running], variants: list[Running]) -> str:
        heads = (
            "prefetch",
            "call",
            "server",
            "req/s",
            "p50 ms",
            "p99 ms",
            "p99/p50",
            "CPU ms",
            "of baseline",
            "of frozen baseline",
        )
        rows = []
        for size in (SMALL, LARGE):
            for call in calls.measured(size):
                servers = [*baselines, *variants]
                figures = self._figures(servers, call)
                for server, figure in zip(servers, figures, strict=True):
                    target = target_of(size, call) if server is variants[0] else None
                    beside = [ratio(figure.cpu_ms, figures[0].cpu_ms, target)]
                    beside += [ratio(figure.cpu_ms, figures[1].cpu_ms)]
                    rows.append((f"{size // 1000} KB", call.name, server.server.name, *_figures(figure), *beside))
        return table(heads, rows)

    def _beside_peers(self, mine: Running, others: list[Running]) -> str:
        rows = []
        for size in (SMALL, LARGE):
            call = calls.measured(size)[0]
            servers = [mine, *others]
            figures = self._figures(servers, call)
            for server, figure in zip(servers, figures, strict=True):
                times = figures[0].per_second / figure.per_second
                rows.append((f"{size // 1000} KB", server.server.name, *_figures(figure), f"{times:.1f}"))
        heads = ("prefetch", "server", "req/s", "p50 ms", "p99 ms", "p99/p50", "CPU ms", "service is faster by")
        return table(heads, rows)

    def _figures(self, servers: list[Running], call: calls.Call) -> list[Figure]:
        return alternating([(server, call) for server in servers], self.rounds, self.seconds, self.folder)

    def _growth(self, server: Running) -> str:
        series: dict[str, list[tuple[int, calls.Call]]] = {
            "bytes of prefetch": [(size, calls.of_size(size)) for size in SIZES]
        }
        for name, make in LINE_KINDS.items():
            series[name] = [(count, calls.of_lines(count, make)) for count in LINES]
        return "\n\n".join(self._series(name, points, server) for name, points in series.items())

    def _series(self, name: str, points: list[tuple[int, calls.Call]], server: Running) -> str:
        """Costs by size. What any call costs, as seen at the smallest, is no growth."""
        costs = [(size, one_by_one(server, call, self.seconds / 2)) for size, call in points]
        smallest, least = costs[0]
        grown = [(size - smallest, cost - least) for size, cost in costs if cost and least and cost > 1.2 * least]
        fitted = f"{exponent(grown):.2f}" if len(grown) > 1 else "-"
        row = [number(cost) if cost else TOO_SLOW for _, cost in costs]
        return table([name, *(_short(size) for size, _ in costs), "exponent"], [["CPU ms", *row, fitted]])

    def _workers(self, call: calls.Call) -> str:
        """Two workers share the cores with the load, so the load's share of each core is taken out."""
        rows = []
        for size in (SMALL, LARGE):
            call = calls.measured(size)[0]
            costs = []
            for workers in (1, 2):
                server = service(f"{workers} workers", workers)
                with running(server, self.folder, [SERVER_CORE, LOAD_CORE], call) as started:
                    costs.append(measure(started, call, 2 * self.seconds, self.folder))
            one, two = costs
            capacity = 2 * one.cpu_ms / two.cpu_ms
            rows.append(
                (f"{size // 1000} KB", *(number(each.per_second) for each in costs), number(one.cpu_ms),
                 number(two.cpu_ms), f"{capacity:.2f}")
            )  # fmt: skip
        heads = (
            "prefetch",
            "req/s, 1 worker",
            "req/s, 2 workers",
            "CPU ms, 1",
            "CPU ms, 2",
            "2 workers, load taken out",
        )
        return table(heads, rows)


LINE_KINDS: dict[str, calls.MakeLine] = {
    "lines that are no echo's": calls.other_lines,
    "lines of stress echoes": calls.echo_lines,
    "lines, most of them supplies of 28 studies": calls.supply_lines,
}


def _figures(figure: Figure) -> tuple[str, ...]:
    every = (figure.per_second, figure.p50, figure.p99, figure.p99 / figure.p50, figure.cpu_ms)
    return tuple(number(each) for each in every)


def _memory_and_start(servers: list[Running]) -> str:
    rows = [(each.server.name, f"{each.peak_megabytes():.0f}", f"{each.start_seconds:.2f}") for each in servers]
    return table(("server", "peak RSS, MB", "start to first answer, s"), rows)


def _short(size: int) -> str:
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if size >= unit:
            return f"{size // unit}{letter}"
    return str(size)


def main() -> None:
    """Run all measurements, in some fifteen minutes, or shorter ones with `--quick`."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short measurements, for a first look")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file that takes the tables")
    chosen = parser.parse_args()
    seconds, rounds = (1.0, 1) if chosen.quick else (2.0, 3)
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for section in Bench(seconds, rounds, Path(folder)).sections():
            print(section, end="\n\n", flush=True)
            parts.append(section)
    head = "# Speed, measured\n\nWritten by `make bench`; `speed.md` says how to read it.\n\n" + machine()
    chosen.output.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
