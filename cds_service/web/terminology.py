"""`/fhir`: the tables, rules and override reasons as FHIR R4 resources, for a terminology server to load.

Who prefers HTML gets a page: the list of all, and each resource in the JSON that programs get.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from flask import Blueprint, Response, url_for

from cds_service.fhir.terminology import bundle
from cds_service.languages.worded import JSON
from cds_service.web import for_people
from cds_service.web.for_people import FHIR_JSON, prefers_page
from cds_service.web.reference import vary_by_accept
from cds_service.web.responses import as_json, outcome


def blueprint(made: Callable[[], dict[str, dict[str, Any]]]) -> Blueprint:
    """The routes of the resources by `Type/id`, made at the first request: they hold words of every language."""
    routes = Blueprint("terminology", __name__)
    resources = cache(made)

    @routes.get("/fhir")
    def all_resources() -> Response:
        if prefers_page():
            return for_people.page("fhir.html", resources=resources())
        return as_json(bundle(resources()), content_type=FHIR_JSON)

    @routes.get("/fhir/<kind>/<name>")
    def one(kind: str, name: str) -> Response:
        resource = resources().get(f"{kind}/{name}")
        if resource is None:
            listing = url_for("terminology.all_resources")
            return outcome(404, "not-found", f"no resource has this type and id; {listing} lists all")
        if prefers_page():
            return for_people.page("fhir_resource.html", resource=resource, json=_formatted(resource))
        return as_json(resource, content_type=FHIR_JSON)

    vary_by_accept(routes)
    return routes


def _formatted(resource: dict[str, Any]) -> str:
    return msgspec.json.format(JSON.encode(resource), indent=2).decode()
