"""`/review`: a FHIR Bundle in, findings out, for billing systems that speak no CDS Hooks."""

import time

from flask import Blueprint, Response, request

from cds_service.core.case import Stage
from cds_service.errors import BadRequest
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from cds_service.settings import Settings
from cds_service.web import limits, request_ids
from cds_service.web.call_recorder import CallRecorder, summary_of_bundle
from cds_service.web.responses import as_json, require_json

# What stands in the place of a service's id in logs, metrics and the audit log.
NAME = "review"


def blueprint(advisor: Advisor, recorder: CallRecorder, settings: Settings) -> Blueprint:
    """The route for a Bundle without any call around it."""
    routes = Blueprint("review", __name__)

    @routes.post("/review")
    def review() -> Response:
        require_json()
        started = time.perf_counter()
        answer = advisor.review_bundle(limits.sent(settings), _stage(), _complete())
        recorder.answered(request_ids.actor(), summary_of_bundle(NAME, answer, time.perf_counter() - started))
        return as_json(report_of(answer))

    return routes


def _stage() -> Stage | None:
    """When the Bundle stands, where the caller says so; else its charges tell."""
    written = request.args.get("stage")
    stages: dict[str | None, Stage | None] = {None: None, "order": "order", "claim": "claim"}
    if written not in stages:
        raise BadRequest("`stage`: expected order or claim", "stage")
    return stages[written]


def _complete() -> frozenset[str]:
    """The parts of the record that the Bundle holds whole, named by resource types."""
    written = request.args.get("complete")
    named = [] if written is None else written.split(",")
    if not set(named) <= set(PREFETCH_KEYS):
        raise BadRequest(f"`complete`: expected resource types out of {', '.join(PREFETCH_KEYS)}", "complete")
    return frozenset(PREFETCH_KEYS[each] for each in named)
