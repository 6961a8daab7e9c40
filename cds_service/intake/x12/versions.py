"""The claims of a file that are due for review: without those that are voided, or replaced by a later one in it."""

from collections.abc import Iterator

from cds_service.intake.x12.bundle import claim_id
from cds_service.intake.x12.claim import REPLACES, VOIDS, Claim
from cds_service.intake.x12.file_loops import OpenFile, SetAside, Survey, read_claims

_Key = tuple[str, str, str]

_VOIDS = "CLM05-3 is 8: it voids an earlier claim and charges nothing"


def claims_to_review(open_file: OpenFile, surveyed: Survey) -> Iterator[Claim | SetAside]:
    """The claims of a file, in order, and what is set aside. Raises UnreadableInput if it is not X12."""
    last = _replacements(open_file, surveyed) if surveyed.has_replacements else {}
    for each in read_claims(open_file, surveyed):
        if isinstance(each, SetAside):
            yield each
        elif each.frequency == VOIDS:
            yield SetAside(each.number, each.at(each.spot), _VOIDS, is_fault=False)
        elif (place := last.get(_key(each))) is not None and place != each.at(each.spot):
            reason = f"replaced or voided in this file, at {place}"
            yield SetAside(each.number, each.at(each.spot), reason, is_fault=False)
        else:
            yield each


def _replacements(open_file: OpenFile, surveyed: Survey) -> dict[_Key, str]:
    """The places of the claims that replace or void others: the last one of a claim."""
    every = (each for each in read_claims(open_file, surveyed) if isinstance(each, Claim))
    return {_key(each): each.at(each.spot) for each in every if each.frequency in {REPLACES, VOIDS}}


def _key(claim: Claim) -> _Key:
    return claim.patient, claim.billing.npi, claim_id(claim)
