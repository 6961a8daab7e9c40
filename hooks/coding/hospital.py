"""What a Medicare hospital outpatient claim (OPPS) reports for an echo with contrast: C codes in place of CPT codes."""

from datetime import date

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import CROSSWALK
from hooks.coding.setting_and_payer import takes_hospital_codes
from hooks.coding.studies import Study
from hooks.coding.study_codes import is_hospital_code


@cached_fact
def hospital_lines(study: Study) -> tuple[Line, ...]:
    """The lines of a study that stand on a hospital's claim.

    Charges that are on no claim yet are the hospital's where a C code stands among them: it stands nowhere else.
    Where one of them carries 26 a practitioner's share is mixed in, and none is taken for the hospital's.
    """
    billed = tuple(line for line in study.lines if line.claim_type == "institutional")
    loose = tuple(line for line in study.lines if line.claim_type == "unknown")
    found = billed or (loose if any(is_hospital_code(line) for line in loose) else ())
    return () if any("26" in line.modifiers for line in found) else found


@cached_fact
def medicare_hospital_lines(study: Study, case: Case) -> tuple[Line, ...]:
    """The lines of a study on a hospital's claim to fee-for-service Medicare, or to a payer that the site says takes C
    codes too; none where payer or form is unknown.
    """
    lines = hospital_lines(study)
    return lines if lines and takes_hospital_codes(case, lines) else ()


def hospital_code_for(code: str, day: date | None) -> str | None:
    """The C code that stands for a CPT code with contrast on a date of service."""
    entry = CROSSWALK.on(code, day)
    return entry.hospital_code if entry else None


def plain_code_for(hospital_code: str, day: date | None) -> str | None:
    """The CPT code without contrast that a C code stands in place of."""
    return next((each.code for each in CROSSWALK if each.hospital_code == hospital_code and each.in_force(day)), None)
