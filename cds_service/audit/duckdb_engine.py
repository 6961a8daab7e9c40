"""The embedded engine: a process pool parses lines and runs the rules, DuckDB groups records by patient.

It has three steps. Each writes its files atomically, so that an interrupted run can be resumed:

    read      each chunk of a file -> a table of records and one of rejects
    group     DuckDB: patients with a relevant record; their records, sorted by partition and patient; spills to disk
    review    each partition -> a folder with findings, counts and skipped records
"""

import json
import shutil
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cds_service.audit import output_files
from cds_service.audit.charged_systems import CHARGE_TYPES
from cds_service.audit.chunks import BrokenChunk, Chunk, lines_of
from cds_service.audit.lines import MEDICATION
from cds_service.audit.patients import ExportedRecord, by_patient
from cds_service.audit.reviewer import AuditTally
from cds_service.audit.scan import ROWS, batches, scan
from cds_service.audit.workers import Workers, auditor
from cds_service.errors import UnreadableInput

REJECTS = pa.schema(
    [
        ("chunk", pa.int64()),
        ("line", pa.int64()),
        ("place", pa.string()),
        ("reason", pa.string()),
        ("text", pa.large_string()),
    ]
)

WORDS = "words.json"  # the contents of the worded texts of a partition
PARTITION_BYTES = 8 * 1024 * 1024
ROW_GROUP_ROWS = 8192


class Progress(Protocol):
    """Receives the progress of the engine."""

    def begin(self, step: str, total: float, unit: str) -> None:
        """A step of a known size begins."""

    def advance(self, amount: float) -> None:
        """An amount of the step is done."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected line: its number in the chunk, resource type if known, reason, text, and its place in an 837 file."""

    line: int
    kind: str
    reason: str
    text: str
    place: str = ""


class ChunkResult(msgspec.Struct):
    """Counts of a chunk: lines, lines by resource type, and rejects by reason and by type.

    `first` is the first reject, as line number in the chunk, place and reason.
    """

    lines: int = 0
    kinds: dict[str, int] = {}
    rejects: dict[str, int] = {}
    rejected_kinds: set[str] = set()
    first: tuple[int, str, str] | None = None

    def reject(self, reject: Reject) -> None:
        """Count a reject."""
        self.rejects[reject.reason] = self.rejects.get(reject.reason, 0) + 1
        self.rejected_kinds.add(reject.kind)
        self.first = self.first or (reject.line, reject.place, reject.reason)


class PartitionResult(msgspec.Struct):
    """Counts of a reviewed partition; `related` are the cases with a relevant record."""

    patients: int
    cases: int
    related: int


