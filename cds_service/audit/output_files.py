"""Output files of an audit: their columns, and atomic writes."""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FINDINGS_FILE, COUNTS_FILE, REJECTS_FILE = "findings.parquet", "counts.parquet", "rejects.ndjson"
SUMMARY_FILE, REPORT_FILE, WORK_LIST_FILE = "summary.json", "report.html", "findings.csv"

# Beside a report in another language.
ENGLISH_REPORT_FILE = "report.en.html"
REPORT_FILES = (REPORT_FILE, ENGLISH_REPORT_FILE)

_EVIDENCE = pa.struct([("seen", pa.string()), ("reference", pa.string())])
_REMEDY = pa.struct([("label", pa.string()), ("recommended", pa.bool_()), ("changes", pa.list_(pa.string()))])

# Column, type, description.
_FINDINGS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("id", pa.string(), "the id in `/review`; stable as long as rule, evidence and fixes are the same"),
    ("subject", pa.string(), "hash of rule and evidence, without the fixes; `audit diff` matches by it"),
    ("rule", pa.string(), "the rule's id"),
    ("also_rules", pa.list_(pa.string()), "rules with a finding that the same fix repairs"),
    ("indicator", pa.string(), "`warning`: likely denial or incorrect payment; `info`: advice"),
    ("summary", pa.string(), "the action, in one sentence"),
    ("day", pa.date32(), "date of service; null if no record has one"),
    ("month", pa.string(), "`2026-03`, or `no date`"),
    ("patient", pa.string(), "reference to the patient"),
    ("encounter", pa.string(), "reference to the encounter; null if none"),
    ("site", pa.string(), "provider of the encounter or claim, by name if the export has it"),
    ("practitioner", pa.string(), "billing practitioner, by name if the export has it"),
    (
        "payer",
        pa.string(),
        "payer, as named in the coverage; `not in the export` if its coverage or organization is not",
    ),
    ("setting", pa.string(), "`professional`, `facility` or `unknown`, by claim type"),
    ("product", pa.string(), "contrast product charged or due; `several`; null if none"),
    ("claims", pa.list_(pa.string()), "references to the claims in evidence"),
    (
        "lines",
        pa.list_(pa.string()),
        "lines in evidence with their codes, `Claim/7 item 3: …`, or charges, `ChargeItem/5: …`",
    ),
    ("codes", pa.list_(pa.string()), "codes of the lines in evidence"),
    ("direction", pa.string(), "`under`: undercharged; `over`: overcharged; `either`; `none`: no fix"),
    ("value", pa.decimal128(14, 2), "estimate: change of the charges in dollars; null if a fee is missing"),
    ("evidence", pa.list_(_EVIDENCE), "the evidence, and the record it is from"),
    ("remedies", pa.list_(_REMEDY), "fixes, alternatives, in billing notation"),
)
_COUNTS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("rule", pa.string(), "the rule's id; empty in the rows that count cases reviewed"),
    (
        "outcome",
        pa.string(),
        "of the case itself `reviewed` or `empty` (nothing of an echo); `passed`, `finding` or `not checked`",
    ),
    (
        "reason",
        pa.string(),
        "reason if not checked; if passed, the sentence of a rule that found nothing to look at; else empty",
    ),
    ("month", pa.string(), "month of the first charge of the case, or `no date`"),
    ("site", pa.string(), "as in findings"),
    ("cases", pa.int64(), "number of cases"),
)
DESCRIBED = {FINDINGS_FILE: _FINDINGS, COUNTS_FILE: _COUNTS}

FINDINGS, COUNTS = (
    pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in columns])
    for columns in (_FINDINGS, _COUNTS)
)
SKIPPED = pa.schema([("place", pa.string()), ("reason", pa.string())])


def findings_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Findings as a table with the columns above."""
    return pa.Table.from_pylist([_typed(row) for row in rows], schema=FINDINGS)


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "day": date.fromisoformat(row["day"]) if row["day"] else None}


def counts_table(counts: Mapping[tuple[str, str, str, str, str], int]) -> pa.Table:
    """Counts as a table with the columns above."""
    return pa.Table.from_pylist(
        [dict(zip(COUNTS.names, (*key, number), strict=True)) for key, number in sorted(counts.items())], schema=COUNTS
    )


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file atomically."""
    write_atomically(path, lambda partial: pq.write_table(table, partial, compression="zstd"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and rename it when complete."""
    partial = path.with_name(f"{path.name}.partial")
    write(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
