"""The embedded engine: a process pool reads lines and runs the rules, DuckDB brings the records of a patient together.

It works in three steps, each of which leaves files that are there as a whole or not at all, so that an interrupted run
goes on where it stopped:

    read      each piece of a file -> a table of records and one of rejects
    group     DuckDB: patients of whom a record can matter; their records, sorted by partition and patient; spills
    review    each partition -> a folder with findings, counts and what was left out
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cds_service.audit import output_files
from cds_service.audit.chunks import BrokenChunk, Chunk, lines_of
from cds_service.audit.patients import ExportedRecord, by_patient
from cds_service.audit.reviewer import AuditTally
from cds_service.audit.scan import MEDICATION, ROWS, batches, scan
from cds_service.audit.workers import Workers, auditor
from cds_service.errors import UnreadableInput

REJECTS = pa.schema([("piece", pa.int64()), ("line", pa.int64()), ("reason", pa.string()), ("text", pa.large_string())])

PARTITION_BYTES = 8 * 1024 * 1024
ROW_GROUP_ROWS = 8192


class Progress(Protocol):
    """Whom the engine tells how far it is."""

    def begin(self, step: str, total: float, unit: str) -> None:
        """A step begins, of a known size."""

    def advance(self, amount: float) -> None:
        """So much more of the step is done."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is set aside: its number in the piece, its type where that is known, why, and the line."""

    line: int
    kind: str
    reason: str
    text: str


class ChunkResult(msgspec.Struct):
    """What came of a piece: lines, how many of each type, and the rejects by reason and by type.

    `first` is the first reject, as line number in the piece and reason.
    """

    lines: int = 0
    kinds: dict[str, int] = {}
    rejects: dict[str, int] = {}
    rejected_kinds: set[str] = set()
    first: tuple[int, str] | None = None

    def reject(self, reject: Reject) -> None:
        """Count a reject."""
        self.rejects[reject.reason] = self.rejects.get(reject.reason, 0) + 1
        self.rejected_kinds.add(reject.kind)
        self.first = self.first or (reject.line, reject.reason)


class PartitionResult(msgspec.Struct):
    """What came of a partition."""

    patients: int
    cases: int
    related: int


