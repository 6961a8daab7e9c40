"""Collects a call's resources: the Bundle under review, prefetch, and fetched data.

An absent key is unknown. A null value or an empty Bundle is complete and empty. A Bundle with a next page, an
OperationOutcome or an unparsable entry is incomplete.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from urllib.parse import quote

import msgspec

from cds_service.cdshooks.size_limits import require_short_lists, require_within_limits
from cds_service.core.case import Days
from cds_service.errors import BadRequest
from cds_service.fhir.bundle import HEAD, JSON_NULL, Bundle, BundleOrResource, DecodedBundle, Entry
from cds_service.fhir.checks import DECODE_ERRORS, resource_type_of
from cds_service.fhir.elements import without_values
from cds_service.fhir.json_faults import malformed
from cds_service.fhir.sources import SkippedItem, SourceResource
from cds_service.fhir.text_faults import fault_in

RawOrLookup = msgspec.Raw | Callable[[], msgspec.Raw]


_BUNDLE_OR_RESOURCE: msgspec.json.Decoder[BundleOrResource] = msgspec.json.Decoder(BundleOrResource)
_BUNDLE = msgspec.json.Decoder(Bundle)
_ENTRY = msgspec.json.Decoder(Entry)


@dataclass(slots=True)
class Intake:
    """The resources of a call in their order, and the state of each prefetch key.

    `complete`: nothing is missing, on the days in `complete_days` if the key is there. `unavailable`: cannot be
    obtained, with the reason. `flawed`: partly unparsable. `next_pages`: the URL of the next page. `unreadable`: JSON
    that could not be split into resources. `unreadable_parts`: keys with an unparsable value or one of another type.
    """

    sources: list[SourceResource] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)
    complete_days: dict[str, Days] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    flawed: set[str] = field(default_factory=set)
    next_pages: dict[str, str] = field(default_factory=dict)
    skipped: list[SkippedItem] = field(default_factory=list)
    unreadable: list[msgspec.Raw] = field(default_factory=list)
    unreadable_parts: set[str] = field(default_factory=set)

    def resolved_keys(self) -> set[str]:
        """The keys that need no query: complete or unavailable."""
        return self.complete | set(self.unavailable)

    def mark_incomplete(self, key: str, path: str, reason: str) -> None:
        """Report a fault in a key's data, which makes the key incomplete."""
        self.flawed.add(key)
        self.complete.discard(key)
        self.skipped.append(SkippedItem(path, reason))

    def mark_unreadable(self, key: str, path: str, reason: str, raw: msgspec.Raw) -> None:
        """Report JSON that is not used, and keep it for salvaging: what was sent is never taken for absent."""
        self.unreadable.append(raw)
        self.mark_incomplete(key, path, reason)

    def mark_unavailable(self, key: str, path: str, reason: str) -> None:
        """Report that a key, or the rest of it, cannot be obtained."""
        self.unavailable[key] = reason
        self.mark_incomplete(key, path, reason)


def add_reviewed_bundle(intake: Intake, raw: msgspec.Raw, path: str, max_entries: int) -> None:
    """Add the Bundle under review. Raises BadRequest if it is not a Bundle, and TooLarge."""
    fault = fault_in(raw)
    decoded = None if fault else _decode_in_one_pass(raw)  # text faults are reported by entry
    if isinstance(decoded, DecodedBundle):
        require_short_lists(decoded, max_entries)
        intake.sources += _decoded_entries(intake, decoded, raw, path)
        return
    require_within_limits(bytes(raw), max_entries)
    try:
        bundle = _BUNDLE.decode(raw)
    except DECODE_ERRORS:
        if fault_of_syntax := malformed(bytes(raw)):
            raise BadRequest(fault_of_syntax) from None
        raise BadRequest(f"`{path}`: expected a FHIR Bundle with an `entry` list", path) from None
    if bundle.resource_type != "Bundle":
        raise BadRequest(f"`{path}`: expected a FHIR Bundle", path)
    intake.sources += _entries(intake, bundle, path, has_faults=fault is not None)


def add_prefetch(
    intake: Intake,
    prefetch: Mapping[str, msgspec.Raw | BundleOrResource | None],
    declared: Mapping[str, str],
    body: bytes,
) -> None:
    """Add the prefetch values of declared keys, decoded or not. Does not raise for invalid values.

    `body` is the request. Decoded values have no text faults.
    """
    for key, value in prefetch.items():
        path = f"prefetch.{key}"
        if key not in declared:
            intake.skipped.append(SkippedItem(path, f"not a prefetch key of this service ({', '.join(declared)})"))
        elif value is None or value == JSON_NULL:
            intake.complete.add(key)
        elif isinstance(value, msgspec.Raw):
            add_value(intake, key, value, path, declared[key])
        else:
            _add_decoded(intake, key, value, partial(_raw_value, body, key), path, declared[key])


class _Prefetch(msgspec.Struct):
    prefetch: dict[str, msgspec.Raw]


def _raw_value(body: bytes, key: str) -> msgspec.Raw:
    """The original JSON of a prefetch key."""
    return msgspec.json.decode(body, type=_Prefetch).prefetch[key]


def add_value(intake: Intake, key: str, raw: msgspec.Raw | bytes, path: str, template: str) -> None:
    """Add a key's value: a resource, a Bundle or an OperationOutcome. Does not raise for invalid values."""
    try:
        _add_json(intake, key, msgspec.Raw(raw), path, template)
    except DECODE_ERRORS as error:
        intake.unreadable_parts.add(key)
        reason = f"expected a FHIR resource or a Bundle: {without_values(str(error))}"
        intake.mark_unreadable(key, path, reason, msgspec.Raw(raw))


