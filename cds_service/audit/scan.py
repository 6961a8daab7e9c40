"""Scans batches of lines of an export: records with their relevance as a table, and rejects.

Both engines use it, so that they see the same records.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cds_service.audit.lines import Row, read_line
from cds_service.intake.x12.lines import set_aside_in

BATCH_LINES = 4096

# JSON can escape any letter, and a code could hide in an escape: such a line counts as relevant. The last one is the
# Kelvin sign, whose lower case is `k`.
_ESCAPED = r"\\u00[2-7]|\\u212a"

ROWS = pa.schema(
    [
        ("patient", pa.string()),
        ("kind", pa.string()),
        ("id", pa.string()),
        ("medications", pa.list_(pa.string())),
        ("related", pa.bool_()),
        ("raw", pa.large_string()),
    ]
)


class RejectedLine(NamedTuple):
    """A rejected line: its position in the batch, resource type if known, reason and text.

    `place` is that in an 837 file; empty for a line of a file of resources, whose number is its place.
    """

    position: int
    kind: str
    reason: str
    text: str
    place: str = ""


@dataclass(slots=True)
class ScannedBatch:
    """A batch of lines: records as a table, rejects, and lines by resource type."""

    rows: pa.RecordBatch
    rejects: list[RejectedLine]
    kinds: dict[str, int]


def scan(lines: list[str], relevant: str) -> ScannedBatch:
    """Parse a batch of lines; empty lines are ignored."""
    kept: list[tuple[Row, str]] = []
    rejects: list[RejectedLine] = []
    kinds: dict[str, int] = {}
    for position, each in enumerate(lines):
        line = each.strip("\ufeff \t\r\n")
        if not line:
            continue
        if aside := set_aside_in(line):
            kinds["Claim"] = kinds.get("Claim", 0) + 1
            rejects.append(RejectedLine(position, "Claim", aside.reason, aside.claim, aside.place))
            continue
        row = read_line(line)
        kinds[row.kind or "?"] = kinds.get(row.kind or "?", 0) + 1
        if row.reason:
            rejects.append(RejectedLine(position, row.kind, row.reason, line))
        elif not row.skipped:
            kept.append((row, line if row.name is None else row.name))
    raw = pa.array([line for _, line in kept], pa.large_string())
    columns = [
        pa.array([row.patient for row, _ in kept], pa.string()),
        pa.array([row.kind for row, _ in kept], pa.string()),
        pa.array([row.id for row, _ in kept], pa.string()),
        pa.array([row.medications for row, _ in kept], pa.list_(pa.string())),
        pc.match_substring_regex(raw, f"{relevant}|{_ESCAPED}", ignore_case=True),
        raw,
    ]
    return ScannedBatch(pa.RecordBatch.from_arrays(columns, schema=ROWS), rejects, kinds)


def batches(lines: Iterable[str], size: int = BATCH_LINES) -> Iterator[list[str]]:
    """Lines in batches of at most `size` lines and 8 MB."""
    batch: list[str] = []
    held = 0
    for line in lines:
        batch.append(line)
        held += len(line)
        if len(batch) >= size or held > 8_000_000:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
