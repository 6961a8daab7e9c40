"""`/health`: whether the process lives and is ready for calls."""

from flask import Blueprint, Response

from cds_service.web.answers import as_json


def blueprint() -> Blueprint:
    """The routes for whoever runs the service."""
    routes = Blueprint("operations", __name__)

    @routes.get("/health/live")
    def live() -> Response:
        return as_json({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> Response:
        return as_json({"status": "ready"})  # rules and tables are loaded before the first call is taken

    return routes
