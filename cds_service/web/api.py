"""`/api`: the operations of the OpenAPI document, to read and to try, by Swagger UI.

Its files come with a package, so that nothing is loaded from another host. The page and the script that starts it are
ours, since the package's own page has an inline script, which the content security policy forbids.
"""

from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, abort, render_template, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

from cds_service.web import page_headers

_FILES = ("swagger-ui.css", "swagger-ui-bundle.js")


def blueprint() -> Blueprint:
    """The page, and the files of Swagger UI beside the other static ones, which need no token."""
    routes = Blueprint("api", __name__, template_folder="templates")
    folder = Path(str(files("flask_swagger_ui"))) / "dist"
    page_headers.register(routes, page_headers.WITH_DRAWN_ICONS)

    @routes.get("/api")
    def page() -> Response:
        return Response(render_template("reference/api.html"), content_type="text/html; charset=utf-8")

    @routes.get("/static/swagger-ui/<name>")
    def static_file(name: str) -> BaseResponse:
        if name not in _FILES:
            abort(404)
        return send_from_directory(folder, name)

    return routes
