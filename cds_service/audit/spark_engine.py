"""The Spark engine: the same functions as the embedded one, with Spark to group records by patient.

Spark reads and writes the paths, shuffles by patient, and retries failed tasks; `scan` and `Auditor.audit` run in
`mapInArrow` and `mapInPandas`. Every executor needs this package with its extra `spark`.
"""

import json
import os
import pickle
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from functools import partial, reduce
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from cds_service.audit import html_report, output_files, work_list
from cds_service.audit.charged_systems import CHARGE_TYPES
from cds_service.audit.duckdb_engine import Progress
from cds_service.audit.exports import Export, ExportFile, lines_by_content, open_export
from cds_service.audit.lines import MEDICATION, NAMED_TYPES
from cds_service.audit.patients import by_patient
from cds_service.audit.reviewer import Auditor, AuditTally, MakeAuditor
from cds_service.audit.run import Options, RunCounts, as_json, complete_parts, describe, type_in, unread_notes
from cds_service.audit.scan import BATCH_LINES, ROWS, scan
from cds_service.audit.sites import NOT_IN_EXPORT, PAYER_REFERENCE
from cds_service.audit.summary import DRILL_DOWN, summarize
from cds_service.errors import UnreadableInput
from cds_service.fhir.files import LINE_ENDINGS
from cds_service.languages.worded import JSON

_SCANNED = pa.schema([*ROWS, ("file", pa.string()), ("reason", pa.string()), ("number", pa.int64())])
_COUNTED = "counted"  # the reason of rows that hold the number of lines of a type
TASK_BYTES = 32 * 1024 * 1024
_RESULTS = "kind string, content string"


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
        raise UnreadableInput(f"{first['place']}: {first['reason']}" if first else "a line was rejected")
    complete, warnings = complete_parts(options.complete, _rejected_types(rejected))
    progress.advance(1)
    progress.begin("reviewing", 1, "steps")
    records = _records(scanned, options.everything).persist(StorageLevel.DISK_ONLY)
    results = _reviewed(records, _tasks(spark, records), make, complete).persist(StorageLevel.DISK_ONLY)
    address = out if _is_remote(out) else Path(out).absolute().as_uri()
    _write_tables(results, _names(scanned), _placed(spark, rejected), address)
    counts = RunCounts(_facts(opened, kinds, results), rejects)
    progress.advance(1)
    progress.begin("reporting", 1, "steps")
    notes = (*(opened.notes if opened else ()), *warnings, *unread_notes(kinds))
    files = [file.name for file in opened.files] if opened else [export]
    query = _querying(spark, address)
    run = describe(auditor, files, options, counts, notes, "spark")
    summary = summarize(replace(run, charges=partial(_charges, scanned)), query)
    _save(spark, f"{out}/{output_files.WORK_LIST_FILE}", work_list.encoded(_streamed(spark, work_list.QUERY)))
    words = html_report.ReportWords(auditor.speech, partial(_words, results))
    for name, html in html_report.rendered(summary, query(DRILL_DOWN), words):
        _save(spark, f"{out}/{name}", [html.encode()])
    _save(spark, f"{out}/{output_files.SUMMARY_FILE}", [as_json(summary)])  # last: it marks the audit as finished
    progress.advance(1)
    return summary


# A heap that suffices, since records go through it in batches; Spark's own default is 1 GB. With a single
# collector the JVM needs 200 MB less beside the heap. `PYSPARK_SUBMIT_ARGS="--driver-memory 4g pyspark-shell"` wins.
_ON_ONE_MACHINE = {
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "16",
    "spark.ui.enabled": "false",
}


def _session(master: str | None) -> SparkSession:
    """The session of the current cluster, or a new one on a master."""
    builder = SparkSession.builder.appName("contrast-echo audit")
    if (master or "local").startswith("local"):  # a cluster has its own settings for these
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for name, value in _ON_ONE_MACHINE.items():
            builder = builder.config(name, value)
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
    """True for a path that only Spark can open (s3://…, abfss://…, dbfs:/…)."""
    return ":/" in path and not path.startswith("file:")


