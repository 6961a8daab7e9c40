"""The Spark engine: the same functions as the embedded one, with Spark to bring the records of a patient together.

Spark reads and writes the paths, shuffles by patient, and runs again what fails; `scan` and `Auditor.audit` do the
rest, through `mapInArrow` and `mapInPandas`. Every executor needs this package and its extra `spark`.
"""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from cds_service.audit import html_report, output_files
from cds_service.audit.duckdb_engine import Progress
from cds_service.audit.exports import ENDINGS, Export, open_export
from cds_service.audit.patients import by_patient
from cds_service.audit.reviewer import Auditor, AuditTally, MakeAuditor
from cds_service.audit.run import Options, RunCounts, as_json, describe, known_whole, type_in
from cds_service.audit.scan import BATCH_LINES, MEDICATION, NAMED_TYPES, ROWS, scan
from cds_service.audit.summary import DRILL_DOWN, summarise
from cds_service.errors import UnreadableInput

_SCANNED = pa.schema([*ROWS, ("file", pa.string()), ("reason", pa.string()), ("number", pa.int64())])
_COUNTED = "counted"  # the reason of rows that say how many lines of a type there were
TASK_BYTES = 32 * 1024 * 1024
_SAID = "what string, said string"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def run_on_spark(
    export: str, out: str, make: MakeAuditor, options: Options, progress: Progress, master: str | None
) -> dict[str, Any]:
    """Audit an export with Spark; the summary that is written. Raises UnreadableInput."""
    spark = _session(master)
    opened = None if _is_remote(export) else open_export(Path(export))
    _refuse_to_overwrite(spark, out, options)
    auditor = make()
    progress.begin("reading", 1, "steps")
    scanned = _scanned(spark, export, opened, auditor.relevant).persist(StorageLevel.DISK_ONLY)
    rejected = scanned.where((f.col("reason") != "") & (f.col("reason") != _COUNTED))
    kinds, rejects = _counted(scanned), _by_reason(rejected)
    if rejects and options.strict:
        first = _placed(spark, rejected).orderBy("place").first()
        raise UnreadableInput(f"{first['place']}: {first['reason']}" if first else "a line cannot be read")
    known, doubts = known_whole(options.complete, _rejected_types(rejected))
    progress.advance(1)
    progress.begin("reviewing", 1, "steps")
    records = _records(scanned, options.everything).persist(StorageLevel.DISK_ONLY)
    said = _reviewed(records, _tasks(spark, records), make, known).persist(StorageLevel.DISK_ONLY)
    address = out if _is_remote(out) else Path(out).absolute().as_uri()
    _write_tables(said, _names(scanned), _placed(spark, rejected), address)
    counts = RunCounts(_facts(opened, kinds, said), rejects)
    progress.advance(1)
    progress.begin("reporting", 1, "steps")
    notes = (*(opened.notes if opened else ()), *doubts)
    files = [shard.name for shard in opened.shards] if opened else [export]
    ask = _asking(spark, address)
    summary = summarise(describe(auditor, files, options, counts, notes, "spark"), ask)
    html = html_report.render(summary, ask(DRILL_DOWN))
    _save(spark, f"{out}/{output_files.REPORT_FILE}", html.encode())
    _save(spark, f"{out}/{output_files.SUMMARY_FILE}", as_json(summary))  # last: it says that the audit is finished
    progress.advance(1)
    return summary


def _session(master: str | None) -> SparkSession:
    """The session of the cluster that runs this, or a new one on a master."""
    builder = SparkSession.builder.appName("contrast-echo audit")
    if (master or "local").startswith("local"):  # a cluster has its own settings for these
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config("spark.sql.shuffle.partitions", "16").config("spark.ui.enabled", "false")
    if master:
        builder = builder.master(master)
    for name, value in {
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_LINES),
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "true",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


# --- reading --------------------------------------------------------------------------------------------------------