def page_links(body: bytes) -> tuple[str | None, str | None]:
    """The URLs of the next page and of the page itself; empty if the link has none, None without such a link."""
    try:
        bundle = _BUNDLE.decode(body)
    except DECODE_ERRORS:
        return None, None  # not a Bundle; `add_value` reports it
    return bundle.next_page, bundle.linked("self")


def _add_json(intake: Intake, key: str, raw: msgspec.Raw, path: str, template: str) -> None:
    fault = fault_in(raw)
    decoded = None if fault else _decode_in_one_pass(raw)  # text faults are reported by entry
    if decoded is not None:
        _add_decoded(intake, key, decoded, raw, path, template)
        return
    requested_type = _requested_type(template)
    kind = HEAD.decode(raw).resource_type
    if kind == "Bundle":
        entries = _BUNDLE.decode(raw)
        intake.sources += _entries(intake, entries, path, key, requested_type, fault is not None)
        _note_completeness(intake, key, entries.next_page)
    elif kind == "OperationOutcome":
        intake.mark_unavailable(key, path, "not available (OperationOutcome received)")
    else:
        _add_resource(intake, key, SourceResource(path, raw, key=key, fault=fault), kind, template)


def _add_decoded(
    intake: Intake, key: str, decoded: BundleOrResource, raw: RawOrLookup, path: str, template: str
) -> None:
    """Add a value that was decoded in one pass."""
    if isinstance(decoded, DecodedBundle):
        intake.sources += _decoded_entries(intake, decoded, raw, path, key, _requested_type(template))
        _note_completeness(intake, key, decoded.next_page)
    else:
        _add_resource(
            intake, key, SourceResource(path, raw, key=key, resource=decoded), type(decoded).__name__, template
        )


def _add_resource(intake: Intake, key: str, source: SourceResource, kind: str, template: str) -> None:
    """Add a resource sent without a Bundle."""
    if kind != _requested_type(template):
        intake.unreadable_parts.add(key)
        reason = f"expected {_requested_type(template)} or a Bundle of it"
        intake.mark_unreadable(key, source.path, reason, source.original_json())
        return
    intake.sources.append(source)
    if "?" not in template:
        intake.complete.add(key)


@cache
def _requested_type(template: str) -> str:
    """The resource type of a prefetch template."""
    return re.split(r"[/?]", template)[0]


def _note_completeness(intake: Intake, key: str, next_page: str | None) -> None:
    if next_page is not None:
        intake.next_pages[key] = next_page
    elif key not in intake.flawed:
        intake.complete.add(key)


def _decode_in_one_pass(raw: msgspec.Raw) -> BundleOrResource | None:
    """A resource, or a Bundle with only valid entries; None for anything else, which is decoded entry by entry.

    One pass instead of four halves the time (200 KB: 0.25 ms instead of 0.5 ms).
    """
    try:
        return _BUNDLE_OR_RESOURCE.decode(raw)
    except DECODE_ERRORS:
        return None


def _decoded_entries(
    intake: Intake, bundle: DecodedBundle, raw: RawOrLookup, path: str, key: str = "", requested_type: str = ""
) -> Iterator[SourceResource]:
    """The resources of a Bundle that was decoded in one pass."""
    for position, entry in enumerate(bundle.entry or ()):
        resource = entry.resource
        if requested_type and type(resource).__name__ != requested_type and entry.is_match:
            intake.mark_incomplete(key, f"{path}.entry[{position}]", f"expected {requested_type}")
        yield SourceResource(path, raw, entry.full_url or "", not key, key, position, resource)


def _entries(
    intake: Intake, bundle: Bundle, path: str, key: str = "", requested_type: str = "", has_faults: bool = False
) -> Iterator[SourceResource]:
    """The resources of a key's Bundle, or without a key, of the Bundle under review.

    Resources of another type may be included (a Medication, an order), but not as search matches. `has_faults`: the
    Bundle has a text fault, so each entry is checked for one.
    """
    for position, raw in enumerate(bundle.entry or ()):
        where = f"{path}.entry[{position}]"
        try:
            entry = _ENTRY.decode(raw)
        except DECODE_ERRORS as error:
            intake.mark_unreadable(key, where, without_values(str(error)), raw)
            continue
        if entry.resource == JSON_NULL:
            intake.mark_unreadable(key, where, "expected a `resource`", raw)
            continue
        kind = resource_type_of(entry.resource)
        if kind == "OperationOutcome":
            intake.mark_incomplete(key, where, "OperationOutcome in the Bundle: data may be missing")
            continue
        if requested_type and kind and kind != requested_type and entry.is_match:
            intake.mark_incomplete(key, where, f"expected {requested_type}")
        fault = fault_in(raw) if has_faults else None
        yield SourceResource(
            f"{where}.resource", entry.resource, entry.full_url or "", under_review=not key, key=key, fault=fault
        )


def fill_template(template: str, context: Mapping[str, str | None]) -> str | None:
    """A template with its `{{context.…}}` tokens filled in, as a relative URL; None if the context lacks a value."""
    names = re.findall(r"\{\{context\.(\w+)\}\}", template)
    if any(not context.get(name) for name in names):
        return None
    return re.sub(r"\{\{context\.(\w+)\}\}", lambda match: quote(str(context[match[1]]), safe=""), template)
