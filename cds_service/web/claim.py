"""`/claim`: a claim as coders type it, by keys or in billers' notation; reviewed as `/review` reviews a Bundle."""

import time
from typing import Any

from flask import Blueprint, Response, redirect, render_template, url_for
from msgspec import structs
from werkzeug.wrappers import Response as BaseResponse

from cds_service.errors import BadRequest, UnreadableCase
from cds_service.intake.fields import KEYS
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter
from cds_service.review.advisor import Advisor
from cds_service.review.report import empty_sentence
from cds_service.review.typed_cases import ClaimPage, TypedReport, review_case
from cds_service.sandbox.json_paths import Json, decoded
from cds_service.settings import Settings
from cds_service.web import limits, page_headers, request_ids
from cds_service.web.call_recorder import CallRecorder, summary_of_bundle
from cds_service.web.markdown import as_html
from cds_service.web.responses import as_json, require_json

# The service name of a claim's review in logs, metrics and the audit log.
NAME = "claim"
TEXT = "text"


class TypedClaimReport(TypedReport, kw_only=True):
    """The report on a claim; `sentence` says why nothing was checked, if nothing was."""

    sentence: str = ""


def blueprint(
    advisor: Advisor,
    writer: CaseWriter,
    recorder: CallRecorder,
    settings: Settings,
    offers: ClaimPage,
) -> Blueprint:
    """The page with what it offers, the guide to the notation, and the route that reviews a claim."""
    routes = Blueprint("claim", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITH_OWN_SCRIPTS)

    if not settings.has_sandbox:  # which otherwise is the start

        @routes.get("/")
        def start() -> BaseResponse:
            return redirect(url_for("claim.page"))

    @routes.get("/claim")
    def page() -> Response:
        content = render_template("claim/page.html", choices=offers.choices, examples=offers.examples)
        return Response(content, content_type="text/html; charset=utf-8")

    @routes.get("/claim/notation")
    def notation() -> Response:
        content = render_template("claim/notation.html", content=as_html(offers.guide))
        return Response(content, content_type="text/html; charset=utf-8")

    @routes.post("/claim")
    def review() -> Response:
        require_json()
        started = time.perf_counter()
        case = _case(writer, decoded(limits.bounded_body(settings)))
        try:
            reviewed = review_case(advisor, writer, case)
        except UnreadableCase as error:
            raise _refusal(error) from None
        seconds = time.perf_counter() - started
        recorder.record_call(request_ids.actor(), summary_of_bundle(NAME, reviewed.answer, seconds))
        sentence = empty_sentence(reviewed.answer) if reviewed.report.empty else ""
        return as_json(_with_html(reviewed.report, sentence))

    return routes


def _case(writer: CaseWriter, content: Json) -> TypedCase:
    """The case that the body states. Raises BadRequest, which names the key."""
    try:
        if TEXT not in content:
            return writer.parsed(content)
        if len(content) > 1:
            raise BadRequest(f"`{TEXT}`: expected either a text or the keys {', '.join(KEYS)}", TEXT)
        if not isinstance(content[TEXT], str):
            raise BadRequest(f"`{TEXT}`: expected a case in billers' notation", TEXT)
        return writer.parsed_text(content[TEXT])
    except UnreadableCase as error:
        raise _refusal(error) from None


def _refusal(error: UnreadableCase) -> BadRequest:
    """The error for the client; it names the line of a text, and repeats the word at fault."""
    place = f"line {error.line}: " if error.line else ""
    return BadRequest(f"{place}{error}", error.key if error.key in KEYS else TEXT)


def _with_html(report: TypedReport, sentence: str) -> TypedClaimReport:
    members: dict[str, Any] = {name: getattr(report, name) for name in report.__struct_fields__}
    members["findings"] = tuple(structs.replace(each, html=as_html(each.detail)) for each in report.findings)
    return TypedClaimReport(**members, sentence=sentence)
