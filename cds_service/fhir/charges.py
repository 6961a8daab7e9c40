"""Converts ChargeItem, Claim and ExplanationOfBenefit resources to lines."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.core.case import ClaimType, Line, Origin
from cds_service.core.concepts import REVENUE, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.contained import fragment_of
from cds_service.fhir.diagnoses import claim_diagnoses, line_diagnoses, reason_diagnoses
from cds_service.fhir.elements import (
    code_and_modifiers,
    concept,
    has_billing_system,
    merged,
    modifiers_of,
    practitioners,
    single_day,
    unclear_modifiers_of,
    with_code_in_text,
)
from cds_service.fhir.extensions import (
    extension_code,
    extension_modifiers,
    extension_product,
    unclear_extension_modifiers,
)
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item
from cds_service.fhir.systems import claim_type
from cds_service.fhir.units import units_of, units_of_line


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
    fields = stated_by_charge(resolver, c)
    # A suggestion that changes a code would leave it in the extension: such a line is closed to changes.
    is_extended = fields["certain"] and not has_billing_system(resolver.concept(c.code))
    return Line(
        **resolver.common_fields(item),
        **fields,
        **resolver.days(c.occurrence_date_time, c.occurrence_period),
        performers=practitioners(resolver.ref(each.actor) for each in c.performer or ()),
        encounter=resolver.ref(c.context) or None,
        links=resolver.refs(c.service, c.supporting_information),
        open=c.status != "billed" and not is_extended,
        billable=c.status == "billable",
        diagnoses=reason_diagnoses(resolver, c.reason, (), item),
    )


def stated_by_charge(resolver: Resolver, c: r.ChargeItem) -> dict[str, Any]:
    """The fields of a line that changes may concern: its code, modifiers and units. Raises OutOfRange."""
    charged = charged_concept(resolver, c)
    code, modifiers = code_and_modifiers(charged.codes)
    units, units_unclear = units_of(c.quantity)
    return {
        "code": code,
        "certain": has_billing_system(charged),
        "concept": merged([charged, resolver.concept(c.product_codeable_concept)])
        if c.product_codeable_concept
        else charged,
        "modifiers": (*modifiers, *extension_modifiers(c.extension)) if c.extension else modifiers,
        "unclear_modifiers": unclear_extension_modifiers(c.extension) if c.extension else (),
        "units": units,
        "units_unclear": units_unclear,
    }


def claim_lines(resolver: Resolver, item: Item) -> Iterator[Line]:
    """The lines of a Claim or ExplanationOfBenefit: its items, their details and sub-details. Raises OutOfRange.

    An ExplanationOfBenefit states what was billed: its lines are closed to changes.
    """
    c: r.BilledClaim = item.resource
    coverages, payer_names = _claim_coverages(resolver, item)
    diagnoses = claim_diagnoses(resolver, item)
    type_of_claim = claim_type_of(c)
    of_claim = {
        "under_review": item.source.under_review,
        "claim": item.identity or item.source.path,
        "claim_type": type_of_claim,
        "bill_type": _bill_type(c),
        "coverages": coverages,
        "payer_names": payer_names,
        "open": isinstance(c, r.Claim) and c.status in {"draft", "active"},
        "claim_diagnoses": tuple(diagnoses.values()),
    }
    for position, claim_item in enumerate(c.item or ()):
        of_item = {
            **_days(resolver, c, claim_item),
            "performers": _claim_practitioners(resolver, c, claim_item),
            "encounter": next(iter(resolver.refs(claim_item.encounter)), None),
            "links": _claim_procedures(resolver, c, claim_item),
            "place_of_service": _place_of_service(claim_item),
            "diagnoses": of_claim["claim_diagnoses"]
            if type_of_claim == "institutional" or not claim_item.diagnosis_sequence
            else line_diagnoses(claim_item.diagnosis_sequence, diagnoses, item),
        }
        for within, number, part in parts_of(position, claim_item):
            yield _claim_line(resolver, item, part, within, number, of_claim | of_item)


def _days(resolver: Resolver, claim: r.BilledClaim, item: r.ClaimItem) -> dict[str, Any]:
    """The fields of an item's date; without a day of its own, from a claim for one day."""
    of_item = resolver.days(item.serviced_date, item.serviced_period)
    day = None if of_item["day"] else single_day(claim.billable_period)
    return {"day": day} if day else of_item


