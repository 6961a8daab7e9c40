"""Prefetch templates shared by all services: valid in CDS Hooks 2.0.1, first-level primitive tokens only."""

from cds_service.core.case import Case
from hooks.coding.studies import studies

PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "encounter": "Encounter/{{context.encounterId}}",
    "procedures": "Procedure?patient={{context.patientId}}",
    "chargeItems": "ChargeItem?patient={{context.patientId}}",
    "medicationAdministrations": "MedicationAdministration?patient={{context.patientId}}",
    "coverages": "Coverage?patient={{context.patientId}}",
    "observations": "Observation?patient={{context.patientId}}&category=imaging,procedure",
}

# No rule uses these: the context names the patient and the encounter.
_NOT_NEEDED = frozenset({"patient", "encounter"})


def wanted(case: Case) -> frozenset[str]:
    """The prefetch keys that the rules use for a case: none without an echo study under review."""
    if any(study.under_review for study in studies(case)):
        return frozenset(PREFETCH) - _NOT_NEEDED
    return frozenset()