class Engine:
    """Where to work, with which processes and how much memory for DuckDB (MB)."""

    def __init__(self, work: Path, workers: Workers, memory_mb: int, progress: Progress) -> None:
        self.work = work
        self.workers = workers
        self.memory_mb = memory_mb
        self.progress = progress

    def read(self, pieces: tuple[Chunk, ...], strict: bool = False) -> list[ChunkResult]:
        """Read all pieces, except those that an earlier run has read; what came of each, in their order.

        Raises UnreadableInput where a line is set aside and `strict` forbids it.
        """
        folder = self._folder("read")
        self.progress.begin("reading", sum(piece.size for piece in pieces), "bytes")
        open_pieces = [piece for piece in pieces if not (folder / f"{piece.number}.json").exists()]
        self.progress.advance(sum(piece.size for piece in pieces) - sum(piece.size for piece in open_pieces))
        for piece in self.workers.run(_read_piece, [(piece, folder) for piece in open_pieces]):
            self.progress.advance(piece.size)
        found = [_decoded(folder / f"{piece.number}.json", ChunkResult) for piece in pieces]
        if strict:
            _require_sound(pieces, found)
        return found

    def group(self, everything: bool) -> int:
        """Sort the records of patients who can matter by partition and patient; how many partitions there are."""
        done, sorted_records = self.work / "group.json", self.work / "sorted.parquet"
        self.progress.begin("grouping", 1, "steps")
        if not done.exists():
            with self.database() as database:
                partitions = _group(database, self.work, sorted_records, everything, least=4 * self.workers.jobs)
            output_files.write_whole(done, lambda partial: partial.write_text(json.dumps(partitions)))
        self.progress.advance(1)
        partitions = json.loads(done.read_text())
        return int(partitions)

    def review(self, partitions: int, known: frozenset[str]) -> list[PartitionResult]:
        """Review all partitions, except those that an earlier run has reviewed.

        `known` are the parts of the record that the export holds whole.
        """
        folder = self._folder("reviewed")
        done = [number for number in range(partitions) if (folder / str(number)).exists()]
        self.progress.begin("reviewing", partitions, "partitions")
        self.progress.advance(len(done))
        records = self.work / "sorted.parquet"
        left = [(records, folder, number, known) for number in range(partitions) if number not in set(done)]
        for _ in self.workers.run(_review_partition, left):
            self.progress.advance(1)
        return [_decoded(folder / str(number) / "done.json", PartitionResult) for number in range(partitions)]

    def database(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB that keeps to its memory and spills into the working folder."""
        database = duckdb.connect()
        database.execute(f"SET memory_limit = '{self.memory_mb}MB'")
        database.execute(f"SET threads = {self.workers.jobs}")
        database.execute("SET preserve_insertion_order = false")
        database.execute("SET temp_directory = ?", [str(self._folder("spill"))])
        return database

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _require_sound(pieces: tuple[Chunk, ...], found: list[ChunkResult]) -> None:
    lines: dict[str, int] = {}
    for piece, scanned in zip(pieces, found, strict=True):
        before = lines.get(piece.shard.name, 0)
        if scanned.first:
            number, reason = scanned.first
            raise UnreadableInput(f"{piece.shard.name}: line {before + number}: {reason}")
        lines[piece.shard.name] = before + scanned.lines


FormT = TypeVar("FormT")


def _decoded(path: Path, form: type[FormT]) -> FormT:
    return msgspec.json.decode(path.read_bytes(), type=form)


# --- in the processes of the pool -----------------------------------------------------------------------------------


def _read_piece(piece: Chunk, folder: Path) -> Chunk:
    """Read a piece into tables; the counts beside them are written last and say that it is done."""
    scanned, rejects = ChunkResult(), list[Reject]()
    relevant = auditor().relevant

    def write(partial: Path) -> None:
        with pq.ParquetWriter(partial, ROWS, compression="zstd", compression_level=1) as writer:
            for batch in batches(_numbered(piece, scanned, rejects)):
                found = scan(batch, relevant)
                first = scanned.lines - len(batch) + 1
                rejects.extend(
                    Reject(first + at, kind, reason, batch[at].strip("\ufeff \t\r\n"))
                    for at, kind, reason in found.rejects
                )
                for kind, number in found.kinds.items():
                    scanned.kinds[kind] = scanned.kinds.get(kind, 0) + number
                writer.write_batch(found.rows)

    output_files.write_whole(folder / f"{piece.number}.parquet", write)
    for each in rejects:
        scanned.reject(each)
    rows = [{"piece": piece.number, "line": each.line, "reason": each.reason, "text": each.text} for each in rejects]
    output_files.write_table(pa.Table.from_pylist(rows, schema=REJECTS), folder / f"{piece.number}.rejects")
    output_files.write_whole(
        folder / f"{piece.number}.json", lambda partial: partial.write_bytes(msgspec.json.encode(scanned))
    )
    return piece


def _numbered(piece: Chunk, scanned: ChunkResult, rejects: list[Reject]) -> Iterator[str]:
    """The lines of a piece, counted; what cannot be read as a line is noted and stands as an empty one."""
    for line in lines_of(piece):
        scanned.lines += 1
        if isinstance(line, BrokenChunk):
            rejects.append(Reject(scanned.lines, "", line.reason, ""))
            yield ""
        else:
            yield line


def _review_partition(records: Path, folder: Path, number: int, known: frozenset[str]) -> int:
    """Review the patients of a partition; its folder gets its name when all is in it."""
    chosen, outcome = replace(auditor(), known=known), AuditTally()
    for patient, stored in patients_in(records, number):
        chosen.audit(patient, stored, outcome)
    partial = folder / f"{number}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    output_files.write_table(output_files.findings_table(outcome.findings), partial / "findings.parquet")
    output_files.write_table(output_files.counts_table(outcome.counts), partial / "counts.parquet")
    output_files.write_table(
        pa.Table.from_pylist(outcome.left_out, schema=output_files.LEFT_OUT), partial / "left_out.parquet"
    )
    stats = PartitionResult(outcome.patients, outcome.cases, outcome.related)
    output_files.write_whole(partial / "done.json", lambda path: path.write_bytes(msgspec.json.encode(stats)))
    partial.rename(folder / str(number))
    return number


def patients_in(records: Path, number: int) -> Iterator[tuple[str, list[ExportedRecord]]]:
    """The patients of a partition, one after the other, each with all records."""
    return by_patient(_rows_in(records, number))


def _rows_in(records: Path, number: int) -> Iterator[tuple[str, str, str, str, bool]]:
    with pq.ParquetFile(records) as file:
        column = file.schema_arrow.names.index("part")
        groups = [
            group
            for group in range(file.num_row_groups)
            if _may_hold(file.metadata.row_group(group).column(column).statistics, number)
        ]
        for batch in file.iter_batches(2048, row_groups=groups) if groups else ():
            rows = batch.filter(pc.equal(batch.column("part"), number))
            columns = (rows.column(name).to_pylist() for name in ("patient", "kind", "id", "raw", "related"))
            yield from zip(*columns, strict=True)


def _may_hold(statistics: Any, number: int) -> bool:
    return statistics is None or not statistics.has_min_max or statistics.min <= number <= statistics.max


# --- grouping -------------------------------------------------------------------------------------------------------


def _group(database: duckdb.DuckDBPyConnection, work: Path, target: Path, everything: bool, least: int) -> int:
    """Write the records of patients who can matter, each with the Medication resources that it points at.

    How many partitions there are follows from their size; at least so many that all processes have work.
    """
    database.execute(f"CREATE VIEW scanned AS FROM read_parquet('{quoted(work / 'read')}/*.parquet')")
    for statement in _GROUPING:
        database.execute(statement.format(matters="true" if everything else "related", medication=MEDICATION))
    (held,) = database.execute("SELECT coalesce(sum(strlen(raw)), 0) FROM records").fetchone() or (0,)
    partitions = max(least, -(-int(held) // PARTITION_BYTES))

    def write(partial: Path) -> None:
        rows = f"SELECT md5_number_lower(patient) % {partitions} AS part, * FROM records ORDER BY part, patient"  # noqa: S608
        form = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        database.execute(f"COPY ({rows}) TO '{quoted(partial)}' ({form})")

    output_files.write_whole(target, write)
    return partitions


# A record matters where its text does, or that of a Medication that it points at.
_GROUPING = (
    """CREATE TABLE medications AS
       SELECT id, bool_or(related) AS related, any_value(raw) AS raw
       FROM scanned WHERE kind = '{medication}' GROUP BY id""",
    """CREATE TABLE pointing AS
       SELECT DISTINCT patient, kind, p.id, medication, m.related
       FROM (SELECT patient, kind, id, unnest(medications) AS medication FROM scanned WHERE len(medications) > 0) p
       JOIN medications m ON m.id = medication""",
    """CREATE TABLE patients AS
       SELECT DISTINCT patient FROM scanned WHERE patient <> '' AND {matters}
       UNION SELECT DISTINCT patient FROM pointing WHERE {matters}""",
    """CREATE VIEW records AS
       SELECT patient, kind, id, related OR (patient, kind, id) IN (
                SELECT (patient, kind, id) FROM pointing WHERE related) AS related, raw
       FROM scanned WHERE patient IN (SELECT patient FROM patients)
       UNION ALL
       SELECT patient, '{medication}', m.id, false, m.raw
       FROM (SELECT DISTINCT patient, medication FROM pointing) pointing
       JOIN medications m ON m.id = medication WHERE patient IN (SELECT patient FROM patients)""",
)


def quoted(path: Path) -> str:
    """A path inside a statement."""
    return str(path).replace("'", "''")