def _scanned(spark: SparkSession, export: str, opened: Export | None, relevant: str) -> DataFrame:
    reader = spark.read.option("lineSep", "\n")
    if opened:
        by_name = [file for file in opened.files if file.is_read_by_name]
        others = [file.path for file in opened.files if not file.is_read_by_name]
        lines = reader.text([file.path.absolute().as_uri() for file in by_name]) if by_name else None
    else:
        patterns = ",".join(ending.removeprefix(".") for ending in LINE_ENDINGS)
        lines = reader.option("recursiveFileLookup", "true").option("pathGlobFilter", f"*.{{{patterns}}}").text(export)
        others = []
    parts = [lines.select("value", f.col("_metadata.file_path").alias("file"))] if lines is not None else []
    if others:
        rows = spark.sparkContext.parallelize(others, len(others)).flatMap(lines_by_content)
        parts.append(spark.createDataFrame(rows, "value string, file string"))
    with_file = reduce(DataFrame.union, parts)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from _scan_batch(batch.column("value").to_pylist(), batch.column("file").to_pylist(), relevant)

    return with_file.mapInArrow(read, from_arrow_schema(_SCANNED))


def _scan_batch(lines: list[str], files: list[str], relevant: str) -> Iterator[pa.RecordBatch]:
    """The records of a batch, its rejects with their lines, and the number of lines by resource type.

    The `id` of a reject is its place in an 837 file.
    """
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
        {
            **empty,
            "kind": each.kind,
            "id": each.place,
            "raw": each.text,
            "file": files[each.position],
            "reason": each.reason,
        }
        for each in found.rejects
    ]
    kinds = [{**empty, "kind": kind, "reason": _COUNTED, "number": count} for kind, count in found.kinds.items()]
    if rejects or kinds:
        yield pa.RecordBatch.from_pylist([*rejects, *kinds], schema=_SCANNED)


def _charges(scanned: DataFrame, most: int) -> Iterator[str]:
    """The texts of up to so many charges and claims of the export."""
    read = scanned.where((f.col("reason") == "") & f.col("kind").isin(*CHARGE_TYPES))
    return (row["raw"] for row in read.select("raw").limit(most).toLocalIterator())


def _counted(scanned: DataFrame) -> dict[str, int]:
    rows = scanned.where(f.col("reason") == _COUNTED).groupBy("kind").agg(f.sum("number").alias("lines")).collect()
    return {row["kind"]: int(row["lines"]) for row in sorted(rows)}


def _by_reason(rejected: DataFrame) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in rejected.groupBy("reason").count().collect()}


def _rejected_types(rejected: DataFrame) -> frozenset[str]:
    rows = rejected.select("kind", "file").distinct().collect()
    return frozenset(row["kind"] or type_in(row["file"]) for row in rows)


def _placed(spark: SparkSession, rejected: DataFrame) -> DataFrame:
    """Rejects with file and line number; only files with rejects are read again to number their lines.

    Of an 837 file, the segment is known.
    """
    name = f.regexp_extract("file", "[^/]+$", 0)
    in_claims = rejected.where(f.col("id") != "")
    of_claims = in_claims.select(f.concat(name, f.lit(": "), "id").alias("place"), "reason", f.col("raw").alias("text"))
    rejected = rejected.where(f.col("id") == "")
    files = sorted(row["file"] for row in rejected.select("file").distinct().collect())
    places = spark.createDataFrame([], "file string, line long, key string")
    for file in files:
        numbered = _lines_in(spark, file).zipWithIndex()
        rows = numbered.map(lambda pair, file=file: (file, pair[1] + 1, pair[0].strip("\ufeff \t\r\n")))
        places = places.union(spark.createDataFrame(rows, "file string, line long, key string"))
    texts = rejected.select(
        "file", "reason", f.regexp_replace("raw", r"^[\ufeff \t\r\n]+|[ \t\r\n]+$", "").alias("key")
    )
    found = places.join(texts.distinct(), ["file", "key"])
    of_lines = found.select(f.concat(name, f.lit(":"), "line").alias("place"), "reason", f.col("key").alias("text"))
    return of_lines.union(of_claims)


def _lines_in(spark: SparkSession, address: str) -> Any:
    """The lines of a file in order."""
    path = Path(unquote(urlsplit(address).path))
    if address.startswith("file:") and not ExportFile(path, address, 0).is_read_by_name:
        return spark.sparkContext.parallelize([path], 1).flatMap(lines_by_content).map(itemgetter(0))
    return spark.sparkContext.textFile(unquote(address))


# --- grouping and reviewing -----------------------------------------------------------------------------------------


