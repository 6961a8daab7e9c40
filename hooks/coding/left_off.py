"""Billable charges of a study that its claim lacks, and whether the claim under review should carry them.

A charge is judged only if its status says that it is ready to be billed (`billable`). It is left off if no claim has
it, under its own code or another one for the same service. Hospital and practitioner bill their shares on two claims: a
charge is added only where it belongs to one claim under review and to no other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cds_service.core.case import Case, Line
from cds_service.core.rules import Why
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS, CODES, PAIRS, PC_TC
from hooks.coding.claims import units_of
from hooks.coding.contrast import agents_given, contrast_in, documented_units
from hooks.coding.fixes import waste_modifier_changes
from hooks.coding.lines import grouped, possible_lines_on
from hooks.coding.practitioners import may_be_same_practitioner
from hooks.coding.products import UNSPECIFIED, is_supply
from hooks.coding.setting_and_payer import (
    is_office,
    is_professional_only,
    is_split,
    payer_of,
    takes_hospital_codes,
)
from hooks.coding.studies import Study
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code, study_kind
from hooks.coding.waste import DISCARDED

Fit = Literal["yes", "no", "unclear"]
ClaimLines = tuple[Line, ...]

_CONTRAST_ADD_ONS = frozenset({CONTRAST_ADD_ON, PERFUSION_ADD_ON})


@dataclass(frozen=True, slots=True)
class LeftOff:
    """Charges that claims of a study lack. With a `doubt`, and its kind, they must not be added; else `claim` lacks
    them: its lines for the study.
    """

    charges: tuple[Line, ...]
    claim: ClaimLines = ()
    doubt: str = ""
    why: Why = "claim"


def left_off(study: Study, case: Case) -> Iterator[LeftOff]:
    """The billable charges of a study that its claims under review lack, by claim; doubts one by one."""
    claims = _claims_under_review(study)
    if case.stage != "claim" or not claims:
        return
    for charge in study.ambiguous:
        if isinstance(charge, Line) and _is_left_off(charge, claims, case):
            yield LeftOff((charge,), doubt=worded("it may belong to another echo study of that day"), why="studies")
    found: dict[str, list[Line]] = {}
    for charge in study.lines:
        if _is_left_off(charge, claims, case):
            fits = [(_fit(charge, lines, case), lines) for lines in claims]
            kinds = [fit for fit, _ in fits if fit != "no"]
            if kinds == ["yes"]:
                found.setdefault(next(lines[0].claim for fit, lines in fits if fit == "yes"), []).append(charge)
            elif kinds:
                yield LeftOff((charge,), doubt=worded("it may be charged on another claim"))
    for lines in claims:
        if charges := tuple(found.get(lines[0].claim, ())):
            doubt, why = next(_doubts(charges, lines, study, case), ("", "claim"))
            yield LeftOff(charges, lines, doubt, why)


def _claims_under_review(study: Study) -> list[ClaimLines]:
    """The lines of the study on each claim under review that can still be changed."""
    open_lines = (line for line in study.lines if line.claim and line.under_review and line.open)
    return [tuple(lines) for lines in grouped(open_lines, lambda line: line.claim).values()]


# --- charged on no claim --------------------------------------------------------------------------------------------


def _is_left_off(charge: Line, claims: Iterable[ClaimLines], case: Case) -> bool:
    if not (charge.billable and charge.certain and units_of(charge) and CODES.on(charge.code, charge.day)):
        return False
    if not any(line.day == charge.day for lines in claims for line in lines):
        return False
    claimed = [line for line in possible_lines_on(charge.day, case) if line.claim]
    return not any(_stands_for(line, charge) for line in claimed)


def _stands_for(line: Line, charge: Line) -> bool:
    """True if a claim line charges the service of a charge: by its code, or by another code for it.

    Any echo on the claim stands for a charge for an echo: 93351 or C8930 for 93350. Any supply stands for a supply, and
    a hospital code with contrast includes 93352.
    """
    if line.code == charge.code or (is_supply(line.code) and is_supply(charge.code)):
        return True
    if charge.code in _CONTRAST_ADD_ONS:
        return is_hospital_code(line) or line.code in _CONTRAST_ADD_ONS
    return study_kind(charge) is not None and study_kind(line) is not None


# --- the right claim ------------------------------------------------------------------------------------------------


def _fit(charge: Line, lines: ClaimLines, case: Case) -> Fit:
    """`yes` if a charge belongs on a claim, `no` if it belongs to another party or encounter."""
    encounters = {line.encounter for line in lines} - {None}
    if charge.encounter and encounters and charge.encounter not in encounters:
        return "no"
    fit: Fit = "unclear"
    if lines[0].claim_type == "professional":
        fit = _fit_on_professional_claim(charge, lines)
    elif lines[0].claim_type == "institutional":
        fit = _fit_on_hospital_claim(charge, lines, case)
    same = any(may_be_same_practitioner(charge.performers, line.performers) for line in lines)
    return "unclear" if fit == "yes" and not same else fit


def _fit_on_professional_claim(charge: Line, lines: ClaimLines) -> Fit:
    """In a facility, the practitioner charges the professional component only; equipment and agent are the facility's.

    Without a place of service, an echo that is charged as a whole shows that the practice owns the equipment.
    """
    if is_hospital_code(charge):
        return "no"
    in_facility = any(map(is_professional_only, lines))
    if "26" in charge.modifiers:
        return "yes" if in_facility else "unclear"
    if in_facility:
        return "no" if is_supply(charge.code) or "TC" in charge.modifiers else "unclear"
    if "TC" in charge.modifiers:
        return "unclear"
    is_whole = any(study_kind(line) and not is_split(line) and line.place_of_service is None for line in lines)
    return "yes" if is_whole or all(map(is_office, lines)) else "unclear"


def _fit_on_hospital_claim(charge: Line, lines: ClaimLines, case: Case) -> Fit:
    """The agent is always the hospital's; the code for the echo depends on the payer."""
    if is_split(charge):
        return "no" if "26" in charge.modifiers else "unclear"
    if is_supply(charge.code):
        return "yes"
    takes = takes_hospital_codes(case, lines)
    if is_hospital_code(charge):
        return "yes" if takes else "unclear"
    return "yes" if not takes and payer_of(case, lines) == "other" else "unclear"


