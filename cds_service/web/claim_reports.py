"""The body and the answers of `POST /claim`: a typed claim, and a case described in words."""

from typing import Any

import msgspec
from msgspec import structs

from cds_service.ask.case_facts import CaseSpan
from cds_service.ask.case_proposals import ProposedLine
from cds_service.ask.cases import LONGEST_DESCRIPTION, Asked, UnderstoodCase
from cds_service.intake.fields import KEYS
from cds_service.review.report import empty_sentence
from cds_service.review.typed_cases import ReviewedCase, TypedReport
from cds_service.web.markdown import as_html

# A value of a case in billers' notation: a text, or a list of texts.
CLAIM_CASE = "ClaimCase"
_TYPED_VALUE: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": "string"}}]
}
CLAIM_SCHEMA: dict[str, Any] = {
    "title": CLAIM_CASE,
    "description": "A claim in billers' notation, by keys or as one text (texts that are not notation get a 400); or a "
    "case in words: answered with what was understood and what is asked, and once it is confirmed, with lines",
    "type": "object",
    "properties": dict.fromkeys(KEYS, _TYPED_VALUE)
    | {
        "text": {"type": "string"},
        "words": {"type": "string", "maxLength": LONGEST_DESCRIPTION},
        "confirmed": {"type": "boolean"},
    },
    "additionalProperties": False,
}


class TypedClaimReport(TypedReport, kw_only=True):
    """The report on a claim; `sentence` says why nothing was checked, if nothing was."""

    sentence: str = ""


class CaseUnderstood(msgspec.Struct, frozen=True):
    """A case described in words, as it was understood; the places of `understood` are those in `words`."""

    words: str
    understood: tuple[CaseSpan, ...]
    not_understood: tuple[str, ...]
    asked: tuple[Asked, ...]
    notes: tuple[str, ...]


class CaseProposed(TypedClaimReport, kw_only=True):
    """A case described in words once its understanding was confirmed: also the proposed lines and their report."""

    words: str
    understood: tuple[CaseSpan, ...]
    not_understood: tuple[str, ...] = msgspec.field(name="not_understood")
    asked: tuple[Asked, ...]
    notes: tuple[str, ...]
    proposed: tuple[ProposedLine, ...]


def claim_report(reviewed: ReviewedCase) -> TypedClaimReport:
    """The report on a reviewed claim."""
    return TypedClaimReport(**_members(reviewed))


def case_report(case: UnderstoodCase) -> CaseUnderstood | CaseProposed:
    """The report on a described case, with its lines where they are proposed."""
    told: dict[str, Any] = {name: getattr(case, name) for name in CaseUnderstood.__struct_fields__}
    if case.proposal is None:
        return CaseUnderstood(**told)
    return CaseProposed(**_members(case.proposal.reviewed), **told, proposed=case.proposal.lines)


def _members(reviewed: ReviewedCase) -> dict[str, Any]:
    report = reviewed.report
    members: dict[str, Any] = {name: getattr(report, name) for name in report.__struct_fields__}
    members["findings"] = tuple(structs.replace(each, html=as_html(each.detail)) for each in report.findings)
    return members | {"sentence": empty_sentence(reviewed.answer) if report.empty else ""}
