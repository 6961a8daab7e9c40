"""`/claim`: a claim by keys, in billers' notation or in words; reviewed as `/review` reviews a Bundle.

What is typed is in no log.
"""

import time

from flask import Blueprint, Response, redirect, render_template, request, url_for
from msgspec import Struct
from werkzeug.wrappers import Response as BaseResponse

from cds_service.ask.cases import WORDS, CaseReader
from cds_service.errors import BadRequest, UnreadableCase
from cds_service.intake.fields import KEYS
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, Language
from cds_service.languages.worded import joined, worded
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.typed_cases import ClaimPage, ReviewedCase, review_case
from cds_service.sandbox.json_paths import Json, decoded
from cds_service.settings import Settings
from cds_service.web import languages, limits, page_headers, request_ids, spoken
from cds_service.web.call_recorder import CallRecorder, summary_of_bundle
from cds_service.web.claim_reports import case_report, claim_report
from cds_service.web.markdown import as_html
from cds_service.web.responses import as_json, require_json
from cds_service.web.spoken_data import said

# The service name of a claim's review in logs, metrics and the audit log.
NAME = "claim"
TEXT = "text"
CONFIRMED = "confirmed"


def blueprint(
    advisor: Advisor,
    writer: CaseWriter,
    recorder: CallRecorder,
    settings: Settings,
    offers: ClaimPage,
    reader: CaseReader,
    *,
    catalogs: Catalogs,
) -> Blueprint:
    """The page with what it offers, the guide to the notation, and the route that reviews a claim."""
    routes = Blueprint("claim", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITH_OWN_FORMS)

    if not settings.has_sandbox:  # which otherwise is the start

        @routes.get("/")
        def start() -> BaseResponse:
            return redirect(url_for("claim.page"))

    @routes.get("/claim")
    def page() -> Response:
        return spoken.page(
            "claim/page.html",
            choices=offers.choices,
            examples=offers.examples,
            descriptions=reader.knowledge.words.examples,
        )

    @routes.get("/claim/notation")
    def notation() -> Response:
        content = render_template("claim/notation.html", content=as_html(offers.guide))
        return Response(content, content_type="text/html; charset=utf-8")

    @routes.post("/claim")
    def review() -> Response:
        """Programs get English; the page asks for its language in the query, and is told what stays English."""
        require_json()
        started = time.perf_counter()
        language = languages.requested() if languages.PARAMETER in request.args else ENGLISH
        spoken.speak(language)
        content = decoded(limits.bounded_body(settings))
        if WORDS in content:
            return described(content, started, language)
        case = typed_case(writer, content)
        try:
            reviewed = review_case(advisor, writer, case)
        except UnreadableCase as error:
            raise _refusal(error) from None
        record(reviewed.answer, started)
        return answered(claim_report(reviewed), reviewed, language)

    def answered(report: Struct, reviewed: ReviewedCase | None, language: Language) -> Response:
        if language.is_english:
            return as_json(report)
        details = reviewed.details if reviewed else {}
        return languages.in_language(as_json(said(report, details, catalogs, language)), language)

    def described(content: Json, started: float, language: Language) -> Response:
        words, confirmed = _description(content)
        case = reader.read(words, confirmed, language)
        reviewed = case.proposal.reviewed if case.proposal else None
        if reviewed is not None:
            record(reviewed.answer, started)
        return answered(case_report(case), reviewed, language)

    def record(answer: Answer, started: float) -> None:
        recorder.record_call(request_ids.actor(), summary_of_bundle(NAME, answer, time.perf_counter() - started))

    return routes


def _description(content: Json) -> tuple[str, bool]:
    """The words that the body states, and true if their understanding is confirmed. Raises BadRequest with the key."""
    words, confirmed = content[WORDS], content.get(CONFIRMED, False)
    if other := next((each for each in content if each not in {WORDS, CONFIRMED}), None):
        key = other if other in KEYS or other == TEXT else WORDS
        raise BadRequest(f"`{key}`: expected `{WORDS}` alone, or with `{CONFIRMED}`", key)
    if not isinstance(words, str):
        raise BadRequest(f"`{WORDS}`: expected a case described in words", WORDS)
    if not isinstance(confirmed, bool):
        raise BadRequest(f"`{CONFIRMED}`: expected true or false", CONFIRMED)
    return words, confirmed


def typed_case(writer: CaseWriter, content: Json) -> TypedCase:
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
    fault = joined(": ", filter(None, (error.shown, error.expected)))
    if error.line:
        fault = worded("line {number}: {fault}", number=error.line, fault=fault)
    return BadRequest(fault, error.key if error.key in KEYS else TEXT)
