"""Converts ChargeItem and Claim resources to lines."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.core.case import REVENUE, ClaimType, Code, Concept, Line, Origin
from cds_service.fhir import resources as r
from cds_service.fhir.elements import (
    amount,
    code_and_modifiers,
    concept,
    extension_code,
    extension_modifiers,
    has_billing_system,
    merged,
    modifiers_of,
    practitioners,
    single_day,
    unclear_extension_modifiers,
    unclear_modifiers_of,
    with_code_in_text,
)
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item


def charged_concept(resolver: Resolver, charge: r.ChargeItem) -> Concept:
    """The concept that a ChargeItem charges: its code, with the billing code of an extension if it has none itself."""
    own = with_code_in_text(resolver.concept(charge.code))
    if not charge.extension or has_billing_system(own):
        return own
    extended = extension_code(charge.extension)
    return merged([extended, own]) if extended else own


def charge_item(resolver: Resolver, item: Item) -> Line:
    """The line of a ChargeItem. Raises OutOfRange."""
    c: r.ChargeItem = item.resource
    charged = charged_concept(resolver, c)
    # A suggestion that changes a code would leave it in the extension: such a line is closed to changes.
    is_extended = has_billing_system(charged) and not has_billing_system(resolver.concept(c.code))
    code, modifiers = code_and_modifiers(charged.codes)
    return Line(
        **resolver.common_fields(item),
        code=code,
        certain=has_billing_system(charged),
        concept=merged([charged, resolver.concept(c.product_codeable_concept)])
        if c.product_codeable_concept
        else charged,
        modifiers=(*modifiers, *extension_modifiers(c.extension)) if c.extension else modifiers,
        unclear_modifiers=unclear_extension_modifiers(c.extension) if c.extension else (),
        units=amount(c.quantity),
        **resolver.days(c.occurrence_date_time, c.occurrence_period),
        performers=practitioners(resolver.ref(each.actor) for each in c.performer or ()),
        encounter=resolver.ref(c.context) or None,
        links=resolver.refs(c.service, c.supporting_information),
        open=c.status != "billed" and not is_extended,
    )


def claim_lines(resolver: Resolver, item: Item) -> Iterator[Line]:
    """The lines of a Claim: its items, their details and sub-details. Raises OutOfRange."""
    c: r.Claim = item.resource
    of_claim = {
        "under_review": item.source.under_review,
        "claim": item.identity or item.source.path,
        "claim_type": _claim_type(c),
        "coverages": _claim_coverages(resolver, c),
        "open": c.status in {"draft", "active"},
    }
    for position, claim_item in enumerate(c.item or ()):
        of_item = {
            **_days(resolver, c, claim_item),
            "performers": _claim_practitioners(resolver, c, claim_item),
            "encounter": next(iter(resolver.refs(claim_item.encounter)), None),
            "links": _claim_procedures(resolver, c, claim_item),
            "place_of_service": _place_of_service(claim_item),
        }
        for within, number, part in _parts(position, claim_item):
            yield _claim_line(resolver, item, part, within, number, of_claim | of_item)


def _days(resolver: Resolver, claim: r.Claim, item: r.ClaimItem) -> dict[str, Any]:
    """The fields `day` and `utc_hour` of an item; without a date of its own, from a claim for one day."""
    of_item = resolver.days(item.serviced_date, item.serviced_period)
    return of_item if of_item["day"] else {"day": single_day(claim.billable_period)}


def _parts(position: int, item: r.ClaimItem) -> Iterator[tuple[str, str, r.ClaimLine]]:
    """A claim item, its details and sub-details: path inside the claim, displayed number, line."""
    within, number = f"item[{position}]", str(item.sequence or position + 1)
    yield within, number, item
    for i, detail in enumerate(item.detail or ()):
        yield f"{within}.detail[{i}]", f"{number}.{detail.sequence or i + 1}", detail
        for j, sub in enumerate(detail.sub_detail or ()):
            path = f"{within}.detail[{i}].subDetail[{j}]"
            yield path, f"{number}.{detail.sequence or i + 1}.{sub.sequence or j + 1}", sub


def _claim_line(
    resolver: Resolver, item: Item, part: r.ClaimLine, within: str, number: str, shared: Mapping[str, Any]
) -> Line:
    """A claim line; `shared` are the fields common to its item and claim."""
    charged = with_code_in_text(resolver.concept(part.product_or_service))
    code, modifiers = code_and_modifiers(charged.codes)
    if not code and part.revenue:
        charged = merged([charged, _cost_center(part.revenue)])
    return Line(
        origin=Origin(item.source.path, f"{item.label} item {number}", within),
        identity=f"{item.identity}#{within}" if item.identity else "",
        code=code,
        certain=has_billing_system(charged),
        concept=charged,
        modifiers=(*modifiers, *modifiers_of(part.modifier or ())),
        unclear_modifiers=unclear_modifiers_of(part.modifier) if part.modifier else (),
        units=amount(part.quantity),
        **shared,
    )


def _cost_center(revenue: r.CodeableConcept) -> Concept:
    """The codes of the element `revenue`, revenue codes whatever their system."""
    return Concept(tuple(Code(REVENUE, code.value) for code in concept(revenue).codes))


def _claim_practitioners(resolver: Resolver, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.care_team_sequence or ())
    team = practitioners(resolver.ref(each.provider) for each in claim.care_team or () if each.sequence in wanted)
    return team or practitioners([resolver.ref(claim.provider)])


def _claim_procedures(resolver: Resolver, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.procedure_sequence or ())
    return resolver.refs(each.procedure_reference for each in claim.procedure or () if each.sequence in wanted)


def _claim_coverages(resolver: Resolver, claim: r.Claim) -> tuple[str, ...]:
    """The claim's coverages (only the focal one, if marked), by reference or name."""
    focal = [each for each in claim.insurance or () if each.focal] or list(claim.insurance or ())
    names = [resolver.ref(each.coverage) or (each.coverage.display if each.coverage else "") or "" for each in focal]
    return tuple(name for name in names if name)


def _claim_type(claim: r.Claim) -> ClaimType:
    for code in concept(claim.type).codes:
        if code.value == "professional":
            return "professional"
        if code.value == "institutional":
            return "institutional"
    return "unknown"


def _place_of_service(item: r.ClaimItem) -> str | None:
    codes = [code.value for code in concept(item.location_codeable_concept).codes]
    return next((code for code in codes if re.fullmatch(r"\d\d", code)), None)
