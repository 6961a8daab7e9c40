"""What came with a call: the Bundle that it is about, and the prefetched record.

A key that is absent is unknown; a key whose value is null or an empty Bundle is known to be empty; a Bundle that has a
next page, or that holds an OperationOutcome, is not known to be complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from cds_service.errors import BadRequest
from cds_service.fhir.read import Incoming, Unread, without_values

_NOTHING = msgspec.Raw(b"null")


class _Link(msgspec.Struct):
    relation: str | None = None


class _Entry(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = _NOTHING
    full_url: str | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str
    entry: tuple[msgspec.Raw, ...] | None = None
    link: tuple[_Link, ...] | None = None


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str


@dataclass(slots=True)
class Arrived:
    """Resources in the order in which they came, the keys known to be complete, and what could not be taken."""

    incoming: list[Incoming] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)


def take_draft(arrived: Arrived, raw: msgspec.Raw, place: str) -> None:
    """Take the Bundle that a call is about. Raises BadRequest where it is not a Bundle."""
    try:
        bundle = msgspec.json.decode(raw, type=_Bundle)
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest(f"`{place}`: expected a FHIR Bundle with a list `entry`", place) from None
    if bundle.resource_type != "Bundle":
        raise BadRequest(f"`{place}`: expected a FHIR Bundle", place)
    arrived.incoming += _entries(arrived, bundle, place, draft=True)


def take_prefetch(arrived: Arrived, prefetch: dict[str, msgspec.Raw], declared: dict[str, str]) -> None:
    """Take what was prefetched under the keys that a service declares. Nothing in it raises."""
    for key, raw in prefetch.items():
        place = f"prefetch.{key}"
        if key not in declared:
            arrived.unread.append(Unread(place, f"not one of the service's keys ({', '.join(declared)})"))
        elif raw == _NOTHING:
            arrived.known.add(key)
        else:
            _take_value(arrived, key, raw, place)


def _take_value(arrived: Arrived, key: str, raw: msgspec.Raw, place: str) -> None:
    try:
        kind = msgspec.json.decode(raw, type=_Head).resource_type
        if kind == "Bundle":
            _take_bundle(arrived, key, msgspec.json.decode(raw, type=_Bundle), place)
        elif kind == "OperationOutcome":
            arrived.unread.append(Unread(place, "the client could not provide it (OperationOutcome)"))
        else:
            arrived.incoming.append(Incoming(place, raw))
            arrived.known.add(key)
    except (msgspec.MsgspecError, RecursionError) as error:
        arrived.unread.append(
            Unread(place, f"expected a FHIR resource, a Bundle or null: {without_values(str(error))}")
        )


def _take_bundle(arrived: Arrived, key: str, bundle: _Bundle, place: str) -> None:
    before = len(arrived.unread)
    taken = list(_entries(arrived, bundle, place, draft=False))
    arrived.incoming += taken
    if any(link.relation == "next" for link in bundle.link or ()):
        arrived.unread.append(Unread(place, "has further pages, so it is not taken for complete"))
    if len(arrived.unread) == before:
        arrived.known.add(key)


def _entries(arrived: Arrived, bundle: _Bundle, place: str, *, draft: bool) -> Iterator[Incoming]:
    for position, raw in enumerate(bundle.entry or ()):
        where = f"{place}.entry[{position}]"
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
        except (msgspec.MsgspecError, RecursionError) as error:
            arrived.unread.append(Unread(where, without_values(str(error))))
            continue
        if entry.resource == _NOTHING:
            arrived.unread.append(Unread(where, "expected a `resource`"))
        elif _is_outcome(entry.resource):
            arrived.unread.append(Unread(where, "an OperationOutcome among the data: some of it may be missing"))
        else:
            yield Incoming(f"{where}.resource", entry.resource, entry.full_url or "", draft)


def _is_outcome(raw: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(raw, type=_Head).resource_type == "OperationOutcome"
    except (msgspec.MsgspecError, RecursionError):
        return False  # the reader reports what it is
