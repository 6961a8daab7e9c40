"""Pages for people where programs get JSON: errors, descriptions and FHIR resources, by `Accept`.

A page is shown only to who prefers HTML to JSON, as browsers do. `*/*`, no `Accept`, or `_format=json` in the query get
the JSON.
"""

import msgspec
from flask import Flask, Response, render_template, request

from cds_service.cdshooks.messages import OperationOutcome
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.web import page_headers

FHIR_JSON = "application/fhir+json"
FORMAT = "_format"  # a parameter of any address
_JSON = ("application/json", FHIR_JSON)
_FIRST_ERROR = 400

# A sentence for a reader on each status; the outcome of the call says more, except for 401.
_ADVICE = {
    401: "The service does not say why: the reason is in its log.",
    404: "Pages that were linked here may have moved; the navigation above lists all.",
    405: "Addresses such as this one are called by programs. The page API lists what each takes.",
    415: "Addresses such as this one are called by programs. The page API lists what each takes.",
    429: "Wait a moment and load the page again.",
    503: "Wait a moment and load the page again.",
}


def register(app: Flask) -> None:
    """Show each error as a page to who prefers one; status and headers stay, and programs get the OperationOutcome."""

    @app.after_request
    def as_page(response: Response) -> Response:
        if response.status_code < _FIRST_ERROR or response.mimetype != FHIR_JSON:
            return response
        response.headers.add("Vary", "Accept")
        if prefers_page():
            response.set_data(_error_page(response))
            response.content_type = "text/html; charset=utf-8"
            response.headers.update(page_headers.headers(page_headers.WITHOUT_SCRIPTS))
        return response


def prefers_page() -> bool:
    """True if `Accept` ranks HTML above JSON, and the query does not ask for JSON (`_format=json`)."""
    accepted = request.accept_mimetypes
    asks_for_json = request.args.get(FORMAT) in {"json", *_JSON}
    return not asks_for_json and accepted.quality("text/html") > max(map(accepted.quality, _JSON))


def page(template: str, **content: object) -> Response:
    """A page without scripts, of the reference's templates."""
    response = Response(render_template(f"reference/{template}", **content), content_type="text/html; charset=utf-8")
    response.headers.update(page_headers.headers(page_headers.WITHOUT_SCRIPTS))
    response.headers["Vary"] = "Accept"
    response.headers["Cache-Control"] = "no-store"
    return response


def _error_page(response: Response) -> str:
    status = response.status_code
    try:
        issues = msgspec.json.decode(response.get_data(), type=OperationOutcome).issue
    except DECODE_ERRORS:
        issues = ()
    said = [issue.diagnostics for issue in issues if issue.diagnostics]
    return render_template("reference/error.html", status=response.status, said=said, advice=_ADVICE.get(status, ""))
