"""Explanations of benefits that may be of a claim here, though no link and no number says so."""

from collections.abc import Iterator
from datetime import date

import msgspec

from cds_service.core.case import ClaimType
from cds_service.core.concepts import BILLING, NO_SYSTEM
from cds_service.core.notation import codes_without_modifiers
from cds_service.fhir import resources as r
from cds_service.fhir.charges import claim_type_of, parts_of
from cds_service.fhir.elements import day_of
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item


class _Charge(msgspec.Struct, frozen=True):
    """The codes of a claim item, with its details, and its first and last day."""

    codes: frozenset[str]
    first: date
    last: date


class _Billed(msgspec.Struct, frozen=True):
    item: Item
    kind: ClaimType
    charges: tuple[_Charge, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset().union(*(each.codes for each in self.charges))


def beside_claims(items: list[Item], resolver: Resolver) -> dict[str, frozenset[str]]:
    """The paths of explanations that may be of a claim here, each with its codes that the claim does not charge.

    If only the explanation is under review, it stands for the claim.
    """
    if len({type(item.resource) for item in items}) < 2:
        return {}
    every = [_Billed(item, claim_type_of(item.resource), tuple(_charges(item.resource, resolver))) for item in items]
    claims = [each for each in every if type(each.item.resource) is r.Claim]
    found: dict[str, frozenset[str]] = {}
    for each in every:
        if type(each.item.resource) is r.Claim:
            continue
        alike = [claim for claim in claims if _may_be_same(each, claim)]
        of_claims = any(claim.item.source.under_review for claim in alike) or not each.item.source.under_review
        out, best = ([each] if alike else [], alike) if of_claims else (alike, [each])
        counted = frozenset().union(*(kept.codes for kept in best))
        found |= {left.item.source.path: left.codes - counted for left in out}
    return found


def _may_be_same(one: _Billed, other: _Billed) -> bool:
    """True if two are of one claim type, as far as known, and charge a code on the same day."""
    if "unknown" not in (one.kind, other.kind) and one.kind != other.kind:
        return False
    return any(
        not mine.codes.isdisjoint(theirs.codes) and mine.first <= theirs.last and theirs.first <= mine.last
        for mine in one.charges
        for theirs in other.charges
    )


def _charges(claim: r.BilledClaim, resolver: Resolver) -> Iterator[_Charge]:
    """The items of a claim; one without a day may be of every day of the claim, or of any."""
    period = claim.billable_period or r.Period()
    for position, item in enumerate(claim.item or ()):
        concepts = [resolver.concept(part.product_or_service) for _, _, part in parts_of(position, item)]
        written = (value for each in concepts for value in each.values(BILLING, NO_SYSTEM))
        of_item = item.serviced_period or r.Period(start=item.serviced_date, end=item.serviced_date)
        first = day_of(of_item.start or of_item.end or period.start)
        last = day_of(of_item.end or of_item.start or period.end)
        yield _Charge(frozenset(codes_without_modifiers(written)), first or date.min, last or date.max)
