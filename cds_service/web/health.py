"""`/health` and `/metrics`: liveness, readiness and Prometheus metrics."""

from typing import Any

from flask import Blueprint, Response

from cds_service.cms.lookup import Tables
from cds_service.database.connections import UPGRADE, Database, State
from cds_service.review.tables import loaded_tables
from cds_service.telemetry.metrics import Metrics
from cds_service.web.responses import as_json

_HINTS: dict[State, str] = {
    "down": "advice is still given, but feedback is refused and calls are not stored until the database is back",
    "damaged": "advice is still given, but what is stored may be lost: stop the service and restore a backup, or move "
    "the file away to start with an empty one",
    "outdated": f"run `{UPGRADE}`; until then advice is still given, but feedback is refused and calls are not stored",
}


def blueprint(database: Database, metrics: Metrics, tables: Tables) -> Blueprint:
    """The routes for operators."""
    routes = Blueprint("operations", __name__)

    @routes.get("/health/live")
    def live() -> Response:
        return as_json({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> Response:
        """Ready (status 200) even without the database: rules and tables are loaded, and advice does not need it.

        `status` is `degraded` if writing to the database fails, with the name of the error as `reason`, or if a file of
        the loaded tables cannot be read: an operator's alarm reads it, while a load balancer goes on sending calls.
        `tables` are the loaded releases of CMS that answer.
        """
        found, loaded = database.health(), tables.snapshot()
        is_sound = found.state == "up" and not loaded.faults
        content: dict[str, Any] = {"status": "ready" if is_sound else "degraded", "database": found.state}
        content |= {"tables": [each.table for each in loaded_tables(loaded)]} if loaded.releases else {}
        content |= {"tableFaults": loaded.faults} if loaded.faults else {}
        content |= {"reason": found.reason} if found.reason else {}
        return as_json(content | ({"hint": _HINTS[found.state]} if found.state in _HINTS else {}))

    @routes.get("/metrics")
    def prometheus() -> Response:
        response = Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes
