"""`/cds-services`: discovery and the service calls."""

import time
from collections import Counter

from flask import Blueprint, Response, request

from cds_service.advice import Advice, Advisor
from cds_service.errors import UnknownService
from cds_service.logs import log
from cds_service.protocol import Service, discovery_entry
from cds_service.web.answers import as_json, require_json


def blueprint(advisor: Advisor, services: tuple[Service, ...]) -> Blueprint:
    """The routes of CDS Hooks for the given services."""
    routes = Blueprint("cds_hooks", __name__)
    by_id = {service.id: service for service in services}
    namespace = advisor.settings.hook_namespace
    listing = {"services": [discovery_entry(service, namespace) for service in services]}

    @routes.get("/cds-services")
    def discovery() -> Response:
        return as_json(listing)

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        service = by_id.get(service_id)
        if service is None:
            raise UnknownService(f"no service has this id; known are {', '.join(by_id)}")
        require_json()
        started = time.perf_counter()
        advice = advisor.answer(service, request.get_data())
        _log_call(service, advice, time.perf_counter() - started)
        return as_json(advice.response)

    return routes


def _log_call(service: Service, advice: Advice, seconds: float) -> None:
    """What happened, in rule ids and counts: nothing of the patient."""
    log.info(
        "call",
        service=service.id,
        findings=dict(Counter(rule.id for rule, _ in advice.review.findings)),
        not_checked=dict(Counter(rule.id for rule, _ in advice.review.not_checked)),
        left_out=len(advice.unread),
        milliseconds=round(seconds * 1000, 1),
    )
