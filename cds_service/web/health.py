"""`/health` and `/metrics`: liveness, readiness and Prometheus metrics."""

from typing import Any

from flask import Blueprint, Response

from cds_service.database.connections import UPGRADE, Database, State
from cds_service.telemetry.metrics import Metrics
from cds_service.web.responses import as_json

_HINTS: dict[State, str] = {
    "down": "advice is still given, but feedback is refused and calls are not stored until the database is back",
    "damaged": "advice is still given, but what is stored may be lost: stop the service and restore a backup, or move "
    "the file away to start with an empty one",
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
        """Ready (status 200) even without the database: rules and tables are loaded, and advice does not need it.

        `status` is `degraded` if writing to the database fails, with the name of the error as `reason`: an operator's
        alarm reads it, while a load balancer goes on sending calls.
        """
        found = database.health()
        content: dict[str, Any] = {"status": "ready" if found.state == "up" else "degraded", "database": found.state}
        content |= {"reason": found.reason} if found.reason else {}
        return as_json(content | ({"hint": _HINTS[found.state]} if found.state in _HINTS else {}))

    @routes.get("/metrics")
    def prometheus() -> Response:
        response = Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes
