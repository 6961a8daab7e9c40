"""Medicare hospital outpatient claims (OPPS): C codes replace CPT codes for an echo with contrast."""

from datetime import date

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import CODES, CROSSWALK, OPPS, PaymentStatus
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
    return is_hospital_code_of_practice(line) or is_refused_by_medicare(line, case)


def is_hospital_code_of_practice(line: Line) -> bool:
    """True for a hospital outpatient code on a professional claim."""
    return line.claim_type == "professional" and any(entry.hospital for entry in CODES.history(line.code))


def may_be_refused(line: Line) -> bool:
    """True on a hospital claim for a code that a release of OPPS lists as status B or M; 93352 has its own rule."""
    is_listed = any(entry.belongs_elsewhere for entry in OPPS.history(line.code))
    return line.claim_type == "institutional" and is_listed and line.code != CONTRAST_ADD_ON


def refused_status(line: Line) -> PaymentStatus | None:
    """The status B or M of the line's code on its day; None if it has another, or if no release covers the day."""
    entry = OPPS.on(line.code, line.day) if line.day else None
    return entry if entry and entry.belongs_elsewhere else None


def is_refused_by_medicare(line: Line, case: Case) -> bool:
    """True if fee-for-service Medicare refuses the code on this hospital claim."""
    if not may_be_refused(line) or refused_status(line) is None:
        return False
    return payer_of(case, [line]) == "medicare" and not is_outside_opps([line], case)


def hospital_code_for(code: str, day: date | None) -> str | None:
    """The C code for a CPT code with contrast on a date of service."""
    entry = CROSSWALK.on(code, day)
    return entry.hospital_code if entry else None


def cpt_code_for(hospital_code: str, day: date | None) -> str | None:
    """The CPT code without contrast that a C code replaces."""
    return next((each.code for each in CROSSWALK if each.hospital_code == hospital_code and each.in_force(day)), None)
