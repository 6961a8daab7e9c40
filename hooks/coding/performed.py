"""What the record says was done and no line charges; and whether its absence from the charges may be concluded."""

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.core.case import BILLING, Case, Line, Procedure, cached_fact
from hooks.codes.tables import ADD_ONS
from hooks.coding.hospital import hospital_code_for, medicare_hospital_lines, plain_code_for
from hooks.coding.lines import lines_on, lines_that_may_be_on
from hooks.coding.practitioners import agrees
from hooks.coding.studies import Study
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code

# Either charges a stress echo, as does the C code of either.
STRESS_CODES = ("93350", "93351", "C8928", "C8930")


@dataclass(frozen=True, slots=True)
class UnbilledService:
    """A study that was done: its codes (several where the record names several) and the procedures that say so."""

    codes: tuple[str, ...]
    procedures: tuple[Procedure, ...]

    @property
    def contradictory(self) -> bool:
        """Whether the record names both a hospital's code and a code of a practice."""
        return len({is_hospital_code(code) for code in self.codes}) > 1


@cached_fact
def uncharged_stress_echo(study: Study, case: Case) -> UnbilledService | None:
    """The stress echo that was done and that no line of its day charges."""
    return _uncharged(study, case, STRESS_CODES)


@cached_fact
def uncharged_perfusion(study: Study, case: Case) -> UnbilledService | None:
    """The perfusion echo that was done and that no line of its day charges."""
    return _uncharged(study, case, (PERFUSION_ADD_ON,))


def _uncharged(study: Study, case: Case, wanted: tuple[str, ...]) -> UnbilledService | None:
    done = [each for each in study.procedures if each.status == "done" and billing_codes(each) & set(wanted)]
    days = {each.day for each in done}
    if not done or any(line.code in wanted for day in days for line in lines_that_may_be_on(day, case)):
        return None
    codes = sorted({code for each in done for code in billing_codes(each) & set(wanted)})
    return UnbilledService(tuple(codes), tuple(done))


def billing_codes(procedure: Procedure) -> set[str]:
    """The billing codes that a procedure carries, without their modifiers."""
    return {value[:5] for value in procedure.concept.values(BILLING)}


def may_conclude(performed: UnbilledService, study: Study, case: Case) -> bool:
    """Whether a charge that is not there is missing, and does not stand on somebody else's bill.

    Either the charges on the record are known to be complete, or other charges of the study stand in what goes out.
    """
    team = frozenset(name for each in performed.procedures for name in each.performers)
    if not agrees(team, frozenset(name for line in _going_out(study, case) for name in line.performers)):
        return False
    return "chargeItems" in case.complete or any(line.under_review for line in study.lines)


def _going_out(study: Study, case: Case) -> list[Line]:
    return [line for line in _on_day_of(study, case) if line.under_review]


def _on_day_of(study: Study, case: Case) -> list[Line]:
    """The lines of a study's day, and those whose day is not stated."""
    return [line for day in {study.day, None} for line in lines_on(day, case)]


def awaits_primary(study: Study) -> bool:
    """Whether an add-on is charged for the study: the rule for add-ons without a primary then asks for the study."""
    return any(line.code in ADD_ONS for line in study.lines)


def only_by_hospital(codes: Iterable[str]) -> bool:
    """Whether codes name a stress echo by a hospital's code with contrast, and by no other."""
    stress = [code for code in codes if code in STRESS_CODES]
    return bool(stress) and all(is_hospital_code(code) for code in stress)


@cached_fact
def is_asked_for(study: Study, case: Case) -> bool:
    """Whether a stress echo is not charged and a card asks for it: by its record, or as the primary of an add-on."""
    performed = uncharged_stress_echo(study, case)
    if performed is not None and not performed.contradictory and may_conclude(performed, study, case):
        return True
    charged = any(line.code in STRESS_CODES for line in _on_day_of(study, case))
    return awaits_primary(study) and not charged


def has_perfusion(study: Study) -> bool:
    """Whether a perfusion echo is charged or was done: its closed list of primaries holds no hospital code."""
    done = (each for each in study.procedures if each.status == "done")
    return bool(study.charged(PERFUSION_ADD_ON)) or any(PERFUSION_ADD_ON in billing_codes(each) for each in done)


def excludes_perfusion(study: Study, case: Case) -> bool:
    """Whether the use of contrast is charged by the add-on that excludes the one for perfusion, and may stay so.

    Beside a rest echo and on a Medicare hospital claim that add-on is wrong, and other rules take it off.
    """
    hospital = medicare_hospital_lines(study, case)
    return study.kind != "rest" and any(line not in hospital for line in study.charged(CONTRAST_ADD_ON))


def has_perfusion_primary(study: Study, case: Case) -> bool:
    """Whether a primary of the perfusion echo is charged on its day, or is about to be asked for."""
    entry = ADD_ONS.on(PERFUSION_ADD_ON, study.day)
    becomes_hospital_code = study.charged(CONTRAST_ADD_ON) and medicare_hospital_lines(study, case)
    if entry is None or (becomes_hospital_code and not study.primaries):
        return False
    charged = any(line.code in entry.primaries for line in study.primaries)
    asked = study.kind != "none" and awaits_primary(study) and not study.primaries
    found = uncharged_stress_echo(study, case)
    return charged or asked or (found is not None and len(set(found.codes) & set(entry.primaries)) == len(found.codes))


def code_to_charge(code: str, study: Study, medicare_hospital: bool, with_contrast: bool) -> str:
    """The code by which the bill at hand charges what was done: a C code on a Medicare hospital claim with contrast."""
    if medicare_hospital and with_contrast and not has_perfusion(study):
        return hospital_code_for(code, study.day) or code
    if medicare_hospital:
        return plain_code_for(code, study.day) or code
    return code
