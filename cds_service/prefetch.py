"""What came with a call, and what was fetched for it: the Bundle that it is about, and the record.

A key that is absent is unknown; a key whose value is null or an empty Bundle is known to be empty; a Bundle that has a
further page, that holds an OperationOutcome or that holds something unreadable is not known to be complete.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from cds_service.errors import BadRequest
from cds_service.fhir.doubts import UNREADABLE
from cds_service.fhir.read import Incoming, Unread, without_values
from cds_service.fhir.texts import fault_in

_NOTHING = msgspec.Raw(b"null")


class _Link(msgspec.Struct):
    relation: str | None = None
    url: str | None = None


class _Entry(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = _NOTHING
    full_url: str | None = None
    search: Any = None  # what is not a mode is not refused for it

    @property
    def is_match(self) -> bool:
        """Whether the entry says that it is what was searched for."""
        return isinstance(self.search, dict) and self.search.get("mode") == "match"


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str
    entry: tuple[msgspec.Raw, ...] | None = None
    link: tuple[_Link, ...] | None = None

    @property
    def next_page(self) -> str | None:
        """The address of the next page, an empty text where it is announced without one."""
        return next((link.url or "" for link in self.link or () if link.relation == "next"), None)


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str


@dataclass(slots=True)
class Arrived:
    """Resources in the order in which they came, and what is known of each key.

    `known`: complete. `unavailable`: cannot be had, and why. `flawed`: something that came could not be read.
    `next_pages`: where the rest of a key is to be had. `illegible`: what could not be told apart into resources.
    `lost`: keys under which something else came than resources of their type.
    """

    incoming: list[Incoming] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    unavailable: dict[str, str] = field(default_factory=dict)
    flawed: set[str] = field(default_factory=set)
    next_pages: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    illegible: list[msgspec.Raw] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def settled(self) -> set[str]:
        """Keys for which there is nothing more to ask: complete, or known not to be had."""
        return self.known | set(self.unavailable)

    def miss(self, key: str, place: str, reason: str) -> None:
        """Note that something of a key could not be read, so that the key is not known to be complete."""
        self.flawed.add(key)
        self.known.discard(key)
        self.unread.append(Unread(place, reason))

    def lack(self, key: str, place: str, reason: str) -> None:
        """Note that a key, or the rest of it, cannot be had."""
        self.unavailable[key] = reason
        self.miss(key, place, reason)


def take_draft(arrived: Arrived, raw: msgspec.Raw, place: str) -> None:
    """Take the Bundle that a call is about. Raises BadRequest where it is not a Bundle."""
    try:
        bundle = msgspec.json.decode(raw, type=_Bundle)
    except UNREADABLE:
        raise BadRequest(f"`{place}`: expected a FHIR Bundle with a list `entry`", place) from None
    if bundle.resource_type != "Bundle":
        raise BadRequest(f"`{place}`: expected a FHIR Bundle", place)
    arrived.incoming += _entries(arrived, bundle, place, has_faults=fault_in(raw) is not None)


def take_prefetch(arrived: Arrived, prefetch: Mapping[str, msgspec.Raw], declared: Mapping[str, str]) -> None:
    """Take what was prefetched under the keys that a service declares. Nothing in it raises."""
    for key, raw in prefetch.items():
        place = f"prefetch.{key}"
        if key not in declared:
            arrived.unread.append(Unread(place, f"not one of the service's keys ({', '.join(declared)})"))
        elif raw == _NOTHING:
            arrived.known.add(key)
        else:
            take_value(arrived, key, raw, place, declared[key])


def take_value(arrived: Arrived, key: str, raw: msgspec.Raw | bytes, place: str, template: str) -> None:
    """Take one value of a key: a resource, a Bundle or an OperationOutcome. Nothing in it raises."""
    try:
        _take(arrived, key, msgspec.Raw(raw), place, template)
    except UNREADABLE as error:
        arrived.illegible.append(msgspec.Raw(raw))
        arrived.lost.add(key)
        arrived.miss(key, place, f"expected a FHIR resource or a Bundle: {without_values(str(error))}")


def next_page(body: bytes) -> str | None:
    """The address of the page that follows one; empty where it is announced without one, None where none follows."""
    try:
        return msgspec.json.decode(body, type=_Bundle).next_page
    except UNREADABLE:
        return None  # not a Bundle; whoever takes it says what it is


def _take(arrived: Arrived, key: str, raw: msgspec.Raw, place: str, template: str) -> None:
    kind = msgspec.json.decode(raw, type=_Head).resource_type
    wanted = re.split(r"[/?]", template)[0]
    if kind == "Bundle":
        _take_bundle(arrived, key, msgspec.json.decode(raw, type=_Bundle), place, wanted, fault_in(raw) is not None)
    elif kind == "OperationOutcome":
        arrived.lack(key, place, "it could not be provided (OperationOutcome)")
    elif kind != wanted:
        arrived.lost.add(key)
        arrived.miss(key, place, f"expected {wanted}, or a Bundle of it")
    else:
        arrived.incoming.append(Incoming(place, raw, key=key, fault=fault_in(raw)))
        if "?" not in template:
            arrived.known.add(key)


def _take_bundle(arrived: Arrived, key: str, bundle: _Bundle, place: str, wanted: str, has_faults: bool) -> None:
    arrived.incoming += _entries(arrived, bundle, place, key, wanted, has_faults)
    if bundle.next_page is not None:
        arrived.next_pages[key] = bundle.next_page
    elif key not in arrived.flawed:
        arrived.known.add(key)


def _entries(
    arrived: Arrived, bundle: _Bundle, place: str, key: str = "", wanted: str = "", has_faults: bool = False
) -> Iterator[Incoming]:
    """The entries of a key's Bundle; without a key, of the Bundle that the call is about.

    Other types than the wanted one may come along (a Medication, an order), and not as what was searched for.
    `has_faults`: some text in the Bundle has one; it is looked for in each entry.
    """
    for position, raw in enumerate(bundle.entry or ()):
        where = f"{place}.entry[{position}]"
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
        except UNREADABLE as error:
            arrived.illegible.append(raw)
            arrived.miss(key, where, without_values(str(error)))
            continue
        if entry.resource == _NOTHING:
            arrived.miss(key, where, "expected a `resource`")
            continue
        kind = _kind(entry.resource)
        if kind == "OperationOutcome":
            arrived.miss(key, where, "an OperationOutcome among the data: some of it may be missing")
            continue
        if wanted and kind and kind != wanted and entry.is_match:
            arrived.miss(key, where, f"expected {wanted}")
        fault = fault_in(raw) if has_faults else None
        yield Incoming(f"{where}.resource", entry.resource, entry.full_url or "", draft=not key, key=key, fault=fault)


def _kind(raw: msgspec.Raw) -> str:
    """A resource's type; empty where it cannot be read, which the reader reports."""
    try:
        return msgspec.json.decode(raw, type=_Head).resource_type
    except UNREADABLE:
        return ""


def resolve(template: str, context: Mapping[str, str | None]) -> str | None:
    """A template with its `{{context.…}}` tokens filled in, as a relative address; None where the context lacks one."""
    names = re.findall(r"\{\{context\.(\w+)\}\}", template)
    if any(not context.get(name) for name in names):
        return None
    return re.sub(r"\{\{context\.(\w+)\}\}", lambda match: quote(str(context[match[1]]), safe=""), template)
