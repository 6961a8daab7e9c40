"""`cds-service audit`: options, progress and output of the audit."""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cds_service.audit.exports import open_export
from cds_service.audit.fees import FeeTable, load_fees
from cds_service.audit.medicare_fees import MEDICARE
from cds_service.audit.workers import Workers
from cds_service.cli import examples, require_extra
from cds_service.errors import UnreadableInput
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.languages.known import ENGLISH, LANGUAGES, Language, language_of
from cds_service.settings import load_settings

NEEDED = {"embedded": ("duckdb", "pyarrow"), "spark": ("pyspark", "pyarrow", "pandas")}
EXTRA = {"embedded": "audit", "spark": "spark"}

_TAGS = ", ".join(each.tag for each in LANGUAGES)

CreateAuditor = Callable[..., Any]


class _Group(click.Group):
    """A group whose default command is `run`: `audit EXPORT` means `audit run EXPORT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the default command, which are those that people look for here."""
        options = [each for each in self.commands["run"].get_params(ctx) if isinstance(each, click.Option)]
        records = [record for each in options if (record := each.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(records)
        self.format_commands(ctx, formatter)


def audit_group(create: CreateAuditor) -> click.Group:
    """The commands. `create` creates the auditor from settings, fees and `everything`, in each process."""

    @click.group(
        "audit",
        cls=_Group,
        options_metavar="EXPORT --out DIR [OPTIONS]",
        subcommand_metavar="| diff A B",
        epilog=examples("audit export/ --out audit/", "audit diff before/ after/ --csv new.csv"),
    )
    def audit() -> None:
        """Run the rules over a FHIR Bulk Data export, or compare two audits (`diff`)."""

    audit.add_command(_run_command(create))
    audit.add_command(_diff)
    return audit


@click.command("diff", epilog=examples("audit diff audit-q2/ audit-q3/"))
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print the whole comparison as JSON.")
@click.option("--csv", "work_list", type=click.Path(path_type=Path), help="Write the new findings as a work list.")
def _diff(before: Path, after: Path, as_json: bool, work_list: Path | None) -> None:
    """Compare two audits: findings that are new, gone or changed in B, by rule and table version.

    Exit code 0: the same findings. 1: different findings. 2: a folder is not a finished audit.
    """
    require_engine("embedded")
    from cds_service.audit.compare import compare, in_words, open_audit, write_new  # noqa: PLC0415  # needs the extra

    audits = open_audit(before), open_audit(after)
    difference = compare(*audits)
    if work_list:
        write_new(*audits, work_list)
    for line in [json.dumps(difference, indent=2)] if as_json else in_words(difference):
        click.echo(line)
    sys.exit(1 if difference["findings"] else 0)


def _run_command(create: CreateAuditor) -> click.Command:
    @click.command(
        "run", epilog=examples("audit export/ --out audit/ --complete MedicationAdministration --fees fees.csv")
    )
    @click.argument("export", type=str, metavar="EXPORT")
    @click.option("--out", required=True, metavar="DIR", help="Folder for the results.")
    @click.option(
        "--complete",
        default="",
        metavar="TYPES",
        help=f"Resource types that the export holds completely, separated by commas; only for these, missing records "
        f"count as absent. Of {', '.join(PREFETCH_KEYS)}.",
    )
    @click.option(
        "--fees",
        metavar="FILE|medicare",
        help="Fee table (CSV: code, setting, amount) for the estimate; or `medicare`, national by the loaded tables.",
    )
    @click.option(
        "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Processes; default one per core."
    )
    @click.option(
        "--memory", "memory_mb", type=click.IntRange(64), default=256, help="Memory limit of DuckDB in MB; default 256."
    )
    @click.option("--resume", is_flag=True, help="Resume an interrupted run.")
    @click.option("--overwrite", is_flag=True, help="Replace an audit in DIR.")
    @click.option("--strict", is_flag=True, help="Stop at the first rejected line.")
    @click.option("--everything", is_flag=True, help="Also review cases without relevant records (slow).")
    @click.option(
        "--engine",
        type=click.Choice(["embedded", "spark"]),
        default="embedded",
        show_default=True,
        help="Embedded DuckDB, or Spark.",
    )
    @click.option(
        "--language",
        metavar="TAG",
        default=ENGLISH.tag,
        show_default=True,
        callback=_language,
        help=f"Language of the report, one of {_TAGS}.",
    )
    @click.option("--master", help="Spark master, such as local[*]; only with --engine spark.")
    def run(export: str, complete: str, fees: str | None, engine: str, **chosen: Any) -> None:
        """Run the rules over EXPORT: a folder of NDJSON files, plain or gzip, or a Bulk Data manifest with its files.

        Exit code 0: done. 2: the export or an option cannot be used.
        """
        require_engine(engine)
        types = _types(complete)
        make = partial(create, load_settings(), _fees(fees), chosen["everything"], chosen.pop("language"))
        if fees == MEDICARE:
            make()  # refuse before any worker starts
        summary = _start(engine, export, make, types, dict(chosen))
        _print_summary(summary, chosen["out"])

    return run


def require_engine(engine: str) -> None:
    """Exit with code 2 and the install command if the packages of an engine are missing."""
    require_extra(EXTRA[engine], NEEDED[engine])


def _language(_context: click.Context, _option: click.Parameter, tag: str) -> Language:
    """The language of a tag, also of a region's such as es-MX."""
    found = language_of(tag)
    if found is None:
        raise click.BadParameter(f"expected one of {_TAGS}")
    return found


def _fees(written: str | None) -> FeeTable | Literal["medicare"]:
    if written == MEDICARE:
        return MEDICARE
    return load_fees(Path(written)) if written else FeeTable()


def _types(written: str) -> tuple[str, ...]:
    types = tuple(each.strip() for each in written.split(",") if each.strip())
    if not set(types) <= set(PREFETCH_KEYS):
        raise UnreadableInput(f"--complete: expected types from {', '.join(PREFETCH_KEYS)}")
    return types


def _start(engine: str, export: str, make: Any, types: tuple[str, ...], chosen: dict[str, Any]) -> dict[str, Any]:
    master, out, jobs = chosen.pop("master"), chosen.pop("out"), chosen.pop("jobs")
    options = {"out": Path(out), "complete": types, **chosen}
    if engine == "embedded" and master:
        raise UnreadableInput("--master: only with --engine spark")
    if engine == "spark" and chosen["resume"]:
        raise UnreadableInput("--resume: only with the embedded engine; Spark retries failed tasks itself")
    if engine == "embedded":
        return _run_embedded(export, Workers(make, jobs), options)
    from cds_service.audit.run import Options  # noqa: PLC0415
    from cds_service.audit.spark_engine import run_on_spark  # noqa: PLC0415  # needs the extra

    with _ProgressDisplay() as progress:
        return run_on_spark(export, out, make, Options(**options), progress, master)


def _run_embedded(export: str, workers: Workers, options: dict[str, Any]) -> dict[str, Any]:
    from cds_service.audit.run import Options, run_audit  # noqa: PLC0415  # needs the extra; after the workers are started

    with workers, _ProgressDisplay() as progress:
        return run_audit(open_export(Path(export)), workers, Options(**options), progress)


class _ProgressDisplay:
    """Progress bars with rate and time left; hidden if standard error is not a terminal."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]:>16}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self.bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task: TaskID | None = None
        self.unit = ""

    def __enter__(self) -> "_ProgressDisplay":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def begin(self, step: str, total: float, unit: str) -> None:
        """A step of a known size begins."""
        self.unit = unit
        self.task = self.bars.add_task(step, total=total, rate="")

    def advance(self, amount: float) -> None:
        """An amount of the step is done."""
        if self.task is None:
            return
        self.bars.advance(self.task, amount)
        speed = next(task.speed for task in self.bars.tasks if task.id == self.task)
        self.bars.update(self.task, rate=_rate(speed, self.unit))


def _rate(speed: float | None, unit: str) -> str:
    if not speed:
        return ""
    return f"{speed / 1_000_000:.1f} MB/s" if unit == "bytes" else f"{speed:.1f} {unit}/s"


def _empty(cases: int) -> str:
    return f"; {cases} further cases held nothing of an echo" if cases else ""


def _print_summary(summary: dict[str, Any], out: str) -> None:
    """Print the results in a few lines."""
    total, facts = summary["total"], summary["facts"]
    rejects = sum(each["lines"] for each in summary["rejects"])
    click.echo(
        f"{facts['lines']} lines, {facts['reviewed']} cases reviewed: {total['findings']} findings, "
        f"{total['warnings']} of them warnings{_empty(facts['empty'])}"
    )
    for each in summary["questions"]:
        click.echo(f"  {each['findings']:>8}  {each['text']}")
    if summary["about"]["fees"]:
        click.echo(f"  estimate: ${total['underValue']} undercharged, ${total['overValue']} overcharged")
    if rejects:
        click.echo(f"  {rejects} lines rejected, see {out}/rejects.ndjson")
    for note in summary["notes"]:
        click.echo(f"  note: {note}")
    click.echo(f"{out}/report.html")
    click.echo(f"{out}/findings.csv")
