"""The addresses by which senders name code systems, mapped to the kinds of code that rules ask for.

CPT is HCPCS Level I, and many senders put codes of the one under the address of the other, so both are one code space.
"""

from cds_service.core.case import BILLING, LOINC, NDC, NO_SYSTEM, RXNORM, SNOMED

CPT_URI = "http://www.ama-assn.org/go/cpt"
HCPCS_URI = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC_URI = "http://hl7.org/fhir/sid/ndc"

_KINDS = {
    CPT_URI: BILLING,
    "https://www.ama-assn.org/go/cpt": BILLING,
    "urn:oid:2.16.840.1.113883.6.12": BILLING,
    HCPCS_URI: BILLING,
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": BILLING,
    "urn:oid:2.16.840.1.113883.6.285": BILLING,
    "http://terminology.hl7.org/CodeSystem/HCPCS": BILLING,
    NDC_URI: NDC,
    "urn:oid:2.16.840.1.113883.6.69": NDC,
    "http://www.nlm.nih.gov/research/umls/rxnorm": RXNORM,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "http://snomed.info/sct": SNOMED,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "http://loinc.org": LOINC,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
}

CLAIM_TYPE_URI = "http://terminology.hl7.org/CodeSystem/claim-type"


def kind(system: str | None) -> str:
    """The kind of code that a system address stands for; an unknown address stands for itself."""
    if not system:
        return NO_SYSTEM
    return _KINDS.get(system, _KINDS.get(system.rstrip("/"), system))


def billing_uri(code: str) -> str:
    """The canonical address of a billing code's system: Level II codes begin with a letter, CPT codes with a digit."""
    return HCPCS_URI if code[:1].isalpha() else CPT_URI
