"""Samples and exports as batches of resources: CDS Hooks requests, Bundles, single resources and NDJSON, also gzip.

A batch is one document, or some lines of an NDJSON file, so that no export is held in memory.
"""

import gzip
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cds_service.audit.chunks import BrokenChunk, Chunk, lines_of
from cds_service.audit.exports import ENDINGS, ExportFile
from cds_service.errors import BadRequest, UnreadableInput
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.sources import SourceResource
from cds_service.fhir.text_faults import utf8_json

BATCH_RESOURCES = 500

# Files that exporters write next to the data.
_NOT_DATA = frozenset({"manifest.json", "log.ndjson"})
_DOCUMENT_ENDINGS = (".json", ".json.gz")
_BLANK = "\ufeff \t\r\n"
_CORRUPT = "the file is corrupt"
_GZIP_MAGIC = b"\x1f\x8b"
_EXPECTED = "expected a FHIR resource, a Bundle or a CDS Hooks request in JSON"
_EXPECTED_LINE = "expected a FHIR resource in JSON"

# Called with the file, the line of an NDJSON file (None: all of the file) and the reason why it cannot be read.
OnFault = Callable[[str, int | None, str], None]


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    hook: str | None = None


@dataclass(frozen=True, slots=True)
class InputFile(ExportFile):
    """A file of samples or of an export; `name` is its path as the user wrote it."""

    @property
    def is_gzip(self) -> bool:
        """True if the file is gzip by its first bytes: some exporters leave the ending out, some proxies decompress."""
        with self.path.open("rb") as file:
            return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


def files_in(names: Iterable[str]) -> tuple[InputFile, ...]:
    """The files of a command's arguments: files, and folders with all of their JSON and NDJSON files.

    A file that is reached twice, by a link or by two arguments, is read once. Raises UnreadableInput.
    """
    found: dict[Path, InputFile] = {}
    for name in names:
        path = Path(name)
        if not path.exists():
            raise UnreadableInput(f"{name}: no such file or folder")
        for each in _files_of(path) if path.is_dir() else [path]:
            found.setdefault(each.resolve(), InputFile(each, str(each), each.stat().st_size))
    return tuple(found.values())


def _files_of(folder: Path) -> list[Path]:
    every = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_DATA)
    files = [path for path in every if path.name.lower().endswith((*ENDINGS, *_DOCUMENT_ENDINGS))]
    if not files:
        expected = ", ".join((*ENDINGS, *_DOCUMENT_ENDINGS))
        raise UnreadableInput(f"{folder}: expected files that end in {expected}")
    return files


def batches_of(file: InputFile, on_fault: OnFault, words: Collection[str] = ()) -> Iterator[list[SourceResource]]:
    """The resources of a file in batches; a part that cannot be read is reported and skipped.

    With `words`, only the lines of NDJSON that hold one of them are parsed.
    """
    try:
        if file.path.name.lower().endswith(ENDINGS) or _is_ndjson(file):
            sources = _sources_of_lines(file, on_fault, words)
            while batch := list(islice(sources, BATCH_RESOURCES)):
                yield batch
        elif batch := _sources_of_document(file, on_fault):
            yield batch
    except OSError as error:
        on_fault(file.name, None, error.strerror or _CORRUPT)


def _is_ndjson(file: InputFile) -> bool:
    """True if the first line is a JSON document of its own, and more follows: NDJSON under another name."""
    lines = (line for line in lines_of(Chunk(0, file)) if isinstance(line, BrokenChunk) or line.strip())
    first, second = next(lines, ""), next(lines, None)
    if isinstance(first, BrokenChunk) or second is None:
        return False
    try:
        msgspec.json.decode(first.strip(_BLANK), type=dict[str, msgspec.Raw])
    except DECODE_ERRORS:
        return False
    return True


def _sources_of_document(file: InputFile, on_fault: OnFault) -> list[SourceResource]:
    try:
        content = file.path.read_bytes()
        text = utf8_json(gzip.decompress(content) if file.is_gzip else content)
        resources = list(_resources_in(msgspec.json.decode(text)))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        on_fault(file.name, None, _CORRUPT)
    except BadRequest:
        on_fault(file.name, None, "expected JSON in UTF-8, found another encoding")
    except DECODE_ERRORS:
        on_fault(file.name, None, _EXPECTED)
    else:
        return [_source(f"{file.name}[{number}]", *each) for number, each in enumerate(resources)]
    return []


def _sources_of_lines(file: InputFile, on_fault: OnFault, words: Collection[str]) -> Iterator[SourceResource]:
    for number, line in enumerate(lines_of(Chunk(0, file)), 1):
        if isinstance(line, BrokenChunk):
            on_fault(file.name, number, line.reason)
        elif (text := line.strip(_BLANK)) and (not words or any(word in text for word in words)):
            yield from _sources_of_line(file.name, number, text, on_fault)


def _sources_of_line(name: str, number: int, line: str, on_fault: OnFault) -> list[SourceResource]:
    """The resource of a line; several if it holds a Bundle or a request, as in the log of a gateway."""
    path = f"{name}:{number}"
    try:
        head = msgspec.json.decode(line, type=_Head)
        if head.resource_type not in {None, "Bundle"} and head.hook is None:
            return [SourceResource(path, msgspec.Raw(line.encode()))]
        resources = list(_resources_in(msgspec.json.decode(line)))
    except DECODE_ERRORS:
        on_fault(name, number, _EXPECTED_LINE)
        return []
    return [_source(f"{path}[{position}]", *each) for position, each in enumerate(resources)]


def _source(path: str, resource: dict[str, Any], full_url: str) -> SourceResource:
    return SourceResource(path, msgspec.Raw(msgspec.json.encode(resource)), full_url)


def _resources_in(document: object) -> Iterator[tuple[dict[str, Any], str]]:
    """The resources of a document with the `fullUrl` of their entries. Raises msgspec.DecodeError if it is not FHIR."""
    if not isinstance(document, dict):
        raise msgspec.DecodeError(_EXPECTED)
    if isinstance(document.get("hook"), str):
        for part in (document.get("context"), document.get("prefetch")):
            for value in part.values() if isinstance(part, dict) else ():
                if isinstance(value, dict) and "resourceType" in value:
                    yield from _resources_in(value)
    elif document.get("resourceType") == "Bundle":
        yield from _resources_in_bundle(document)
    elif isinstance(document.get("resourceType"), str):
        yield document, ""
    else:
        raise msgspec.DecodeError(_EXPECTED)


def _resources_in_bundle(bundle: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and "resourceType" in resource:
            url = entry.get("fullUrl")
            own = url if isinstance(url, str) else ""
            yield from ((each, inner or own) for each, inner in _resources_in(resource))
