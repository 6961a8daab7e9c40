"""CDS Hooks 2.0.1 messages: requests, feedback and responses.

Decoding ignores unknown members and accepts null for optional ones; a missing or invalid required member is a
BadRequest that names it. Responses omit members without a value.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from cds_service.cdshooks.accepted_values import accepted_values
from cds_service.cdshooks.size_limits import require_short_lists, require_within_limits
from cds_service.errors import BadRequest
from cds_service.fhir.bundle import BundleOrResource
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.elements import without_values
from cds_service.fhir.json_faults import malformed
from cds_service.fhir.sources import SkippedItem
from cds_service.fhir.text_faults import fault_in

# The implemented version of the CDS Hooks specification.
SPECIFICATION = "2.0.1"

# --- requests --------------------------------------------------------------------------------------------------------


class Message(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A message or part of one, with members in camelCase."""


# Text patterns and their names in error messages. A UUID may be a URN, have braces or lack hyphens.
_UUID = r"^(urn:uuid:)?\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?$"
# JSON Schema and Python define whitespace differently; this excludes both.
_NOT_BLANK = r"[^\s\u001c-\u001f\u0085\ufeff]"
_NO_NUL = r"^[^\u0000]*$"  # databases reject NUL in text
_PATTERN_NAMES = {_UUID: "a UUID", _NOT_BLANK: "a value that is not blank", _NO_NUL: "text without NUL characters"}

Uuid = Annotated[str, msgspec.Meta(pattern=_UUID)]
NotBlank = Annotated[str, msgspec.Meta(pattern=_NOT_BLANK)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NO_NUL)]
Address = Annotated[str, msgspec.Meta(max_length=500, pattern=_NO_NUL)]
FreeText = Annotated[str, msgspec.Meta(pattern=_NO_NUL)]


class FhirAuthorization(msgspec.Struct, kw_only=True):
    """An access token for the client's FHIR server. Never stored or logged.

    Only the token is used; the other members may be missing or of any type, which `lenient_faults` reports.
    """

    access_token: str
    token_type: Any = None
    expires_in: Any = None
    scope: Any = None
    subject: Any = None
    patient: Any = None


class _Call(Message):
    hook: str
    hook_instance: Uuid
    context: msgspec.Raw
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None


class Request(_Call):
    """A service call, with `context` and `prefetch` undecoded."""

    prefetch: dict[str, msgspec.Raw] | None = None


class DecodedRequest(_Call):
    """A service call with its prefetch decoded in the same pass."""

    prefetch: dict[str, BundleOrResource | None] | None = None


_DECODED_REQUEST = msgspec.json.Decoder(DecodedRequest)


# Minimum schema of a FHIR Bundle. Entries may be anything: those that cannot be parsed are skipped and reported.
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

# A FHIR Bundle, kept as original JSON.
Bundle = Annotated[msgspec.Raw, msgspec.Meta(description="A FHIR R4 Bundle", extra_json_schema=BUNDLE_SCHEMA)]


class Context(Message, kw_only=True):
    """The context members common to our hooks. Ids have no resource type; `userId`, a reference, is not used."""

    user_id: Any = None
    patient_id: NotBlank
    encounter_id: str | None = None


StructT = TypeVar("StructT", bound=msgspec.Struct)


def decode(raw: bytes | msgspec.Raw, kind: type[StructT], at: str = "") -> StructT:
    """Decode JSON into a message. Raises BadRequest with the path of the invalid member, prefixed with `at`."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        values = accepted_values(kind, str(error).rpartition(" - at ")[2])
        message, path = _fault(without_values(str(error), f"one of {', '.join(values)}"), at)
        raise BadRequest(message, path) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(malformed(bytes(raw)) or "the body is not well-formed JSON", at) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply", at) from None


def _fault(message: str, at: str) -> tuple[str, str]:
    """A decoder's message as an error message and the member's path, without values."""
    text, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.+)`", text)
    full = ".".join(part for part in (at, path, missing[1] if missing else "") if part)
    if missing:
        return f"`{full}` is required", full
    expected = _with_pattern_names(text[:1].lower() + text[1:])
    return f"`{full}`: {expected}" if full else f"the body: {expected}", full


def _with_pattern_names(expected: str) -> str:
    for pattern, words in _PATTERN_NAMES.items():
        expected = expected.replace(f"`str` matching regex {pattern!r}", words)
    return expected


def decode_request(body: bytes, hook: str, max_entries: int) -> Request | DecodedRequest:
    """Decode a call of a service on `hook`, in one pass if possible.

    Raises BadRequest, and TooLarge if a list has more than `max_entries` elements.
    """
    request = _decode_in_one_pass(body)
    if request is None:
        return _checked(decode(require_within_limits(body, max_entries), Request), hook)
    for value in (request.prefetch or {}).values():
        if value is not None:
            require_short_lists(value, max_entries)
    return _checked(request, hook)


RequestT = TypeVar("RequestT", bound=_Call)


def _checked(request: RequestT, hook: str) -> RequestT:
    if request.hook != hook:
        raise BadRequest(f"`hook`: expected `{hook}` for this service", "hook")
    if request.fhir_server and not _is_url(request.fhir_server):
        raise BadRequest("`fhirServer`: expected a URL", "fhirServer")
    if request.fhir_authorization is not None and not request.fhir_server:
        raise BadRequest("`fhirServer` is required with `fhirAuthorization`", "fhirServer")
    return request


def _decode_in_one_pass(body: bytes) -> DecodedRequest | None:
    """The decoded call; None if part of it cannot be parsed or has text faults, which need a path."""
    try:
        return None if fault_in(body) else _DECODED_REQUEST.decode(body)
    except DECODE_ERRORS:
        return None


def _is_url(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def lenient_faults(request: _Call, context: Context) -> tuple[SkippedItem, ...]:
    """The faults of members that the specification requires and this service does not use: path and expected value."""
    user = context.user_id
    found = [] if isinstance(user, str) and user.strip() else [("context.userId", "a reference to the user")]
    if request.fhir_authorization is not None:
        found += [(f"fhirAuthorization.{name}", text) for name, text in _token_faults(request.fhir_authorization)]
    return tuple(SkippedItem(path, f"expected {text}; not used by this service") for path, text in found)


def _token_faults(token: FhirAuthorization) -> Iterator[tuple[str, str]]:
    if not (isinstance(token.token_type, str) and token.token_type.lower() == "bearer"):
        yield "token_type", "`Bearer`"
    if type(token.expires_in) is not int:
        yield "expires_in", "the token's lifetime in seconds, an integer"
    if not isinstance(token.scope, str):
        yield "scope", "SMART scopes as text"
    if not isinstance(token.subject, str):
        yield "subject", "the OAuth client id of this service as text"
    if not isinstance(token.patient, str | None):
        yield "patient", "the id of the patient as text"


def decode_context(request: _Call, kind: type["ContextT"]) -> "ContextT":
    """Decode a call's context. Raises BadRequest."""
    return decode(request.context, kind, "context")