def parts_of(position: int, item: r.ClaimItem) -> Iterator[tuple[str, str, r.ClaimLine]]:
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
    return Line(
        origin=Origin(item.source.path, f"{item.label} item {number}", within),
        identity=f"{item.identity}#{within}" if item.identity else "",
        **stated_by_item(resolver, part),
        **shared,
    )


def stated_by_item(resolver: Resolver, part: r.ClaimLine) -> dict[str, Any]:
    """The fields of a claim line that changes may concern, as `stated_by_charge` has them. Raises OutOfRange."""
    charged = with_code_in_text(resolver.concept(part.product_or_service))
    if part.product_or_service and (product := extension_product(part.product_or_service.extension or ())):
        charged = merged([charged, product])
    code, modifiers = code_and_modifiers(charged.codes)
    if not code and part.revenue:
        charged = merged([charged, _cost_center(part.revenue)])
    units, units_unclear = units_of_line(part)
    return {
        "code": code,
        "certain": has_billing_system(charged),
        "concept": charged,
        "modifiers": (*modifiers, *modifiers_of(part.modifier or ())),
        "unclear_modifiers": unclear_modifiers_of(part.modifier) if part.modifier else (),
        "units": units,
        "units_unclear": units_unclear,
    }


def _cost_center(revenue: r.CodeableConcept) -> Concept:
    """The codes of the element `revenue`, revenue codes whatever their system."""
    return Concept(tuple(Code(REVENUE, code.value) for code in concept(revenue).codes))


# Members of a care team who did not do the service.
_NOT_PERFORMING = frozenset({"referring", "pcp"})


def _claim_practitioners(resolver: Resolver, claim: r.BilledClaim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.care_team_sequence or ())
    members = [each for each in claim.care_team or () if each.sequence in wanted]
    team = practitioners(resolver.ref(each.provider) for each in members if not _is_referring(each))
    return team or practitioners([resolver.ref(claim.provider)])


def _is_referring(member: r.CareTeam) -> bool:
    return any(code.value in _NOT_PERFORMING for code in concept(member.role).codes)


def _claim_procedures(resolver: Resolver, claim: r.BilledClaim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.procedure_sequence or ())
    return resolver.refs(each.procedure_reference for each in claim.procedure or () if each.sequence in wanted)


def _claim_coverages(resolver: Resolver, item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The claim's coverages (only the focal one, if marked): references and identifiers, and names without them."""
    insurance = item.resource.insurance or ()
    focal = [each.coverage for each in insurance if each.focal] or [each.coverage for each in insurance]
    named = [(contained_reference(each, item) or resolver.ref(each), each) for each in focal if each]
    references = tuple(reference.partition(_COVERAGE_QUERY)[2] or reference for reference, _ in named if reference)
    return references, tuple(each.display for reference, each in named if not reference and each.display)


_COVERAGE_QUERY = "Coverage?identifier="


def contained_reference(reference: r.Reference | None, holder: Item) -> str:
    """The identity of a contained resource: that of its holder and its id; empty for other references."""
    fragment = fragment_of(reference)
    return f"{holder.identity or holder.source.path}#{fragment}" if fragment else ""


def claim_type_of(claim: r.BilledClaim) -> ClaimType:
    """Professional or institutional; unknown if the type says neither."""
    found = (claim_type(code.system, code.value) for code in concept(claim.type).codes)
    return next((each for each in found if each != "unknown"), "unknown")


_BILL_TYPE = re.compile(r"0?([1-9]\d)[0-9A-Za-z]")


def _bill_type(claim: r.BilledClaim) -> str | None:
    """The first two digits of a hospital's type of bill (NUBC), without the leading zero: 13 of 0131."""
    codes = [code for info in claim.supporting_info or () for code in concept(info.code).codes]
    written = (_BILL_TYPE.fullmatch(code.value) for code in codes if code.system.lower().endswith("typeofbill"))
    found = {match[1] for match in written if match}
    return found.pop() if len(found) == 1 else None


def _place_of_service(item: r.ClaimItem) -> str | None:
    codes = [code.value for code in concept(item.location_codeable_concept).codes]
    return next((code for code in codes if re.fullmatch(r"\d\d", code)), None)