def _records(scanned: DataFrame, everything: bool) -> DataFrame:
    """The records of relevant patients, with the Medication resources that they reference."""
    read = scanned.where(f.col("reason") == "").select("patient", "kind", "id", "medications", "related", "raw")
    own = read.where(f.col("patient") != "")
    drugs = read.where(f.col("kind") == MEDICATION).groupBy(f.col("id").alias("medication"))
    medications = drugs.agg(f.bool_or("related").alias("drug_related"), f.first("raw").alias("drug"))
    pointing = own.where(f.size("medications") > 0).select(
        "patient", "kind", "id", f.explode("medications").alias("medication")
    )
    pointing = pointing.join(medications, "medication")
    relevant = f.expr("true") if everything else f.col("related")
    drug_relevant = f.expr("true") if everything else f.col("drug_related")
    patients = own.where(relevant).select("patient").union(pointing.where(drug_relevant).select("patient")).distinct()
    flagged = pointing.where("drug_related").select("patient", "kind", "id", f.expr("true").alias("flag")).distinct()
    records = own.join(patients, "patient", "left_semi").join(flagged, ["patient", "kind", "id"], "left")
    drugs_of = pointing.select("patient", "medication", "drug").distinct().join(patients, "patient", "left_semi")
    return records.select(
        "patient", "kind", "id", (f.col("related") | f.coalesce("flag", f.expr("false"))).alias("related"), "raw"
    ).union(drugs_of.select("patient", f.lit(MEDICATION), "medication", f.expr("false"), "drug"))


