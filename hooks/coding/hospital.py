"""Medicare hospital outpatient claims (OPPS): C codes replace CPT codes for an echo with contrast."""

import re
from datetime import date

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import CODES, CROSSWALK, OPPS
from hooks.coding.published import Status, Unknown, opps_status, refuses_hospital
from hooks.coding.setting_and_payer import is_outside_opps, payer_of, takes_hospital_codes
from hooks.coding.studies import Study
from hooks.coding.study_codes import CONTRAST_ADD_ON, is_hospital_code


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


def is_of_other_setting(line: Line, case: Case) -> bool:
    """True for a code that belongs on the claim of the other setting; `code-for-other-setting` flags it."""
    return is_hospital_code_of_practice(line, case) or is_refused_by_medicare(line, case)


def is_hospital_code_of_practice(line: Line, case: Case) -> bool:
    """True for a hospital outpatient code on a professional claim; surgery centers report such codes too."""
    is_hospital_only = any(entry.hospital for entry in CODES.history(line.code)) or (
        case.every_code and bool(_C_CODE.fullmatch(line.code)) and line.place_of_service != _SURGERY_CENTER
    )
    return line.claim_type == "professional" and is_hospital_only


_C_CODE = re.compile(r"C\d{4}")
_SURGERY_CENTER = "24"


def status_on_hospital_claim(line: Line, case: Case) -> Status | Unknown | None:
    """The OPPS status of a hospital claim's line; None for other lines, and for 93352, which has a rule of its own."""
    if line.claim_type != "institutional" or line.code == CONTRAST_ADD_ON:
        return None
    listed = any(entry.belongs_elsewhere for entry in OPPS.history(line.code))
    return opps_status(line.code, line.day, case) if listed or case.tables.has("opps") else None


def is_refused_by_medicare(line: Line, case: Case) -> bool:
    """True if fee-for-service Medicare refuses the code on this hospital claim."""
    if not refuses_hospital(status_on_hospital_claim(line, case)):
        return False
    return payer_of(case, [line]) == "medicare" and not is_outside_opps([line], case)


def hospital_code_for(code: str, day: date | None) -> str | None:
    """The C code for a CPT code with contrast on a date of service."""
    entry = CROSSWALK.on(code, day)
    return entry.hospital_code if entry else None


def cpt_code_for(hospital_code: str, day: date | None) -> str | None:
    """The CPT code without contrast that a C code replaces."""
    return next((each.code for each in CROSSWALK if each.hospital_code == hospital_code and each.in_force(day)), None)
