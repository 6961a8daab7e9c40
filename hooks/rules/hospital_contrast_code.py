"""Rule: an echo with contrast on a Medicare hospital claim without its C code."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine, Change, RemoveLine, RemoveModifier, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, listed, worded
from hooks.codes.tables import CROSSWALK, OPPS
from hooks.coding.claims import SECOND_STUDY, charge_evidence, may_be_several
from hooks.coding.contrast import ContrastUse, contrast_in, contrast_is_charged, supplies_due
from hooks.coding.fixes import add_code, named_fix, supplies_charged, supply_notes
from hooks.coding.hospital import hospital_code_for, hospital_lines
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to
from hooks.coding.performed import has_perfusion
from hooks.coding.questions import WHO_PAYS
from hooks.coding.setting_and_payer import Payer, is_outside_opps, payer_of
from hooks.coding.studies import Study, procedure_codes, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(CROSSWALK, OPPS),
    sources=(CROSSWALK.sources["opps"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no echo on a hospital claim is under review"),
)
def hospital_contrast_code(case: Case) -> Iterator[Verdict]:
    """A Medicare hospital claim reports an echo with contrast by CPT codes.

    Why:
        Medicare pays a hospital outpatient department for an echo with contrast under a C code, which includes the use
        of the agent. It does not pay hospitals for 93352, and the CPT code of the same study is not charged with its C
        code. The supply code is still reported, although its payment is packaged.

    Flags:
        On a hospital claim to fee-for-service Medicare: an echo with contrast given, charged as 93350, 93351, 93306,
        93307 or 93308; 93352; a C code with its CPT code.

    Passes:
        The C code with the supply; an echo without contrast under its CPT code; a practitioner's claim; another payer,
        which may or may not take C codes: ask the payer. Not checked for a critical access hospital (type of bill 85x)
        or an inpatient stay.
    """
    for study in studies(case):
        lines = hospital_lines(study)
        if study.under_review and lines:
            yield from _verdict(study, lines, contrast_in(study, case), case)


_NO_C_CODE_WITH_PERFUSION = worded(
    "{code} needs a CPT primary, but Medicare requires a C code for contrast on a hospital claim: ask your MAC",
    code=PERFUSION_ADD_ON,
)


def _verdict(study: Study, lines: tuple[Line, ...], use: ContrastUse, case: Case) -> Iterator[Verdict]:
    payer = payer_of(case, lines)
    wrong = _wrong_lines(study, use, lines)
    if has_perfusion(study) and payer != "other" and any(_target(line, study) for line in lines):
        yield Undecided("claim", _NO_C_CODE_WITH_PERFUSION, charge_evidence(lines))
    if not wrong or payer == "other" or use.given in {"no", "contradicted"}:
        yield Passed(_right, lines, wrong, payer)
        return
    evidence = charge_evidence(wrong)
    if payer == "unknown":
        reason = worded("Medicare requires a C code; whether the payer of this hospital claim does is unknown")
        yield Undecided("claim", reason, evidence, WHO_PAYS)
    elif _had_one_contrast(study, lines, wrong):
        reason = worded(
            "contrast may belong to one of several echo studies of the day; the record does not state which"
        )
        yield Undecided("studies", reason, (*evidence, *use.evidence))
    elif is_outside_opps(lines, case):
        yield Undecided("claim", worded("this hospital is not paid under OPPS: ask your MAC for its codes"), evidence)
    else:
        yield _finding(study, use, lines, wrong, case)


def _right(lines: tuple[Line, ...], wrong: tuple[Line, ...], payer: Payer) -> Because:
    if wrong and payer == "other":
        return because_of(
            worded("the payer of {codes} on the hospital claim is not Medicare", codes=codes_of(wrong)), wrong
        )
    if wrong:
        unsupported = worded("{codes} without contrast on record", codes=codes_of(wrong))
        return left_to("contrast-not-supported", unsupported, wrong)
    hospital = [line for line in lines if is_hospital_code(line)]
    if hospital:
        right = worded("{codes} charges the echo with contrast on the hospital claim", codes=codes_of(hospital))
        return because_of(right, hospital)
    none = worded("no contrast is on record with {codes} on the hospital claim", codes=codes_of(lines))
    return because_of(none, lines)


def _wrong_lines(study: Study, use: ContrastUse, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Lines that do not belong on a Medicare hospital claim: CPT codes that have a C code, and 93352."""
    with_contrast = _is_with_contrast(study, use, lines)
    perfusion = has_perfusion(study)  # 0439T needs its CPT primaries
    c_lines = [line for line in lines if is_hospital_code(line)]
    return tuple(
        line
        for line in lines
        if line.code == CONTRAST_ADD_ON
        or (
            not perfusion
            and _target(line, study)
            and (_duplicates_c_code(line, c_lines, study) if c_lines else with_contrast)
        )
    )


def _had_one_contrast(study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...]) -> bool:
    """True if several studies may be charged by CPT codes, of which the record does not show contrast at each."""
    replaced = [line for line in wrong if _target(line, study)]
    return len(replaced) > 1 and may_be_several(study) and not any(map(is_hospital_code, lines))


