"""One audit with the embedded engine, from the export to the report; takes up what an interrupted run has left."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from cds_service.audit import html_report, output_files
from cds_service.audit.chunks import Chunk, pieces_of
from cds_service.audit.duckdb_engine import ChunkResult, Engine, PartitionResult, Progress, quoted
from cds_service.audit.exports import Export, Shard
from cds_service.audit.reviewer import Auditor
from cds_service.audit.scan import NAMED_TYPES
from cds_service.audit.summary import DRILL_DOWN, Run, summarise
from cds_service.audit.versions import rules_of, site_version, tables_of
from cds_service.audit.workers import Workers
from cds_service.errors import UnreadableInput
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.sources import PREFETCH_KEYS

WORK = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What whoever starts an audit may choose. `complete` are types of which the export holds all there are."""

    out: Path
    complete: tuple[str, ...] = ()
    memory_mb: int = 256
    resume: bool = False
    overwrite: bool = False
    strict: bool = False
    everything: bool = False
    fees: str = ""


def run_audit(export: Export, workers: Workers, options: Options, progress: Progress) -> dict[str, Any]:
    """Audit an export into a folder; the summary that is written there. Raises UnreadableInput."""
    auditor = workers.make()
    work = _prepare(export, auditor, options)
    pieces = pieces_of(export.shards)
    engine = Engine(work, workers, options.memory_mb, progress)
    scanned = engine.read(pieces, options.strict)
    known, doubts = known_whole(options.complete, _rejected_types(pieces, scanned))
    reviewed = engine.review(engine.group(options.everything), known)
    progress.begin("reporting", 1, "steps")
    with engine.database() as database:
        _finish(database, work)
        counts = RunCounts(_facts(export, scanned, reviewed), _summed(each.rejects for each in scanned))
        notes = (*export.notes, *doubts, *_short(export, pieces, scanned))
        run = describe(auditor, [shard.name for shard in export.shards], options, counts, notes, "embedded")
        summary = summarise(run, _asking(database))
        _write(database, work, options.out, summary, _places(pieces, scanned))
    progress.advance(1)
    shutil.rmtree(work)
    return summary


# --- where an interrupted run stands --------------------------------------------------------------------------------


def _prepare(export: Export, auditor: Auditor, options: Options) -> Path:
    """The working folder, empty or as the interrupted run of the same audit left it."""
    work, mark = options.out / WORK, _fingerprint(export, auditor, options)
    state = work / "audit.json"
    if (options.out / output_files.SUMMARY_FILE).exists():
        if options.resume:
            raise UnreadableInput(f"{options.out}: this audit is finished; there is nothing to resume")
        if not options.overwrite:
            raise UnreadableInput(f"{options.out}: holds an audit; choose another folder, or --overwrite it")
        for name in (output_files.SUMMARY_FILE, output_files.REPORT_FILE):
            (options.out / name).unlink(missing_ok=True)
    if options.resume and state.exists():
        if json.loads(state.read_text()) != mark:
            raise UnreadableInput(f"{options.out}: the export, the rules or the options have changed; start anew")
        return work
    if work.exists() and not options.overwrite and not options.resume:
        raise UnreadableInput(f"{options.out}: holds an unfinished audit; --resume it, or --overwrite it")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    output_files.write_whole(state, lambda path: path.write_text(json.dumps(mark)))
    return work


def _fingerprint(export: Export, auditor: Auditor, options: Options) -> dict[str, Any]:
    """What must be the same for a run to be taken up: files, rules, the site, and the options that change results."""
    return {
        "files": [[each.name, each.size, each.path.stat().st_mtime_ns] for each in export.shards],
        "rules": {name: each["version"] for name, each in rules_of(auditor.advisor.rules).items()},
        "tables": {name: each["version"] for name, each in tables_of(auditor.advisor.rules).items()},
        "site": site_version(auditor.advisor.site),
        "options": [sorted(options.complete), options.everything, options.strict],
        "fees": sorted([code, form, str(amount)] for (code, form), amount in auditor.fees.amounts.items()),
    }


