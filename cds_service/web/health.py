"""`/health` and `/metrics`: liveness, readiness and Prometheus metrics."""

from typing import Any

from flask import Blueprint, Response

from cds_service.database.connections import UPGRADE, Database, Health
from cds_service.telemetry.metrics import Metrics
from cds_service.web.responses import as_json

_HINTS: dict[Health, str] = {
    "down": "advice is still given, but feedback is refused and calls are not stored until the database is back",
    "outdated": f"run `{UPGRADE}`; until then advice is still given, but feedback is refused and calls are not stored",
}


def blueprint(database: Database, metrics: Metrics) -> Blueprint:
    """The routes for operators."""
    routes = Blueprint("operations", __name__)

    @routes.get("/health/live")
    def live() -> Response:
        return as_json({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> Response:
        """Ready even without the database: rules and tables are loaded, and advice does not need it."""
        state = database.health()
        content: dict[str, Any] = {"status": "ready" if state == "up" else "degraded", "database": state}
        return as_json(content | ({"hint": _HINTS[state]} if state in _HINTS else {}))

    @routes.get("/metrics")
    def prometheus() -> Response:
        response = Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes
