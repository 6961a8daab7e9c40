"""The OpenAPI 3.1 document, made from the message types, so that it says what the service does."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import msgspec

from cds_service.cdshooks.messages import (
    BUNDLE_SCHEMA,
    Context,
    FeedbackRequest,
    Message,
    OperationOutcome,
    Request,
    Response,
)
from cds_service.cdshooks.services import Discovery, Service, hook_name
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.review.report import Report

Json = dict[str, Any]


class Nothing(msgspec.Struct):
    """An empty object."""


class Health(Message):
    """How the process is; `degraded` gives advice, and cannot keep feedback."""

    status: Literal["live", "ready", "degraded"]
    database: Literal["up", "outdated", "down"] | None = None
    hint: str | None = None


_SENT = (Request, FeedbackRequest)
_ANSWERED = (Response, Discovery, OperationOutcome, Nothing, Health, Report)

_ABOUT = """CDS Hooks service: coding advice for contrast stress echocardiography.

A body may come packed with gzip (`Content-Encoding: gzip`), and a longer answer is packed for who accepts it
(`Accept-Encoding: gzip`). JSON may be declared as `application/json` or `application/fhir+json`. Faults are answered
with a FHIR OperationOutcome. Addresses that are not listed here are answered 404; those of the
sandbox serve its own page only."""

_FAULTS = {
    "400": ("Malformed", "The body is not the message that is described here; the issue names the member"),
    "401": ("NotTrusted", "No registered client has signed this call; why is in the service's log"),
    "403": ("NotAllowed", "The client is not registered for this service or tenant"),
    "404": ("NotFound", "Nothing has this address: no service has this id"),
    "405": ("MethodNotAllowed", "The method is not allowed; the header `Allow` names those that are"),
    "412": ("DataMissing", "Data that the service requires did not come and cannot be fetched"),
    "413": ("TooLarge", "The body is larger than the service accepts, as sent or unpacked"),
    "415": ("Unsupported", "The body is not declared as JSON, or is packed in another way than gzip"),
    "429": ("TooManyCalls", "This client calls more often, or more at once, than it may"),
    "503": ("Unavailable", "As many calls are answered as can be, or the database cannot take feedback; send it again"),
}
_FAULT_HEADERS = {"401": ("WWW-Authenticate",), "405": ("Allow",), "429": ("Retry-After",), "503": ("Retry-After",)}
_DOOR_FAULTS = ("401", "403", "429", "503")
# In development, and for pages that the settings open, no token is asked for.
_TOKEN_OR_NONE: list[Json] = [{"client": []}, {}]
_BODY_FAULTS = ("400", "404", "405", "413", "415")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedNames:
    """What may stand in the addresses: definitions of our own hooks, codes, rules, FHIR resources (`Type/id`)."""

    definitions: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


def document(services: tuple[Service, ...], namespace: str, names: DocumentedNames) -> Json:
    """The OpenAPI document of a service with the given CDS Hooks services and names in its addresses."""
    paths: Json = {"/cds-services": {"get": _operation("discovery", "Discovery", "The services", Discovery)}}
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
        "paths": paths | _review() | _descriptions(names) | _reference_pages(names) | _terminology(names) | _health(),
        "components": {
            "schemas": _schemas(services, namespace),
            "responses": {name: _fault(status) for status, (name, _) in _FAULTS.items()},
            "securitySchemes": {"client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


# --- paths ----------------------------------------------------------------------------------------------------------


def _paths_of(service: Service) -> Json:
    path = f"/cds-services/{service.id}"
    call = _operation(f"call-{service.id}", service.title, service.description, Response, (*_BODY_FAULTS, "412"))
    feedback = _operation(
        f"feedback-{service.id}", f"Feedback: {service.title}", "What became of cards", Nothing, _BODY_FAULTS
    )
    return {
        path: {"post": call | {"requestBody": _body(_request_name(service))}},
        f"{path}/feedback": {"post": feedback | {"requestBody": _body("FeedbackRequest")}},
    }


def _descriptions(names: DocumentedNames) -> Json:
    described = _operation("openapi", "This document", "OpenAPI 3.1", None)
    hook = _operation("hook-definition", "The definition of a hook of ours", "Markdown", None, ("404", "405"))
    hook["responses"]["200"] = {
        "description": "The definition, in the form of the CDS Hooks library",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
    parameters = [_in_path("name", names.definitions)]
    return {"/openapi.json": {"get": described}, "/hooks/{name}": {"get": hook | {"parameters": parameters}}}


def _review() -> Json:
    review = _operation("review", "Review a Bundle", "For systems without CDS Hooks", Report, _BODY_FAULTS)
    stage = {
        "name": "stage",
        "in": "query",
        "schema": {"type": "string", "enum": ["order", "claim"]},
        "description": "When the Bundle stands; without it, a Bundle without charges is reviewed as at order time",
    }
    complete = {
        "name": "complete",
        "in": "query",
        "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(PREFETCH_KEYS)}},
        "style": "form",
        "explode": False,
        "description": "Resource types of which the Bundle holds all there are: only there is absence concluded",
    }
    return {"/review": {"post": review | {"parameters": [stage, complete], "requestBody": _body("Bundle")}}}


def _reference_pages(names: DocumentedNames) -> Json:
    """The reference: pages for people, JSON for programs, by `Accept`."""
    query = {"name": "q", "in": "query", "schema": {"type": "string"}, "description": "A code, or words"}
    return {
        "/codes": {"get": _page("codes", "All codes in scope, or those that are looked for", query)},
        "/codes/{code}": {"get": _page("code", "All that is known of a code", _in_path("code", names.codes))},
        "/rules": {"get": _page("rules", "All rules")},
        "/rules/{rule_id}": {"get": _page("rule", "What a rule looks for, and why", _in_path("rule_id", names.rules))},
    }


def _terminology(names: DocumentedNames) -> Json:
    every = {"/fhir": _operation("terminology", "All terminology", "A FHIR Bundle", None)}
    for each in names.resources:
        every[f"/fhir/{each}"] = _operation(f"terminology-{each.replace('/', '-')}", each, "A FHIR R4 resource", None)
    for operation in every.values():
        operation["responses"]["200"]["content"] = {"application/fhir+json": {"schema": {"type": "object"}}}
    return {path: {"get": operation} for path, operation in every.items()}


def _page(name: str, summary: str, *parameters: Json) -> Json:
    faults = ("404", "405") if any(each["in"] == "path" for each in parameters) else ("405",)
    operation = _operation(name, summary, "A page, or JSON by `Accept`", None, faults)
    page = {"text/html": {"schema": {"type": "string"}}}
    operation["responses"]["200"] = {
        "description": "The page",
        "content": page | {"application/json": {"schema": {"type": "object"}}},
    }
    if "404" in faults:
        unknown = {"description": "Nothing has this name", "content": page | _outcome_content()}
        operation["responses"]["404"] = unknown
    return operation | ({"parameters": list(parameters)} if parameters else {})


def _in_path(name: str, values: tuple[str, ...]) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"enum": list(values)}}


def _health() -> Json:
    live = _operation("live", "Live", "Whether the process lives", Health)
    ready = _operation("ready", "Ready", "Whether the service is ready for calls", Health)
    counted = _operation("metrics", "Metrics", "What was counted, in the text form of Prometheus", None)
    counted["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    health = {"/health/live": {"get": _open_to_all(live)}, "/health/ready": {"get": _open_to_all(ready)}}
    return health | {"/metrics": {"get": counted}}


def _open_to_all(operation: Json) -> Json:
    """The same operation for whoever calls, with a token or without."""
    answers = {status: answer for status, answer in operation["responses"].items() if status not in _DOOR_FAULTS}
    return operation | {"responses": answers, "security": []}


def _operation(
    name: str,
    summary: str,
    description: str,
    answer: type[msgspec.Struct] | None,
    faults: tuple[str, ...] = ("405",),
) -> Json:
    good = {
        "description": "The answer",
        "headers": {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}},
        "content": {"application/json": {"schema": _reference(answer.__name__) if answer else {"type": "object"}}},
    }
    refused = sorted({*faults, *_DOOR_FAULTS})
    answers = {"200": good} | {each: {"$ref": f"#/components/responses/{_FAULTS[each][0]}"} for each in refused}
    described = {"operationId": name, "summary": summary, "description": description, "responses": answers}
    return described | {"security": _TOKEN_OR_NONE}


def _fault(status: str) -> Json:
    headers: Json = {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}}
    headers |= {name: {"schema": {"type": "string"}, "required": True} for name in _FAULT_HEADERS.get(status, ())}
    return {"description": _FAULTS[status][1], "headers": headers, "content": _outcome_content()}


def _outcome_content() -> Json:
    return {"application/fhir+json": {"schema": _reference("OperationOutcome")}}


def _body(schema: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _reference(schema)}}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


# --- schemas --------------------------------------------------------------------------------------------------------


def _schemas(services: tuple[Service, ...], namespace: str) -> Json:
    contexts: list[type[Context]] = [service.context for service in services]
    sent = _components(*_SENT, *contexts)
    del sent["Request"]  # each service has its own
    sent["Feedback"] |= _ACCEPTED_NEEDS_SUGGESTIONS
    answered = {name: _never_null(schema) for name, schema in _components(*_ANSWERED).items()}
    answered["Card"] |= {"dependentRequired": {"suggestions": ["selectionBehavior"]}}
    sent["Bundle"] = BUNDLE_SCHEMA
    return sent | answered | {_request_name(service): _request_schema(service, namespace) for service in services}


def _components(*messages: type[msgspec.Struct]) -> Json:
    _, components = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return dict(components)


_ACCEPTED_NEEDS_SUGGESTIONS: Json = {
    "anyOf": [
        {"properties": {"outcome": {"const": "overridden"}}},
        {
            "properties": {"acceptedSuggestions": {"type": "array", "minItems": 1}},
            "required": ["acceptedSuggestions"],
        },
    ]
}


def _never_null(schema: Any) -> Any:
    """A schema of what is answered: a member without a value is left out, and none is null or an empty list."""
    if isinstance(schema, list):
        return [_never_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("default", ...) is None:
        (present,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return _never_null(present) | ({"minItems": 1} if present.get("type") == "array" else {})
    return {name: _never_null(each) for name, each in schema.items()}


def _request_name(service: Service) -> str:
    return f"{service.context.__name__}Request"


def _request_schema(service: Service, namespace: str) -> Json:
    """A call of one service: the general message with the hook's name and its own context."""
    schema: Json = _components(Request)["Request"]
    schema["title"] = _request_name(service)
    schema["properties"]["hook"] = {"const": hook_name(service, namespace)}
    schema["properties"]["context"] = _reference(service.context.__name__)
    without_token = {"properties": {"fhirAuthorization": {"type": "null"}}}
    with_server = {"properties": {"fhirServer": {"type": "string", "minLength": 1}}, "required": ["fhirServer"]}
    return schema | {"anyOf": [without_token, with_server]}
