"""`/review`: a FHIR Bundle in, findings out, for billing systems that speak no CDS Hooks."""

import time

from flask import Blueprint, Response

from cds_service.advice import Advisor
from cds_service.report import report_of
from cds_service.watch import Watch
from cds_service.web import limits, observing
from cds_service.web.answers import as_json, require_json

# What stands in the place of a service's id in logs, metrics and the audit log.
NAME = "review"


def blueprint(advisor: Advisor, watch: Watch) -> Blueprint:
    """The route for a Bundle without any call around it."""
    routes = Blueprint("review", __name__)

    @routes.post("/review")
    def review() -> Response:
        require_json()
        started = time.perf_counter()
        advice = advisor.answer_bundle(limits.body(advisor.settings))
        watch.reviewed(observing.caller(), NAME, advice, time.perf_counter() - started)
        return as_json(report_of(advice))

    return routes
