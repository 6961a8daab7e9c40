"""What an audit leaves behind: the columns of its files, and how they are written whole or not at all."""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FINDINGS_FILE, COUNTS_FILE, REJECTS_FILE = "findings.parquet", "counts.parquet", "rejects.ndjson"
SUMMARY_FILE, REPORT_FILE = "summary.json", "report.html"

_SEEN = pa.struct([("seen", pa.string()), ("reference", pa.string())])
_REMEDY = pa.struct([("label", pa.string()), ("recommended", pa.bool_()), ("changes", pa.list_(pa.string()))])

# Column, type, and what it holds.
_FINDINGS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("id", pa.string(), "what `/review` calls it: the same as long as rule, evidence and remedies are"),
    ("subject", pa.string(), "what it is about: rule and evidence without the remedies; `audit diff` compares by it"),
    ("rule", pa.string(), "the rule's id"),
    ("indicator", pa.string(), "`warning`: would be denied or is wrong; `info`: advice"),
    ("summary", pa.string(), "what to do, in one sentence"),
    ("day", pa.date32(), "the date of service; null where no record says it"),
    ("month", pa.string(), "`2026-03`, or `no date`"),
    ("patient", pa.string(), "reference to the patient"),
    ("encounter", pa.string(), "reference to the encounter; null where none is named"),
    ("site", pa.string(), "who provides the encounter or the claim, by name where the export has it"),
    ("practitioner", pa.string(), "who charges, by name where the export has it"),
    ("payer", pa.string(), "who pays, as the coverage calls it"),
    ("setting", pa.string(), "`professional`, `facility` or `unknown`, by the claim"),
    ("product", pa.string(), "the contrast product charged or due; `several`; null where there is none"),
    ("codes", pa.list_(pa.string()), "the codes of the lines in evidence"),
    ("direction", pa.string(), "`under`: too little is charged; `over`: too much; `either`; `none`: no remedy"),
    ("value", pa.decimal128(14, 2), "estimate: what the charges change by; null without a fee for it"),
    ("evidence", pa.list_(_SEEN), "what was seen, and in which record"),
    ("remedies", pa.list_(_REMEDY), "ways to mend it, alternatives, in billers' notation"),
)
_COUNTS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("rule", pa.string(), "the rule's id; empty in the rows that count the cases themselves"),
    ("outcome", pa.string(), "`reviewed` (the case itself), `passed`, `finding` or `not checked`"),
    ("reason", pa.string(), "why it was not checked; else empty"),
    ("month", pa.string(), "month of the first charge of the case, or `no date`"),
    ("site", pa.string(), "as above"),
    ("cases", pa.int64(), "how many cases"),
)
DESCRIBED = {FINDINGS_FILE: _FINDINGS, COUNTS_FILE: _COUNTS}

FINDINGS, COUNTS = (
    pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in columns])
    for columns in (_FINDINGS, _COUNTS)
)
LEFT_OUT = pa.schema([("place", pa.string()), ("reason", pa.string())])


def findings_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of findings as a table with the documented columns."""
    return pa.Table.from_pylist([_typed(row) for row in rows], schema=FINDINGS)


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "day": date.fromisoformat(row["day"]) if row["day"] else None}


def counts_table(counts: Mapping[tuple[str, str, str, str, str], int]) -> pa.Table:
    """Counts as a table with the documented columns."""
    return pa.Table.from_pylist(
        [dict(zip(COUNTS.names, (*key, number), strict=True)) for key, number in sorted(counts.items())], schema=COUNTS
    )


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that is there as a whole or not at all."""
    write_whole(path, lambda partial: pq.write_table(table, partial, compression="zstd"))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, and rename it when it is complete."""
    partial = path.with_name(f"{path.name}.partial")
    write(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
