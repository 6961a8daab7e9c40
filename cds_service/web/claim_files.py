"""Files of claims in requests: X12 as a body of its own, or as the only file of a form."""

from functools import partial
from io import BytesIO
from typing import Any

from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from cds_service.core.case import Stage
from cds_service.errors import BadRequest, TooLarge, UnreadableInput
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.intake.x12.segments import FIRST_BYTES, is_x12
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.claim_files import (
    RECORD_DECLARED_EMPTY,
    WITHOUT_RECORD,
    ClaimFileReport,
    ClaimReport,
    ClaimSetAside,
    ReviewedClaim,
    review_claims,
    set_aside_view,
)
from cds_service.settings import Settings
from cds_service.telemetry.calls import CallSummary
from cds_service.web import transport
from cds_service.web.call_recorder import summary_of_bundle

EDI_TYPE, FORM_TYPE = "application/edi-x12", "multipart/form-data"

_MOST_PARTS = 20
_NO_FORM = "the body: expected multipart/form-data with its boundary"
_ONE_FILE = "the body: expected a form with one X12 837 file"

# What a file of claims may hold completely: it has no clinical record.
_PARTS_OF_CLAIMS = frozenset({PREFETCH_KEYS["Claim"], PREFETCH_KEYS["Coverage"]})


def is_claim_file() -> bool:
    """True if the request declares X12, or a form with a file."""
    return request.mimetype in {EDI_TYPE, FORM_TYPE}


def posted_file(settings: Settings) -> bytes:
    """The file of claims in the request, within the size limit. Raises RequestError."""
    body = transport.body(settings.max_body_bytes)
    return body if request.mimetype == EDI_TYPE else _file_in_form(body, settings.max_body_bytes)


def _file_in_form(body: bytes, limit: int) -> bytes:
    """The one X12 file among the parts of a form, kept in memory: nothing is written to a disk."""
    parser = FormDataParser(
        stream_factory=_in_memory,
        max_form_memory_size=limit,
        max_content_length=limit,
        max_form_parts=_MOST_PARTS,
        silent=False,
    )
    try:
        _, fields, files = parser.parse(BytesIO(body), FORM_TYPE, len(body), request.mimetype_params)
    except (ValueError, HTTPException):
        raise BadRequest(_NO_FORM) from None
    held = [each.read() for _, each in files.items(multi=True)]
    held += [each.encode() for _, each in fields.items(multi=True)]
    found = [each for each in held if is_x12(each[:FIRST_BYTES])]
    if len(found) != 1:
        raise BadRequest(_ONE_FILE)
    return bytes(found[0])


def _in_memory(*_: Any, **__: Any) -> BytesIO:
    return BytesIO()


def reviewed_file(
    advisor: Advisor, content: bytes, stage: Stage | None, complete: frozenset[str], name: str
) -> tuple[ClaimFileReport, CallSummary]:
    """The report on a file of claims, and the summary of the call under the name of its route. Raises RequestError."""
    claims, aside, summary = list[ClaimReport](), list[ClaimSetAside](), _Summary(name)
    try:
        for each in review_claims(advisor, partial(BytesIO, content), complete, stage or "claim"):
            if isinstance(each, ReviewedClaim):
                claims.append(each.report)
                summary.add(each.answer)
            else:
                aside.append(set_aside_view(each))
            if max(len(claims), len(aside)) > advisor.max_entries:
                raise TooLarge(f"the file has more than {advisor.max_entries} claims")
    except UnreadableInput as error:
        raise BadRequest(f"the body: {error}") from None
    note = WITHOUT_RECORD if complete <= _PARTS_OF_CLAIMS else RECORD_DECLARED_EMPTY
    report = ClaimFileReport(note=note, claims=tuple(claims), set_aside=tuple(aside))
    return report, summary.whole(len(aside))


class _Summary:
    """Adds the summaries of the claims of one call up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[str] = []
        self.not_checked: list[tuple[str, str]] = []
        self.not_understood: list[tuple[str, str, int]] = []
        self.skipped = 0

    def add(self, answer: Answer | None) -> None:
        if answer is None:
            return  # a claim of no echo: nothing to count
        one = summary_of_bundle(self.name, answer, 0.0)
        self.findings += one.findings
        self.not_checked += one.not_checked
        self.not_understood += one.not_understood
        self.skipped += one.skipped

    def whole(self, set_aside: int) -> CallSummary:
        return CallSummary(
            service=self.name,
            findings=self.findings,
            not_checked=self.not_checked,
            skipped=self.skipped + set_aside,
            not_understood=self.not_understood,
        )
