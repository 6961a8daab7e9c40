"""`/openapi.json` and `/hooks/{name}`: the OpenAPI document and the definitions of this project's own hooks."""

from typing import Any

from flask import Blueprint, Response

from cds_service.web.responses import as_json, outcome


def blueprint(definitions: dict[str, str], namespace: str, openapi_document: dict[str, Any]) -> Blueprint:
    """The routes of the descriptions. `definitions` are Markdown, by the last part of the hook's name."""
    routes = Blueprint("documents", __name__)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return as_json(openapi_document)

    @routes.get("/hooks/<name>")
    def hook_definition(name: str) -> Response:
        if name not in definitions:
            return outcome(
                404, "not-found", f"no hook with this name is defined here; expected {', '.join(definitions)}"
            )
        text = definitions[name].replace("{namespace}", namespace)
        return Response(text, content_type="text/markdown; charset=utf-8")

    return routes
