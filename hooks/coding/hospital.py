"""Medicare hospital outpatient claims (OPPS): C codes replace CPT codes for an echo with contrast."""

from datetime import date

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import CROSSWALK
from hooks.coding.setting_and_payer import takes_hospital_codes
from hooks.coding.studies import Study
from hooks.coding.study_codes import is_hospital_code


@cached_fact
def hospital_lines(study: Study) -> tuple[Line, ...]:
    """The lines of a study on a hospital claim.

    Charges on no claim count as the hospital's if a C code is among them, since C codes are hospital codes. If one of
    the lines carries 26, a professional share is mixed in and the result is empty.
    """
    claimed = tuple(line for line in study.lines if line.claim_type == "institutional")
    unclaimed = tuple(line for line in study.lines if line.claim_type == "unknown")
    found = claimed or (unclaimed if any(is_hospital_code(line) for line in unclaimed) else ())
    return () if any("26" in line.modifiers for line in found) else found


@cached_fact
def medicare_hospital_lines(study: Study, case: Case) -> tuple[Line, ...]:
    """Hospital claim lines billed to fee-for-service Medicare, or to a payer that takes C codes by the site file; empty
    if payer or claim type is unknown.
    """
    lines = hospital_lines(study)
    return lines if lines and takes_hospital_codes(case, lines) else ()


def hospital_code_for(code: str, day: date | None) -> str | None:
    """The C code for a CPT code with contrast on a date of service."""
    entry = CROSSWALK.on(code, day)
    return entry.hospital_code if entry else None


def cpt_code_for(hospital_code: str, day: date | None) -> str | None:
    """The CPT code without contrast that a C code replaces."""
    return next((each.code for each in CROSSWALK if each.hospital_code == hospital_code and each.in_force(day)), None)
