"""Rule: a stress echo or perfusion echo performed and not charged, or charged and not on the claim."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, counted, listed, worded
from hooks.codes.sources import L38786
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, STUDIES
from hooks.coding.claims import charge_evidence, units_of
from hooks.coding.contrast import contrast_in
from hooks.coding.fixes import add_code, code_with_units
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.left_off import LeftOff, left_off
from hooks.coding.lines import lines_on
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, named, number_of_codes
from hooks.coding.performed import (
    STRESS_CODES,
    UnbilledService,
    charge_is_missing,
    code_to_charge,
    has_add_on,
    has_perfusion_primary,
    keeps_contrast_add_on,
    uncharged_perfusion,
    uncharged_stress_echo,
)
from hooks.coding.setting_and_payer import is_professional_only
from hooks.coding.studies import Study, procedure_codes, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, study_kind
from hooks.coding.waste import has_product_code

_CHARGED_SERVICES = frozenset({*STRESS_CODES, PERFUSION_ADD_ON})

# Codes charged by component; C codes are hospital codes only.
SPLIT = frozenset({"93350", "93351"})


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(CODES, CROSSWALK, ADD_ONS, STUDIES),
    sources=(CODES.sources["fee-schedule"], CROSSWALK.sources["opps"], L38786),
    override_reasons=MISSING_CHARGE,
    if_none=worded("no echo is under review"),
)
def performed_not_charged(case: Case) -> Iterator[Verdict]:
    """A stress echo or perfusion echo was performed and is not charged, or a charge is not on the claim.

    Why:
        A service that was performed and documented may be charged; if it is left off the claim, the work is not paid.

    Flags:
        A completed procedure coded 93350, 93351, C8928, C8930 or 0439T on a day without a charge for it, for its
        hospital equivalent, or for the other of 93350 and 93351, if the charges on record are complete or other charges
        of the study are submitted. A charge on record that is ready to be billed (status `billable`), for a code, an
        add-on or the agent of the study, if no claim carries it and the claim under review is where it belongs.

    Passes:
        It is charged, by any practitioner; it was not completed; an add-on is charged without its primary (see
        add-on-without-primary); the claim under review is another practitioner's; a charge for the other party's share
        (26 on a hospital claim, the facility's supply on a professional claim); the claim has another code for it.
    """
    for study in studies(case):
        if not study.under_review:
            continue
        stress = uncharged_stress_echo(study, case)
        if stress and not has_add_on(study):
            yield _stress_verdict(stress, study, case)
        perfusion = uncharged_perfusion(study, case)
        if perfusion:
            yield _perfusion_verdict(perfusion, study, case)
        for each in left_off(study, case):
            yield _left_off_verdict(each, study, case)
        yield Passed(_nothing_missing, study, stress)


def _nothing_missing(study: Study, stress: UnbilledService | None) -> Because:
    """The services on record beside their charges; with `stress`, its add-on has no primary yet."""
    done = [(code, procedure) for code, procedure in procedure_codes(study) if code in _CHARGED_SERVICES]
    codes = named(code for code, _ in done)
    if stress:
        lacking = worded("{codes} was performed and an add-on is charged", codes=codes)
        return left_to("add-on-without-primary", lacking, study.lines)
    lines = [line for line in study.lines if study_kind(line) or line.code == PERFUSION_ADD_ON]
    if done and lines:
        return because_of(_performed_and_charged(codes, lines, study.day), lines)
    if lines:
        return because_of(_only_charged(lines, study.day), lines)
    if study.day is None:
        return Because(worded("no service without its charge is on record"))
    return Because(worded("no service without its charge is on record on {day}", day=study.day))


def _performed_and_charged(codes: str, lines: list[Line], day: date | None) -> Worded:
    if day is None:
        return worded("{codes} was performed, and {charged}", codes=codes, charged=_are_charged(lines))
    return worded("{codes} was performed on {day}, and {charged}", codes=codes, day=day, charged=_are_charged(lines))


def _only_charged(lines: list[Line], day: date | None) -> Worded:
    if day is None:
        return worded("{charged}, and nothing else is on record", charged=_are_charged(lines))
    return worded("{charged}, and nothing else is on record on {day}", charged=_are_charged(lines), day=day)


def _are_charged(lines: list[Line]) -> Worded:
    return counted("{codes} is charged", "{codes} are charged", number_of_codes(lines), codes=codes_of(lines))


def _evidence(performed: UnbilledService) -> tuple[Evidence, ...]:
    seen = worded("procedure {codes}, completed", codes=listed(performed.codes))
    return tuple(Evidence(seen, each) for each in performed.procedures)


def _may_be_elsewhere(performed: UnbilledService) -> Undecided:
    reason = worded(
        "{codes} was performed and is not on this claim; it may be charged on another claim",
        codes=listed(performed.codes, "or"),
    )
    return Undecided("claim", reason, _evidence(performed))


# --- the stress echo ------------------------------------------------------------------------------------------------


def _stress_verdict(performed: UnbilledService, study: Study, case: Case) -> Finding | Undecided:
    if not charge_is_missing(performed, study, case):
        return _may_be_elsewhere(performed)
    if any(line.claim_type == "professional" for line in study.lines) and any(
        code[0] == "C" for code in performed.codes
    ):
        reason = worded("the record names a hospital code, but the claim is a practitioner's")
        return Undecided("contradiction", reason, _evidence(performed))
    if performed.contradictory:
        reason = worded("the record names both a hospital code and a practice code")
        return Undecided("contradiction", reason, _evidence(performed))
    codes = tuple(dict.fromkeys(_code(code, study, case) for code in performed.codes))
    rest = tuple(line for line in lines_on(study.day, case) if study_kind(line) == "rest")
    fixes = tuple(
        Fix(worded("Add {codes}", codes=code), (_new_line(code, study, case),), len(codes) == 1) for code in codes
    )
    return Finding(
        summary=worded(
            "A stress echo was performed and is not charged: add {codes}.",
            codes=listed(codes, "or"),
        ),
        evidence=(*_evidence(performed), *charge_evidence((*rest, *study.supplies))),
        fixes=() if rest else fixes,
        notes=(_REST_ECHO_NOTE,) if rest else (),
        day=study.day,
    )


_REST_ECHO_NOTE = worded(
    "A rest echo is charged that day: check if the rest echo, the stress echo or both were performed."
)


def _code(code: str, study: Study, case: Case) -> str:
    return code_to_charge(
        code,
        study,
        medicare_hospital=bool(medicare_hospital_lines(study, case)),
        with_contrast=contrast_in(study, case).given == "yes",
    )


def _new_line(code: str, study: Study, case: Case) -> AddLine:
    """One unit; with 26 if the claim at hand is the professional share of a study done in a facility."""
    line = add_code(study, case, code, Decimal(1))
    shared = code in SPLIT and line.sibling is not None and is_professional_only(line.sibling)
    return replace(line, modifiers=("26",)) if shared else line


# --- the perfusion echo ---------------------------------------------------------------------------------------------


def _perfusion_verdict(performed: UnbilledService, study: Study, case: Case) -> Finding | Undecided:
    if keeps_contrast_add_on(study, case):
        reason = worded(
            "{perfusion} was performed and {contrast} is charged: Medicare pays only one of the two",
            perfusion=PERFUSION_ADD_ON,
            contrast=CONTRAST_ADD_ON,
        )
        return Undecided("contradiction", reason, _evidence(performed))
    if not has_perfusion_primary(study, case):
        reason = worded("{code} was performed, but none of its primaries is charged", code=PERFUSION_ADD_ON)
        return Undecided("claim", reason, _evidence(performed))
    if not charge_is_missing(performed, study, case):
        return _may_be_elsewhere(performed)
    return Finding(
        summary=worded("A perfusion echo was performed and is not charged: add {code}.", code=PERFUSION_ADD_ON),
        evidence=(*_evidence(performed), *charge_evidence(study.primaries)),
        fixes=(
            Fix(
                worded("Add {codes}", codes=PERFUSION_ADD_ON),
                (add_code(study, case, PERFUSION_ADD_ON, Decimal(1)),),
                recommended=True,
            ),
        ),
        notes=(_NO_NATIONAL_PRICE,),
        day=study.day,
    )


_NO_NATIONAL_PRICE = worded(
    "{code} has no national price: each Medicare contractor prices it and covers it only under policies such as "
    "{policy}. Verify the policy in effect on the date of service.",
    code=PERFUSION_ADD_ON,
    policy="L38786",
)


# --- a charge that the claim lacks ----------------------------------------------------------------------------------


def _left_off_verdict(found: LeftOff, study: Study, case: Case) -> Finding | Undecided:
    evidence = tuple(
        Evidence(worded("{line} is charged, ready to be billed", line=str(charge)), charge) for charge in found.charges
    )
    if found.doubt:
        codes = dict.fromkeys(charge.code for charge in found.charges)
        reason = counted(
            "{codes} is charged and on no claim; {doubt}",
            "{codes} are charged and on no claim; {doubt}",
            len(codes),
            codes=listed(codes),
            doubt=found.doubt,
        )
        return Undecided(found.why, reason, evidence)
    added = tuple(
        replace(add_code(study, case, charge.code, _units(charge), found.claim[0]), modifiers=charge.modifiers)
        for charge in sorted(found.charges, key=str)
    )
    on_claim = tuple(Evidence(worded("{line} is on the claim", line=str(line)), line) for line in found.claim)
    label = worded("Add {codes}", codes=listed(line.code for line in added))
    return Finding(
        summary=worded("Charged and not on the claim: add {lines}.", lines=listed(map(code_with_units, added))),
        evidence=(*evidence, *on_claim),
        fixes=(Fix(label, added, recommended=True),),
        day=study.day,
    )


def _units(charge: Line) -> Decimal | None:
    """The units of a charge; a person enters those of an agent if they are not stated."""
    return charge.units if has_product_code(charge) else units_of(charge)