ContextT = TypeVar("ContextT", bound=Context)


class ReasonCoding(Message):
    """The override reason chosen; many clients omit the display."""

    code: Identifier
    system: Address | None = None
    display: str | None = None


class FeedbackReason(Message):
    """The reason for overriding a card. The comment is free text and may name the patient.

    Some clients send the members of `reason` without it: `code`, `system` and `display`.
    """

    reason: ReasonCoding | None = None
    user_comment: FreeText | None = None
    code: Identifier | None = None
    system: Address | None = None
    display: str | None = None


class AcceptedSuggestion(Message):
    """An accepted suggestion; `id` is its uuid."""

    id: Identifier


class Feedback(Message):
    """The outcome of a card; `card` is its uuid."""

    card: Identifier
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    accepted_suggestions: tuple[AcceptedSuggestion, ...] | None = None
    override_reason: FeedbackReason | None = None


class FeedbackRequest(Message):
    """The outcomes of one or more cards."""

    feedback: tuple[Feedback, ...]


def decode_feedback(body: bytes) -> tuple[Feedback, ...]:
    """Decode a feedback request. Raises BadRequest with the path of the invalid member."""
    items = decode(body, FeedbackRequest).feedback
    for position, item in enumerate(items):
        if item.outcome == "accepted" and not item.accepted_suggestions:
            path = f"feedback[{position}].acceptedSuggestions"
            raise BadRequest(f"`{path}` is required if the outcome is `accepted`", path)
        if not _has_utc(item.outcome_timestamp):
            path = f"feedback[{position}].outcomeTimestamp"
            raise BadRequest(f"`{path}`: expected a time between the years 1 and 9999 in UTC", path)
    return tuple(_with_nested_reason(item, f"feedback[{position}]") for position, item in enumerate(items))


def _with_nested_reason(item: Feedback, path: str) -> Feedback:
    """The item with the members of a flat override reason in `reason`. Raises BadRequest if they lack the code."""
    flat = item.override_reason
    if flat is None or flat.reason is not None or (flat.code, flat.system, flat.display) == (None, None, None):
        return item
    if flat.code is None:
        member = f"{path}.overrideReason.code"
        raise BadRequest(f"`{member}` is required", member)
    coding = ReasonCoding(code=flat.code, system=flat.system, display=flat.display)
    return structs.replace(item, override_reason=FeedbackReason(reason=coding, user_comment=flat.user_comment))


def _has_utc(moment: datetime) -> bool:
    """True if the time can be converted to UTC; near year 1 or 9999 it may overflow."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True


# --- responses ------------------------------------------------------------------------------------------------------


Url = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})]
Summary = Annotated[str, msgspec.Meta(min_length=1, max_length=139)]


class Coding(Message):
    """A code, its code system and display."""

    system: str
    code: str
    display: str | None = None


class CardSource(Message):
    """The source of the advice; `topic` is the rule."""

    label: str
    url: Url | None = None
    topic: Coding | None = None


class Action(Message):
    """One change to the client's data. `resource` is complete, never a delta; `resourceId` is for `delete`."""

    type: Literal["create", "update", "delete"]
    description: str
    resource: dict[str, Any] | None = None
    resource_id: str | None = None


class Suggestion(Message):
    """A suggestion; accepting it applies all of its actions."""

    label: str
    uuid: Uuid
    is_recommended: bool
    actions: tuple[Action, ...] | None = None


class Link(Message):
    """A link to a page.

    Never `smart`, so `autoLaunchable` is always false; it is sent because some clients require it under this spelling.
    """

    label: str
    url: Url
    type: Literal["absolute", "smart"]
    auto_launchable: bool


class Card(Message):
    """A card. `summary` has fewer than 140 characters, `detail` is Markdown without HTML."""

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
    """The response to a call; no cards means no findings. `extension` lists skipped resources and undecided rules."""

    cards: tuple[Card, ...]
    extension: dict[str, Any] | None = None


class Issue(Message):
    """An error; `expression` is the path of the invalid member."""

    severity: Literal["error"]
    code: str
    diagnostics: str
    expression: tuple[str, ...] = ()


class OperationOutcome(Message, tag_field="resourceType", tag="OperationOutcome"):
    """A FHIR OperationOutcome, the response to an invalid request. `language` is that of its texts if not English."""

    issue: tuple[Issue, ...]
    language: str | None = None
