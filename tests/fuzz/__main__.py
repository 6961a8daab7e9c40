"""Hammers a service that it starts itself, and prints what came of it; or sends one kept case again."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from tests.fuzz.bases import bases
from tests.fuzz.case import load
from tests.fuzz.client import HttpClient
from tests.fuzz.fetched import Shelf, shelf
from tests.fuzz.oracles import Judge
from tests.fuzz.run import Plan, Tally, faults_of_log, hammer, keep
from tests.support.running import Service, running


@click.command()
@click.option("--requests", "count", default=100_000, show_default=True, help="How many cases are sent.")
@click.option("--seed", default=1, show_default=True, help="Another seed gives other cases, the same one the same.")
@click.option("--seconds", default=1800.0, show_default=True, help="It ends after so long, done or not.")
@click.option("--clients", default=3, show_default=True, help="How many processes send.")
@click.option("--failures", default=Path("fuzz-failures"), show_default=True, type=Path, help="Where failing cases go.")
@click.option("--replay", type=click.Path(exists=True, path_type=Path), help="Send one failing case again.")
def main(*, count: int, seed: int, seconds: float, clients: int, failures: Path, replay: Path | None) -> None:
    """Send damaged requests to the service and judge its answers. Exit code 1: something was wrong."""
    with started() as (service, fhir):
        if replay:
            sys.exit(_replay(replay, service, fhir))
        corpus = os.environ.get("CORPUS_DIR")
        good, plan, began = (
            bases(Path(corpus) if corpus else None),
            Plan(count, seed, seconds, clients),
            time.monotonic(),
        )
        tally = hammer(service.address, fhir, good, plan)
        _show(tally, time.monotonic() - began, plan)
        log = faults_of_log(service.log.read_text(errors="replace").splitlines())
    for line in log[:20]:
        click.echo(line)
    for path, failure in zip(keep(tally.failures, failures), tally.failures, strict=True):
        click.echo(f"{path}: {failure.case.name[:200]}\n    {'; '.join(failure.reasons)[:600]}")
    unsent = plan.count - tally.cases
    click.echo(f"failures: {tally.failed}; alarms in the log: {len(log)}; cases for which there was no time: {unsent}")
    sys.exit(1 if tally.failed or log or unsent else 0)


@contextmanager
def started() -> Iterator[tuple[Service, Shelf]]:
    """A service, and a FHIR server that is the only one that it may ask."""
    with (
        tempfile.TemporaryDirectory() as folder,
        shelf(Path(folder) / "shelf") as fhir,
        running(Path(folder), CDS_FHIR_SERVERS=fhir.address) as service,
    ):
        yield service, fhir


def _replay(path: Path, service: Service, fhir: Shelf) -> int:
    case = load(path)
    with closing(HttpClient(service.address, fhir)) as client:
        answer = client.send(case)
        reasons = Judge(client).faults(case, answer)
    click.echo(
        f"{case.name}\n{case.method} {case.path}: {answer.status}\n{answer.body.decode(errors='replace')[:3000]}"
    )
    click.echo("\n".join(f"wrong: {reason}" for reason in reasons) or "nothing is wrong")
    return 1 if reasons else 0


def _show(tally: Tally, seconds: float, plan: Plan) -> None:
    for route in sorted({route for route, _ in tally.statuses}):
        by_status = {status: count for (name, status), count in sorted(tally.statuses.items()) if name == route}
        click.echo(f"{route:56}" + "".join(f"{status:>6} {count:<7}" for status, count in by_status.items()))
    rate = tally.requests / seconds
    click.echo(f"requests: {tally.requests} in {seconds:.0f} seconds ({rate:.0f} a second), seed {plan.seed}")


if __name__ == "__main__":
    main()
