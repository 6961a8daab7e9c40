"""Diagnoses of claims and their lines, and the reasons of procedures, orders and charges as diagnoses."""

import re
from collections.abc import Iterable

from cds_service.core.case import Diagnosis
from cds_service.core.concepts import ICD_10_CM, REFERENCE, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.contained import contained_by, fragment_of
from cds_service.fhir.elements import concept
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item

_CODE = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?")

Diagnoses = tuple[Diagnosis, ...]


def claim_diagnoses(resolver: Resolver, item: Item) -> dict[int, Diagnosis]:
    """The diagnoses of a claim by sequence, principal and others; without a sequence, by their place."""
    claim: r.BilledClaim = item.resource
    return {
        each.sequence or place: _diagnosis(
            resolver,
            each.diagnosis_codeable_concept,
            each.diagnosis_reference,
            item,
            f" diagnosis {each.sequence or place}",
        )
        for place, each in enumerate(claim.diagnosis or (), 1)
    }


def line_diagnoses(named: Iterable[int], of_claim: dict[int, Diagnosis], item: Item) -> Diagnoses:
    """The diagnoses that a line names by sequence; one that the claim lacks is not understood."""
    return tuple(of_claim.get(each) or _missing(f"diagnosisSequence-{each}", item.label) for each in named)


def reason_diagnoses(
    resolver: Resolver,
    codes: Iterable[r.CodeableConcept] | None,
    references: Iterable[r.Reference] | None,
    item: Item,
) -> Diagnoses:
    """The reasons of a procedure, an order or a charge."""
    found = [_diagnosis(resolver, each, None, item, "") for each in codes or ()]
    found += [_diagnosis(resolver, None, each, item, "") for each in references or ()]
    return tuple(found)


def _diagnosis(
    resolver: Resolver, coded: r.CodeableConcept | None, reference: r.Reference | None, item: Item, place: str
) -> Diagnosis:
    cited = f"{item.label}{place}"
    if reference is None:
        return _understood(concept(coded), cited)
    condition = _condition(resolver, reference, item)
    return _understood(concept(condition.code), cited) if condition else _missing(resolver.ref(reference), cited)


def _condition(resolver: Resolver, reference: r.Reference, item: Item) -> r.Condition | None:
    """A referenced Condition, contained or received."""
    if fragment_of(reference):
        return contained_by(reference, r.Condition, item.resource)
    found = resolver.conditions.get(resolver.ref(reference))
    return found.resource if found else None


def _understood(stated: Concept, cited: str) -> Diagnosis:
    """The diagnosis with its only ICD-10-CM code."""
    codes = {code for code in stated.values(ICD_10_CM) if _CODE.fullmatch(code)}
    return Diagnosis(codes.pop() if len(codes) == 1 else "", stated, cited)


def _missing(written: str, cited: str) -> Diagnosis:
    return Diagnosis("", Concept((Code(REFERENCE, written),)) if written else Concept(), cited)
