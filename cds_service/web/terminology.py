"""`/fhir`: the tables, rules and override reasons as FHIR R4 resources, for a terminology server to load."""

from typing import Any

from flask import Blueprint, Response, url_for

from cds_service.fhir.terminology import bundle
from cds_service.web.responses import as_json, outcome

FHIR_JSON = "application/fhir+json"


def blueprint(resources: dict[str, dict[str, Any]]) -> Blueprint:
    """The routes of the resources, given by `Type/id`."""
    routes = Blueprint("terminology", __name__)
    every = bundle(resources)

    @routes.get("/fhir")
    def all_resources() -> Response:
        return as_json(every, content_type=FHIR_JSON)

    @routes.get("/fhir/<kind>/<name>")
    def one(kind: str, name: str) -> Response:
        resource = resources.get(f"{kind}/{name}")
        if resource is None:
            listing = url_for("terminology.all_resources")
            return outcome(404, "not-found", f"no resource has this type and id; {listing} lists all")
        return as_json(resource, content_type=FHIR_JSON)

    return routes
