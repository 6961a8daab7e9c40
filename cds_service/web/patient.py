"""`/codes/{code}/patient` and `POST /claim/patient`: charges in plain words for patients, to print, in ten languages.

What is typed is neither stored nor logged.
"""

from dataclasses import dataclass
from datetime import date
from functools import partial
from urllib.parse import parse_qs

from flask import Blueprint, Response, render_template, request, url_for

from cds_service.errors import BadRequest
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter
from cds_service.languages.known import LANGUAGES, Language
from cds_service.languages.messages import message
from cds_service.review.patient import Charge, Explainer, Explanation
from cds_service.review.reference import Reference
from cds_service.sandbox.json_paths import decoded
from cds_service.settings import Settings
from cds_service.web import languages, limits, page_headers, transport
from cds_service.web.claim import TEXT, typed_case
from cds_service.web.reference import missing, vary_by_accept, wants_json
from cds_service.web.responses import as_json, require_json

FORM = "application/x-www-form-urlencoded"

# The fields of the form: the claim in billers' notation, and the language.
_FIELDS = {TEXT, languages.PARAMETER}


@dataclass(frozen=True)
class _Source:
    """The page's own address for another language: of a code, or of a claim with its text."""

    code: str = ""
    text: str = ""
    day: date | None = None


def blueprint(reference: Reference, explainer: Explainer, writer: CaseWriter, settings: Settings) -> Blueprint:
    """The routes that explain a code, and the lines of a claim, to patients."""
    routes = Blueprint("patient", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)

    @routes.get("/codes/<code>/patient")
    def code(code: str) -> Response:
        found = reference.page(code)
        if found is None:
            return missing("code", url_for("reference.codes"))
        language = languages.requested()
        explained = explainer.explain([Charge(found.code)], language)
        as_page = partial(page, explained, language, _Source(code=found.code))
        response = as_json(explained) if wants_json() else as_page()
        return languages.in_language(response, language, keep=languages.PARAMETER in request.args)

    @routes.post("/claim/patient")
    def claim() -> Response:
        if request.mimetype == FORM:
            text, asked = _form(transport.body(settings.max_body_bytes))
            language = languages.requested(asked)
            case = typed_case(writer, {TEXT: text})
            response = page(_explained(case, language), language, _Source(text=text, day=_day(case)))
            return languages.in_language(response, language, keep=asked is not None)
        require_json(FORM)
        language = languages.requested()
        case = typed_case(writer, decoded(limits.bounded_body(settings)))
        return languages.in_language(as_json(_explained(case, language)), language)

    def _explained(case: TypedCase, language: Language) -> Explanation:
        charges = (Charge(each.code, each.modifiers, each.units) for each in case.charges)
        return explainer.explain(charges, language)

    def page(explained: Explanation, language: Language, source: _Source) -> Response:
        content = render_template(
            "patient/page.html",
            page=explained,
            language=language,
            languages=LANGUAGES,
            source=source,
            message=message,
            say=partial(explainer.catalogs.say, language=language),
        )
        response = Response(content, content_type="text/html; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    vary_by_accept(routes)
    return routes


def _form(body: bytes) -> tuple[str, str | None]:
    """The claim's text and the language in a form. Raises BadRequest with the field."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=len(_FIELDS))
    except ValueError:
        raise BadRequest(f"the body: expected a form in UTF-8 with `{TEXT}` and `{languages.PARAMETER}`") from None
    if any(name not in _FIELDS or len(values) > 1 for name, values in fields.items()) or TEXT not in fields:
        raise BadRequest(
            f"`{TEXT}`: expected a case in billers' notation, once, and `{languages.PARAMETER}` at most", TEXT
        )
    (text,), (language,) = fields[TEXT], fields.get(languages.PARAMETER, [None])
    return str(text), language


def _day(case: TypedCase) -> date | None:
    return date.fromisoformat(case.day) if case.day else None
