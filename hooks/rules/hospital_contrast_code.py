"""Rule: an echo with contrast on a Medicare hospital claim, charged otherwise than by its C code."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine, Change, RemoveLine, RemoveModifier, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.tables import CROSSWALK, OPPS
from hooks.coding.contrast import ContrastUse, charged_with_contrast, contrast_in, procedure_codes, supplies_due
from hooks.coding.fixes import add, supply_notes
from hooks.coding.hospital import hospital_code_for, hospital_lines
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.performed import has_perfusion
from hooks.coding.setting_and_payer import payer_of
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, is_hospital_code

# These say that a second echo was done beside the one with contrast.
_DISTINCT = {"59", "76", "77", "XE", "XS", "XP", "XU"}


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(CROSSWALK, OPPS),
    sources=(CROSSWALK.sources["opps"],),
    override_reasons=WRONG_CHARGE,
)
def hospital_contrast_code(case: Case) -> Iterator[Finding | Undecided]:
    """A Medicare hospital claim charges an echo with contrast by CPT codes.

    Why:
        Medicare pays a hospital outpatient department for an echo with contrast through a C code, which includes the
        use of the agent. 93352 is not paid to a hospital, and the CPT code of the same study is not charged beside its
        C code. The supply code is still reported, although its payment is packaged.

    Flags:
        On a hospital's claim to fee-for-service Medicare: an echo at which contrast was given, charged as 93350, 93351,
        93306, 93307 or 93308; 93352; a C code beside its CPT code.

    Passes:
        The C code with the supply; an echo without contrast by its CPT code; a practitioner's claim; another payer, who
        may or may not take C codes: ask the payer.
    """
    for study in studies(case):
        lines = hospital_lines(study)
        if study.under_review and lines:
            yield from _verdict(study, lines, contrast_in(study, case), case)


def _verdict(study: Study, lines: tuple[Line, ...], use: ContrastUse, case: Case) -> Iterator[Finding | Undecided]:
    payer = payer_of(case, lines)
    wrong = _wrong(study, use, lines)
    if has_perfusion(study) and payer != "other" and any(_target(line, study) for line in lines):
        yield Undecided(
            "claim",
            "0439T belongs to a CPT code, and Medicare asks a hospital for a C code with contrast: ask the contractor",
            tuple(Evidence(f"{line} is charged", line) for line in lines),
        )
    if not wrong or payer == "other" or use.given in {"no", "contradicted"}:
        return
    seen = tuple(Evidence(f"{line} is charged", line) for line in wrong)
    if payer == "unknown":
        yield Undecided(
            "claim", "whether this hospital claim goes to Medicare, which asks for a C code, is not known", seen
        )
    else:
        yield _finding(study, use, lines, wrong, case)


def _wrong(study: Study, use: ContrastUse, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines that a Medicare hospital claim would not carry: CPT codes that a C code stands for, and 93352."""
    with_contrast = _is_with_contrast(study, use, lines)
    perfusion = has_perfusion(study)  # its primaries are CPT codes, so these are left to it
    c_lines = [line for line in lines if is_hospital_code(line)]
    return tuple(
        line
        for line in lines
        if line.code == CONTRAST_ADD_ON
        or (not perfusion and _target(line, study) and (_is_beside(line, c_lines, study) if c_lines else with_contrast))
    )


def _is_with_contrast(study: Study, use: ContrastUse, lines: tuple[Line, ...]) -> bool:
    return use.given == "yes" or (study.kind == "stress" and _charged(lines, CONTRAST_ADD_ON))


def _charged(lines: tuple[Line, ...], code: str) -> bool:
    return any(line.code == code for line in lines)


def _target(line: Line, study: Study) -> str | None:
    return hospital_code_for(line.code, line.day or study.day)


