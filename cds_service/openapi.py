"""The OpenAPI 3.1 document, made from the message types, so that it says what the service does."""

from importlib.metadata import version
from typing import Any

import msgspec

from cds_service.protocol import Context, FeedbackRequest, Message, Request, Response, Service, hook_name


class Discovery(Message):
    """What discovery answers."""

    services: tuple[dict[str, Any], ...]


class OperationOutcome(msgspec.Struct, rename="camel"):
    """How a fault is answered: a FHIR OperationOutcome."""

    resource_type: str
    issue: tuple[dict[str, Any], ...]


class Nothing(msgspec.Struct):
    """An empty object."""


_REFERENCE = "#/components/schemas/{name}"
_FAULTS = {
    "400": "The body is not the message that the specification describes; the issue names the field",
    "404": "No service has this id",
    "405": "Only the methods named here are allowed",
    "412": "Data that the service requires did not come and cannot be fetched",
    "413": "The body is larger than the service accepts",
    "415": "The body is not declared as JSON",
    "503": "The database cannot take what was sent; send it again",
}


def document(services: tuple[Service, ...], namespace: str) -> dict[str, Any]:
    """The OpenAPI document of a service with the given CDS Hooks services."""
    contexts: list[type[Context]] = [service.context for service in services]
    messages = [Request, Response, FeedbackRequest, Discovery, OperationOutcome, Nothing, *contexts]
    _, components = msgspec.json.schema_components(messages, ref_template=_REFERENCE)
    paths: dict[str, Any] = {"/cds-services": {"get": _operation("Discovery", "The services", Discovery)}}
    for service in services:
        components[f"{service.context.__name__}Request"] = _request_schema(service, namespace)
        paths |= _paths_of(service)
    paths["/health/live"] = {"get": _operation("Live", "Whether the process lives")}
    paths["/health/ready"] = {"get": _operation("Ready", "Whether the service is ready for calls")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "contrast-echo-cds",
            "version": version("contrast-echo-cds"),
            "description": "CDS Hooks service: coding advice for contrast stress echocardiography.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _paths_of(service: Service) -> dict[str, Any]:
    path = f"/cds-services/{service.id}"
    call = _operation(service.title, service.description, Response, ("400", "412", "413", "415"))
    feedback = _operation(f"Feedback: {service.title}", "What became of cards", Nothing, ("400", "413", "415", "503"))
    return {
        path: {"post": call | {"requestBody": _body(f"{service.context.__name__}Request")}},
        f"{path}/feedback": {"post": feedback | {"requestBody": _body("FeedbackRequest")}},
    }


def _request_schema(service: Service, namespace: str) -> dict[str, Any]:
    """A call of one service: the general message with the hook's name and its own context."""
    own = {
        "hook": {"const": hook_name(service, namespace)},
        "hookInstance": {"type": "string", "format": "uuid"},
        "context": {"$ref": _REFERENCE.format(name=service.context.__name__)},
    }
    return {"allOf": [{"$ref": _REFERENCE.format(name="Request")}, {"type": "object", "properties": own}]}


def _operation(
    summary: str, description: str, answer: type[msgspec.Struct] | None = None, faults: tuple[str, ...] = ()
) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": _answer("The answer", answer.__name__ if answer else None)}
    answers |= {status: _answer(_FAULTS[status], "OperationOutcome", "application/fhir+json") for status in faults}
    return {"summary": summary, "description": description, "responses": answers}


def _answer(description: str, schema: str | None, content_type: str = "application/json") -> dict[str, Any]:
    content = {"$ref": _REFERENCE.format(name=schema)} if schema else {"type": "object"}
    return {"description": description, "content": {content_type: {"schema": content}}}


def _body(schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": _REFERENCE.format(name=schema)}}
    return {"required": True, "content": {"application/json": content}}
