"""`/cds-services`: discovery, the service calls and feedback."""

import time

from flask import Blueprint, Response, request

from cds_service import protocol
from cds_service.advice import Advisor
from cds_service.errors import UnknownService
from cds_service.protocol import Service, decode_feedback
from cds_service.tracing import Tracing
from cds_service.watch import Watch, noted_of_call
from cds_service.web import gate, limits, observing
from cds_service.web.answers import as_json, require_json


def blueprint(advisor: Advisor, services: tuple[Service, ...], watch: Watch, traces: Tracing) -> Blueprint:
    """The routes of CDS Hooks for the given services."""
    routes = Blueprint("cds_hooks", __name__)
    by_id = {service.id: service for service in services}
    settings = advisor.settings
    listing = protocol.discovery(services, settings.hook_namespace)

    def find(service_id: str) -> Service:
        if service_id not in by_id:
            raise UnknownService(f"no service has this id; known are {', '.join(by_id)}")
        return by_id[service_id]

    @routes.get("/cds-services")
    def discovery() -> Response:
        return as_json(listing)

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        service = find(service_id)
        require_json()
        started = time.perf_counter()
        page_base = settings.public_base_url or f"{request.scheme}://{request.host}"
        caller = gate.caller()
        with traces.call(service.id, request.headers.get("traceparent")):
            advice = advisor.answer(service, limits.sent(settings), page_base, caller.servers if caller else None)
        noted = noted_of_call(service, advice, time.perf_counter() - started)
        response = as_json(advice.response)
        # What was read goes first: another call gets its turn while the log is written, and two of them do not fit into
        # the processor's cache (200 KB: 0.2 of 1.5 ms).
        del advice
        watch.answered(observing.caller(), noted)
        return response

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        service = find(service_id)
        require_json()
        watch.take(observing.caller(), service, decode_feedback(limits.body(settings)))
        return as_json({})

    return routes
