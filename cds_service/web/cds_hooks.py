"""`/cds-services`: discovery, the service calls and feedback."""

import time
from collections import Counter

from flask import Blueprint, Response, request

from cds_service import protocol
from cds_service.advice import Advice, Advisor
from cds_service.errors import UnknownService
from cds_service.logs import log
from cds_service.protocol import Service, decode_feedback
from cds_service.store import Store
from cds_service.web import exchange
from cds_service.web.answers import as_json, require_json


def blueprint(advisor: Advisor, services: tuple[Service, ...], store: Store) -> Blueprint:
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
        advice = advisor.answer(service, exchange.body(settings.max_body_bytes), page_base)
        store.issued(service.id, advice.response.cards)
        _log_call(service, advice, time.perf_counter() - started)
        return as_json(advice.response)

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        service = find(service_id)
        require_json()
        items = decode_feedback(exchange.body(settings.max_body_bytes))
        kept = store.take(service.id, items)
        outcomes = dict(Counter(str(item.outcome) for item in items))
        log.info("feedback", service=service.id, new=kept.new, unknown_cards=kept.unknown_cards, outcomes=outcomes)
        return as_json({})

    return routes


def _log_call(service: Service, advice: Advice, seconds: float) -> None:
    """What happened, in rule ids and counts: nothing of the patient."""
    log.info(
        "call",
        service=service.id,
        findings=dict(Counter(rule.id for rule, _ in advice.review.findings)),
        not_checked=dict(Counter(rule.id for rule, _ in advice.review.not_checked)),
        left_out=len(advice.unread),
        fetched=list(advice.fetched),
        milliseconds=round(seconds * 1000, 1),
    )
