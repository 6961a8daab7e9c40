"""`/openapi.json` and `/hooks/{name}`: the OpenAPI document and the definitions of this project's own hooks.

Who prefers HTML gets a page of each.
"""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response

from cds_service.web import for_people
from cds_service.web.for_people import prefers_page
from cds_service.web.markdown import as_html
from cds_service.web.reference import vary_by_accept
from cds_service.web.responses import as_json, outcome


def blueprint(definitions: dict[str, str], namespace: str, openapi_document: dict[str, Any]) -> Blueprint:
    """The routes of the descriptions. `definitions` are Markdown, by the last part of the hook's name."""
    routes = Blueprint("documents", __name__)
    operations = tuple(_operations(openapi_document))

    @routes.get("/openapi.json")
    def openapi() -> Response:
        if prefers_page():
            return for_people.page("openapi.html", operations=operations, info=openapi_document["info"])
        return as_json(openapi_document)

    @routes.get("/hooks/<name>")
    def hook_definition(name: str) -> Response:
        if name not in definitions:
            return outcome(
                404, "not-found", f"no hook with this name is defined here; expected {', '.join(definitions)}"
            )
        text = definitions[name].replace("{namespace}", namespace)
        if prefers_page():
            return for_people.page("hook.html", name=name, content=as_html(text))
        return Response(text, content_type="text/markdown; charset=utf-8")

    vary_by_accept(routes)
    return routes


def _operations(document: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Method, path, summary and description of each operation, in the order of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = {name: operation[name] for name in ("summary", "description")}
            yield {"method": method.upper(), "path": path, **named}
