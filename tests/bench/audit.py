"""Measures the audit: `make bench-audit`, or `python -m tests.bench.audit [--sizes 10000,100000] [--spark PYTHON]`.

Every figure is of the whole command, from the start of Python to the report. CPU seconds are those of all its
processes, memory is what they hold alone and their part of what they share (PSS), at its highest. In most exports of a
hospital few patients have an echo (here one of five); in the dense one, all records belong to echoes.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from pathlib import Path

import orjson

from tests.support import synth
from tests.support.running import ROOT

SIZES = (10_000, 100_000, 1_000_000)
LINES_OF_A_PATIENT = 43  # about, with 40 records beside the echoes
ECHO_SHARE = 0.2
DENSE_PATIENTS = 8_000
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """A run of the command."""

    lines: int
    cases: int
    wall: float
    cpu: float
    memory_mb: float

    def row(self, name: str) -> str:
        """As a row of a Markdown table."""
        rates = f"{self.lines / self.wall:,.0f} | {self.lines / self.cpu:,.0f} | {self.cases / self.wall:,.0f}"
        took = f"{self.wall:.1f} | {self.cpu:.1f}"
        return f"| {name} | {self.lines:,} | {self.cases:,} | {took} | {rates} | {self.memory_mb:,.0f} |"


HEAD = (
    "| run | lines | echo cases | wall s | CPU s | lines/s | lines/CPU s | cases/s | peak MB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def exports(folder: Path, sizes: tuple[int, ...]) -> dict[int, Path]:
    """An export of about so many lines for each size; under 0, the dense one."""
    dense = synth.generate(DENSE_PATIENTS, seed=1, echo_share=1, background=0)
    synth.write(dense, folder / "dense", seed=1, sloppy=False)
    found = {0: folder / "dense"}
    for size in sizes:
        made = synth.generate(size // LINES_OF_A_PATIENT, seed=size, echo_share=ECHO_SHARE, background=40)
        synth.write(made, folder / str(size), seed=size, sloppy=False)
        found[size] = folder / str(size)
    return found


def measure(export: Path, out: Path, python: str, *options: str) -> Measured:
    """Run the command and watch it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    command = [python, "-m", "cds_service", "audit", str(export), "--out", str(out), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = Seen()
    watcher = threading.Thread(target=_watch, args=(process, seen), daemon=True)
    watcher.start()
    _, errors = process.communicate()
    wall = time.monotonic() - start
    watcher.join()
    if process.returncode:
        raise SystemExit(errors.decode()[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited_for = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cpu = max(waited_for, sum(seen.cpu.values()))  # nobody waits for Spark's JVM: it is only seen
    facts = orjson.loads((out / "summary.json").read_bytes())["facts"]
    return Measured(facts["lines"], facts["reviewed"], wall, cpu, seen.peak_mb)


@dataclass
class Seen:
    """Observations of running processes: their peak memory, and the CPU seconds of each."""

    peak_mb: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)


def _watch(process: subprocess.Popen[bytes], seen: Seen) -> None:
    while process.poll() is None:
        family = list(_family(process.pid))
        seen.peak_mb = max(seen.peak_mb, sum(_held_mb(each) for each in family if not _is_borrowed(each)))
        seen.cpu |= {each: used for each in family if (used := _cpu_seconds(each)) is not None}
        time.sleep(SAMPLE_SECONDS)


def _cpu_seconds(pid: int) -> float | None:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else None


def _stat(pid: int) -> list[str]:
    """The kernel's fields of a process, from its state on; empty if it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_borrowed(pid: int) -> bool:
    """True if its memory is another's: a JVM has many threads, and a child runs in its memory for a moment."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return True  # it has ended meanwhile
    return program.endswith(b"java") and _stat(pid)[17:18] == ["1"]


def _family(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue  # it has ended meanwhile
        for child in children:
            yield from _family(int(child))


def _held_mb(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0  # it has ended meanwhile
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def baseline(export: Path) -> float:
    """Lines a CPU second of one process that decodes each line with orjson and asks one trivial question of it."""
    start, lines, hits = time.process_time(), 0, 0
    for path in sorted(export.glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                lines += 1
                hits += orjson.loads(line).get("status") == "active"
    assert hits
    return lines / (time.process_time() - start)


def main() -> None:
    """Print the figures as tables."""
    parser = argparse.ArgumentParser(description="Measure the audit.")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--spark", help="a Python with the extra `spark`")
    parser.add_argument("--spark-sizes", default="100000")
    chosen = parser.parse_args()
    sizes = tuple(int(size) for size in chosen.sizes.split(","))
    with tempfile.TemporaryDirectory() as folder:
        found = exports(Path(folder), sizes)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
        print(f"baseline (orjson, one process): {baseline(found[max(sizes)]):,.0f} lines a CPU second\n\n{HEAD}")
        single = _engine(found, Path(folder), (*sizes, 0))[: len(sizes)]
        if chosen.spark:
            _spark(found, Path(folder), chosen.spark, [int(size) for size in chosen.spark_sizes.split(",")])
    _growth(single)


def _engine(found: dict[int, Path], folder: Path, sizes: tuple[int, ...]) -> list[Measured]:
    single = []
    for size in sizes:
        runs = [
            measure(found[size], folder / f"out-{size}-{jobs}", sys.executable, "--jobs", str(jobs)) for jobs in (1, 2)
        ]
        for jobs, run in zip((1, 2), runs, strict=True):
            name = f"DuckDB, {jobs} core{'s' if jobs > 1 else ''}{'' if size else ', dense'}"
            print(run.row(name), flush=True)
        single.append(runs[0])
        print(f"| second core | | | {runs[0].wall / runs[1].wall:.2f} times | | | | | |", flush=True)
    return single


def _spark(found: dict[int, Path], folder: Path, python: str, sizes: list[int]) -> None:
    for size in (each for each in sizes if each in found):
        for cores in (1, 2):
            options = ("--engine", "spark", "--master", f"local[{cores}]")
            run = measure(found[size], folder / f"spark-{size}-{cores}", python, *options)
            print(run.row(f"Spark, local[{cores}]"), flush=True)


def _growth(runs: list[Measured]) -> None:
    """The growth of CPU time with the number of lines (1: proportional), over all sizes and between the two largest."""
    points = [(log(run.lines), log(run.cpu)) for run in runs]
    if len(points) < 2:
        return
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    last = (points[-1][1] - points[-2][1]) / (points[-1][0] - points[-2][0])
    print(f"\ngrowth exponent: {slope:.2f} over all sizes, {last:.2f} between the two largest")


if __name__ == "__main__":
    main()
