"""Drugs of a stress test: named by records, and charged in units of milligrams."""

from dataclasses import dataclass

from cds_service.core.case import Administration, Case
from cds_service.core.concepts import BILLING, NDC, RXNORM, Code, Concept
from cds_service.core.notation import code_with_modifiers
from hooks.codes.tables import STRESS_DRUGS, StressDrug
from hooks.coding.products import ndc_matches


@dataclass(frozen=True, slots=True)
class Given:
    """An administration of a stress drug; `certain` is False if only free text names the drug."""

    record: Administration
    drug: StressDrug
    certain: bool


def is_stress_drug(code: str) -> bool:
    """True for a HCPCS code of a drug of a stress test."""
    return code in STRESS_DRUGS


def names_stress_drug(concept: Concept) -> bool:
    """True if a code names a drug of a stress test."""
    return any(_is_code_of(code, drug) for code in concept.codes for drug in STRESS_DRUGS)


def given_of(code: str, case: Case) -> tuple[Given, ...]:
    """The administrations of a drug, by its HCPCS code, on any day."""
    entries = STRESS_DRUGS.history(code)
    found = case.administrations.matching(lambda concept: _certainty(concept, entries) is not None)
    return tuple(Given(each, entries[-1], _certainty(each.concept, entries) is True) for each in found)


def _certainty(concept: Concept, drugs: tuple[StressDrug, ...]) -> bool | None:
    """True if a code names a drug, given as all its entries; False if only words do, None if nothing does."""
    if any(_is_code_of(code, drug) for code in concept.codes for drug in drugs):
        return True
    texts = " ".join(concept.words).lower()
    return False if any(word in texts for drug in drugs for word in drug.words) else None


def _is_code_of(code: Code, drug: StressDrug) -> bool:
    if code.system == BILLING:
        return code_with_modifiers(code.value)[0] == drug.code
    if code.system == NDC:
        return ndc_matches(code.value, drug.ndc)
    return code.system == RXNORM and code.value in drug.rxnorm
