"""Charges that count as nothing, because others stand for the same service: reversed, replaced, or stated twice.

A claim and its explanation of benefits are one claim, and so are several explanations of benefits with one number. A
claim that replaces a prior one counts in its place. An explanation without a link to a claim, of the same type, code
and day, may be of that claim: it does not count, and its further codes may be charged.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.core.union_find import DisjointSet
from cds_service.fhir import resources as r
from cds_service.fhir.charges import claim_type_of
from cds_service.fhir.checks import is_date
from cds_service.fhir.elements import concept
from cds_service.fhir.records import KINDS
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.reversals import reversed_charges
from cds_service.fhir.sources import Item
from cds_service.fhir.unlinked import beside_claims


@dataclass(frozen=True, slots=True)
class Uncounted:
    """The paths of resources whose charges count as nothing; of them, those that may be of a claim that counts, with
    the codes that are not charged there. `undated` are those of which it could not be read that an equal one is later.
    """

    paths: frozenset[str]
    doubtful: Mapping[str, frozenset[str]]
    undated: frozenset[str]


def uncounted(items: Iterable[Item], resolver: Resolver) -> Uncounted:
    """The resources whose charges count as nothing."""
    every = list(items)
    claims = [item for item in every if isinstance(item.resource, r.BilledClaim) and _is_billed(item.resource)]
    replaced = _replaced(claims, resolver) if len(claims) > 1 else set()
    left = [item for item in claims if item.source.path not in replaced]
    twice = _stated_twice(left, resolver) if len(left) > 1 else {}
    doubtful = beside_claims([item for item in left if item.source.path not in twice], resolver)
    return Uncounted(
        frozenset(reversed_charges(every, resolver) | replaced | twice.keys() | doubtful.keys()),
        doubtful,
        frozenset(path for path, is_dated in twice.items() if not is_dated),
    )


def _is_billed(claim: r.BilledClaim) -> bool:
    return claim.use == "claim" and KINDS[type(claim)].is_active(claim)


# --- claims ---------------------------------------------------------------------------------------------------------


def _replaced(claims: list[Item], resolver: Resolver) -> set[str]:
    """Claims that another one here replaces: it names them as prior, or they name it as their replacement."""
    by_name: dict[str, set[str]] = {}
    for item in claims:
        for name in _names(item, resolver):
            by_name.setdefault(name, set()).add(item.source.path)
    found: set[str] = set()
    for item in claims:
        for each in item.resource.related or ():
            others = {path for name in _related(each, item.resource, resolver) for path in by_name.get(name, ())} - {
                item.source.path
            }
            relationship = _relationship(each)
            found |= others if relationship == "prior" else set()
            found |= {item.source.path} if relationship == "replacedby" and others else set()
    return found


def _relationship(related: r.RelatedClaim) -> str:
    """HL7's `prior`, CARIN's `prior` and `replacedby`; empty for other relations."""
    written = {re.sub("[^a-z]", "", code.value.lower()) for code in concept(related.relationship).codes}
    return next((each for each in ("prior", "replacedby") if each in written), "")


def _stated_twice(claims: list[Item], resolver: Resolver) -> dict[str, bool]:
    """Of several resources for one claim all but one: that under review, the Claim itself, the latest.

    False for one that would be the one if its `created`, which is no date, were the latest.
    """
    same = DisjointSet()
    for item in claims:
        for name in _names(item, resolver):
            same.union(item.source.path, ("name", name))
    groups: dict[Any, list[Item]] = {}
    for item in claims:
        groups.setdefault(same.find(item.source.path), []).append(item)
    return dict(each for alike in groups.values() for each in _all_but_best(alike))


def _all_but_best(alike: list[Item]) -> Iterator[tuple[str, bool]]:
    if all(type(item.resource) is r.Claim for item in alike):
        return  # two claims with one number are two claims: both were made here
    best = max(alike, key=lambda item: (_rank(item), _created(item), item.identity))
    for item in alike:
        if item is not best and not _are_claims(item, best):
            yield item.source.path, _rank(item) != _rank(best) or is_date(item.resource.created)


def _rank(item: Item) -> tuple[bool, bool]:
    return item.source.under_review, type(item.resource) is r.Claim


def _created(item: Item) -> str:
    """The day on which a claim was made; empty if it is not a date."""
    created: str | None = item.resource.created
    return created if created and is_date(created) else ""


def _are_claims(one: Item, other: Item) -> bool:
    return type(one.resource) is type(other.resource) is r.Claim


def _names(item: Item, resolver: Resolver) -> Iterator[str]:
    """The names of a claim: its reference, that of the Claim it explains, and its numbers as `system|value`."""
    claim: r.BilledClaim = item.resource
    if item.identity:
        yield item.identity
    numbers = [*(claim.identifier or ())]
    if isinstance(claim, r.ExplanationOfBenefit) and claim.claim:
        yield from resolver.refs((claim.claim,))
        numbers += [claim.claim.identifier] if claim.claim.identifier else []
    yield from _numbers(numbers, claim)


def _related(related: r.RelatedClaim, claim: r.BilledClaim, resolver: Resolver) -> Iterator[str]:
    yield from resolver.refs((related.claim,))
    yield from _numbers(
        [each for each in (related.reference, related.claim and related.claim.identifier) if each], claim
    )


def _numbers(identifiers: Iterable[r.Identifier], claim: r.BilledClaim) -> Iterator[str]:
    """Claim numbers with the claim type, since a hospital and its physicians may use one number.

    CMS's claim group is the number that a claim and its adjustments share: the latest counts.
    """
    for each in identifiers:
        if each.value:
            yield f"{claim_type_of(claim)} {each.system or ''}|{each.value}"
