"""`/cds-services`: discovery, the service calls and feedback."""

import time

from flask import Blueprint, Response, request

from cds_service.cdshooks.messages import decode_feedback
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.telemetry.tracing import Tracing
from cds_service.web import authentication, languages, limits, request_ids
from cds_service.web.call_recorder import CallRecorder, summary_of_call
from cds_service.web.responses import as_json, require_json


def blueprint(
    advisor: Advisor, services: ServiceDirectory, recorder: CallRecorder, traces: Tracing, settings: Settings
) -> Blueprint:
    """The routes of CDS Hooks for the given services."""
    routes = Blueprint("cds_hooks", __name__)
    listing = services.discovery()

    @routes.get("/cds-services")
    def discovery() -> Response:
        return as_json(listing)

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        service = services.with_id(service_id)
        require_json()
        started = time.perf_counter()
        page_base = settings.public_base_url or f"{request.scheme}://{request.host}"
        client = authentication.principal()
        language = languages.of_call(client.language if client else None)
        servers = client.servers if client else None
        with traces.call(service.id, request.headers.get("traceparent")):
            answer = advisor.answer(service, limits.raw_body(settings), page_base, servers, language)
        summary = summary_of_call(service, answer, time.perf_counter() - started)
        response = as_json(answer.response)
        if not language.is_english:
            response.headers["Content-Language"] = f"{language.tag}, en"
        # Free the parsed request before logging: another call runs meanwhile, and two parsed requests do not fit into
        # the processor's cache (200 KB: 0.2 of 1.5 ms).
        del answer
        recorder.record_call(request_ids.actor(), summary)
        return response

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        service = services.with_id(service_id)
        require_json()
        recorder.record_feedback(request_ids.actor(), service, decode_feedback(limits.bounded_body(settings)))
        return as_json({})

    return routes
