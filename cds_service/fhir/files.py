"""Files of FHIR data on disk: their names, gzip by content, and each real file once."""

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

# Names of files with one resource on each line.
LINE_ENDINGS = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
# Names of files with one JSON document.
DOCUMENT_ENDINGS = (".json", ".json.gz")

# Written by exporters to list the files; no data themselves.
MANIFEST = "manifest.json"

_GZIP_MAGIC = b"\x1f\x8b"
_FIRST_BYTES = 1024 * 1024
_BLANK = b"\xef\xbb\xbf \t\r\n"

# Raised by decompressing damaged gzip.
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


def is_gzip(first: bytes) -> bool:
    """True if data begin as gzip does. Names do not tell: some exporters omit the ending, some proxies decompress."""
    return first.startswith(_GZIP_MAGIC)


def is_gzip_file(path: Path) -> bool:
    """True if a file is gzip by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        return is_gzip(file.read(len(_GZIP_MAGIC)))


def is_named(path: Path, endings: tuple[str, ...]) -> bool:
    """True if a file's name has one of these endings, in small or capital letters."""
    return path.name.lower().endswith(endings)


def is_gzip_of_json(path: Path) -> bool:
    """True if a file of any name is gzip and its text begins as a JSON object; False if it is damaged."""
    if not is_gzip_file(path):
        return False
    try:
        with gzip.open(path) as file:
            return file.read(_FIRST_BYTES).lstrip(_BLANK).startswith(b"{")
    except GZIP_ERRORS:
        return False  # the caller names it as a file that was not read


def files_under(folder: Path) -> list[Path]:
    """All files of a folder in order of their paths; links to folders are followed, each real folder once."""
    found, seen = list[Path](), set[tuple[int, int]]()
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_new(Path(place, name), seen)]
        found += [path for name in names if (path := Path(place, name)).is_file()]
    return sorted(found)


def once(paths: Iterable[Path], seen: set[tuple[int, int]] | None = None) -> Iterator[Path]:
    """Each real file once, by the first of its paths: links and repeated names lead to the same file.

    `seen` holds the files that were reached before; those found now are added.
    """
    reached = set[tuple[int, int]]() if seen is None else seen
    return (path for path in paths if _is_new(path, reached))


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    status = path.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True
