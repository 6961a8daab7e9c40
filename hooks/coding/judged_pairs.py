"""Pairs of charges that another rule judges, so that no two cards remove one charge each."""

from cds_service.core.case import Case, Line
from cds_service.core.rules import Because
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS
from hooks.coding.claims import SECOND_STUDY
from hooks.coding.hospital import cpt_code_for
from hooks.coding.passing import left_to
from hooks.coding.primaries import lacks_primary
from hooks.coding.setting_and_payer import is_outside_opps, payer_of


def judged_elsewhere(one: Line, other: Line, case: Case) -> Because | None:
    """The reason to leave a pair to another rule: an add-on without a primary, or a C code with its CPT code."""
    if one.code not in ADD_ONS and lacks_primary(other, case):
        return left_to("add-on-without-primary", worded("{code} stands without a primary", code=other.code), (other,))
    if _is_covered(one, other, case):
        text = worded("{codes} charges the echo with contrast on the hospital claim", codes=other.code)
        return left_to("hospital-contrast-code", text, (other,))
    return None


def _is_covered(one: Line, other: Line, case: Case) -> bool:
    """True if a C code on a Medicare hospital claim covers its CPT code, which `hospital-contrast-code` removes.

    Not if a modifier says that it is a second study: then both are denied together, whichever is right.
    """
    if {one.claim_type, other.claim_type} != {"institutional"} or cpt_code_for(other.code, other.day) != one.code:
        return False
    is_medicare = payer_of(case, (one, other)) == "medicare" and not is_outside_opps((one, other), case)
    return is_medicare and not SECOND_STUDY & set(one.modifiers)
