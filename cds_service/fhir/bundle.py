"""FHIR Bundles, decoded in one pass if every entry parses, otherwise entry by entry; and the entries of new ones."""

from typing import Any

import msgspec

from cds_service.fhir.resources import AnyResource

JSON_NULL = msgspec.Raw(b"null")


def with_entries(bundle: dict[str, Any], entries: list[Any]) -> dict[str, Any]:
    """The Bundle with these entries in place of its own, and their number as `total` if it is the result of a search.

    Without entries it has no `entry`: FHIR's JSON has no empty arrays.
    """
    bare = {name: value for name, value in bundle.items() if name not in {"entry", "total"}}
    total = {"total": len(entries)} if bundle.get("type") == "searchset" else {}
    return bare | total | ({"entry": entries} if entries else {})


class Link(msgspec.Struct, gc=False):
    """A link to a related page."""

    relation: str | None = None
    url: str | None = None


class Entry(msgspec.Struct, rename="camel"):
    """An entry with its resource still undecoded."""

    resource: msgspec.Raw = JSON_NULL
    full_url: str | None = None
    search: Any = None  # any type, so that an invalid mode does not reject the entry

    @property
    def is_match(self) -> bool:
        """True if the entry is marked as a search match."""
        return isinstance(self.search, dict) and self.search.get("mode") == "match"


class _Paged(msgspec.Struct, rename="camel"):
    link: tuple[Link, ...] | None = None

    @property
    def next_page(self) -> str | None:
        """The URL of the next page; empty if the link has none, None without a next page."""
        return self.linked("next")

    def linked(self, relation: str) -> str | None:
        """The URL of a link; empty if the link has none, None without such a link."""
        return next((link.url or "" for link in self.link or () if link.relation == relation), None)


class Bundle(_Paged, rename="camel", kw_only=True):
    """A Bundle with its entries still undecoded."""

    resource_type: str
    entry: tuple[msgspec.Raw, ...] | None = None


class _Search(msgspec.Struct, gc=False):
    mode: str | None = None


class DecodedEntry(msgspec.Struct, rename="camel", gc=False):
    """An entry with its decoded resource."""

    resource: AnyResource
    full_url: str | None = None
    search: _Search | None = None

    @property
    def is_match(self) -> bool:
        """True if the entry is marked as a search match."""
        return self.search is not None and self.search.mode == "match"


class DecodedBundle(_Paged, rename="camel", tag_field="resourceType", tag="Bundle"):
    """A Bundle with all entries decoded in one pass."""

    entry: tuple[DecodedEntry, ...] | None = None


# Decodable in one pass. In a union, msgspec requires the `resourceType` tag of a Bundle too.
BundleOrResource = DecodedBundle | AnyResource

_BUNDLE = msgspec.json.Decoder(Bundle)
_ENTRY = msgspec.json.Decoder(Entry)


def entries_of(bundle: msgspec.Raw) -> tuple[msgspec.Raw, ...]:
    """The original JSON of a Bundle's entries."""
    return _BUNDLE.decode(bundle).entry or ()


def resource_in(entry: msgspec.Raw) -> msgspec.Raw:
    """The original JSON of an entry's resource."""
    return _ENTRY.decode(entry).resource


class ResourceHead(msgspec.Struct, rename="camel", gc=False):
    """The `resourceType` of a resource."""

    resource_type: str


HEAD = msgspec.json.Decoder(ResourceHead)