class Engine:
    """Runs the steps in a working folder, with worker processes and a memory limit for DuckDB (MB)."""

    def __init__(self, work: Path, workers: Workers, memory_mb: int, progress: Progress) -> None:
        self.work = work
        self.workers = workers
        self.memory_mb = memory_mb
        self.progress = progress

    def read(self, chunks: tuple[Chunk, ...], strict: bool = False) -> list[ChunkResult]:
        """Read all chunks that an earlier run has not read; the results of all, in order.

        Raises UnreadableInput for the first rejected line if `strict`.
        """
        folder = self._folder("read")
        self.progress.begin("reading", sum(chunk.size for chunk in chunks), "bytes")
        unread = [chunk for chunk in chunks if not (folder / f"{chunk.number}.json").exists()]
        self.progress.advance(sum(chunk.size for chunk in chunks) - sum(chunk.size for chunk in unread))
        for chunk in self.workers.run(_read_chunk, [(chunk, folder) for chunk in unread]):
            self.progress.advance(chunk.size)
        found = [_decoded(folder / f"{chunk.number}.json", ChunkResult) for chunk in chunks]
        if strict:
            _require_no_rejects(chunks, found)
        return found

    def group(self, everything: bool) -> int:
        """Sort the records of relevant patients by partition and patient; the number of partitions."""
        done, sorted_records = self.work / "group.json", self.work / "sorted.parquet"
        self.progress.begin("grouping", 1, "steps")
        if not done.exists():
            with self.database() as database:
                partitions = _group(database, self.work, sorted_records, everything, least=4 * self.workers.jobs)
            output_files.write_atomically(done, lambda partial: partial.write_text(json.dumps(partitions)))
        self.progress.advance(1)
        partitions = json.loads(done.read_text())
        return int(partitions)

    def review(self, partitions: int, complete: frozenset[str]) -> list[PartitionResult]:
        """Review all partitions that an earlier run has not reviewed.

        `complete` are the parts of the record that the export holds completely.
        """
        folder = self._folder("reviewed")
        done = [number for number in range(partitions) if (folder / str(number)).exists()]
        self.progress.begin("reviewing", partitions, "partitions")
        self.progress.advance(len(done))
        records = self.work / "sorted.parquet"
        open_partitions = [
            (records, folder, number, complete) for number in range(partitions) if number not in set(done)
        ]
        for _ in self.workers.run(_review_partition, open_partitions):
            self.progress.advance(1)
        return [_decoded(folder / str(number) / "done.json", PartitionResult) for number in range(partitions)]

    def words(self, partitions: int, wanted: Container[str]) -> dict[str, Any]:
        """The contents of the worded texts that are wanted, by the texts."""
        found: dict[str, Any] = {}
        for number in range(partitions):
            every = _decoded(self.work / "reviewed" / str(number) / WORDS, dict[str, Any])
            found |= {text: content for text, content in every.items() if text in wanted}
        return found

    def charges(self, most: int) -> Iterator[str]:
        """The texts of up to so many charges and claims of the export, as read."""
        return islice(_texts_in(sorted((self.work / "read").glob("*.parquet")), CHARGE_TYPES), most)

    def database(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with the memory limit that spills into the working folder."""
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


def _require_no_rejects(chunks: tuple[Chunk, ...], found: list[ChunkResult]) -> None:
    lines: dict[str, int] = {}
    for chunk, scanned in zip(chunks, found, strict=True):
        before = lines.get(chunk.source.name, 0)
        if scanned.first:
            number, place, reason = scanned.first
            raise UnreadableInput(f"{chunk.source.name}: {place or f'line {before + number}'}: {reason}")
        lines[chunk.source.name] = before + scanned.lines


ResultT = TypeVar("ResultT")


def _decoded(path: Path, result_type: type[ResultT]) -> ResultT:
    return msgspec.json.decode(path.read_bytes(), type=result_type)


# --- in the processes of the pool -----------------------------------------------------------------------------------


def _read_chunk(chunk: Chunk, folder: Path) -> Chunk:
    """Read a chunk into tables; its counts are written last and mark it as done."""
    scanned, rejects = ChunkResult(), list[Reject]()
    relevant = auditor().relevant

    def write(partial: Path) -> None:
        with pq.ParquetWriter(partial, ROWS, compression="zstd", compression_level=1) as writer:
            for batch in batches(_numbered(chunk, scanned, rejects)):
                found = scan(batch, relevant)
                first = scanned.lines - len(batch) + 1
                rejects.extend(
                    Reject(first + each.position, each.kind, each.reason, each.text, each.place)
                    for each in found.rejects
                )
                for kind, number in found.kinds.items():
                    scanned.kinds[kind] = scanned.kinds.get(kind, 0) + number
                writer.write_batch(found.rows)

    output_files.write_atomically(folder / f"{chunk.number}.parquet", write)
    for each in rejects:
        scanned.reject(each)
    rows = [{"chunk": chunk.number} | {name: getattr(each, name) for name in REJECTS.names[1:]} for each in rejects]
    output_files.write_table(pa.Table.from_pylist(rows, schema=REJECTS), folder / f"{chunk.number}.rejects")
    output_files.write_atomically(
        folder / f"{chunk.number}.json", lambda partial: partial.write_bytes(msgspec.json.encode(scanned))
    )
    return chunk


def _numbered(chunk: Chunk, scanned: ChunkResult, rejects: list[Reject]) -> Iterator[str]:
    """The lines of a chunk, counted; a broken line becomes a reject and an empty line."""
    for line in lines_of(chunk):
        scanned.lines += 1
        if isinstance(line, BrokenChunk):
            rejects.append(Reject(scanned.lines, "", line.reason, ""))
            yield ""
        else:
            yield line


def _review_partition(records: Path, folder: Path, number: int, complete: frozenset[str]) -> int:
    """Review the patients of a partition; the folder gets its final name when complete."""
    reviewer, tally = replace(auditor(), complete=complete), AuditTally()
    for patient, patient_records in patients_in(records, number):
        reviewer.audit(patient, patient_records, tally)
    partial = folder / f"{number}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    output_files.write_table(output_files.findings_table(tally.findings), partial / "findings.parquet")
    output_files.write_table(output_files.counts_table(tally.counts), partial / "counts.parquet")
    output_files.write_table(
        pa.Table.from_pylist(tally.skipped, schema=output_files.SKIPPED), partial / "left_out.parquet"
    )
    output_files.write_atomically(partial / WORDS, lambda path: path.write_bytes(msgspec.json.encode(tally.words)))
    stats = PartitionResult(tally.patients, tally.cases, tally.related)
    output_files.write_atomically(partial / "done.json", lambda path: path.write_bytes(msgspec.json.encode(stats)))
    partial.rename(folder / str(number))
    return number


def patients_in(records: Path, number: int) -> Iterator[tuple[str, list[ExportedRecord]]]:
    """The patients of a partition, each with all records."""
    return by_patient(_rows_in(records, number))


def _texts_in(tables: list[Path], kinds: tuple[str, ...]) -> Iterator[str]:
    for table in tables:
        with pq.ParquetFile(table) as file:
            for batch in file.iter_batches(2048, columns=["kind", "raw"]):
                wanted = pc.is_in(batch.column("kind"), pa.array(kinds))
                yield from batch.filter(wanted).column("raw").to_pylist()


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
    """Write the records of relevant patients, with the Medication resources that they reference.

    The number of partitions follows from their size, with a minimum so that all processes have work.
    """
    database.execute(f"CREATE VIEW scanned AS FROM read_parquet('{quoted(work / 'read')}/*.parquet')")
    for statement in _GROUPING:
        database.execute(statement.format(relevant="true" if everything else "related", medication=MEDICATION))
    (held,) = database.execute("SELECT coalesce(sum(strlen(raw)), 0) FROM records").fetchone() or (0,)
    partitions = max(least, -(-int(held) // PARTITION_BYTES))

    def write(partial: Path) -> None:
        rows = f"SELECT md5_number_lower(patient) % {partitions} AS part, * FROM records ORDER BY part, patient"  # noqa: S608
        form = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        database.execute(f"COPY ({rows}) TO '{quoted(partial)}' ({form})")

    output_files.write_atomically(target, write)
    return partitions


# A record is relevant if its text is, or the text of a Medication that it references.
_GROUPING = (
    """CREATE TABLE medications AS
       SELECT id, bool_or(related) AS related, any_value(raw) AS raw
       FROM scanned WHERE kind = '{medication}' GROUP BY id""",
    """CREATE TABLE pointing AS
       SELECT DISTINCT patient, kind, p.id, medication, m.related
       FROM (SELECT patient, kind, id, unnest(medications) AS medication FROM scanned WHERE len(medications) > 0) p
       JOIN medications m ON m.id = medication""",
    """CREATE TABLE patients AS
       SELECT DISTINCT patient FROM scanned WHERE patient <> '' AND {relevant}
       UNION SELECT DISTINCT patient FROM pointing WHERE {relevant}""",
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
    """A path quoted for an SQL statement."""
    return str(path).replace("'", "''")


def rows_of(answer: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """The rows of a query's result, a thousand at a time."""
    names = [column[0] for column in answer.description]
    while rows := answer.fetchmany(1000):
        yield from (dict(zip(names, row, strict=True)) for row in rows)
