"""Samples and exports as batches of resources: CDS Hooks requests, Bundles, single resources and NDJSON, also gzip.

A batch is one document, or some lines of an NDJSON file, so that no export is held in memory.
"""

import gzip
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cds_service.audit.chunks import BrokenChunk, Chunk, lines_of
from cds_service.audit.exports import ExportFile
from cds_service.errors import BadRequest, UnreadableInput
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.files import (
    DOCUMENT_ENDINGS,
    GZIP_ERRORS,
    LINE_ENDINGS,
    MANIFEST,
    files_under,
    is_gzip_of_json,
    is_named,
    once,
)
from cds_service.fhir.foreign import cannot_be_resource
from cds_service.fhir.sources import SourceResource
from cds_service.fhir.text_faults import utf8_json

BATCH_RESOURCES = 500

_BLANK = "\ufeff \t\r\n"
_CORRUPT = "the file is corrupt"
_EXPECTED = "expected a FHIR resource, a Bundle or a CDS Hooks request in JSON"
_EXPECTED_LINE = "expected a FHIR resource in JSON"

# Called with the file, the line of an NDJSON file (None: all of the file) and the reason why it cannot be read.
OnFault = Callable[[str, int | None, str], None]


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    hook: str | None = None


def files_in(names: Iterable[str]) -> tuple[ExportFile, ...]:
    """The files of a command's arguments: files, and folders with all of their JSON and NDJSON files.

    A file that is reached twice, by a link or by two arguments, is read once; its name is its path as the user wrote
    it. Raises UnreadableInput.
    """
    paths = [path for name in names for path in paths_in(name)]
    return tuple(ExportFile(each, str(each), each.stat().st_size) for each in once(paths))


def paths_in(name: str, is_also_read: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """A file, or the JSON and NDJSON files of a folder, plain or gzip, and others that the caller reads.

    Raises UnreadableInput if there is none.
    """
    path = Path(name)
    if not path.exists():
        raise UnreadableInput(f"{name}: no such file or folder")
    if not path.is_dir():
        return [path]
    endings = (*LINE_ENDINGS, *DOCUMENT_ENDINGS)
    every = (each for each in files_under(path) if each.name != MANIFEST)
    files = [each for each in every if is_named(each, endings) or is_gzip_of_json(each) or is_also_read(each)]
    if not files:
        raise UnreadableInput(f"{path}: expected files that end in {', '.join(endings)}")
    return files


def batches_of(file: ExportFile, on_fault: OnFault, words: Collection[str] = ()) -> Iterator[list[SourceResource]]:
    """The resources of a file in batches; a part that cannot be read is reported and skipped.

    With `words`, only the lines of NDJSON that hold one of them are parsed.
    """
    try:
        if is_named(file.path, LINE_ENDINGS) or _is_ndjson(file):
            sources = _sources_of_lines(file, on_fault, words)
            while batch := list(islice(sources, BATCH_RESOURCES)):
                yield batch
        elif batch := _sources_of_document(file, on_fault):
            yield batch
    except OSError as error:
        on_fault(file.name, None, error.strerror or _CORRUPT)


def _is_ndjson(file: ExportFile) -> bool:
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


def _sources_of_document(file: ExportFile, on_fault: OnFault) -> list[SourceResource]:
    try:
        content = file.path.read_bytes()
        text = utf8_json(gzip.decompress(content) if file.is_gzip else content)
        resources = list(_resources_in(msgspec.json.decode(text)))
    except GZIP_ERRORS:
        on_fault(file.name, None, _CORRUPT)
    except BadRequest:
        on_fault(file.name, None, "expected JSON in UTF-8, found another encoding")
    except DECODE_ERRORS:
        on_fault(file.name, None, _EXPECTED)
    else:
        return [_source(f"{file.name}[{number}]", *each) for number, each in enumerate(resources)]
    return []


def _sources_of_lines(file: ExportFile, on_fault: OnFault, words: Collection[str]) -> Iterator[SourceResource]:
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
        if not cannot_be_resource(line):
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
