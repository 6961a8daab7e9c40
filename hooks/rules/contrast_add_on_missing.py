"""Rule: a stress echo with contrast without 93352."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from cds_service.core.case import Case, Line, cached_fact
from cds_service.core.changes import AddLine, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, linked, worded
from hooks.codes.sources import ASE_2018
from hooks.codes.tables import ADD_ONS, CROSSWALK, PRODUCTS
from hooks.coding.contrast import ContrastUse, ambiguous_contrast, contrast_in, has_contrast_add_on
from hooks.coding.doses import doubt_about_doses
from hooks.coding.fixes import (
    add_code,
    code_with_units,
    common_supplies,
    fixes_with_supplies,
    hospital_alternative,
    study_evidence,
    supply_choices,
    supply_notes,
)
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, on_day
from hooks.coding.performed import are_hospital_codes, stress_echo_is_flagged
from hooks.coding.questions import was_contrast_given
from hooks.coding.setting_and_payer import is_split
from hooks.coding.studies import Study, codes_ordered, procedure_codes, stress_studies, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(ADD_ONS, PRODUCTS, CROSSWALK),
    sources=(ADD_ONS.sources["ncci-add-ons"], ASE_2018),
    override_reasons=MISSING_CHARGE,
    if_none=worded("no stress echo is under review"),
)
def contrast_add_on_missing(case: Case) -> Iterator[Verdict]:
    """93352 is missing for a stress echo with contrast.

    Why:
        The use of an echo contrast agent during a stress echo is reported separately with 93352, once per study.
        Without 93352 that work is not paid. The agent itself is reported with its own supply code.

    Flags:
        A stress echo ordered with contrast, or with an agent recorded as given, if 93352 is neither charged nor
        ordered. The card also adds the supply code if it is missing.

    Passes:
        No evidence of contrast; contrast recorded as not given; a rest echo; a hospital code that includes contrast
        (C8928, C8930); a hospital claim to Medicare, which needs such a code; 93352 present; 0439T charged or performed
        instead (Medicare pays only one of the two).
    """
    for study in stress_studies(case):
        if has_contrast_add_on(study):
            yield Passed(_has_add_on, study)
        elif _includes_contrast(study):
            yield Passed(_other_code_covers, study)
        elif line := _add_ons_of_no_study(case).get(study.day):
            text = worded("{line} is charged by another practitioner", line=line.code)
            yield Passed(left_to, "add-on-without-primary", text, (line,))
        else:
            yield from _verdict(study, contrast_in(study, case), case)


@cached_fact
def _add_ons_of_no_study(case: Case) -> dict[date | None, Line]:
    """A charge of 93352 of each day that is of no study, since another practitioner charges it."""
    charged = (line for study in studies(case) if study.kind == "none" for line in study.lines_for(CONTRAST_ADD_ON))
    return {line.day: line for line in charged if line.day}


def _has_add_on(study: Study) -> Because:
    lines = study.lines_for(CONTRAST_ADD_ON)
    code, day = CONTRAST_ADD_ON, on_day(study.day)
    if lines:
        return because_of(worded("{code} is charged for the stress echo{on_day}", code=code, on_day=day), lines)
    return because_of(worded("{code} is ordered for the stress echo{on_day}", code=code, on_day=day), lines)


def _other_code_covers(study: Study) -> Because:
    """A hospital code includes the use of contrast; 0439T, charged or performed, excludes 93352."""
    hospital = [line for line in study.primaries if is_hospital_code(line)]
    if hospital:
        return because_of(worded("{codes} includes the use of contrast", codes=codes_of(hospital)), hospital)
    if study.lines_for(PERFUSION_ADD_ON) or not are_hospital_codes(_recorded(study)):
        text = worded("{code} takes the place of {other}", code=PERFUSION_ADD_ON, other=CONTRAST_ADD_ON)
        return because_of(text, study.lines_for(PERFUSION_ADD_ON))
    return Because(worded("the hospital code on record includes the use of contrast"), study_evidence(study))


def _recorded(study: Study) -> set[str]:
    return {code for code, _ in procedure_codes(study)} | codes_ordered(study)


def _includes_contrast(study: Study) -> bool:
    """True if contrast is charged, or will be, by a code that includes it or excludes 93352."""
    if any(is_hospital_code(line) for line in study.primaries):
        return True
    recorded = _recorded(study)
    by_hospital = not study.primaries and are_hospital_codes(recorded)
    return by_hospital or bool(study.lines_for(PERFUSION_ADD_ON)) or PERFUSION_ADD_ON in recorded


def _verdict(study: Study, use: ContrastUse, case: Case) -> Iterator[Verdict]:
    if _is_medicare_hospital_study(study, case) and not (use.given == "unknown" and ambiguous_contrast(study)):
        lines = medicare_hospital_lines(study, case)
        because = worded("{codes} on a Medicare hospital claim", codes=codes_of(lines))
        yield Passed(left_to, "hospital-contrast-code", because, lines)
        return
    if any(isinstance(each, Line) and each.code in {CONTRAST_ADD_ON, PERFUSION_ADD_ON} for each in study.ambiguous):
        yield _undecided(study)
    elif use.given == "yes" or (use.given == "unknown" and use.ordered and case.stage == "order"):
        yield _missing(study, use, case)
    elif use.given == "contradicted":
        yield Undecided(
            "contradiction",
            worded("a contrast supply is charged, but the record shows that no contrast was given"),
            (*use.evidence, *use.against),
        )
    elif use.given == "unknown" and use.orders_if_needed and case.stage == "order":
        yield _question(study, (*use.orders_if_needed, *use.hints))
    elif use.given == "unknown" and use.hints:
        question = _question(study, use.hints, _IN_TEXT_ONLY)
        yield replace(question, question=was_contrast_given(study.day, case) if case.stage == "claim" else None)
    elif ambiguous_contrast(study):
        yield _undecided(study)
    elif use.given == "unknown" and case.stage == "claim":
        incomplete = worded("contrast use is unknown because the administration record is incomplete")
        kind, reason = doubt_about_doses(study, case) or ("record", incomplete)
        yield Undecided(kind, reason, study_evidence(study), was_contrast_given(study.day, case))
    else:
        yield Passed(_no_contrast, study, use)


def _no_contrast(study: Study, use: ContrastUse) -> Because:
    if use.given == "no":
        text = worded("the record shows no contrast at the stress echo{on_day}", on_day=on_day(study.day))
        return Because(text, use.against)
    return Because(worded("the stress echo is ordered without contrast"), study_evidence(study))


def _undecided(study: Study) -> Undecided:
    return Undecided(
        "studies",
        worded("contrast may belong to one of several echo studies of the day; the record does not state which"),
        tuple(Evidence(worded("may belong to one of several studies"), record) for record in ambiguous_contrast(study)),
    )


def _is_medicare_hospital_study(study: Study, case: Case) -> bool:
    """True if all charges of the study are on a Medicare hospital claim; `hospital-contrast-code` applies."""
    lines = medicare_hospital_lines(study, case)
    return bool(lines) and all(line in lines for line in study.primaries)


def _missing(study: Study, use: ContrastUse, case: Case) -> Finding | Undecided:
    evidence = (*study_evidence(study), *(use.evidence or use.orders))
    if not study.certain:
        return _question(study, evidence, worded("The study's code has no code system, so no change is suggested."))
    if case.stage == "claim" and not study.primaries and not stress_echo_is_flagged(study, case):
        reason = worded("the stress echo is not charged, so {code} would have no primary", code=CONTRAST_ADD_ON)
        return Undecided("claim", reason, evidence)
    return _finding(study, evidence, case)


def _finding(study: Study, evidence: tuple[Evidence, ...], case: Case) -> Finding:
    hospital = medicare_hospital_lines(study, case)
    claim_line = next((line for line in study.primaries if line not in hospital), None)
    choices = () if hospital else supply_choices(study, case)
    fixes = fixes_with_supplies([add_code(study, case, CONTRAST_ADD_ON, Decimal(1), claim_line)], choices)
    instead = hospital_alternative(study, case)
    if instead:
        supplies = choices[0] if len(choices) == 1 else ()
        fixes.append(Fix(_instead(instead), (instead, *supplies)))
    codes = [CONTRAST_ADD_ON, *_supply_named(choices)]
    return Finding(
        summary=_summary(linked(codes), case),
        evidence=evidence,
        fixes=tuple(fixes),
        notes=(*supply_notes(study, case), *_setting_notes(study, instead is not None)),
        day=study.day,
        indicator=INFO if any(is_split(line) for line in study.primaries) else None,
    )


def _summary(codes: Worded, case: Case) -> Worded:
    if case.stage == "claim":
        return worded("Contrast was given at this stress echo: add {codes}.", codes=codes)
    return worded("Contrast with this stress echo: add {codes}.", codes=codes)


def _instead(change: ReplaceCode | AddLine) -> Worded:
    if isinstance(change, ReplaceCode):
        return worded("Medicare hospital claim: {new} for {old}", new=change.code, old=change.line.code)
    return worded("Medicare hospital claim: {new}", new=change.code)


def _supply_named(choices: tuple[tuple[AddLine, ...], ...]) -> list[str]:
    codes = [code_with_units(line) for line in common_supplies(choices)]
    return codes or ([worded("the supply code of the agent")] if choices else [])


def _setting_notes(study: Study, may_be_hospital: bool) -> Iterator[str]:
    if any("26" in line.modifiers for line in study.primaries) and all(map(is_split, study.primaries)):
        yield worded(
            "The study is charged by component (26 or TC), so another party owns the equipment. Professional societies "
            "allow the practitioner to charge {code} in a facility, but the Medicare fee schedule lists it as not "
            "applicable there: confirm with your MAC. {code} itself takes neither 26 nor TC.",
            code=CONTRAST_ADD_ON,
        )
    if may_be_hospital:
        yield worded(
            "The claim type (professional or hospital) is unknown. A Medicare hospital outpatient claim reports the "
            "study with contrast under a C code plus the supply, never with {code}.",
            code=CONTRAST_ADD_ON,
        )


_IN_TEXT_ONLY = worded("Contrast is named in free text only, which does not support a suggested charge.")


def _question(study: Study, evidence: tuple[Evidence, ...], *notes: str) -> Finding:
    return Finding(
        summary=worded(
            "Contrast may be part of this stress echo: if it is used, charge {code} and the supply code.",
            code=CONTRAST_ADD_ON,
        ),
        evidence=evidence,
        notes=notes,
        day=study.day,
        indicator=INFO,
    )
