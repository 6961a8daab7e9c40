"""Splits the content of a file into documents: CDS Hooks requests, Bundles, single resources, cases in notation.

A file holds one JSON document, or one on each line (NDJSON), or a case in billers' notation; each may be gzip. Faults
name line and column, never content, but for the word at fault in a case that someone typed.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds_service.core.case import Stage
from cds_service.errors import BadRequest, UnreadableCase
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.files import GZIP_ERRORS, LINE_ENDINGS, is_gzip, is_named
from cds_service.fhir.foreign import cannot_be_resource
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.text_faults import utf8_json
from cds_service.intake.text import is_notation
from cds_service.intake.writer import CaseWriter

EXPECTED = "expected JSON (a FHIR Bundle, a claim or charge, a CDS Hooks request) or a case in billers' notation"

# Resources that can be reviewed by themselves.
CHARGES = frozenset({"Claim", "ChargeItem", "ExplanationOfBenefit"})

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

    `resource_type` is None for a CDS Hooks request. `stage` and `complete` (parts of the record) are those of a case in
    billers' notation, whose `body` is the Bundle made of it.
    """

    name: str
    body: bytes
    resource_type: str | None
    is_line: bool = False
    stage: Stage | None = None
    complete: frozenset[str] = frozenset()

    @property
    def is_single(self) -> bool:
        """True for a single resource, which is reviewed with others of its patient."""
        return self.resource_type not in {None, "Bundle"}

    @property
    def is_charge(self) -> bool:
        """True for a claim or a charge, which can be reviewed by itself."""
        return self.resource_type in CHARGES

    @property
    def found(self) -> str:
        """The kind of document, for a message; it repeats no text of a sender."""
        if self.resource_type in R4_TYPES:
            return f"a single {self.resource_type}"
        return "a resource of an unknown type" if self.resource_type else "JSON without a `resourceType` or a `hook`"


def documents_in(name: str, content: bytes, on_fault: OnFault, writer: CaseWriter | None = None) -> Iterator[Document]:
    """The documents in the content of a file; what cannot be read is reported and skipped.

    With a `writer`, also a case in billers' notation, as the Bundle made of it.
    """
    try:
        text = utf8_json(gzip.decompress(content) if is_gzip(content) else content).decode()
    except GZIP_ERRORS:
        on_fault(name, "the gzip file is corrupt or truncated")
        return
    except BadRequest:
        on_fault(name, "expected JSON in UTF-8, found another encoding")
        return
    if writer is not None and is_notation(text):
        yield from _typed_case(name, text, writer, on_fault)
        return
    if not _is_ndjson(name, text):
        yield from _document(name, text, 0, on_fault)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(_BLANK):
            yield from _document(name, line, number, on_fault)


def _typed_case(name: str, text: str, writer: CaseWriter, on_fault: OnFault) -> Iterator[Document]:
    """The Bundle of a case in billers' notation."""
    try:
        case = writer.parsed_text(text)
        body = msgspec.json.encode(writer.bundle(case).bundle)
    except UnreadableCase as error:
        on_fault(f"{name}: line {error.line}" if error.line else name, str(error))
    else:
        yield Document(name, body, "Bundle", stage=case.stage, complete=case.complete)


# The first characters of other formats, and their names.
_FORMATS = (
    ("<!doctype html", "an HTML page"),
    ("<html", "an HTML page"),
    ("<", "XML"),
    ("isa", "an X12 interchange"),
    ("msh|", "an HL7 version 2 message"),
    ("%pdf", "a PDF"),
    ("pk\x03\x04", "a zip archive"),
    ("", "text"),
)


def format_of(text: str) -> str:
    """The name of the format that a text which is no JSON seems to have."""
    begin = text.strip(_BLANK)[:100].lower()
    if not begin:
        return "nothing"
    return next(name for mark, name in _FORMATS if begin.startswith(mark))


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
        fault = _OFFSET.sub("", str(error))
        found = "" if body.startswith(("{", "[")) or line else f"; found {format_of(text)}"
        on_fault(f"{name}: {_place(text, str(error), line)}", f"{EXPECTED}{found} ({fault})")
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