def _is_beside(line: Line, c_lines: list[Line], study: Study) -> bool:
    """Whether a CPT code charges the study of a C code again. Two rest echoes of a day may be two studies."""
    if study.kind == "stress":
        return True
    return _target(line, study) in {each.code for each in c_lines} and not _DISTINCT & set(line.modifiers)


def _finding(study: Study, use: ContrastUse, lines: tuple[Line, ...], wrong: tuple[Line, ...], case: Case) -> Finding:
    certain = all(line.certain for line in wrong)
    mendable = certain and all(line.open for line in wrong)
    fixes = tuple(_remedies(study, lines, wrong, case)) if mendable else ()
    return Finding(
        summary=_summary(study, lines, wrong),
        evidence=(
            *(Evidence(f"{line} is charged", line) for line in wrong),
            *(Evidence(f"{line} is charged", line) for line in lines if is_hospital_code(line)),
            *use.evidence,
        ),
        fixes=fixes,
        notes=(
            *(supply_notes(study, case) if _lacks_supply(study, case) else ()),
            "This holds for hospital outpatient departments that are paid under OPPS; a critical access hospital or an "
            "inpatient stay is paid otherwise.",
        ),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _summary(study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...]) -> str:
    codes = " and ".join(sorted({line.code for line in wrong}))
    present = sorted({line.code for line in lines if is_hospital_code(line)})
    targets = sorted({target for line in wrong if (target := _target(line, study))})
    if present:
        return f"Medicare hospital claim: {present[0]} stands for the echo with contrast; remove {codes}."
    if targets:
        return f"Medicare hospital claim with contrast: charge {' and '.join(targets)} instead of {codes}."
    return f"{codes} is never paid on a Medicare hospital claim: a C code stands for a stress echo with contrast."


# --- remedies -------------------------------------------------------------------------------------------------------


def _remedies(study: Study, lines: tuple[Line, ...], wrong: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    if any(is_hospital_code(line) for line in lines):
        yield _remedy("", tuple(RemoveLine(line) for line in wrong), decided=True)
        return
    replaced = [line for line in wrong if _target(line, study)]
    if replaced:
        yield from _replacements(study, lines, wrong, replaced, case)
    elif any(_target(line, study) for line in lines):
        yield _remedy("", tuple(RemoveLine(line) for line in wrong), decided=True)
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
        yield _remedy("", (*changes, *supplies), decided=len(choices) == 1)


def _without_primary(study: Study, wrong: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    """93352 and no study: the C codes that it may have been meant for, or its removal."""
    first, *others = sorted(wrong, key=str)
    rest: tuple[Change, ...] = tuple(RemoveLine(line) for line in others)
    done = {code for code, _ in procedure_codes(study)}
    possible = [entry for entry in CROSSWALK if entry.code in {"93350", "93351"} and entry.in_force(study.day)]
    shown = [entry for entry in possible if {entry.code, entry.hospital_code} & done]
    if study.kind != "rest" and (shown or "procedures" not in case.complete):
        for entry in shown or possible:
            yield _remedy("", (ReplaceCode(first, entry.hospital_code), *rest), decided=len(shown) == 1)
    yield _remedy("", tuple(RemoveLine(line) for line in wrong), decided=False)


def _remedy(label: str, changes: tuple[Change, ...], *, decided: bool) -> Fix:
    words = label or ", ".join(str(change) for change in changes)
    return Fix(words[:1].upper() + words[1:], changes, recommended=decided)


def _lacks_supply(study: Study, case: Case) -> bool:
    """Whether this rule has to add the supply; where contrast is charged already, the supply's own rule asks for it."""
    return not study.supplies and (study.kind == "rest" or not charged_with_contrast(study, case))


def _supply_lines(study: Study, lines: tuple[Line, ...], case: Case) -> tuple[tuple[AddLine, ...], ...]:
    if not _lacks_supply(study, case):
        return ((),)
    return tuple(
        tuple(add(study, case, supply.code, supply.units, lines[0]) for supply in supplies)
        for supplies in supplies_due(study, case)
    )
