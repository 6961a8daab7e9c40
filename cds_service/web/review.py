"""`/review`: a FHIR Bundle in, findings out, for billing systems that speak no CDS Hooks."""

from collections import Counter

from flask import Blueprint, Response

from cds_service.advice import Advisor
from cds_service.logs import log
from cds_service.report import report_of
from cds_service.web import limits
from cds_service.web.answers import as_json, require_json


def blueprint(advisor: Advisor) -> Blueprint:
    """The route for a Bundle without any call around it."""
    routes = Blueprint("review", __name__)

    @routes.post("/review")
    def review() -> Response:
        require_json()
        report = report_of(advisor.answer_bundle(limits.body(advisor.settings)))
        log.info("review", findings=dict(Counter(each.rule for each in report.findings)))
        return as_json(report)

    return routes
