"""The OpenAPI 3.1 document, generated from the message types that the service decodes and encodes."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import msgspec

from cds_service.ask.answer import Answer
from cds_service.ask.asker import LONGEST_QUESTION
from cds_service.cdshooks.messages import (
    BUNDLE_SCHEMA,
    Context,
    FeedbackRequest,
    Message,
    OperationOutcome,
    Request,
    Response,
)
from cds_service.cdshooks.services import Discovery, Service
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.review.claim_files import ClaimFileReport
from cds_service.review.patient import Explanation
from cds_service.review.report import Report
from cds_service.web.claim_files import EDI_TYPE, FORM_TYPE
from cds_service.web.claim_reports import CLAIM_CASE, CLAIM_SCHEMA, CaseProposed, CaseUnderstood, TypedClaimReport
from cds_service.web.languages import PARAMETER
from cds_service.web.openapi_errors import ERROR_HEADERS, ERRORS
from cds_service.web.openapi_schemas import (
    ACCEPTED_NEEDS_SUGGESTIONS,
    ANSWER_LANGUAGE,
    CARD_LANGUAGE,
    FLAT_REASON_NEEDS_CODE,
    LANGUAGE_TAG,
    PAGE_LANGUAGE,
    components,
    never_null,
    request_name,
    request_schema,
)
from cds_service.web.patient import FORM

Json = dict[str, Any]


# Pages for people, where `Accept` ranks HTML above JSON.
_HTML: Json = {"text/html": {"schema": {"type": "string"}}}


class Nothing(msgspec.Struct):
    """An empty object."""


class Health(Message):
    """Health of the process; `degraded`: advice is given, but feedback cannot be stored."""

    status: Literal["live", "ready", "degraded"]
    database: Literal["up", "outdated", "damaged", "down"] | None = None
    reason: str | None = None
    hint: str | None = None


_REQUEST_TYPES = (Request, FeedbackRequest)
_CLAIM_ANSWERS = (TypedClaimReport, CaseProposed, CaseUnderstood)
_RESPONSE_TYPES = (
    Response,
    Discovery,
    OperationOutcome,
    Nothing,
    Health,
    Report,
    *_CLAIM_ANSWERS,
    ClaimFileReport,
    Explanation,
)

_ABOUT = """CDS Hooks service: coding advice for contrast stress echocardiography.

