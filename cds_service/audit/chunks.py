"""Lines of files, in pieces that can be read side by side: ranges of a plain file, or a packed file as a whole."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from cds_service.audit.exports import Shard

PIECE_BYTES = 32 * 1024 * 1024

# A line that is longer is no resource: it is skipped without being held in memory.
LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of one file that begin at `start` or after it, and before `end` (bytes; None: to the end of the file)."""

    number: int
    shard: Shard
    start: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """How much of the file it is, in bytes."""
        return self.shard.size if self.end is None else self.end - self.start


def pieces_of(shards: tuple[Shard, ...], size: int = PIECE_BYTES) -> tuple[Chunk, ...]:
    """All files in pieces, in their order."""
    ranges = [
        (shard, start, end)
        for shard in shards
        for start, end in ([(0, None)] if shard.is_packed or shard.size <= size else _ranges(shard.size, size))
    ]
    return tuple(Chunk(number, shard, start, end) for number, (shard, start, end) in enumerate(ranges))


def _ranges(total: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, total)) for start in range(0, total, size)]


@dataclass(slots=True)
class BrokenChunk:
    """What is said in the place of a line that cannot be read from the file."""

    reason: str


def lines_of(piece: Chunk) -> Iterator[str | BrokenChunk]:
    """The lines of a piece; bytes that are not UTF-8 become U+FFFD. A packed file that breaks off ends in a Broken."""
    opener = gzip.open if piece.shard.is_packed else open
    with opener(piece.shard.path, "rb") as file:
        try:
            yield from _lines(file, piece)  # type: ignore[arg-type]  # a GzipFile reads like any binary file
        except (EOFError, gzip.BadGzipFile, zlib.error):
            yield BrokenChunk("the packed file is broken or cut off here: what follows is missing")


def _lines(file: IO[bytes], piece: Chunk) -> Iterator[str | BrokenChunk]:
    position = piece.start
    if position:
        file.seek(position - 1)
        position = position - 1 + _skip(file)
    while piece.end is None or position < piece.end:
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
    """Skip the rest of a line, however long; how many bytes that were."""
    skipped = 0
    while part := file.readline(LONGEST_LINE):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
