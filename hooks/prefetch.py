"""Prefetch templates shared by all services: valid in CDS Hooks 2.0.1, first-level primitive tokens only."""

PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "encounter": "Encounter/{{context.encounterId}}",
    "procedures": "Procedure?patient={{context.patientId}}",
    "chargeItems": "ChargeItem?patient={{context.patientId}}",
    "medicationAdministrations": "MedicationAdministration?patient={{context.patientId}}",
    "coverages": "Coverage?patient={{context.patientId}}",
    "observations": "Observation?patient={{context.patientId}}&category=imaging,procedure",
}
