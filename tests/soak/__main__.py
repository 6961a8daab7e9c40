"""`make soak`: a service with two workers under load for minutes; exit code 1 where something grows or answers 500."""

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.running import running
from tests.soak.growth import Growth, Sample, growth_of, sample
from tests.soak.load import Load

# The first calls fill caches and pools; what comes after them is looked at.
_WARM_UP = 0.25
_SAMPLES = 60


@click.command()
@click.option("--seconds", default=180.0, show_default=True, help="How long, warming up included.")
@click.option("--workers", default=2, show_default=True)
def main(seconds: float, workers: int) -> None:
    """Hold a service under load and print what its workers hold."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), workers) as service:
        processes = service.workers()
        with Load(service.address) as load:
            samples = _watch(processes, seconds)
        grown = [each for process in processes for each in _show(process, growth_of(samples[process]))]
        same = service.workers() == processes
    click.echo(f"answers: {sum(load.statuses.values())}, by status {dict(sorted(load.statuses.items()))}")
    faults = [status for status in load.statuses if status >= 500]
    if not same:
        click.echo("a worker died and was replaced")
    click.echo(f"growing: {', '.join(grown) or 'nothing'}")
    sys.exit(1 if grown or faults or not same else 0)


def _watch(processes: list[int], seconds: float) -> dict[int, list[Sample]]:
    time.sleep(seconds * _WARM_UP)
    found: dict[int, list[Sample]] = {process: [] for process in processes}
    pause = seconds * (1 - _WARM_UP) / _SAMPLES
    for _ in range(_SAMPLES):
        time.sleep(pause)
        for process in processes:
            found[process].append(sample(process, time.monotonic()))
    return found


def _show(process: int, growths: list[Growth]) -> list[str]:
    for each in growths:
        change = f"{each.first:8.1f} -> {each.last:8.1f}  {each.an_hour:+9.1f} an hour"
        click.echo(f"worker {process}  {each.what:12} {change}{'  GROWS' if each.is_growth else ''}")
    return [each.what for each in growths if each.is_growth]


if __name__ == "__main__":
    main()
