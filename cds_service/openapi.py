"""The OpenAPI 3.1 document, made from the message types, so that it says what the service does."""

from importlib.metadata import version
from typing import Any, Literal

import msgspec

from cds_service.protocol import (
    Context,
    Discovery,
    FeedbackRequest,
    Message,
    OperationOutcome,
    Request,
    Response,
    Service,
    hook_name,
)

Json = dict[str, Any]


class Nothing(msgspec.Struct):
    """An empty object."""


class Health(Message):
    """How the process is; `degraded` gives advice, and cannot keep feedback."""

    status: Literal["live", "ready", "degraded"]
    database: Literal["up", "outdated", "down"] | None = None
    hint: str | None = None


_SENT = (Request, FeedbackRequest)
_ANSWERED = (Response, Discovery, OperationOutcome, Nothing, Health)

_ABOUT = """CDS Hooks service: coding advice for contrast stress echocardiography.

A body may come packed with gzip (`Content-Encoding: gzip`), and a longer answer is packed for who accepts it
(`Accept-Encoding: gzip`). JSON may be declared as `application/json` or `application/fhir+json`. Faults are answered
with a FHIR OperationOutcome. Addresses that are not listed here are answered 404."""

_FAULTS = {
    "400": ("Malformed", "The body is not the message that is described here; the issue names the member"),
    "404": ("NotFound", "Nothing has this address: no service has this id"),
    "405": ("MethodNotAllowed", "The method is not allowed; the header `Allow` names those that are"),
    "412": ("DataMissing", "Data that the service requires did not come and cannot be fetched"),
    "413": ("TooLarge", "The body is larger than the service accepts, as sent or unpacked"),
    "415": ("Unsupported", "The body is not declared as JSON, or is packed in another way than gzip"),
    "503": ("Unavailable", "The database cannot take what was sent; send it again"),
}
_FAULT_HEADERS = {"405": ("Allow",), "503": ("Retry-After",)}
_BODY_FAULTS = ("400", "404", "405", "413", "415")


def document(services: tuple[Service, ...], namespace: str, definitions: tuple[str, ...] = ()) -> Json:
    """The OpenAPI document of a service with the given CDS Hooks services and definitions of its own hooks."""
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
        "paths": paths | _descriptions(definitions) | _health(),
        "components": {
            "schemas": _schemas(services, namespace),
            "responses": {name: _fault(status) for status, (name, _) in _FAULTS.items()},
        },
    }


# --- paths ----------------------------------------------------------------------------------------------------------


def _paths_of(service: Service) -> Json:
    path = f"/cds-services/{service.id}"
    call = _operation(f"call-{service.id}", service.title, service.description, Response, (*_BODY_FAULTS, "412"))
    feedback = _operation(
        f"feedback-{service.id}", f"Feedback: {service.title}", "What became of cards", Nothing, (*_BODY_FAULTS, "503")
    )
    return {
        path: {"post": call | {"requestBody": _body(_request_name(service))}},
        f"{path}/feedback": {"post": feedback | {"requestBody": _body("FeedbackRequest")}},
    }


def _descriptions(definitions: tuple[str, ...]) -> Json:
    described = _operation("openapi", "This document", "OpenAPI 3.1", None)
    hook = _operation("hook-definition", "The definition of a hook of ours", "Markdown", None, ("404", "405"))
    hook["responses"]["200"] = {
        "description": "The definition, in the form of the CDS Hooks library",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
    name = {"name": "name", "in": "path", "required": True, "schema": {"enum": list(definitions)}}
    return {"/openapi.json": {"get": described}, "/hooks/{name}": {"get": hook | {"parameters": [name]}}}


def _health() -> Json:
    live = _operation("live", "Live", "Whether the process lives", Health)
    ready = _operation("ready", "Ready", "Whether the service is ready for calls", Health)
    counted = _operation("metrics", "Metrics", "What was counted, in the text form of Prometheus", None)
    counted["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return {"/health/live": {"get": live}, "/health/ready": {"get": ready}, "/metrics": {"get": counted}}


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
    answers = {"200": good} | {each: {"$ref": f"#/components/responses/{_FAULTS[each][0]}"} for each in sorted(faults)}
    return {"operationId": name, "summary": summary, "description": description, "responses": answers}


def _fault(status: str) -> Json:
    headers: Json = {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}}
    headers |= {name: {"schema": {"type": "string"}, "required": True} for name in _FAULT_HEADERS.get(status, ())}
    content = {"application/fhir+json": {"schema": _reference("OperationOutcome")}}
    return {"description": _FAULTS[status][1], "headers": headers, "content": content}


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
