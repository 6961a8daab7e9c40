"""The messages of CDS Hooks 2.0.1: what a client sends, what a service answers, what discovery lists.

Requests are decoded leniently (unknown members are ignored, an optional member may be null) and strictly where the
specification requires a member: a fault is a BadRequest that names it. Responses leave out what has no value.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from cds_service.cdshooks.size_limits import require_bounded, require_few
from cds_service.errors import BadRequest
from cds_service.fhir.bundle import Whole
from cds_service.fhir.checks import UNREADABLE
from cds_service.fhir.elements import without_values
from cds_service.fhir.text_faults import fault_in

# The version of the CDS Hooks specification that is implemented.
SPECIFICATION = "2.0.1"

# --- what a client sends --------------------------------------------------------------------------------------------


class Message(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A message, or a part of one, with members in camelCase."""


# Texts of a form, and what an error calls them. A UUID may have an URN's head or braces, or lack its hyphens.
_UUID = r"^(urn:uuid:)?\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?$"
# What is space differs between JSON Schema and Python; this excludes the spaces of both.
_NOT_BLANK = r"[^\s\u001c-\u001f\u0085\ufeff]"
_NO_NUL = r"^[^\u0000]*$"  # which no database takes in a text
_FORMS = {_UUID: "a UUID", _NOT_BLANK: "a value", _NO_NUL: "a text without the character NUL"}

Uuid = Annotated[str, msgspec.Meta(pattern=_UUID)]
NotBlank = Annotated[str, msgspec.Meta(pattern=_NOT_BLANK)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NO_NUL)]
Address = Annotated[str, msgspec.Meta(max_length=500, pattern=_NO_NUL)]
FreeText = Annotated[str, msgspec.Meta(pattern=_NO_NUL)]


class FhirAuthorization(msgspec.Struct, kw_only=True):
    """An access token for the client's FHIR server. Never stored or logged."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    subject: str
    patient: str | None = None


class _Call(Message):
    hook: str
    hook_instance: Uuid
    context: msgspec.Raw
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None


class Request(_Call):
    """A service call. `context` and `prefetch` keep the client's own JSON until they are needed."""

    prefetch: dict[str, msgspec.Raw] | None = None


class DecodedRequest(_Call):
    """A service call whose prefetch could be read in the same pass: that of a well-behaved client."""

    prefetch: dict[str, Whole | None] | None = None


_WHOLE = msgspec.json.Decoder(DecodedRequest)


# What a FHIR Bundle must be. An entry may be anything: what cannot be read is left out and reported.
BUNDLE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "resourceType": {"const": "Bundle"},
        "entry": {"type": ["array", "null"]},
        "link": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "properties": {"relation": {"type": ["string", "null"]}, "url": {"type": ["string", "null"]}},
            },
        },
    },
    "required": ["resourceType"],
}

# A FHIR Bundle, kept as the client's own JSON.
Bundle = Annotated[msgspec.Raw, msgspec.Meta(description="A FHIR R4 Bundle", extra_json_schema=BUNDLE_SCHEMA)]


class Context(Message):
    """What every hook of ours brings: who acts and for which patient. Ids are bare, `userId` is a reference."""

    user_id: NotBlank
    patient_id: NotBlank
    encounter_id: str | None = None


StructT = TypeVar("StructT", bound=msgspec.Struct)


def decode(raw: bytes | msgspec.Raw, kind: type[StructT], at: str = "") -> StructT:
    """Decode JSON into a message. Raises BadRequest with the path of the member at fault, below `at`."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        message, path = _fault(without_values(str(error)), at)
        raise BadRequest(message, path) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("the body is not well-formed JSON", at) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply", at) from None


def _fault(message: str, at: str) -> tuple[str, str]:
    """A decoder's message as ours: the member's path without the root sign, and what was expected there."""
    text, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.+)`", text)
    full = ".".join(part for part in (at, path, missing[1] if missing else "") if part)
    if missing:
        return f"`{full}` is required", full
    expected = _in_words(text[:1].lower() + text[1:])
    return f"`{full}`: {expected}" if full else f"the body: {expected}", full


def _in_words(expected: str) -> str:
    for pattern, words in _FORMS.items():
        expected = expected.replace(f"`str` matching regex {pattern!r}", words)
    return expected


def decode_request(body: bytes, hook: str, most_entries: int) -> Request | DecodedRequest:
    """Decode a call of a service on `hook`, where possible in one pass. Raises BadRequest, and TooLarge where a list
    has more elements than `most_entries`.
    """
    request = _decoded_at_once(body)
    if request is None:
        return _checked(decode(require_bounded(body, most_entries), Request), hook)
    for whole in (request.prefetch or {}).values():
        if whole is not None:
            require_few(whole, most_entries)
    return _checked(request, hook)


RequestT = TypeVar("RequestT", bound=_Call)


def _checked(request: RequestT, hook: str) -> RequestT:
    if request.hook != hook:
        raise BadRequest(f"`hook`: this service is called on `{hook}`", "hook")
    if request.fhir_server and not _can_be_split(request.fhir_server):
        raise BadRequest("`fhirServer`: expected a URL", "fhirServer")
    if request.fhir_authorization is not None and not request.fhir_server:
        raise BadRequest("`fhirServer` is required where `fhirAuthorization` is given", "fhirServer")
    return request


def _decoded_at_once(body: bytes) -> DecodedRequest | None:
    """The whole call; None where something cannot be read or has a fault in its texts, to be named by its place."""
    try:
        return None if fault_in(body) else _WHOLE.decode(body)
    except UNREADABLE:
        return None


def _can_be_split(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def decode_context(request: _Call, kind: type["ContextT"]) -> "ContextT":
    """Decode a call's context. Raises BadRequest."""
    return decode(request.context, kind, "context")


