"""An audit with the embedded engine, from the export to the report; resumes an interrupted run."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from msgspec import to_builtins

from cds_service.audit import html_report, output_files, work_list
from cds_service.audit.chunks import Chunk, chunks_of
from cds_service.audit.duckdb_engine import ChunkResult, Engine, PartitionResult, Progress, quoted, rows_of
from cds_service.audit.exports import Export, ExportFile
from cds_service.audit.html_report import ReportWords
from cds_service.audit.lines import NAMED_TYPES
from cds_service.audit.reviewer import Auditor
from cds_service.audit.sites import NOT_IN_EXPORT, PAYER_REFERENCE
from cds_service.audit.summary import DRILL_DOWN, Run, summarize
from cds_service.audit.versions import rules_of, site_version, tables_of
from cds_service.audit.workers import Workers
from cds_service.errors import UnreadableInput
from cds_service.fhir.foreign import FOREIGN
from cds_service.fhir.r4_types import R4_TYPES, UNREAD_CHARGES
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.languages.worded import JSON, worded
from cds_service.review.tables import loaded_tables

WORK = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of an audit. `complete` are the resource types that the export holds completely."""

    out: Path
    complete: tuple[str, ...] = ()
    memory_mb: int = 256
    resume: bool = False
    overwrite: bool = False
    strict: bool = False
    everything: bool = False


def run_audit(export: Export, workers: Workers, options: Options, progress: Progress) -> dict[str, Any]:
    """Audit an export into a folder; the summary that is written there. Raises UnreadableInput."""
    auditor = workers.make()
    work = _prepare(export, auditor, options)
    chunks = chunks_of(export.files)
    engine = Engine(work, workers, options.memory_mb, progress)
    scanned = engine.read(chunks, options.strict)
    complete, warnings = complete_parts(options.complete, _rejected_types(chunks, scanned))
    partitions = engine.group(options.everything)
    reviewed = engine.review(partitions, complete)
    progress.begin("reporting", 1, "steps")
    with engine.database() as database:
        _create_views(database, work)
        counts = RunCounts(_facts(export, scanned, reviewed), _summed(each.rejects for each in scanned))
        notes = (
            *export.notes,
            *warnings,
            *unread_notes(counts.facts["types"]),
            *_incomplete_files(export, chunks, scanned),
        )
        run = describe(auditor, [file.name for file in export.files], options, counts, notes, "embedded")
        summary = summarize(replace(run, charges=engine.charges), _querying(database))
        words = partial(engine.words, partitions)
        _write(database, work, options.out, _positions(chunks, scanned))
        _write_report(database, options.out, summary, ReportWords(auditor.speech, words))
        # The summary is last, since it marks the audit as finished.
        output_files.write_atomically(
            options.out / output_files.SUMMARY_FILE, lambda path: path.write_bytes(as_json(summary))
        )
    progress.advance(1)
    shutil.rmtree(work)
    return summary


# --- resuming --------------------------------------------------------------------------------


def _prepare(export: Export, auditor: Auditor, options: Options) -> Path:
    """The working folder: empty, or as left by an interrupted run of the same audit."""
    work, fingerprint = options.out / WORK, _fingerprint(export, auditor, options)
    state = work / "audit.json"
    if (options.out / output_files.SUMMARY_FILE).exists():
        if options.resume:
            raise UnreadableInput(f"{options.out}: the audit is finished; nothing to resume")
        if not options.overwrite:
            raise UnreadableInput(f"{options.out}: contains an audit; choose another folder or use --overwrite")
        for name in (*output_files.REPORT_FILES, output_files.SUMMARY_FILE, output_files.WORK_LIST_FILE):
            (options.out / name).unlink(missing_ok=True)
    if options.resume and state.exists():
        if json.loads(state.read_text()) != fingerprint:
            raise UnreadableInput(
                f"{options.out}: the export, the rules or the options have changed; start again with --overwrite"
            )
        return work
    if work.exists() and not options.overwrite and not options.resume:
        raise UnreadableInput(f"{options.out}: contains an unfinished audit; use --resume or --overwrite")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        output_files.write_atomically(state, lambda path: path.write_text(json.dumps(fingerprint)))
    except OSError as error:
        raise UnreadableInput(f"--out: {options.out}: {error.strerror}") from None
    return work