# --- charges to be corrected first ----------------------------------------------------------------------------------


def _doubts(charges: tuple[Line, ...], lines: ClaimLines, study: Study, case: Case) -> Iterator[tuple[str, Why]]:
    """The reasons why charges must not be copied to the claim as they are."""
    if _contradict_each_other(charges):
        yield worded("the charges on record repeat or exclude each other"), "contradiction"
    if any(_is_faulty(each) for each in charges):
        yield worded("the units or modifiers of the charge need a correction first"), "record"
    if any(map(_is_for_contrast, charges)) and contrast_in(study, case).given in {"no", "contradicted"}:
        yield worded("the record shows that no contrast was given"), "contradiction"
    if _differs_from_record(tuple(each for each in charges if is_supply(each.code)), study, case):
        yield worded("product, units or modifiers of the charge differ from the record"), "contradiction"
    if any(_excludes(each, other) for each in charges for other in (*lines, *charges)):
        yield worded("Medicare does not pay it with another code of the claim"), "contradiction"
    if any(_lacks_primary(each, (*lines, *charges)) for each in charges):
        yield worded("none of its primaries is on the claim"), "claim"


def _contradict_each_other(charges: tuple[Line, ...]) -> bool:
    whole = [each for each in charges if study_kind(each)]
    supplies = {each.code for each in charges if is_supply(each.code)}
    repeated = len({(each.code, each.modifiers) for each in charges}) < len(charges)
    return repeated or len(whole) > 1 or len(supplies) > 1


def _is_faulty(charge: Line) -> bool:
    entry = PC_TC.on(charge.code, charge.day)
    wrong_component = is_split(charge) and (entry is None or entry.indicator != 1)
    return wrong_component or bool(charge.unclear_modifiers) or (not is_supply(charge.code) and units_of(charge) != 1)


def _is_for_contrast(charge: Line) -> bool:
    return charge.code in _CONTRAST_ADD_ONS or is_supply(charge.code) or is_hospital_code(charge)


def _differs_from_record(supplies: tuple[Line, ...], study: Study, case: Case) -> bool:
    if not supplies:
        return False
    code = supplies[0].code
    agents = agents_given(study)
    if agents and (code == UNSPECIFIED or not any(code in agent.codes for agent, _ in agents)):
        return True
    if any(True for each in supplies for _ in waste_modifier_changes(each, code, study, case)):
        return True
    if code == UNSPECIFIED:
        return sum(map(units_of, supplies), Decimal(0)) != 1
    documented = documented_units(code, study).units
    charged = sum((units_of(each) for each in supplies if DISCARDED not in each.modifiers), Decimal(0))
    return documented is not None and documented != charged


def _excludes(charge: Line, other: Line) -> bool:
    """True if an NCCI edit lists the two codes, in either order and setting."""
    rows = [(row, other.code) for row in PAIRS.history(charge.code)] if charge is not other else []
    rows += [(row, charge.code) for row in PAIRS.history(other.code)] if charge is not other else []
    return any(code in row.never or code in row.with_modifier for row, code in rows)


def _lacks_primary(charge: Line, lines: tuple[Line, ...]) -> bool:
    entry = ADD_ONS.on(charge.code, charge.day)
    if charge.code not in ADD_ONS:
        return False
    return entry is None or not any(line.code in entry.primaries for line in lines)
