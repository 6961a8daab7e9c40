"""The transaction sets of X12 that this service reads, and the names of the others."""

import re
from typing import Literal

ClaimKind = Literal["professional", "institutional"]

EXPECTED = "expected X12 claims: 837P (005010X222) or 837I (005010X223)"

_GUIDES: dict[str, ClaimKind] = {"005010X222": "professional", "005010X223": "institutional"}
_DENTAL = "005010X224"
_VERSION = re.compile(r"(\d{6}X\d{3})[A-Z0-9]{0,4}")

_SETS = {
    "270": "a 270 (eligibility inquiry)",
    "271": "a 271 (eligibility response)",
    "276": "a 276 (claim status request)",
    "277": "a 277 (claim status or acknowledgment)",
    "278": "a 278 (services review)",
    "820": "an 820 (premium payment)",
    "824": "an 824 (application advice)",
    "834": "an 834 (enrollment)",
    "835": "an 835 (remittance advice)",
    "997": "a 997 (acknowledgment)",
    "999": "a 999 (acknowledgment)",
}

# The segments of both guides, and those of their older versions. Another id in a claim is a damaged segment.
SEGMENTS = frozenset(
    """
    AMT BHT CAS CL1 CLM CN1 CR1 CR2 CR3 CR4 CR5 CR6 CR7 CRC CTP CUR DMG DTP FRM HCP HI HL HSD K3 LIN LQ LX MEA MIA MOA
    N2 N3 N4 NM1 NTE OI PAT PER PRV PS1 PWK QTY REF SBR SE ST SV1 SV2 SV3 SV4 SV5 SVD
    """.split()
)


def guide_of(transaction_set: str, version: str) -> tuple[ClaimKind | None, str]:
    """The kind of claims in a transaction set, or None and the words for a set of another kind.

    `version` is that of ST03, or of GS08 where ST03 is not sent. Values of other forms are not repeated.
    """
    written = _VERSION.fullmatch(version)
    guide = written[1] if written else ""
    if transaction_set != "837":
        return None, _SETS.get(transaction_set, "another transaction set")
    if guide == _DENTAL:
        return None, "an 837D (dental claims)"
    if guide not in _GUIDES:
        return None, f"an 837 of version {guide}" if guide else "an 837 of no known version"
    return _GUIDES[guide], ""