def _fingerprint(export: Export, auditor: Auditor, options: Options) -> dict[str, Any]:
    """The inputs that must be unchanged to resume: files, rules, tables, site settings, and options that count."""
    return {
        "files": [[each.name, each.size, each.path.stat().st_mtime_ns] for each in export.files],
        "rules": {name: each["version"] for name, each in rules_of(auditor.advisor.rules).items()},
        "tables": {name: each["version"] for name, each in tables_of(auditor.advisor.rules).items()},
        "site": site_version(auditor.advisor.site),
        "options": [sorted(options.complete), options.everything, options.strict],
        "language": auditor.language.tag,
        "fees": auditor.fees.identity,
        "loaded": sorted([each.name, each.sha256] for each in auditor.advisor.tables.snapshot().releases),
    }


# --- completeness --------------------------------------------------------------------------------------------


def complete_parts(complete: Iterable[str], rejected: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The parts of the record that are complete, and a warning for each declared type that is not.

    A rejected line may be the record that a rule looks for, of any patient. `rejected` are the resource types of such
    lines, empty if unknown.
    """
    declared = set(complete)
    lost = {each for each in declared if each in rejected or "" in rejected}
    lost |= {each for each in declared if any(PREFETCH_KEYS.get(other) == PREFETCH_KEYS[each] for other in rejected)}
    warnings = tuple(
        worded(
            "{type} was declared complete, but lines of this type may have been rejected: "
            "missing records are not treated as absent.",
            type=each,
        )
        for each in sorted(lost)
    )
    flawed = {PREFETCH_KEYS[each] for each in lost}
    return frozenset(PREFETCH_KEYS[each] for each in declared) - flawed, warnings


def unread_notes(types: Mapping[str, int]) -> tuple[str, ...]:
    """A note for each resource type that states charges and is not read, and one for lines that are no resources.

    `types` are the lines of the export by resource type.
    """
    notes = [
        worded("{type} is not read; its charges were not reviewed.", type=each)
        for each in sorted(UNREAD_CHARGES.intersection(types))
    ]
    if foreign := types.get(FOREIGN):
        number = f"{foreign:,}"
        notes.append(
            worded(
                "Lines that are not FHIR resources, as in the log of an exporter, were not read: {number}.",
                number=number,
            )
        )
    return tuple(notes)


def _rejected_types(chunks: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> frozenset[str]:
    return frozenset(
        kind or type_in(chunk.source.name)
        for chunk, each in zip(chunks, scanned, strict=True)
        for kind in each.rejected_kinds
    )


def type_in(name: str) -> str:
    """The resource type in a file name; empty if there is none."""
    return next((word for word in re.findall(r"[A-Za-z]+", name.rsplit("/", 1)[-1]) if word in R4_TYPES), "")


# --- the head of the summary ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Counts of a run."""

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
            "fees": auditor.fees.name,
            "files": files,
            "site": site_version(auditor.advisor.site),
            "switchedOff": sorted(auditor.advisor.site.rules_off),
            "loaded": [to_builtins(each) for each in loaded_tables(auditor.advisor.tables.snapshot())],
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
        "files": len(export.files),
        "bytes": sum(file.size for file in export.files),
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


def _incomplete_files(export: Export, chunks: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> list[str]:
    """Notes on files whose number of lines differs from the manifest."""
    lines: dict[ExportFile, int] = {}
    for chunk, each in zip(chunks, scanned, strict=True):
        lines[chunk.source] = lines.get(chunk.source, 0) + each.lines
    return [
        worded(
            "{file}: the manifest lists {expected} resources, but the file has {lines} lines.",
            file=file.name,
            expected=file.expected,
            lines=lines.get(file, 0),
        )
        for file in export.files
        if file.expected is not None and file.expected != lines.get(file, 0)
    ]


# --- the results ----------------------------------------------------------------------------------------------------


def _create_views(database: duckdb.DuckDBPyConnection, work: Path) -> None:
    """Views over all partitions, with references replaced by names from the export."""
    parts = quoted(work / "reviewed")
    kinds = ", ".join(f"'{kind}'" for kind in sorted(NAMED_TYPES))
    scanned = f"read_parquet('{quoted(work / 'read')}/*.parquet')"
    for statement in (
        f"CREATE TABLE named AS SELECT kind || '/' || id AS ref, min(raw) AS name FROM {scanned} "  # noqa: S608
        f"WHERE kind IN ({kinds}) AND raw <> '' GROUP BY ALL",
        "CREATE TABLE names AS SELECT one.ref, coalesce(two.name, one.name) AS name "
        "FROM named one LEFT JOIN named two ON one.name = two.ref",
        f"CREATE VIEW findings AS SELECT f.* REPLACE ({_named('site', 'practitioner')}, {_PAYER}) "  # noqa: S608
        f"FROM read_parquet('{parts}/*/findings.parquet') f {_joined('site', 'practitioner', 'payer')}",
        f"CREATE VIEW counts AS SELECT rule, outcome, reason, month, coalesce(n_site.name, site) AS site, "  # noqa: S608
        f"sum(cases)::BIGINT AS cases FROM read_parquet('{parts}/*/counts.parquet') f {_joined('site')} "
        "GROUP BY ALL ORDER BY ALL",
        f"CREATE VIEW left_out AS FROM read_parquet('{parts}/*/left_out.parquet') ORDER BY ALL",
    ):
        database.execute(statement)


_PAYER = (
    f"CASE WHEN n_payer.name IS NULL AND f.payer LIKE '{PAYER_REFERENCE}%' THEN '{NOT_IN_EXPORT}' "
    "ELSE coalesce(n_payer.name, f.payer) END AS payer"
)


def _named(*columns: str) -> str:
    return ", ".join(f"coalesce(n_{column}.name, f.{column}) AS {column}" for column in columns)


def _joined(*columns: str) -> str:
    return " ".join(f"LEFT JOIN names n_{column} ON n_{column}.ref = f.{column}" for column in columns)


def _querying(database: duckdb.DuckDBPyConnection) -> Callable[[str], list[dict[str, Any]]]:
    return lambda query: list(rows_of(database.execute(query)))


def _write(
    database: duckdb.DuckDBPyConnection,
    work: Path,
    out: Path,
    positions: list[tuple[str, int]],
) -> None:
    """Write the tables and lists."""
    for query, name in (
        (work_list.QUERY, output_files.FINDINGS_FILE),
        ("FROM counts", output_files.COUNTS_FILE),
    ):
        output_files.write_atomically(out / name, partial(_copy, database, query))
    output_files.write_atomically(out / output_files.REJECTS_FILE, partial(_write_rejects, database, work, positions))
    output_files.write_atomically(out / output_files.WORK_LIST_FILE, partial(_write_work_list, database))


def _write_report(database: duckdb.DuckDBPyConnection, out: Path, summary: dict[str, Any], words: ReportWords) -> None:
    """Write the report; in another language than English, the English one beside it."""
    for name, html in html_report.rendered(summary, _querying(database)(DRILL_DOWN), words):
        output_files.write_atomically(out / name, partial(_write_text, html))


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _copy(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    database.execute(f"COPY ({query}) TO '{quoted(path)}' (FORMAT parquet, COMPRESSION zstd)")


def _write_work_list(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(work_list.encoded(rows_of(database.execute(work_list.QUERY))))


def _write_rejects(
    database: duckdb.DuckDBPyConnection, work: Path, positions: list[tuple[str, int]], path: Path
) -> None:
    """Write each rejected line with its file and line number, then the skipped records."""
    rejects = f"read_parquet('{quoted(work / 'read')}/*.rejects')"
    with path.open("wb") as file:
        answer = database.execute(f"SELECT chunk, line, place, reason, text FROM {rejects} ORDER BY chunk, line")  # noqa: S608
        while rows := answer.fetchmany(1000):
            for chunk, line, place, reason, text in rows:
                name, before = positions[chunk]
                where = f"{name}: {place}" if place else f"{name}:{before + line}"
                file.write(_reject(place=where, reason=reason, text=text))
        answer = database.execute("SELECT place, reason FROM left_out")
        while rows := answer.fetchmany(1000):
            file.writelines(_reject(place=place, reason=reason) for place, reason in rows)


def _reject(**content: str) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def _positions(chunks: Iterable[Chunk], scanned: Iterable[ChunkResult]) -> list[tuple[str, int]]:
    """For each chunk the name of its file, and the number of lines before it."""
    before: dict[str, int] = {}
    positions = []
    for chunk, each in zip(chunks, scanned, strict=True):
        positions.append((chunk.source.name, before.get(chunk.source.name, 0)))
        before[chunk.source.name] = before.get(chunk.source.name, 0) + each.lines
    return positions


def as_json(summary: Mapping[str, Any]) -> bytes:
    """The summary as JSON: indented, amounts as numbers."""
    return msgspec.json.format(JSON.encode(summary), indent=2) + b"\n"
