"""Schemas of the OpenAPI document: of message types, and what these do not say by themselves."""

from typing import Any

import msgspec

from cds_service.cdshooks.messages import Request
from cds_service.cdshooks.services import Service, hook_name
from cds_service.languages.known import LANGUAGES
from cds_service.web.languages import PARAMETER

Json = dict[str, Any]


def components(*messages: type[msgspec.Struct]) -> Json:
    """The schemas of message types and of the types within them, by name."""
    _, schemas = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return dict(schemas)


ACCEPTED_NEEDS_SUGGESTIONS: Json = {
    "anyOf": [
        {"properties": {"outcome": {"const": "overridden"}}},
        {
            "properties": {"acceptedSuggestions": {"type": "array", "minItems": 1}},
            "required": ["acceptedSuggestions"],
        },
    ]
}


FLAT_REASON_NEEDS_CODE: Json = {
    "anyOf": [
        {"properties": {"system": {"type": "null"}, "display": {"type": "null"}}},
        {"properties": {"code": {"type": "string"}}, "required": ["code"]},
        {"properties": {"reason": {"type": "object"}}, "required": ["reason"]},
    ]
}


LANGUAGE_TAG: Json = {"type": "string", "enum": [each.tag for each in LANGUAGES]}
PAGE_LANGUAGE: Json = {
    "name": PARAMETER,
    "in": "query",
    "schema": LANGUAGE_TAG,
    "description": "The language. Default: the one that was chosen before (a cookie), else by `Accept-Language`",
}
ANSWER_LANGUAGE: Json = PAGE_LANGUAGE | {
    "description": "The language of the texts; those that stay English are listed in `untranslated`. Default: English, "
    "without that list",
}

CARD_LANGUAGE: Json = {
    "name": "Accept-Language",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The language of the cards. Default: that of the client's registration, else English",
}


def never_null(schema: Any) -> Any:
    """A schema of a response: members without a value are omitted, and none is null or an empty list."""
    if isinstance(schema, list):
        return [never_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("default", ...) is None:
        (present,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return never_null(present) | ({"minItems": 1} if present.get("type") == "array" else {})
    return {name: never_null(each) for name, each in schema.items()}


def request_name(service: Service) -> str:
    """The name of the schema of a service's requests."""
    return f"{service.context.__name__}Request"


def request_schema(service: Service, namespace: str) -> Json:
    """The request schema of one service: the general message with its hook and context."""
    schema: Json = components(Request)["Request"]
    schema["title"] = request_name(service)
    schema["properties"]["hook"] = {"const": hook_name(service, namespace)}
    schema["properties"]["context"] = {"$ref": f"#/components/schemas/{service.context.__name__}"}
    without_token = {"properties": {"fhirAuthorization": {"type": "null"}}}
    with_server = {"properties": {"fhirServer": {"type": "string", "minLength": 1}}, "required": ["fhirServer"]}
    return schema | {"anyOf": [without_token, with_server]}
