"""What describes the service to people and programs: the OpenAPI document and the definitions of our own hooks."""

from typing import Any

from flask import Blueprint, Response

from cds_service.web.responses import as_json, outcome


def blueprint(definitions: dict[str, str], namespace: str, described: dict[str, Any]) -> Blueprint:
    """The routes of the descriptions: `definitions` are Markdown by the last part of the hook's name, `described` is
    the OpenAPI document.
    """
    routes = Blueprint("documents", __name__)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return as_json(described)

    @routes.get("/hooks/<name>")
    def hook_definition(name: str) -> Response:
        if name not in definitions:
            return outcome(404, "not-found", f"no hook of ours has this name; known are {', '.join(definitions)}")
        text = definitions[name].replace("{namespace}", namespace)
        return Response(text, content_type="text/markdown; charset=utf-8")

    return routes