ContextT = TypeVar("ContextT", bound=Context)


class ReasonCoding(Message):
    """The reason that a user chose; many clients leave out the display."""

    code: Identifier
    system: Address | None = None
    display: str | None = None


class FeedbackReason(Message):
    """Why a card was set aside. The comment is free text and may name the patient."""

    reason: ReasonCoding | None = None
    user_comment: FreeText | None = None


class AcceptedSuggestion(Message):
    """A suggestion that was accepted; `id` is its uuid."""

    id: Identifier


class Feedback(Message):
    """What became of a card; `card` is its uuid."""

    card: Identifier
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    accepted_suggestions: tuple[AcceptedSuggestion, ...] | None = None
    override_reason: FeedbackReason | None = None


class FeedbackRequest(Message):
    """What became of one or several cards."""

    feedback: tuple[Feedback, ...]


def decode_feedback(body: bytes) -> tuple[Feedback, ...]:
    """Decode a feedback request. Raises BadRequest with the path of the member at fault."""
    items = decode(body, FeedbackRequest).feedback
    for position, item in enumerate(items):
        if item.outcome == "accepted" and not item.accepted_suggestions:
            path = f"feedback[{position}].acceptedSuggestions"
            raise BadRequest(f"`{path}` is required where the outcome is `accepted`", path)
        if not _has_utc(item.outcome_timestamp):
            path = f"feedback[{position}].outcomeTimestamp"
            raise BadRequest(f"`{path}`: expected a time between the years 1 and 9999 in UTC", path)
    return items


def _has_utc(moment: datetime) -> bool:
    """Whether a moment can be written in UTC: at either end of the calendar an offset leads out of it."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True


# --- what a service answers -----------------------------------------------------------------------------------------


Url = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})]
Summary = Annotated[str, msgspec.Meta(min_length=1, max_length=139)]


class Coding(Message):
    """A code of a system, with what it means."""

    system: str
    code: str
    display: str | None = None


class CardSource(Message):
    """Where the guidance comes from; `topic` names the rule."""

    label: str
    url: Url | None = None
    topic: Coding | None = None


class Action(Message):
    """One change to the client's data. `resource` is whole, never a delta; `resourceId` is for `delete`."""

    type: Literal["create", "update", "delete"]
    description: str
    resource: dict[str, Any] | None = None
    resource_id: str | None = None


class Suggestion(Message):
    """Something the user may accept; its actions belong together."""

    label: str
    uuid: Uuid
    is_recommended: bool | None = None
    actions: tuple[Action, ...] | None = None


class Link(Message):
    """A page to read on."""

    label: str
    url: Url
    type: Literal["absolute", "smart"]


class Card(Message):
    """A piece of advice. `summary` has fewer than 140 characters, `detail` is Markdown without HTML."""

    uuid: Uuid
    summary: Summary
    indicator: Literal["info", "warning", "critical"]
    source: CardSource
    detail: str | None = None
    suggestions: tuple[Suggestion, ...] | None = None
    selection_behavior: Literal["at-most-one", "any"] | None = None
    override_reasons: tuple[Coding, ...] | None = None
    links: tuple[Link, ...] | None = None
    extension: dict[str, Any] | None = None


class Response(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer to a call; no cards means nothing to say. `extension` says what was not read and not checked."""

    cards: tuple[Card, ...]
    extension: dict[str, Any] | None = None


class Issue(Message):
    """What is wrong; `expression` is the path of the member at fault."""

    severity: Literal["error"]
    code: str
    diagnostics: str
    expression: tuple[str, ...] = ()


class OperationOutcome(Message, tag_field="resourceType", tag="OperationOutcome"):
    """How a fault is answered: a FHIR OperationOutcome."""

    issue: tuple[Issue, ...]