def _is_remote(path: str) -> bool:
    """Whether a path is an address (s3://…, abfss://…, dbfs:/…) that only Spark can open."""
    return ":/" in path and not path.startswith("file:")


def _scanned(spark: SparkSession, export: str, opened: Export | None, relevant: str) -> DataFrame:
    reader = spark.read.option("lineSep", "\n")
    if opened:
        lines = reader.text([shard.path.absolute().as_uri() for shard in opened.shards])
    else:
        patterns = ",".join(ending.removeprefix(".") for ending in ENDINGS)
        lines = reader.option("recursiveFileLookup", "true").option("pathGlobFilter", f"*.{{{patterns}}}").text(export)
    with_file = lines.select("value", f.col("_metadata.file_path").alias("file"))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from _scan_batch(batch.column("value").to_pylist(), batch.column("file").to_pylist(), relevant)

    return with_file.mapInArrow(read, from_arrow_schema(_SCANNED))


def _scan_batch(lines: list[str], files: list[str], relevant: str) -> Iterator[pa.RecordBatch]:
    """The records of a batch, its rejects with their lines, and how many lines there were of each type."""
    found = scan(lines, relevant)
    number = found.rows.num_rows
    columns = [
        *found.rows.columns,
        pa.nulls(number, pa.string()),
        pa.array([""] * number),
        pa.nulls(number, pa.int64()),
    ]
    yield pa.RecordBatch.from_arrays(columns, schema=_SCANNED)
    empty = {"patient": "", "id": "", "medications": [], "related": False}
    rejects = [
        {**empty, "kind": kind, "raw": lines[at], "file": files[at], "reason": reason}
        for at, kind, reason in found.rejects
    ]
    kinds = [{**empty, "kind": kind, "reason": _COUNTED, "number": count} for kind, count in found.kinds.items()]
    if rejects or kinds:
        yield pa.RecordBatch.from_pylist([*rejects, *kinds], schema=_SCANNED)


def _counted(scanned: DataFrame) -> dict[str, int]:
    rows = scanned.where(f.col("reason") == _COUNTED).groupBy("kind").agg(f.sum("number").alias("lines")).collect()
    return {row["kind"]: int(row["lines"]) for row in sorted(rows)}


def _by_reason(rejected: DataFrame) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in rejected.groupBy("reason").count().collect()}


def _rejected_types(rejected: DataFrame) -> frozenset[str]:
    rows = rejected.select("kind", "file").distinct().collect()
    return frozenset(row["kind"] or type_in(row["file"]) for row in rows)


def _placed(spark: SparkSession, rejected: DataFrame) -> DataFrame:
    """Rejects with file and line number: only the files that hold some are read again, to count their lines."""
    files = sorted(row["file"] for row in rejected.select("file").distinct().collect())
    places = spark.createDataFrame([], "file string, line long, key string")
    for file in files:
        numbered = spark.sparkContext.textFile(unquote(file)).zipWithIndex()
        rows = numbered.map(lambda pair, file=file: (file, pair[1] + 1, pair[0].strip("\ufeff \t\r\n")))
        places = places.union(spark.createDataFrame(rows, "file string, line long, key string"))
    texts = rejected.select(
        "file", "reason", f.regexp_replace("raw", r"^[\ufeff \t\r\n]+|[ \t\r\n]+$", "").alias("key")
    )
    found = places.join(texts.distinct(), ["file", "key"])
    name = f.regexp_extract("file", "[^/]+$", 0)
    return found.select(f.concat(name, f.lit(":"), "line").alias("place"), "reason", f.col("key").alias("text"))


# --- grouping and reviewing -----------------------------------------------------------------------------------------


