"""Received resources: their original JSON, their path in the request and their prefetch key."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from cds_service.errors import BadRequest
from cds_service.fhir.bundle import entries_of, resource_in
from cds_service.fhir.checks import resource_type_of
from cds_service.fhir.r4_types import CONTAINERS


class SourceResource(msgspec.Struct, frozen=True, gc=False):
    """A received resource: its path, its original JSON, and whether it is under review.

    `key` is its prefetch key, empty if none; `fault` is the fault in its texts, None if none. `resource` is set if it
    was decoded in one pass; in a decoded Bundle, `base_path` and `raw` are those of the Bundle and `position` is the
    entry. `raw` may be a function that looks the JSON up, since it is rarely needed.
    """

    base_path: str
    raw: msgspec.Raw | Callable[[], msgspec.Raw]
    full_url: str = ""
    under_review: bool = False
    key: str = ""
    position: int | None = None
    resource: Any = None
    fault: str | None = None

    @property
    def path(self) -> str:
        """The resource's path in the request."""
        return self.base_path if self.position is None else f"{self.base_path}.entry[{self.position}].resource"

    def original_json(self) -> msgspec.Raw:
        """The resource's original JSON."""
        (raw,) = original_json_of((self,), {})
        return raw


# The entries of Bundles, by the id of the Bundle's `raw`.
_BundleEntries = dict[int, tuple[msgspec.Raw, ...]]


def original_json_of(every: Iterable[SourceResource], split_bundles: _BundleEntries) -> Iterator[msgspec.Raw]:
    """The original JSON of several resources; each Bundle is looked up and split once."""
    for each in every:
        if each.position is None:
            yield _raw_json(each)
            continue
        if id(each.raw) not in split_bundles:
            split_bundles[id(each.raw)] = entries_of(_raw_json(each))
        yield resource_in(split_bundles[id(each.raw)][each.position])


def _raw_json(source: SourceResource) -> msgspec.Raw:
    return source.raw if isinstance(source.raw, msgspec.Raw) else source.raw()


LONGEST_CITED = 200  # characters of an identity; an id of FHIR has 64 at most


class Item(msgspec.Struct, frozen=True, gc=False):
    """A decoded resource and its source. `identity` is empty if the resource has neither id nor fullUrl."""

    source: SourceResource
    resource: Any
    identity: str

    @property
    def label(self) -> str:
        """The resource's citation: its identity, or its type and path; the latter if the identity is too long."""
        is_short = 0 < len(self.identity) <= LONGEST_CITED
        return self.identity if is_short else f"{type(self.resource).__name__} in {self.source.path}"


def type_name(item: Item) -> str:
    """The resource type."""
    return type(item.resource).__name__


class OriginalJson(Mapping[str, msgspec.Raw]):
    """The original JSON of each resource by path; looked up only on access."""

    def __init__(self, items: Iterable["Item"]) -> None:
        self._items = items
        self._split_bundles: _BundleEntries = {}

    @cached_property
    def _by_path(self) -> dict[str, SourceResource]:
        return {item.source.path: item.source for item in self._items}

    def __getitem__(self, path: str) -> msgspec.Raw:
        (raw,) = original_json_of((self._by_path[path],), self._split_bundles)
        return raw

    def __contains__(self, path: object) -> bool:
        return path in self._by_path

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_path)

    def __len__(self) -> int:
        return len(self._by_path)


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """A skipped resource or element: its path and the reason."""

    path: str
    reason: str


# The part of the record (prefetch key) of each resource type. Charges and claims share one.
PREFETCH_KEYS = {
    "Procedure": "procedures",
    "MedicationAdministration": "medicationAdministrations",
    "ChargeItem": "chargeItems",
    "Claim": "chargeItems",
    "ExplanationOfBenefit": "chargeItems",
    "Coverage": "coverages",
    "Observation": "observations",
}


def complete_parts(types: Iterable[str]) -> frozenset[str]:
    """The parts of the record that a client declares complete, by resource types. Raises BadRequest for an unknown."""
    named = set(types)
    if not named <= set(PREFETCH_KEYS):
        raise BadRequest(f"`complete`: expected resource types from {', '.join(PREFETCH_KEYS)}", "complete")
    return frozenset(PREFETCH_KEYS[each] for each in named)


def prefetch_key_of(source: SourceResource) -> str | None:
    """The prefetch key of a resource's type, empty if there is none; None if its resources may be of any type."""
    if source.resource is not None:
        return PREFETCH_KEYS.get(type(source.resource).__name__, "")
    kind = resource_type_of(source.original_json())
    return PREFETCH_KEYS.get(kind, "") if kind and kind not in CONTAINERS else None