def _is_with_contrast(study: Study, use: ContrastUse, lines: tuple[Line, ...]) -> bool:
    return use.given == "yes" or (study.kind == "stress" and _includes_code(lines, CONTRAST_ADD_ON))


def _includes_code(lines: tuple[Line, ...], code: str) -> bool:
    return any(line.code == code for line in lines)


def _target(line: Line, study: Study) -> str | None:
    return hospital_code_for(line.code, line.day or study.day)


def _duplicates_c_code(line: Line, c_lines: list[Line], study: Study) -> bool:
    """True if a CPT code charges a C code's study again. Two rest echoes of a day may be two studies."""
    if study.kind == "stress":
        return True
    return _target(line, study) in {each.code for each in c_lines} and not SECOND_STUDY & set(line.modifiers)


def _finding(study: Study, use: ContrastUse, lines: tuple[Line, ...], wrong: tuple[Line, ...], case: Case) -> Finding:
    certain = all(line.certain for line in wrong)
    fixable = certain and all(line.open for line in wrong)
    fixes = tuple(_fixes(study, lines, wrong, case)) if fixable else ()
    return Finding(
        summary=_summary(study, lines, wrong),
        evidence=(
            *charge_evidence(wrong),
            *charge_evidence(line for line in lines if is_hospital_code(line)),
            *use.evidence,
        ),
        fixes=fixes,
        notes=(
            *(supply_notes(study, case) if _lacks_supply(study, case) else ()),
            _WHERE_IT_APPLIES,
        ),
        day=study.day,
        indicator=None if certain else INFO,
    )


_WHERE_IT_APPLIES = worded(
    "Applies to hospital outpatient departments paid under OPPS; critical access hospitals and inpatient stays are "
    "paid differently: the claim's type of bill, or the site's file, says so."
)


def _summary(study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...]) -> Worded:
    codes = listed(sorted({line.code for line in wrong}))
    present = sorted({line.code for line in lines if is_hospital_code(line)})
    targets = sorted({target for line in wrong if (target := _target(line, study))})
    if present:
        return worded(
            "Medicare hospital claim: {code} already covers the echo with contrast; remove {codes}.",
            code=present[0],
            codes=codes,
        )
    if targets:
        return worded(
            "Medicare hospital claim with contrast: charge {instead} instead of {codes}.",
            instead=listed(targets),
            codes=codes,
        )
    return worded(
        "{codes} is never paid on a Medicare hospital claim: a C code covers the stress echo with contrast.",
        codes=codes,
    )


# --- fixes ----------------------------------------------------------------------------------------------------------


def _fixes(study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    if any(is_hospital_code(line) for line in lines):
        yield named_fix(tuple(RemoveLine(line) for line in wrong), recommended=True)
        return
    replaced = [line for line in wrong if _target(line, study)]
    if replaced:
        yield from _replacements(study, lines, wrong, replaced, case)
    elif any(_target(line, study) for line in lines):
        yield named_fix(tuple(RemoveLine(line) for line in wrong), recommended=True)
    else:
        yield from _without_primary(study, wrong, case)


def _replacements(
    study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...], replaced: list[Line], case: Case
) -> Iterator[Fix]:
    changes: list[Change] = []
    for line in replaced:
        changes += [RemoveModifier(line, "TC")] if "TC" in line.modifiers else []
        changes.append(ReplaceCode(line, _target(line, study) or line.code))
    changes += [RemoveLine(line) for line in wrong if line not in replaced]
    choices = _supply_lines(study, lines, case)
    for supplies in choices:
        yield named_fix((*changes, *supplies), recommended=len(choices) == 1)


def _without_primary(study: Study, wrong: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    """93352 without a study: replace it by a possible C code, or remove it."""
    first, *others = sorted(wrong, key=str)
    rest: tuple[Change, ...] = tuple(RemoveLine(line) for line in others)
    done = {code for code, _ in procedure_codes(study)}
    possible = [entry for entry in CROSSWALK if entry.code in {"93350", "93351"} and entry.in_force(study.day)]
    shown = [entry for entry in possible if {entry.code, entry.hospital_code} & done]
    if study.kind != "rest" and (shown or not case.is_complete("procedures", study.day)):
        for entry in shown or possible:
            yield named_fix((ReplaceCode(first, entry.hospital_code), *rest), recommended=len(shown) == 1)
    yield named_fix(tuple(RemoveLine(line) for line in wrong), recommended=False)


def _lacks_supply(study: Study, case: Case) -> bool:
    """True if this rule adds the supply; if contrast is already charged, `contrast-supply-missing` does."""
    return not supplies_charged(study) and (study.kind == "rest" or not contrast_is_charged(study, case))


def _supply_lines(study: Study, lines: tuple[Line, ...], case: Case) -> tuple[tuple[AddLine, ...], ...]:
    if not _lacks_supply(study, case):
        return ((),)
    return tuple(
        tuple(add_code(study, case, supply.code, supply.units, lines[0]) for supply in supplies)
        for supplies in supplies_due(study, case)
    )
