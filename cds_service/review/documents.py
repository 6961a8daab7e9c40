"""Splits the content of a file into documents: CDS Hooks requests, Bundles and single resources.

A file holds one JSON document, or one on each line (NDJSON); either may be gzip. Faults name line and column, never
content.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds_service.errors import BadRequest
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.files import GZIP_ERRORS, LINE_ENDINGS, is_gzip, is_named
from cds_service.fhir.foreign import cannot_be_resource
from cds_service.fhir.text_faults import utf8_json

EXPECTED = "expected JSON: a FHIR Bundle or a CDS Hooks request"

# Called with the place (`file`, `file: line 3, column 7`) and the reason why something cannot be read.
OnFault = Callable[[str, str], None]

_BLANK = "\ufeff \t\r\n"
_OFFSET = re.compile(r" \(byte (\d+)\)$")


class _Head(msgspec.Struct, rename="camel"):
    hook: str | None = None
    resource_type: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document: `name` is its file, with the line if it is one of several.

    `resource_type` is None for a CDS Hooks request.
    """

    name: str
    body: bytes
    resource_type: str | None
    is_line: bool = False

    @property
    def is_single(self) -> bool:
        """True for a single resource, which is reviewed with others of its patient."""
        return self.resource_type not in {None, "Bundle"}


def documents_in(name: str, content: bytes, on_fault: OnFault) -> Iterator[Document]:
    """The documents in the content of a file; what cannot be read is reported and skipped."""
    try:
        text = utf8_json(gzip.decompress(content) if is_gzip(content) else content).decode()
    except GZIP_ERRORS:
        on_fault(name, "the gzip file is corrupt or truncated")
        return
    except BadRequest:
        on_fault(name, "expected JSON in UTF-8, found another encoding")
        return
    if not _is_ndjson(name, text):
        yield from _document(name, text, 0, on_fault)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(_BLANK):
            yield from _document(name, line, number, on_fault)


def _is_ndjson(name: str, text: str) -> bool:
    """True for NDJSON by name, or if the first line is a JSON object of its own and more follows."""
    if is_named(Path(name), LINE_ENDINGS):
        return True
    first, _, rest = text.strip(_BLANK).partition("\n")
    try:
        return bool(rest) and isinstance(msgspec.json.decode(first), dict)
    except DECODE_ERRORS:
        return False


def _document(name: str, text: str, line: int, on_fault: OnFault) -> Iterator[Document]:
    """The document of a text; `line` is its line in NDJSON, else 0. Lines that cannot be resources are passed over."""
    body = text.strip(_BLANK)
    try:
        head = msgspec.json.decode(body, type=_Head)
    except msgspec.ValidationError:
        on_fault(f"{name}: line {line}" if line else name, EXPECTED)
    except RecursionError:
        on_fault(f"{name}: line {line}" if line else name, f"{EXPECTED}; it is nested too deeply")
    except DECODE_ERRORS as error:
        on_fault(f"{name}: {_place(text, str(error), line)}", f"{EXPECTED} ({_OFFSET.sub('', str(error))})")
    else:
        if not (line and head.hook is None and cannot_be_resource(body)):
            kind = None if head.hook is not None else head.resource_type or ""
            yield Document(f"{name}:{line}" if line else name, body.encode(), kind, bool(line))


def _place(text: str, error: str, line: int) -> str:
    """Line and column (in characters, from 1) of a fault in JSON, which is at the end if the JSON is cut off."""
    begin = len(text) - len(text.lstrip(_BLANK))
    rows = text[: begin + _position(text.strip(_BLANK), error)].split("\n")
    return f"line {line or len(rows)}, column {len(rows[-1]) + 1}"


def _position(text: str, error: str) -> int:
    """The characters before a fault. Python's decoder is exact where msgspec's is some bytes late, but less strict."""
    offset = _OFFSET.search(error)
    if offset is None:
        return len(text)
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        return found.pos
    return len(text.encode()[: int(offset[1])].decode("utf-8", "ignore"))
