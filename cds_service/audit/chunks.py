"""Chunks of export files that can be read in parallel: ranges of a plain file, or a whole gzip or 837 file."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from cds_service.audit.exports import ExportFile
from cds_service.fhir.files import GZIP_ERRORS
from cds_service.intake.x12.lines import claim_lines

CHUNK_BYTES = 32 * 1024 * 1024

# Longer lines are rejected without being held in memory.
LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """The lines of one file that begin from `start` up to `end` (bytes; None: end of the file)."""

    number: int
    source: ExportFile
    start: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.source.size if self.end is None else self.end - self.start


def chunks_of(files: tuple[ExportFile, ...], size: int = CHUNK_BYTES) -> tuple[Chunk, ...]:
    """The chunks of all files, in order."""
    ranges = [
        (file, start, end)
        for file in files
        for start, end in (
            [(0, None)] if file.size <= size or file.is_gzip or file.is_x12 else _ranges(file.size, size)
        )
    ]
    return tuple(Chunk(number, file, start, end) for number, (file, start, end) in enumerate(ranges))


def _ranges(total: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, total)) for start in range(0, total, size)]


@dataclass(slots=True)
class BrokenChunk:
    """Stands for a line that cannot be read, with the reason."""

    reason: str


def lines_of(chunk: Chunk) -> Iterator[str | BrokenChunk]:
    """The lines of a chunk; invalid UTF-8 becomes U+FFFD. A truncated gzip file ends with a BrokenChunk.

    Of an 837 file, the lines are the resources that its claims become.
    """
    if chunk.source.is_x12:
        yield from claim_lines(chunk.source.path)
        return
    opener = gzip.open if chunk.source.is_gzip else open
    with opener(chunk.source.path, "rb") as file:
        try:
            yield from _lines(file, chunk)  # type: ignore[arg-type]  # a GzipFile reads like any binary file
        except GZIP_ERRORS:
            yield BrokenChunk("the gzip file is corrupt or truncated here; the rest is missing")


def _lines(file: IO[bytes], chunk: Chunk) -> Iterator[str | BrokenChunk]:
    position = chunk.start
    if position:
        file.seek(position - 1)
        position = position - 1 + _skip(file)
    while chunk.end is None or position < chunk.end:
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        position += len(line)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            position += _skip(file)
            yield BrokenChunk(f"expected a line of at most {LONGEST_LINE // 1024**2} MB")
        else:
            yield line.decode("utf-8", "replace")


def _skip(file: IO[bytes]) -> int:
    """Skip the rest of a line; the number of bytes skipped."""
    skipped = 0
    while part := file.readline(LONGEST_LINE):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
