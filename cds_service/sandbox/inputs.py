"""The user's own case: JSON, NDJSON, a claim or charge of its own, or notation; as a request or a Bundle."""

import json

from cds_service.errors import BadRequest, UnreadableCase
from cds_service.fhir.text_faults import utf8_json
from cds_service.intake.text import is_notation
from cds_service.intake.writer import CaseWriter, bundle_of
from cds_service.review.documents import CHARGES, format_of
from cds_service.sandbox.json_paths import Json, decoded


def document_of(body: bytes, writer: CaseWriter) -> Json:
    """A request or a Bundle. Raises BadRequest with the line and column of the fault, and what was found instead."""
    text = utf8_json(body).decode()
    if is_notation(text):
        return _typed(text, writer)
    if text.strip() and not text.lstrip().startswith(("{", "[")):
        raise BadRequest(
            f"line 1, column 1: expected JSON or a case in billers' notation (`charged: ...`), found {format_of(text)}"
        )
    if (resources := _resources_of_lines(text)) is not None:
        return bundle_of(resources)
    document = decoded(body)
    kind = document.get("resourceType")
    if kind in CHARGES:
        return bundle_of([document])
    if kind is not None and kind != "Bundle":
        raise BadRequest("expected a FHIR Bundle, a claim or charge, or a CDS Hooks request; found another resource")
    return document


def _typed(text: str, writer: CaseWriter) -> Json:
    try:
        return writer.request(writer.parsed_text(text))
    except UnreadableCase as error:
        rows = text.split("\n")
        row = error.line or next((number for number, each in enumerate(rows, 1) if error.word in each), 1)
        column = rows[row - 1].find(error.word) + 1 if error.word else 1
        raise BadRequest(f"line {row}, column {max(column, 1)}: {error}") from None


def _resources_of_lines(text: str) -> list[Json] | None:
    """The resources of NDJSON; None if the text is one JSON document. Raises BadRequest with the line at fault."""
    first, _, rest = text.strip().partition("\n")
    if not rest.strip():
        return None
    try:
        if not isinstance(json.loads(first), dict):
            return None
    except (ValueError, RecursionError):
        return None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append(decoded(line.encode()))
            except BadRequest as error:
                _, _, reason = error.message.partition(": ")
                raise BadRequest(f"line {number}, column 1: {reason or error.message}") from None
    return found
