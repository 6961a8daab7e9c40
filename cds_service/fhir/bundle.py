"""Bundles as they come: entry by entry, or in one pass where every entry can be read."""

from typing import Any

import msgspec

from cds_service.fhir.resources import Read

NOTHING = msgspec.Raw(b"null")


class Link(msgspec.Struct, gc=False):
    """Where a related page is."""

    relation: str | None = None
    url: str | None = None


class Entry(msgspec.Struct, rename="camel"):
    """An entry whose resource is not looked at yet."""

    resource: msgspec.Raw = NOTHING
    full_url: str | None = None
    search: Any = None  # what is not a mode is not refused for it

    @property
    def is_match(self) -> bool:
        """Whether the entry says that it is what was searched for."""
        return isinstance(self.search, dict) and self.search.get("mode") == "match"


class _Paged(msgspec.Struct, rename="camel"):
    link: tuple[Link, ...] | None = None

    @property
    def next_page(self) -> str | None:
        """The address of the next page, an empty text where it is announced without one."""
        return next((link.url or "" for link in self.link or () if link.relation == "next"), None)


class Bundle(_Paged, rename="camel", kw_only=True):
    """A Bundle whose entries are not looked at yet."""

    resource_type: str
    entry: tuple[msgspec.Raw, ...] | None = None


class _Search(msgspec.Struct, gc=False):
    mode: str | None = None


class ReadEntry(msgspec.Struct, rename="camel", gc=False):
    """An entry with its resource."""

    resource: Read
    full_url: str | None = None
    search: _Search | None = None

    @property
    def is_match(self) -> bool:
        """Whether the entry says that it is what was searched for."""
        return self.search is not None and self.search.mode == "match"


class ReadBundle(_Paged, rename="camel", tag_field="resourceType", tag="Bundle"):
    """A Bundle whose entries can all be read, decoded in one pass: the Bundle of a well-behaved sender."""

    entry: tuple[ReadEntry, ...] | None = None


# What can be read in one pass. As one of several types a Bundle must say that it is one.
Whole = ReadBundle | Read

_BUNDLE = msgspec.json.Decoder(Bundle)
_ENTRY = msgspec.json.Decoder(Entry)


def entries_of(bundle: msgspec.Raw) -> tuple[msgspec.Raw, ...]:
    """The client's own JSON of a Bundle's entries."""
    return _BUNDLE.decode(bundle).entry or ()


def resource_in(entry: msgspec.Raw) -> msgspec.Raw:
    """The client's own JSON of an entry's resource."""
    return _ENTRY.decode(entry).resource


class ResourceHead(msgspec.Struct, rename="camel", gc=False):
    """The type that a piece of JSON gives itself as a resource."""

    resource_type: str


HEAD = msgspec.json.Decoder(ResourceHead)