def _tasks(spark: SparkSession, records: DataFrame) -> int:
    """The number of review tasks: one per core, more if a task would exceed TASK_BYTES."""
    (held,) = records.agg(f.coalesce(f.sum(f.length("raw")), f.lit(0))).collect()[0]
    cores: int = spark.sparkContext.defaultParallelism
    return max(cores, -(-int(held) // TASK_BYTES))


def _reviewed(records: DataFrame, tasks: int, make: MakeAuditor, complete: frozenset[str]) -> DataFrame:
    """The results as JSON rows: findings, counts and skipped records, after a shuffle by patient."""

    def review(frames: Iterator[Any]) -> Iterator[Any]:
        import pandas as pd  # noqa: PLC0415  # in the executor

        auditor, tally = replace(_auditor(make), complete=complete), AuditTally()
        for patient, patient_records in by_patient(_rows_in(frames)):
            auditor.audit(patient, patient_records, tally)
            if len(tally.findings) >= BATCH_LINES:
                yield pd.DataFrame(_result_rows(tally), columns=["kind", "content"])
                tally = AuditTally()
        yield pd.DataFrame(_result_rows(tally), columns=["kind", "content"])

    return records.repartition(tasks, "patient").sortWithinPartitions("patient").mapInPandas(review, _RESULTS)


_AUDITORS: dict[bytes, Auditor] = {}


def _auditor(make: MakeAuditor) -> Auditor:
    """The auditor of this process, created once and not for each task."""
    key = pickle.dumps(make)
    if key not in _AUDITORS:
        _AUDITORS[key] = make()
    return _AUDITORS[key]


def _rows_in(frames: Iterator[Any]) -> Iterator[tuple[str, str, str, str, bool]]:
    for frame in frames:
        for row in frame.itertuples(index=False):
            yield row.patient, row.kind, row.id, row.raw, bool(row.related)


def _result_rows(tally: AuditTally) -> list[tuple[str, str]]:
    rows: list[tuple[str, Any]] = [("finding", each) for each in tally.findings] + [
        ("skipped", each) for each in tally.skipped
    ]
    rows += [
        ("count", dict(zip(output_files.COUNTS.names, (*key, number), strict=True)))
        for key, number in tally.counts.items()
    ]
    rows += [("words", pair) for pair in tally.words.items()]
    rows.append(("done", {"patients": tally.patients, "cases": tally.cases}))
    return [(kind, JSON.encode(each).decode()) for kind, each in rows]


# --- results --------------------------------------------------------------------------------------------------------


def _names(scanned: DataFrame) -> DataFrame:
    """Names of organizations, locations and practitioners by reference; a role has its practitioner's."""
    named = scanned.where(f.col("kind").isin(*sorted(NAMED_TYPES)) & (f.col("reason") == "") & (f.col("raw") != ""))
    names = named.groupBy(f.concat("kind", f.lit("/"), "id").alias("ref")).agg(f.min("raw").alias("name"))
    people = names.select(f.col("ref").alias("name"), f.col("name").alias("person"))
    return names.join(people, "name", "left").select("ref", f.coalesce("person", "name").alias("name"))


def _words(results: DataFrame, wanted: Container[str]) -> dict[str, Any]:
    """The contents of the worded texts that are wanted, by the texts."""
    rows = results.where("kind = 'words'").select("content").distinct().toLocalIterator()
    return {text: content for text, content in (json.loads(row["content"]) for row in rows) if text in wanted}


def _write_tables(results: DataFrame, names: DataFrame, rejects: DataFrame, address: str) -> None:
    """Write findings, counts and rejects, each as a folder of files."""
    findings = _typed(results, "finding", output_files.FINDINGS)
    counts = _renamed(_typed(results, "count", output_files.COUNTS), "site", names)
    for column in ("site", "practitioner", "payer"):
        findings = _renamed(findings, column, names)
    unresolved = f.col("payer").startswith(PAYER_REFERENCE)  # what has a name was renamed
    findings = findings.withColumn("payer", f.when(unresolved, f.lit(NOT_IN_EXPORT)).otherwise(f.col("payer")))
    sums = counts.groupBy("rule", "outcome", "reason", "month", "site").agg(f.sum("cases").alias("cases"))
    skipped = _typed(results, "skipped", output_files.SKIPPED)
    ordered = findings.select(*output_files.FINDINGS.names).orderBy("rule", f.col("day").asc_nulls_last(), "id")
    ordered.write.mode("overwrite").parquet(f"{address}/{output_files.FINDINGS_FILE}")
    sums.coalesce(1).write.mode("overwrite").parquet(f"{address}/{output_files.COUNTS_FILE}")
    every = rejects.union(skipped.select("place", "reason", f.lit(None).cast("string")))
    every.coalesce(1).write.mode("overwrite").json(f"{address}/{output_files.REJECTS_FILE}")
    skipped.coalesce(1).createOrReplaceTempView("left_out")


def _typed(results: DataFrame, kind: str, schema: pa.Schema) -> DataFrame:
    rows = results.where(f.col("kind") == kind)
    return rows.select(f.from_json("content", from_arrow_schema(schema)).alias("row")).select("row.*")


def _renamed(table: DataFrame, column: str, names: DataFrame) -> DataFrame:
    renamed = names.select(f.col("ref").alias(column), f.col("name").alias("new_name"))
    joined = table.join(f.broadcast(renamed), column, "left")
    return joined.withColumn(column, f.coalesce("new_name", column)).drop("new_name")


def _facts(opened: Export | None, kinds: dict[str, int], results: DataFrame) -> dict[str, Any]:
    done = results.where(f.col("kind") == "done").select(
        f.from_json("content", "patients long, cases long").alias("row")
    )
    rows = done.select("row.*").collect()
    return {
        "files": len(opened.files) if opened else None,
        "bytes": sum(file.size for file in opened.files) if opened else None,
        "lines": sum(kinds.values()),
        "types": kinds,
        "patientsRead": sum(row["patients"] for row in rows),
        "cases": sum(row["cases"] for row in rows),
    }


def _querying(spark: SparkSession, address: str) -> Callable[[str], list[dict[str, Any]]]:
    """Run queries over the written tables, so that nothing is computed twice."""
    for view, name in (("findings", output_files.FINDINGS_FILE), ("counts", output_files.COUNTS_FILE)):
        spark.read.parquet(f"{address}/{name}").persist().createOrReplaceTempView(view)
    return lambda query: [row.asDict(recursive=True) for row in spark.sql(query).collect()]


def _streamed(spark: SparkSession, query: str) -> Iterator[dict[str, Any]]:
    """The rows of a query in order, one part of the table at a time."""
    return (row.asDict(recursive=True) for row in spark.sql(query).toLocalIterator())


def _refuse_to_overwrite(spark: SparkSession, out: str, options: Options) -> None:
    if not options.overwrite and _exists(spark, f"{out}/{output_files.SUMMARY_FILE}"):
        raise UnreadableInput(f"{out}: contains an audit; choose another folder or use --overwrite")


def _file_system(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """The Hadoop file system and path object of a path."""
    address = path if _is_remote(path) else Path(path).absolute().as_uri()
    hadoop = spark.sparkContext._jvm.org.apache.hadoop.fs.Path(address)
    return hadoop.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), hadoop


def _exists(spark: SparkSession, path: str) -> bool:
    system, hadoop = _file_system(spark, path)
    return bool(system.exists(hadoop))


def _save(spark: SparkSession, path: str, parts: Iterable[bytes]) -> None:
    system, hadoop = _file_system(spark, path)
    stream = system.create(hadoop, True)
    for part in parts:
        stream.write(bytearray(part))
    stream.close()