Request bodies may be compressed with gzip (`Content-Encoding: gzip`); responses over 1,000 bytes are compressed for
clients that accept it (`Accept-Encoding: gzip`). JSON may be declared as `application/json` or `application/fhir+json`.
Errors are FHIR OperationOutcomes. Where `Accept` ranks HTML above JSON, errors, descriptions and resources are pages.
Paths that are not listed here return 404, except those of the sandbox, which serve its own page only."""

_ACCESS_ERRORS = ("401", "403", "429", "503")
# No token is required in development, and for the paths that the settings open.
_TOKEN_OR_NONE: list[Json] = [{"client": []}, {}]
_BODY_ERRORS = ("400", "404", "405", "413", "415")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedNames:
    """Names in the paths: definitions of our own hooks, codes, rules, modifiers, FHIR resources (`Type/id`)."""

    definitions: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


def document(services: tuple[Service, ...], namespace: str, names: DocumentedNames) -> Json:
    """The OpenAPI document for the given CDS Hooks services and names in the paths."""
    paths: Json = {
        "/cds-services": {
            "get": _operation(
                "discovery", "Discovery", "The CDS Hooks services with their prefetch templates", Discovery
            )
        }
    }
    for service in services:
        paths |= _paths_of(service)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "contrast-echo-cds",
            "version": version("contrast-echo-cds"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _tagged("CDS Hooks", paths)
        | _tagged("Review", _review() | _claim())
        | _tagged("Reference", _reference_pages(names))
        | _tagged("For patients", _for_patients(names))
        | _tagged("Descriptions", _descriptions(names))
        | _tagged("Terminology", _terminology(names))
        | _tagged("Operation", _health()),
        "components": {
            "schemas": _schemas(services, namespace),
            "responses": {name: _error(status) for status, (name, _) in ERRORS.items()},
            "securitySchemes": {"client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


# --- paths ----------------------------------------------------------------------------------------------------------


def _tagged(tag: str, paths: Json) -> Json:
    """The paths, with each operation in the group of a tag."""
    return {
        path: {method: operation | {"tags": [tag]} for method, operation in methods.items()}
        for path, methods in paths.items()
    }


def _paths_of(service: Service) -> Json:
    path = f"/cds-services/{service.id}"
    call = _operation(f"call-{service.id}", service.title, service.description, Response, (*_BODY_ERRORS, "412"))
    feedback = _operation(
        f"feedback-{service.id}",
        f"Feedback: {service.title}",
        "Outcomes of cards: accepted or overridden",
        Nothing,
        _BODY_ERRORS,
    )
    return {
        path: {"post": call | {"requestBody": _body(request_name(service)), "parameters": [CARD_LANGUAGE]}},
        f"{path}/feedback": {"post": feedback | {"requestBody": _body("FeedbackRequest")}},
    }


def _descriptions(names: DocumentedNames) -> Json:
    described = _operation("openapi", "This document", "OpenAPI 3.1, or a page with the operations", None)
    described["responses"]["200"]["content"] |= _HTML
    api = _operation("api", "The operations, to read and to try", "HTML", None)
    api["responses"]["200"] = {"description": "The page", "content": _HTML}
    hook = _operation(
        "hook-definition", "The definition of one of this service's own hooks", "Markdown", None, ("404", "405")
    )
    hook["responses"]["200"] = {
        "description": "The definition, in the format of the CDS Hooks library",
        "content": {"text/markdown": {"schema": {"type": "string"}}} | _HTML,
    }
    parameters = [_in_path("name", names.definitions)]
    return {
        "/openapi.json": {"get": described},
        "/api": {"get": api},
        "/hooks/{name}": {"get": hook | {"parameters": parameters}},
    }


def _review() -> Json:
    review = _operation(
        "review",
        "Review a FHIR Bundle, or a file of claims",
        "Findings for one patient's charges and record, for systems without CDS Hooks; or for each claim of an X12 "
        "837P or 837I file (005010X222, 005010X223), as the body or as the one file of a form",
        Report,
        _BODY_ERRORS,
    )
    answers = {"anyOf": [_reference("Report"), _reference("ClaimFileReport")]}
    review["responses"]["200"]["content"]["application/json"]["schema"] = answers
    body = _body("Bundle")
    body["content"] |= {EDI_TYPE: {"schema": _EDI}, FORM_TYPE: {"schema": _EDI_IN_FORM, "encoding": _ENCODED_AS_EDI}}
    stage = {
        "name": "stage",
        "in": "query",
        "schema": {"type": "string", "enum": ["order", "claim"]},
        "description": "Stage of the review. Default: `claim` if the Bundle holds charges, else `order`",
    }
    complete = {
        "name": "complete",
        "in": "query",
        "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(PREFETCH_KEYS)}},
        "style": "form",
        "explode": False,
        "description": "Resource types that the Bundle holds completely; only for these, missing means absent",
    }
    return {"/review": {"post": review | {"parameters": [stage, complete], "requestBody": body}}}


_EDI: Json = {"type": "string", "description": "An X12 interchange with 837P or 837I claims", "pattern": "^ISA"}
_EDI_IN_FORM: Json = {"type": "object", "properties": {"file": _EDI}, "required": ["file"]}
_ENCODED_AS_EDI: Json = {"file": {"contentType": EDI_TYPE}}


def _claim() -> Json:
    review = _operation(
        "claim",
        "Review a claim as coders type it",
        "Findings for a claim in billers' notation, with the FHIR Bundle that was made of it; of a case in words, what "
        "was understood and asked, and the proposed lines",
        TypedClaimReport,
        _BODY_ERRORS,
    )
    answers = {"anyOf": [_reference(each.__name__) for each in _CLAIM_ANSWERS]}
    review["responses"]["200"]["content"]["application/json"]["schema"] = answers
    page = _operation("claim-page", "The page on which coders type a claim", "HTML", None)
    guide = _operation("notation", "The notation in which coders type a claim", "HTML", None)
    for each in (page, guide):
        each["responses"]["200"] = {"description": "The page", "content": _HTML}
    return {
        "/claim/notation": {"get": guide},
        "/claim": {"get": page, "post": review | {"parameters": [ANSWER_LANGUAGE], "requestBody": _body(CLAIM_CASE)}},
    }


def _reference_pages(names: DocumentedNames) -> Json:
    """The reference pages: HTML or JSON, by `Accept`."""
    return {
        "/ask": {
            "get": _answered(_page("ask", "A question, answered from tables and rules", _QUESTION, PAGE_LANGUAGE))
        },
        "/codes": {"get": _page("codes", "All codes in scope, or those that match `q`", _QUERY, PAGE_LANGUAGE)},
        "/codes/{code}": {
            "get": _page("code", "A code: dates, edits, limits, sources", _in_path("code", names.codes), PAGE_LANGUAGE)
        },
        "/rules": {"get": _page("rules", "All rules", PAGE_LANGUAGE)},
        "/modifiers": {"get": _page("modifiers", "The modifiers of the codes in scope", PAGE_LANGUAGE)},
        "/modifiers/{name}": {
            "get": _page(
                "modifier", "A modifier: meaning, codes, rules", _in_path("name", names.modifiers), PAGE_LANGUAGE
            )
        },
        "/glossary": {
            "get": _page(
                "glossary", "Words of billing, and the articles of the site's Medicare contractors", PAGE_LANGUAGE
            )
        },
        "/tables": {"get": _page("tables", "The built-in tables, and the loaded releases of CMS", PAGE_LANGUAGE)},
        "/rules/{rule_id}": {
            "get": _page(
                "rule", "A rule: what it flags, why, examples", _in_path("rule_id", names.rules), PAGE_LANGUAGE
            )
        },
    }


def _for_patients(names: DocumentedNames) -> Json:
    """Charges in plain words, in several languages."""
    code = _page("code-for-patients", "A code in plain words, to print", _in_path("code", names.codes), PAGE_LANGUAGE)
    claim = _operation(
        "claim-for-patients",
        "The lines of a claim in plain words, to print",
        "A page for a form, JSON for a claim in JSON. Nothing is stored",
        Explanation,
        _BODY_ERRORS,
    )
    claim["responses"]["200"]["content"] |= _HTML
    code["responses"]["200"]["content"] |= {"application/json": {"schema": _reference(Explanation.__name__)}}
    body = _body(CLAIM_CASE)
    body["content"][FORM] = {"schema": _CLAIM_FORM}
    return {
        "/codes/{code}/patient": {"get": code},
        "/claim/patient": {"post": claim | {"parameters": [PAGE_LANGUAGE], "requestBody": body}},
    }


_CLAIM_FORM: Json = {
    "type": "object",
    "properties": {"text": {"type": "string"}, PARAMETER: LANGUAGE_TAG},
    "required": ["text"],
    "additionalProperties": False,
}

_TEXT: Json = {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": LONGEST_QUESTION}}
_QUERY: Json = _TEXT | {"description": "A code, an NDC, words, or a question"}
_QUESTION: Json = _TEXT | {"description": "The question, without patient data"}


def _answered(operation: Json) -> Json:
    """The operation, with the schema of answers."""
    operation["responses"]["200"]["content"]["application/json"]["schema"] = _reference(Answer.__name__)
    return operation


def _terminology(names: DocumentedNames) -> Json:
    every = {"/fhir": _operation("terminology", "All code systems, value sets and maps", "A FHIR Bundle", None)}
    for each in names.resources:
        every[f"/fhir/{each}"] = _operation(f"terminology-{each.replace('/', '-')}", each, "A FHIR R4 resource", None)
    for operation in every.values():
        operation["responses"]["200"]["content"] = {"application/fhir+json": {"schema": {"type": "object"}}} | _HTML
    return {path: {"get": operation} for path, operation in every.items()}


def _page(name: str, summary: str, *parameters: Json) -> Json:
    places = {each["in"] for each in parameters}
    errors = ("405", *(["404"] if "path" in places else []), *(["400"] if "query" in places else []))
    operation = _operation(name, summary, "HTML, or JSON if `Accept` asks for it", None, errors)
    operation["responses"]["200"] = {
        "description": "The page or its JSON",
        "content": _HTML | {"application/json": {"schema": {"type": "object"}}},
    }
    if "404" in errors:
        unknown = {"description": "No such name", "content": _outcome_content()}
        operation["responses"]["404"] = unknown
    return operation | ({"parameters": list(parameters)} if parameters else {})


def _in_path(name: str, values: tuple[str, ...]) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"enum": list(values)}}


def _health() -> Json:
    live = _operation("live", "Live", "Liveness of the process", Health)
    ready = _operation("ready", "Ready", "Readiness for calls, and the state of the database", Health)
    metrics = _operation("metrics", "Metrics", "Metrics in the Prometheus text format", None)
    metrics["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    health = {"/health/live": {"get": _without_token(live)}, "/health/ready": {"get": _without_token(ready)}}
    return health | {"/metrics": {"get": metrics}}


def _without_token(operation: Json) -> Json:
    """The operation, with no token required."""
    answers = {status: answer for status, answer in operation["responses"].items() if status not in _ACCESS_ERRORS}
    return operation | {"responses": answers, "security": []}


def _operation(
    name: str,
    summary: str,
    description: str,
    answer: type[msgspec.Struct] | None,
    errors: tuple[str, ...] = ("405",),
) -> Json:
    good = {
        "description": "The response",
        "headers": {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}},
        "content": {"application/json": {"schema": _reference(answer.__name__) if answer else {"type": "object"}}},
    }
    statuses = sorted({*errors, *_ACCESS_ERRORS})
    answers = {"200": good} | {each: {"$ref": f"#/components/responses/{ERRORS[each][0]}"} for each in statuses}
    described = {"operationId": name, "summary": summary, "description": description, "responses": answers}
    return described | {"security": _TOKEN_OR_NONE}


def _error(status: str) -> Json:
    headers: Json = {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}}
    headers |= {name: {"schema": {"type": "string"}, "required": True} for name in ERROR_HEADERS.get(status, ())}
    return {"description": ERRORS[status][1], "headers": headers, "content": _outcome_content()}


def _outcome_content() -> Json:
    return {"application/fhir+json": {"schema": _reference("OperationOutcome")}} | _HTML


def _body(schema: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _reference(schema)}}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


# --- schemas --------------------------------------------------------------------------------------------------------


def _schemas(services: tuple[Service, ...], namespace: str) -> Json:
    contexts: list[type[Context]] = [service.context for service in services]
    requests = components(*_REQUEST_TYPES, *contexts)
    del requests["Request"]  # each service has its own
    requests["Feedback"] |= ACCEPTED_NEEDS_SUGGESTIONS
    requests["FeedbackReason"] |= FLAT_REASON_NEEDS_CODE
    responses = {name: never_null(schema) for name, schema in components(*_RESPONSE_TYPES).items()}
    responses |= components(Answer)  # what is not known there is null
    responses["Card"] |= {"dependentRequired": {"suggestions": ["selectionBehavior"]}}
    requests["Bundle"] = BUNDLE_SCHEMA
    requests[CLAIM_CASE] = CLAIM_SCHEMA
    return requests | responses | {request_name(service): request_schema(service, namespace) for service in services}
