"""HTTP responses: JSON without empty members, and errors as FHIR OperationOutcomes."""

from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from cds_service.cdshooks.messages import Issue, OperationOutcome
from cds_service.errors import NotJson, RequestError
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.worded import JSON
from cds_service.telemetry.logs import location_of, log
from cds_service.web import spoken


def as_json(content: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """A JSON response that no cache stores, since it may hold patient data, and no browser takes for a page."""
    response = Response(JSON.encode(content), status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def outcome(status: int, code: str, diagnostics: str, expression: str = "", language: str | None = None) -> Response:
    """A FHIR OperationOutcome with one issue; `expression` is the path of the invalid member.

    `language` is the tag of that of the text, None for English.
    """
    issue = Issue(severity="error", code=code, diagnostics=diagnostics, expression=(expression,) if expression else ())
    return as_json(OperationOutcome(language=language, issue=(issue,)), status, "application/fhir+json")


# FHIR issue types for the error statuses of Flask itself.
_ISSUE_TYPES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def require_json(*also: str) -> None:
    """Require a JSON content type: `application/json`, `application/fhir+json`, the older `application/json+fhir`.

    `also` names other types that the route takes. Raises NotJson.
    """
    subtype = request.mimetype.partition("/")[2]
    if "json" not in subtype.split("+"):
        *others, last = ("application/json", *also)
        types = f"{', '.join(others)} or {last}" if others else last
        raise NotJson(f"expected a body of type {types}")


def register(app: Flask, catalogs: Catalogs) -> None:
    """Answer every error of the app as an OperationOutcome, in the language of the page that is being answered."""

    @app.errorhandler(RequestError)
    def on_request_error(error: RequestError) -> Response:
        said = catalogs.say_text(error.message, spoken.page_language())
        language = None if said.is_english else said.language.tag
        response = outcome(error.status, error.code, said.text, error.expression, language)
        response.headers.update(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        response = outcome(status, _ISSUE_TYPES.get(status, "processing"), _MESSAGES.get(status, error.name))
        for header, value in error.get_headers():
            if header in {"Allow", "Retry-After"}:
                response.headers[header] = value
        return response

    @app.errorhandler(Exception)
    def on_defect(error: Exception) -> Response:
        # The message of an unexpected error may repeat patient data: only its type and source line are logged.
        log.error("defect", path=request.url_rule.rule if request.url_rule else None, **location_of(error))
        return outcome(500, "exception", "internal error: this call was not reviewed")


_MESSAGES = {
    404: "no route has this address",
    405: "this route does not allow this method",
    413: "the body is larger than this service accepts",
}
