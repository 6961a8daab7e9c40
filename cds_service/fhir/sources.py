"""Resources as they were received: their JSON, their place in the request, and the record they belong to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from cds_service.fhir.bundle import HEAD, entries_of, resource_in
from cds_service.fhir.checks import UNREADABLE


class SourceResource(msgspec.Struct, frozen=True, gc=False):
    """A resource as it came: where it stands in the request, the client's own JSON, and whether the call is about it.

    `key` is the prefetch key under which it came, empty where it came under none; `fault` is what is wrong with its
    texts, None where nothing is. Where it was read together with what it came in, `resource` is what was read; of a
    Bundle `at` and `raw` are then the Bundle's, and `position` the entry. `raw` may be a way to look the JSON up, since
    it is seldom asked for.
    """

    at: str
    raw: msgspec.Raw | Callable[[], msgspec.Raw]
    full_url: str = ""
    under_review: bool = False
    key: str = ""
    position: int | None = None
    resource: Any = None
    fault: str | None = None

    @property
    def place(self) -> str:
        """Where the resource stands in the request."""
        return self.at if self.position is None else f"{self.at}.entry[{self.position}].resource"

    def original(self) -> msgspec.Raw:
        """The client's own JSON of the resource."""
        (raw,) = originals((self,), {})
        return raw


# The entries of Bundles that were taken apart, by the id of what leads to the Bundle.
_Entries = dict[int, tuple[msgspec.Raw, ...]]


def originals(every: Iterable[SourceResource], taken_apart: _Entries) -> Iterator[msgspec.Raw]:
    """The client's own JSON of several resources; each Bundle is looked up and taken apart once."""
    for each in every:
        if each.position is None:
            yield _looked_up(each)
            continue
        if id(each.raw) not in taken_apart:
            taken_apart[id(each.raw)] = entries_of(_looked_up(each))
        yield resource_in(taken_apart[id(each.raw)][each.position])


def _looked_up(source: SourceResource) -> msgspec.Raw:
    return source.raw if isinstance(source.raw, msgspec.Raw) else source.raw()


class Item(msgspec.Struct, frozen=True, gc=False):
    """A decoded resource and where it came from. `identity` is empty where the resource has neither id nor address."""

    source: SourceResource
    resource: Any
    identity: str

    @property
    def label(self) -> str:
        """The name of the resource for a reader: its identity, else its type and place."""
        return self.identity or f"{type(self.resource).__name__} in {self.source.place}"


def type_name(item: Item) -> str:
    """The resource type."""
    return type(item.resource).__name__


class OriginalJson(Mapping[str, msgspec.Raw]):
    """The client's own JSON by the place of each resource; looked for only where it is asked for."""

    def __init__(self, items: Iterable["Item"]) -> None:
        self._items = items
        self._taken_apart: _Entries = {}

    @cached_property
    def _by_place(self) -> dict[str, SourceResource]:
        return {item.source.place: item.source for item in self._items}

    def __getitem__(self, place: str) -> msgspec.Raw:
        (raw,) = originals((self._by_place[place],), self._taken_apart)
        return raw

    def __contains__(self, place: object) -> bool:
        return place in self._by_place

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_place)

    def __len__(self) -> int:
        return len(self._by_place)


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """Something that was left out: where it stands and why."""

    place: str
    reason: str


# The parts of the record (prefetch keys) in which resources of a type stand. Both kinds of charge are one part.
KEYS = {
    "Procedure": "procedures",
    "MedicationAdministration": "medicationAdministrations",
    "ChargeItem": "chargeItems",
    "Claim": "chargeItems",
    "Coverage": "coverages",
    "Observation": "observations",
}


def part_of(source: SourceResource) -> str | None:
    """The part of the record in which a resource stands, empty where it is of none; None where that cannot be read."""
    if source.resource is not None:
        return KEYS.get(type(source.resource).__name__, "")
    try:
        return KEYS.get(HEAD.decode(source.original()).resource_type, "")
    except UNREADABLE:
        return None
