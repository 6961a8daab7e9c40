"""Code system URIs, mapped to the code systems that rules use.

CPT is HCPCS Level I, and many senders use the two URIs interchangeably, so both map to one code system.
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


def code_kind(system: str | None) -> str:
    """The code system of a URI; an unknown URI is returned unchanged."""
    if not system:
        return NO_SYSTEM
    return _KINDS.get(system, _KINDS.get(system.rstrip("/"), system))


def billing_uri(code: str) -> str:
    """The canonical URI of a billing code's system: Level II codes start with a letter, CPT codes with a digit."""
    return HCPCS_URI if code[:1].isalpha() else CPT_URI
