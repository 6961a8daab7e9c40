"""Code system URIs, mapped to the code systems that rules use.

CPT is HCPCS Level I, and many senders use the two URIs interchangeably, so both map to one code system.
"""

import re
from functools import lru_cache

from cds_service.core.case import ClaimType
from cds_service.core.concepts import BILLING, CVX, ICD_10_CM, LOINC, NDC, NO_SYSTEM, REVENUE, RXNORM, SNOMED

CPT_URI = "http://www.ama-assn.org/go/cpt"
HCPCS_URI = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC_URI = "http://hl7.org/fhir/sid/ndc"
ICD_10_CM_URI = "http://hl7.org/fhir/sid/icd-10-cm"

# The code systems of HL7 that say why a value is missing: their codes say nothing.
ABSENT = "absent"

_OIDS = {
    "2.16.840.1.113883.5.1008": ABSENT,
    "2.16.840.1.113883.6.12": BILLING,  # CPT
    "2.16.840.1.113883.6.14": BILLING,  # HCPCS
    "2.16.840.1.113883.6.285": BILLING,  # HCPCS Level II
    "2.16.840.1.113883.6.69": NDC,
    "2.16.840.1.113883.6.88": RXNORM,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.12.292": CVX,
    "2.16.840.1.113883.6.90": ICD_10_CM,
    "2.16.840.1.113883.6.301.3": REVENUE,
}

# The last part of a URI, or a bare name, in lower case and without punctuation. Senders name one code system by many
# URIs: HL7's and CMS's own, Blue Button's `codesystem/hcpcs` and `variables/hcpcs_cd`, Oracle Health's
# `CodeSystem/BillCodes-CPT`, `CPT` alone.
_NAMES = {
    **dict.fromkeys(
        (
            "cpt", "cpt4", "cptcode", "cptcodes", "hcpcs", "hcpcscd", "hcpcscode", "hcpcscodes", "hcpcslevelii",
            "hcpcslevel2", "hcpcsreleasecodesets", "alphanumerichcpcshtml", "hcpcscpt", "cpthcpcs",
            "billcodescpt", "billcodeshcpcs", "amacpt", "linehcpcscd", "clmlinehcpcscd",
        ),
        BILLING,
    ),
    **dict.fromkeys(("ndc", "ndc11", "ndccode"), NDC),
    "rxnorm": RXNORM,
    **dict.fromkeys(("sct", "snomedct", "snomed"), SNOMED),
    **dict.fromkeys(("loinc", "loincorg"), LOINC),
    "cvx": CVX,
    **dict.fromkeys(("icd10cm", "icd10cmcode", "icd10cmcodes", "icd10cmdiagnosis"), ICD_10_CM),
    **dict.fromkeys(("dataabsentreason", "nullflavor", "v3nullflavor"), ABSENT),
    **dict.fromkeys(
        ("revenuecode", "revenuecodes", "revenuecenter", "nubcrevenuecode", "nubcrevenuecodes", "clmrevcntrcd",
         "revcntr", "exrevenuecenter"),
        REVENUE,
    ),
}  # fmt: skip

# Names that mean this only alone. X12's qualifiers: as the last part of a URI they could be anything. `ICD-10` alone is
# how senders here call ICD-10-CM; at the end of a URI it is the code system of the WHO, which is another.
_SHORT_NAMES = {"hc": BILLING, **dict.fromkeys(("icd-10", "icd10", "abk", "abf", "abj", "apr"), ICD_10_CM)}

# CMS's claim type codes (NCH): 10 to 64 are institutional claims, 71 to 82 those of physicians and suppliers.
_NCH_TYPES: dict[str, ClaimType] = {
    **dict.fromkeys(("10", "20", "30", "40", "50", "60", "61", "62", "63", "64"), "institutional"),
    **dict.fromkeys(("71", "72", "81", "82"), "professional"),
}
_EOB_TYPES: dict[str, ClaimType] = {
    **dict.fromkeys(("INPATIENT", "OUTPATIENT", "HHA", "HOSPICE", "SNF"), "institutional"),
    **dict.fromkeys(("CARRIER", "DME"), "professional"),
}
_CLAIM_TYPES: dict[str, ClaimType] = {"professional": "professional", "institutional": "institutional"}

CLAIM_TYPE_URI = "http://terminology.hl7.org/CodeSystem/claim-type"


@lru_cache(maxsize=4096)  # records repeat few URIs
def code_kind(system: str | None) -> str:
    """The code system of a URI; an unknown URI is returned unchanged."""
    if not system:
        return NO_SYSTEM
    plain = system.strip().rstrip("/").lower()
    if plain.startswith("http://snomed.info/sct"):
        return SNOMED  # editions and versions follow
    return _kind_of(plain) or _kind_of(re.sub(r"[|#].*", "", plain)) or system  # a version may follow


def _kind_of(plain: str) -> str | None:
    name = re.sub(r"[^a-z0-9]", "", re.split(r"[/:#|]", plain)[-1])
    return _OIDS.get(plain.removeprefix("urn:oid:")) or _NAMES.get(name) or _SHORT_NAMES.get(plain)


# `HC:CODE`, `CPT-CODE`; `CODE.0` is what a spreadsheet makes of a number.
_BILLING_PREFIX = re.compile(r"^(?:HC|CPT4?|HCPCS)[-: ^|]+")
_BEHIND_BILLING_CODE = re.compile(r"(?:\.0+|[^0-9A-Z])+$")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, zero-width characters


def normalized(kind: str, written: str) -> str:
    """A code in the form that all readers see: a billing code in upper case, without signs before and behind it, and a
    diagnosis in upper case with its dot.
    """
    value = written.strip()
    if kind == ICD_10_CM:
        plain = _UNSEEN.sub("", value).upper().replace(".", "").strip()
        return f"{plain[:3]}.{plain[3:]}" if len(plain) > 3 else plain
    if kind != BILLING:
        return value
    value = _UNSEEN.sub("", value).strip().upper()
    return _BEHIND_BILLING_CODE.sub("", _BILLING_PREFIX.sub("", value))


def claim_type(system: str, code: str) -> ClaimType:
    """The claim type that a code states, in HL7's or CMS's code systems."""
    name = re.sub(r"[^a-z]", "", system.rpartition("/")[2].lower())
    if name in {"nchclmtypecd", "clmtypecd"}:
        return _NCH_TYPES.get(code, "unknown")
    if name == "eobtype":
        return _EOB_TYPES.get(code.upper(), "unknown")
    return _CLAIM_TYPES.get(code, "unknown")


def billing_uri(code: str) -> str:
    """The canonical URI of a billing code's system: Level II codes start with a letter, CPT codes with a digit."""
    return HCPCS_URI if code[:1].isalpha() else CPT_URI
