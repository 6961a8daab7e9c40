"""Services that were performed but are not charged, and the evidence needed to call them missing."""

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.core.case import Case, Line, Procedure, cached_fact
from cds_service.core.concepts import BILLING
from cds_service.core.notation import codes_without_modifiers
from hooks.codes.tables import ADD_ONS
from hooks.coding.hospital import cpt_code_for, hospital_code_for, medicare_hospital_lines
from hooks.coding.lines import lines_on, possible_lines_on
from hooks.coding.practitioners import may_be_same_practitioner
from hooks.coding.studies import Study
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code

# Any of these codes charges a stress echo.
STRESS_CODES = ("93350", "93351", "C8928", "C8930")


@dataclass(frozen=True, slots=True)
class UnbilledService:
    """A performed study without a charge: its codes (several if the record names several) and its procedures."""

    codes: tuple[str, ...]
    procedures: tuple[Procedure, ...]

    @property
    def contradictory(self) -> bool:
        """True if the record names both a hospital code and a practice code."""
        return len({is_hospital_code(code) for code in self.codes}) > 1


@cached_fact
def uncharged_stress_echo(study: Study, case: Case) -> UnbilledService | None:
    """The stress echo that was performed and is not charged on its day."""
    return _uncharged(study, case, STRESS_CODES)


@cached_fact
def uncharged_perfusion(study: Study, case: Case) -> UnbilledService | None:
    """The perfusion echo that was performed and is not charged on its day."""
    return _uncharged(study, case, (PERFUSION_ADD_ON,))


def _uncharged(study: Study, case: Case, codes_sought: tuple[str, ...]) -> UnbilledService | None:
    done = [each for each in study.procedures if each.status == "done" and billing_codes(each) & set(codes_sought)]
    days = {each.day for each in done}
    if not done or any(line.code in codes_sought for day in days for line in possible_lines_on(day, case)):
        return None
    codes = sorted({code for each in done for code in billing_codes(each) & set(codes_sought)})
    return UnbilledService(tuple(codes), tuple(done))


def billing_codes(procedure: Procedure) -> set[str]:
    """Billing codes of a procedure, without modifiers."""
    return set(codes_without_modifiers(procedure.concept.values(BILLING)))


def charge_is_missing(performed: UnbilledService, study: Study, case: Case) -> bool:
    """True if the charge is missing rather than on another party's claim.

    Either the charges on record are complete, or other charges of the study are under review.
    """
    team = frozenset(name for each in performed.procedures for name in each.performers)
    if not may_be_same_practitioner(
        team, frozenset(name for line in _lines_under_review(study, case) for name in line.performers)
    ):
        return False
    return case.is_complete("chargeItems", study.day) or any(line.under_review for line in study.lines)


def _lines_under_review(study: Study, case: Case) -> list[Line]:
    return [line for line in _possible_lines_of(study, case) if line.under_review]


def _possible_lines_of(study: Study, case: Case) -> list[Line]:
    """The lines of a study's day, and those without a date."""
    return [line for day in {study.day, None} for line in lines_on(day, case)]


def has_add_on(study: Study) -> bool:
    """True if an add-on is charged for the study; `add-on-without-primary` then asks for the study."""
    return any(line.code in ADD_ONS for line in study.lines)


def are_hospital_codes(codes: Iterable[str]) -> bool:
    """True if the codes include a stress echo, and only hospital codes with contrast name it."""
    stress = [code for code in codes if code in STRESS_CODES]
    return bool(stress) and all(is_hospital_code(code) for code in stress)


@cached_fact
def stress_echo_is_flagged(study: Study, case: Case) -> bool:
    """True if the stress echo is not charged and a card asks for it, from the record or as a primary."""
    performed = uncharged_stress_echo(study, case)
    if performed is not None and not performed.contradictory and charge_is_missing(performed, study, case):
        return True
    charged = any(line.code in STRESS_CODES for line in _possible_lines_of(study, case))
    return has_add_on(study) and not charged


def has_perfusion(study: Study) -> bool:
    """True if a perfusion echo is charged or was performed; its primaries include no hospital code."""
    done = (each for each in study.procedures if each.status == "done")
    return bool(study.lines_for(PERFUSION_ADD_ON)) or any(PERFUSION_ADD_ON in billing_codes(each) for each in done)


def keeps_contrast_add_on(study: Study, case: Case) -> bool:
    """True if 93352, which excludes 0439T, is charged and stays.

    With a rest echo and on a Medicare hospital claim 93352 is wrong, and other rules remove it.
    """
    hospital = medicare_hospital_lines(study, case)
    return study.kind != "rest" and any(line not in hospital for line in study.lines_for(CONTRAST_ADD_ON))


def has_perfusion_primary(study: Study, case: Case) -> bool:
    """True if a primary of 0439T is charged on its day, or another card asks for one."""
    entry = ADD_ONS.on(PERFUSION_ADD_ON, study.day)
    becomes_hospital_code = study.lines_for(CONTRAST_ADD_ON) and medicare_hospital_lines(study, case)
    if entry is None or (becomes_hospital_code and not study.primaries):
        return False
    charged = any(line.code in entry.primaries for line in study.primaries)
    flagged = study.kind != "none" and has_add_on(study) and not study.primaries
    found = uncharged_stress_echo(study, case)
    return (
        charged or flagged or (found is not None and len(set(found.codes) & set(entry.primaries)) == len(found.codes))
    )


def code_to_charge(code: str, study: Study, medicare_hospital: bool, with_contrast: bool) -> str:
    """The code for the claim at hand: a C code on a Medicare hospital claim with contrast."""
    if medicare_hospital and with_contrast and not has_perfusion(study):
        return hospital_code_for(code, study.day) or code
    if medicare_hospital:
        return cpt_code_for(code, study.day) or code
    return code
