"""Code system URIs, mapped to the code systems that rules use.

CPT is HCPCS Level I, and many senders use the two URIs interchangeably, so both map to one code system.
"""

import re
from functools import lru_cache

from cds_service.core.case import BILLING, CVX, LOINC, NDC, NO_SYSTEM, REVENUE, RXNORM, SNOMED

CPT_URI = "http://www.ama-assn.org/go/cpt"
HCPCS_URI = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC_URI = "http://hl7.org/fhir/sid/ndc"

_OIDS = {
    "2.16.840.1.113883.6.12": BILLING,  # CPT
    "2.16.840.1.113883.6.14": BILLING,  # HCPCS
    "2.16.840.1.113883.6.285": BILLING,  # HCPCS Level II
    "2.16.840.1.113883.6.69": NDC,
    "2.16.840.1.113883.6.88": RXNORM,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.12.292": CVX,
    "2.16.840.1.113883.6.301.3": REVENUE,
}

# The last part of a URI, or a bare name, in lower case and without punctuation. Senders name one code system by many
# URIs: HL7's and CMS's own, Blue Button's `codesystem/hcpcs` and `variables/hcpcs_cd`, Oracle Health's
# `CodeSystem/BillCodes-CPT`, `CPT` alone.
_NAMES = {
    **dict.fromkeys(
        (
            "cpt", "cpt4", "cptcode", "cptcodes", "hcpcs", "hcpcscd", "hcpcscode", "hcpcscodes", "hcpcslevelii",
            "hcpcslevel2", "hcpcsreleasecodesets", "hcpcscpt", "cpthcpcs", "billcodescpt", "billcodeshcpcs",
        ),
        BILLING,
    ),
    **dict.fromkeys(("ndc", "ndc11", "ndccode"), NDC),
    "rxnorm": RXNORM,
    **dict.fromkeys(("sct", "snomedct", "snomed"), SNOMED),
    **dict.fromkeys(("loinc", "loincorg"), LOINC),
    "cvx": CVX,
    **dict.fromkeys(
        ("revenuecode", "revenuecodes", "revenuecenter", "nubcrevenuecode", "nubcrevenuecodes", "clmrevcntrcd",
         "revcntr", "exrevenuecenter"),
        REVENUE,
    ),
}  # fmt: skip

CLAIM_TYPE_URI = "http://terminology.hl7.org/CodeSystem/claim-type"


@lru_cache(maxsize=4096)  # records repeat few URIs
def code_kind(system: str | None) -> str:
    """The code system of a URI; an unknown URI is returned unchanged."""
    if not system:
        return NO_SYSTEM
    plain = system.strip().rstrip("/").lower()
    if plain.startswith("http://snomed.info/sct"):
        return SNOMED  # editions and versions follow
    oid = plain.removeprefix("urn:oid:")
    name = re.sub(r"[^a-z0-9]", "", re.split(r"[/:#|]", plain)[-1])
    return _OIDS.get(oid) or _NAMES.get(name) or system


def billing_uri(code: str) -> str:
    """The canonical URI of a billing code's system: Level II codes start with a letter, CPT codes with a digit."""
    return HCPCS_URI if code[:1].isalpha() else CPT_URI