# --- what is known whole --------------------------------------------------------------------------------------------


def known_whole(complete: Iterable[str], rejected: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The parts of the record that the export holds whole, and what is said where a part is not, for all.

    A line that cannot be read may have been the very record that is looked for, of any patient. `rejected` are the
    types of such lines, empty where it is not known.
    """
    wanted = set(complete)
    lost = {each for each in wanted if each in rejected or "" in rejected}
    lost |= {each for each in wanted if any(PREFETCH_KEYS.get(other) == PREFETCH_KEYS[each] for other in rejected)}
    doubts = tuple(
        f"{each} was said to be complete, and lines that may be of it could not be read: absence is not concluded."
        for each in sorted(lost)
    )
    flawed = {PREFETCH_KEYS[each] for each in lost}
    return frozenset(PREFETCH_KEYS[each] for each in wanted) - flawed, doubts


def _rejected_types(pieces: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> frozenset[str]:
    return frozenset(
        kind or type_in(piece.shard.name)
        for piece, each in zip(pieces, scanned, strict=True)
        for kind in each.rejected_kinds
    )


def type_in(name: str) -> str:
    """The resource type that a file is named after, empty where it is named after none."""
    return next((word for word in re.findall(r"[A-Za-z]+", name.rsplit("/", 1)[-1]) if word in R4_TYPES), "")


# --- what is said of the run ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a run has counted."""

    facts: Mapping[str, Any]
    rejects: Mapping[str, int]


def describe(
    auditor: Auditor, files: list[str], options: Options, counts: RunCounts, notes: tuple[str, ...], engine: str
) -> Run:
    """The head of the summary."""
    return Run(
        about={
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version("contrast-echo-cds"),
            "engine": engine,
            "complete": sorted(options.complete),
            "fees": options.fees,
            "files": files,
            "site": site_version(auditor.advisor.site),
            "switchedOff": sorted(auditor.advisor.site.rules_off),
        },
        facts=counts.facts,
        rejects=counts.rejects,
        rules=rules_of(auditor.advisor.rules),
        tables=tables_of(auditor.advisor.rules),
        questions=auditor.knowledge.questions,
        notes=notes,
    )


def _facts(export: Export, scanned: Iterable[ChunkResult], reviewed: Iterable[PartitionResult]) -> dict[str, Any]:
    read, done = tuple(scanned), tuple(reviewed)
    return {
        "files": len(export.shards),
        "bytes": sum(shard.size for shard in export.shards),
        "lines": sum(number for each in read for number in each.kinds.values()),
        "types": dict(sorted(_summed(each.kinds for each in read).items())),
        "patientsRead": sum(each.patients for each in done),
        "cases": sum(each.cases for each in done),
    }


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total


def _short(export: Export, pieces: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> list[str]:
    """Files that hold other numbers of lines than the manifest promises."""
    lines: dict[Shard, int] = {}
    for piece, each in zip(pieces, scanned, strict=True):
        lines[piece.shard] = lines.get(piece.shard, 0) + each.lines
    return [
        f"{shard.name}: the manifest promises {shard.expected} resources; the file has {lines.get(shard, 0)} lines."
        for shard in export.shards
        if shard.expected is not None and shard.expected != lines.get(shard, 0)
    ]


# --- the results ----------------------------------------------------------------------------------------------------


def _finish(database: duckdb.DuckDBPyConnection, work: Path) -> None:
    """All partitions as tables, with names for the references that the export gives names to."""
    parts = quoted(work / "reviewed")
    kinds = ", ".join(f"'{kind}'" for kind in sorted(NAMED_TYPES))
    scanned = f"read_parquet('{quoted(work / 'read')}/*.parquet')"
    for statement in (
        f"CREATE TABLE named AS SELECT kind || '/' || id AS ref, min(raw) AS name FROM {scanned} "  # noqa: S608
        f"WHERE kind IN ({kinds}) AND raw <> '' GROUP BY ALL",
        "CREATE TABLE names AS SELECT one.ref, coalesce(two.name, one.name) AS name "
        "FROM named one LEFT JOIN named two ON one.name = two.ref",
        f"CREATE VIEW findings AS SELECT f.* REPLACE ({_named('site', 'practitioner', 'payer')}) "  # noqa: S608
        f"FROM read_parquet('{parts}/*/findings.parquet') f {_joined('site', 'practitioner', 'payer')}",
        f"CREATE VIEW counts AS SELECT rule, outcome, reason, month, coalesce(n_site.name, site) AS site, "  # noqa: S608
        f"sum(cases)::BIGINT AS cases FROM read_parquet('{parts}/*/counts.parquet') f {_joined('site')} "
        "GROUP BY ALL ORDER BY ALL",
        f"CREATE VIEW left_out AS FROM read_parquet('{parts}/*/left_out.parquet') ORDER BY ALL",
    ):
        database.execute(statement)


def _named(*columns: str) -> str:
    return ", ".join(f"coalesce(n_{column}.name, f.{column}) AS {column}" for column in columns)


def _joined(*columns: str) -> str:
    return " ".join(f"LEFT JOIN names n_{column} ON n_{column}.ref = f.{column}" for column in columns)


def _asking(database: duckdb.DuckDBPyConnection) -> Callable[[str], list[dict[str, Any]]]:
    def ask(query: str) -> list[dict[str, Any]]:
        answer = database.execute(query)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    return ask


def _write(
    database: duckdb.DuckDBPyConnection, work: Path, out: Path, summary: dict[str, Any], places: list[tuple[str, int]]
) -> None:
    """Write what the audit leaves behind; the summary last, since it says that the audit is finished."""
    for query, name in (
        ("findings ORDER BY rule, day, id", output_files.FINDINGS_FILE),
        ("counts", output_files.COUNTS_FILE),
    ):
        output_files.write_whole(out / name, partial(_copy, database, query))
    output_files.write_whole(out / output_files.REJECTS_FILE, partial(_write_rejects, database, work, places))
    drill_down = _asking(database)(DRILL_DOWN)
    html = html_report.render(summary, drill_down)
    output_files.write_whole(out / output_files.REPORT_FILE, lambda path: path.write_text(html, encoding="utf-8"))
    output_files.write_whole(out / output_files.SUMMARY_FILE, lambda path: path.write_bytes(as_json(summary)))


def _copy(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    database.execute(f"COPY (FROM {query}) TO '{quoted(path)}' (FORMAT parquet, COMPRESSION zstd)")


def _write_rejects(database: duckdb.DuckDBPyConnection, work: Path, places: list[tuple[str, int]], path: Path) -> None:
    """Each line that was set aside, with its file and number; then the records that could not be read as a whole."""
    rejects = f"read_parquet('{quoted(work / 'read')}/*.rejects')"
    with path.open("wb") as file:
        answer = database.execute(f"SELECT piece, line, reason, text FROM {rejects} ORDER BY piece, line")  # noqa: S608
        while rows := answer.fetchmany(1000):
            for piece, line, reason, text in rows:
                name, before = places[piece]
                file.write(_reject(place=f"{name}:{before + line}", reason=reason, text=text))
        answer = database.execute("SELECT place, reason FROM left_out")
        while rows := answer.fetchmany(1000):
            file.writelines(_reject(place=place, reason=reason) for place, reason in rows)


def _reject(**content: str) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def _places(pieces: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> list[tuple[str, int]]:
    """For each piece the name of its file, and how many lines of it come before."""
    before: dict[str, int] = {}
    places = []
    for piece, each in zip(pieces, scanned, strict=True):
        places.append((piece.shard.name, before.get(piece.shard.name, 0)))
        before[piece.shard.name] = before.get(piece.shard.name, 0) + each.lines
    return places


def as_json(summary: Mapping[str, Any]) -> bytes:
    """The summary as it is written: indented, amounts as numbers."""
    return msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(summary), indent=2) + b"\n"
