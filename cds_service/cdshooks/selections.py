"""Matches the `selections` of order-select to the draft orders that they name, in any form of reference."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.elements import relative_reference
from cds_service.fhir.sources import SkippedItem, SourceResource

_VERSION = re.compile(r"/_history/[^/]*$")


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str | None = None


_HEAD = msgspec.json.Decoder(_Head)


def selected_orders(
    selections: Sequence[str], drafts: Iterable[SourceResource]
) -> tuple[frozenset[str], tuple[SkippedItem, ...]]:
    """The identities of the selected draft orders, and a warning for each selection that names none.

    A selection may be relative (`ServiceRequest/1`), absolute, a version of either (`/_history/1`), the `fullUrl` of a
    Bundle entry, or a bare id.
    """
    named = _identities_by_name(drafts)
    found = [named.get(written) or named.get(_normalized(written), frozenset()) for written in selections]
    unmatched = tuple(
        SkippedItem(f"context.selections[{position}]", "expected a reference to an order in `draftOrders`")
        for position, identities in enumerate(found)
        if not identities
    )
    return frozenset[str]().union(*found), unmatched


def _normalized(written: str) -> str:
    return relative_reference(_VERSION.sub("", written.strip()))


def _identities_by_name(drafts: Iterable[SourceResource]) -> dict[str, frozenset[str]]:
    """The identities of orders by each name that a selection may use; a bare id may name several."""
    found: dict[str, frozenset[str]] = {}
    for source in drafts:
        head = _head(source)
        identity = f"{head.resource_type}/{head.id}" if head.id else source.full_url
        for name in _names(identity, head.id, source.full_url):
            found[name] = found.get(name, frozenset()) | {identity}
    return found


def _names(identity: str, resource_id: str | None, full_url: str) -> Iterator[str]:
    """The names of an order: its reference, its id, and its fullUrl, also without `urn:uuid:`."""
    yield from {identity, resource_id or "", full_url, _normalized(full_url), full_url.removeprefix("urn:uuid:")} - {""}


def _head(source: SourceResource) -> _Head:
    """The type and the id of a draft order; empty if it cannot be parsed."""
    if source.resource is not None:
        return _Head(type(source.resource).__name__, source.resource.id)
    try:
        return _HEAD.decode(source.original_json())
    except DECODE_ERRORS:
        return _Head()
