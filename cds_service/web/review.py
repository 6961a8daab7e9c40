"""`/review`: findings for a FHIR Bundle, or a file of claims, for billing systems without CDS Hooks."""

import time
from dataclasses import replace

import msgspec
from flask import Blueprint, Response, request

from cds_service.cdshooks.services import ServiceDirectory
from cds_service.core.case import Stage
from cds_service.errors import BadRequest
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.sources import complete_parts
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from cds_service.settings import Settings
from cds_service.web import claim_files, limits, request_ids
from cds_service.web.call_recorder import CallRecorder, summary_of_bundle
from cds_service.web.for_people import FHIR_JSON, FORMAT
from cds_service.web.responses import as_json, require_json

# The service name of a review in logs, metrics and the audit log.
NAME = "review"


def blueprint(advisor: Advisor, services: ServiceDirectory, recorder: CallRecorder, settings: Settings) -> Blueprint:
    """The route that reviews a Bundle, or a file of claims.

    `services` answer the CDS Hooks requests that are sent here by mistake.
    """
    routes = Blueprint("review", __name__)

    @routes.post("/review")
    def review() -> Response:
        started = time.perf_counter()
        _require_known_parameters()
        if claim_files.is_claim_file():
            content = claim_files.posted_file(settings)
            report, summary = claim_files.reviewed_file(advisor, content, _stage(), _complete(), NAME)
            recorder.record_call(request_ids.actor(), replace(summary, seconds=time.perf_counter() - started))
            return as_json(report)
        require_json(FHIR_JSON, claim_files.EDI_TYPE, claim_files.FORM_TYPE)
        body = limits.raw_body(settings)
        try:
            answer = advisor.review_bundle(body, _stage(), _complete())
        except BadRequest:
            _require_no_call(body, services)
            raise
        recorder.record_call(request_ids.actor(), summary_of_bundle(NAME, answer, time.perf_counter() - started))
        return as_json(report_of(answer))

    return routes


class _Head(msgspec.Struct):
    hook: str | None = None


def _require_no_call(body: bytes, services: ServiceDirectory) -> None:
    """Refuse a CDS Hooks request with the address that answers it. Raises BadRequest."""
    try:
        hook = msgspec.json.decode(body, type=_Head).hook
    except DECODE_ERRORS:
        return  # the review names the fault
    if hook is None:
        return
    known = {services.hook_of(each).rpartition(".")[2]: each for each in services.services}
    service = known.get(hook.rpartition(".")[2])
    address = f"/cds-services/{service.id}" if service else "/cds-services/{id}"
    raise BadRequest(f"expected a FHIR Bundle, found a CDS Hooks request: send it to POST {address}", "hook")


_STAGE, _COMPLETE = PARAMETERS = "stage", "complete"


def _require_known_parameters() -> None:
    """Refuse a misspelt parameter: the review would not be the one that was asked for. Raises BadRequest."""
    if not request.args.keys() <= {*PARAMETERS, FORMAT}:
        raise BadRequest(f"the query: expected no other parameters than {', '.join(PARAMETERS)}")


def _stage() -> Stage | None:
    """The stage of the query parameter `stage`; None if not given: the Bundle's charges decide then."""
    written = request.args.getlist(_STAGE)
    stages: dict[str, Stage] = {"order": "order", "claim": "claim"}
    if len(written) > 1 or not stages.keys() >= set(written):
        raise BadRequest(f"`{_STAGE}`: expected order or claim, once", _STAGE)
    return stages[written[0]] if written else None


def _complete() -> frozenset[str]:
    """The complete parts of the record, given as resource types. Raises BadRequest for an unknown type."""
    return complete_parts(each for written in request.args.getlist(_COMPLETE) for each in written.split(","))