def _records(scanned: DataFrame, everything: bool) -> DataFrame:
    """The records of patients who can matter, each with the Medication resources that it points at."""
    read = scanned.where(f.col("reason") == "").select("patient", "kind", "id", "medications", "related", "raw")
    own = read.where(f.col("patient") != "")
    drugs = read.where(f.col("kind") == MEDICATION).groupBy(f.col("id").alias("medication"))
    medications = drugs.agg(f.bool_or("related").alias("drug_related"), f.first("raw").alias("drug"))
    pointing = own.where(f.size("medications") > 0).select(
        "patient", "kind", "id", f.explode("medications").alias("medication")
    )
    pointing = pointing.join(medications, "medication")
    matters = f.expr("true") if everything else f.col("related")
    drug_matters = f.expr("true") if everything else f.col("drug_related")
    patients = own.where(matters).select("patient").union(pointing.where(drug_matters).select("patient")).distinct()
    flagged = pointing.where("drug_related").select("patient", "kind", "id", f.expr("true").alias("flag")).distinct()
    records = own.join(patients, "patient", "left_semi").join(flagged, ["patient", "kind", "id"], "left")
    drugs_of = pointing.select("patient", "medication", "drug").distinct().join(patients, "patient", "left_semi")
    return records.select(
        "patient", "kind", "id", (f.col("related") | f.coalesce("flag", f.expr("false"))).alias("related"), "raw"
    ).union(drugs_of.select("patient", f.lit(MEDICATION), "medication", f.expr("false"), "drug"))


def _tasks(spark: SparkSession, records: DataFrame) -> int:
    """In how many tasks the records are reviewed: one a core, and more where these would hold too much."""
    (held,) = records.agg(f.coalesce(f.sum(f.length("raw")), f.lit(0))).collect()[0]
    cores: int = spark.sparkContext.defaultParallelism
    return max(cores, -(-int(held) // TASK_BYTES))


def _reviewed(records: DataFrame, tasks: int, make: MakeAuditor, known: frozenset[str]) -> DataFrame:
    """What the rules say, as JSON: findings, counts and what was left out, after a shuffle by patient."""

    def review(frames: Iterator[Any]) -> Iterator[Any]:
        import pandas as pd  # noqa: PLC0415  # in the executor

        auditor, outcome = replace(_made(make), known=known), AuditTally()
        for patient, stored in by_patient(_rows_in(frames)):
            auditor.audit(patient, stored, outcome)
            if len(outcome.findings) >= BATCH_LINES:
                yield pd.DataFrame(_said(outcome), columns=["what", "said"])
                outcome = AuditTally()
        yield pd.DataFrame(_said(outcome), columns=["what", "said"])

    return records.repartition(tasks, "patient").sortWithinPartitions("patient").mapInPandas(review, _SAID)


_MADE: dict[bytes, Auditor] = {}


def _made(make: MakeAuditor) -> Auditor:
    """The auditor of this process: made once, and not anew for each task."""
    key = pickle.dumps(make)
    if key not in _MADE:
        _MADE[key] = make()
    return _MADE[key]


def _rows_in(frames: Iterator[Any]) -> Iterator[tuple[str, str, str, str, bool]]:
    for frame in frames:
        for row in frame.itertuples(index=False):
            yield row.patient, row.kind, row.id, row.raw, bool(row.related)


def _said(outcome: AuditTally) -> list[tuple[str, str]]:
    rows = [("finding", each) for each in outcome.findings] + [("left out", each) for each in outcome.left_out]
    rows += [
        ("count", dict(zip(output_files.COUNTS.names, (*key, number), strict=True)))
        for key, number in outcome.counts.items()
    ]
    rows.append(("done", {"patients": outcome.patients, "cases": outcome.cases}))
    return [(what, _ENCODER.encode(each).decode()) for what, each in rows]


# --- results --------------------------------------------------------------------------------------------------------


def _names(scanned: DataFrame) -> DataFrame:
    """What organizations, locations and practitioners are called, by reference; a role as its practitioner."""
    named = scanned.where(f.col("kind").isin(*sorted(NAMED_TYPES)) & (f.col("reason") == "") & (f.col("raw") != ""))
    names = named.groupBy(f.concat("kind", f.lit("/"), "id").alias("ref")).agg(f.min("raw").alias("name"))
    people = names.select(f.col("ref").alias("name"), f.col("name").alias("person"))
    return names.join(people, "name", "left").select("ref", f.coalesce("person", "name").alias("name"))


def _write_tables(said: DataFrame, names: DataFrame, rejects: DataFrame, address: str) -> None:
    """Write findings, counts and rejects; each is a folder of files."""
    findings = _typed(said, "finding", output_files.FINDINGS)
    counts = _renamed(_typed(said, "count", output_files.COUNTS), "site", names)
    for column in ("site", "practitioner", "payer"):
        findings = _renamed(findings, column, names)
    sums = counts.groupBy("rule", "outcome", "reason", "month", "site").agg(f.sum("cases").alias("cases"))
    left_out = _typed(said, "left out", output_files.LEFT_OUT)
    ordered = findings.select(*output_files.FINDINGS.names).orderBy("rule", "day", "id")
    ordered.write.mode("overwrite").parquet(f"{address}/{output_files.FINDINGS_FILE}")
    sums.coalesce(1).write.mode("overwrite").parquet(f"{address}/{output_files.COUNTS_FILE}")
    every = rejects.union(left_out.select("place", "reason", f.lit(None).cast("string")))
    every.coalesce(1).write.mode("overwrite").json(f"{address}/{output_files.REJECTS_FILE}")
    left_out.coalesce(1).createOrReplaceTempView("left_out")


def _typed(said: DataFrame, what: str, schema: pa.Schema) -> DataFrame:
    rows = said.where(f.col("what") == what)
    return rows.select(f.from_json("said", from_arrow_schema(schema)).alias("row")).select("row.*")


def _renamed(table: DataFrame, column: str, names: DataFrame) -> DataFrame:
    renamed = names.select(f.col("ref").alias(column), f.col("name").alias("called"))
    joined = table.join(f.broadcast(renamed), column, "left")
    return joined.withColumn(column, f.coalesce("called", column)).drop("called")


def _facts(opened: Export | None, kinds: dict[str, int], said: DataFrame) -> dict[str, Any]:
    done = said.where(f.col("what") == "done").select(f.from_json("said", "patients long, cases long").alias("row"))
    rows = done.select("row.*").collect()
    return {
        "files": len(opened.shards) if opened else None,
        "bytes": sum(shard.size for shard in opened.shards) if opened else None,
        "lines": sum(kinds.values()),
        "types": kinds,
        "patientsRead": sum(row["patients"] for row in rows),
        "cases": sum(row["cases"] for row in rows),
    }


def _asking(spark: SparkSession, address: str) -> Callable[[str], list[dict[str, Any]]]:
    """Queries over what has been written: nothing is computed twice."""
    for view, name in (("findings", output_files.FINDINGS_FILE), ("counts", output_files.COUNTS_FILE)):
        spark.read.parquet(f"{address}/{name}").persist().createOrReplaceTempView(view)
    return lambda query: [row.asDict(recursive=True) for row in spark.sql(query).collect()]


def _refuse_to_overwrite(spark: SparkSession, out: str, options: Options) -> None:
    if not options.overwrite and _exists(spark, f"{out}/{output_files.SUMMARY_FILE}"):
        raise UnreadableInput(f"{out}: holds an audit; choose another folder, or --overwrite it")


def _file_system(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """Hadoop's file system of a path, which opens whatever Spark can."""
    address = path if _is_remote(path) else Path(path).absolute().as_uri()
    hadoop = spark.sparkContext._jvm.org.apache.hadoop.fs.Path(address)
    return hadoop.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), hadoop


def _exists(spark: SparkSession, path: str) -> bool:
    system, hadoop = _file_system(spark, path)
    return bool(system.exists(hadoop))


def _save(spark: SparkSession, path: str, content: bytes) -> None:
    system, hadoop = _file_system(spark, path)
    stream = system.create(hadoop, True)
    stream.write(bytearray(content))
    stream.close()
