"""Rule: a stress echo with contrast without its add-on."""

from collections.abc import Iterator
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.sources import ASE_2018
from hooks.codes.tables import ADD_ONS, CROSSWALK, PRODUCTS
from hooks.coding.contrast import ContrastUse, add_on_present, contrast_in, procedure_codes
from hooks.coding.fixes import (
    add,
    hospital_alternative,
    supplies_named,
    supply_choices,
    supply_notes,
    what_was_done,
    with_supplies,
    with_units,
)
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.performed import is_asked_for, only_by_hospital
from hooks.coding.setting_and_payer import is_split
from hooks.coding.studies import Study, stress_studies, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(ADD_ONS, PRODUCTS, CROSSWALK),
    sources=(ADD_ONS.sources["ncci-add-ons"], ASE_2018),
    override_reasons=MISSING_CHARGE,
)
def contrast_add_on_missing(case: Case) -> Iterator[Finding | Undecided]:
    """Stress echo with contrast, and 93352 is not charged.

    Why:
        The use of an echo contrast agent during a stress echo is charged separately, with 93352, once for each study.
        Left off, the work is done and not paid. The agent itself is charged with its own supply code.

    Flags:
        A stress echo that is ordered with contrast, or at which the record shows that an agent was given, while 93352
        is neither charged nor ordered. The card adds the supply code too where that is missing.

    Passes:
        No sign of contrast; contrast recorded as not given; a rest echo; a hospital code that already includes the
        contrast (C8928, C8930); a hospital's claim to Medicare, which asks for such a code; 93352 present; 0439T
        charged or done instead (Medicare pays one of the two).
    """
    for study in stress_studies(case):
        if not add_on_present(study) and not _includes_contrast(study):
            yield from _verdict(study, contrast_in(study, case), case)


def _includes_contrast(study: Study) -> bool:
    """Contrast is charged, or is to be charged, by a code that includes it or excludes 93352."""
    if any(is_hospital_code(line) for line in study.primaries):
        return True
    recorded = {code for code, _ in procedure_codes(study)}
    recorded |= {code.value[:5] for order in study.orders for code in order.concept.codes}
    by_hospital = not study.primaries and only_by_hospital(recorded)
    return by_hospital or bool(study.charged(PERFUSION_ADD_ON)) or PERFUSION_ADD_ON in recorded


def _verdict(study: Study, use: ContrastUse, case: Case) -> Iterator[Finding | Undecided]:
    if _is_hospitals(study, case) and not (use.given == "unknown" and study.unsure):
        return
    if any(isinstance(each, Line) and each.code in {CONTRAST_ADD_ON, PERFUSION_ADD_ON} for each in study.unsure):
        yield _undecided(study)
    elif use.given == "yes" or (use.given == "unknown" and use.ordered and case.stage == "order"):
        yield _missing(study, use, case)
    elif use.given == "contradicted":
        yield Undecided(
            "contradiction",
            "a contrast supply is charged, and the record shows that none was given",
            (*use.evidence, *use.against),
        )
    elif use.given == "unknown" and use.hints:
        yield _ask(study, use.hints, "Contrast is named in words only, which is not enough to suggest a charge.")
    elif study.unsure:
        yield _undecided(study)
    elif use.given == "unknown" and case.stage == "claim":
        yield Undecided(
            "record",
            "whether contrast was given is not known: the record of administrations did not come whole",
            what_was_done(study),
        )


def _undecided(study: Study) -> Undecided:
    return Undecided(
        "studies",
        "contrast belongs to one of several echo studies of the day, and the record does not say to which",
        tuple(Evidence("belongs to one of several studies", record) for record in study.unsure),
    )


def _is_hospitals(study: Study, case: Case) -> bool:
    """Whether all that charges the study goes to Medicare for a hospital: the rule for C codes then speaks."""
    lines = medicare_hospital_lines(study, case)
    return bool(lines) and all(line in lines for line in study.primaries)


def _missing(study: Study, use: ContrastUse, case: Case) -> Finding | Undecided:
    seen = (*what_was_done(study), *(use.evidence or use.orders))
    if not study.certain:
        return _ask(study, seen, "The study's code came without a code system, so nothing is suggested.")
    if case.stage == "claim" and not study.primaries and not is_asked_for(study, case):
        return Undecided("claim", "the stress echo itself is not charged, so that 93352 would have no primary", seen)
    return _finding(study, seen, case)


def _finding(study: Study, seen: tuple[Evidence, ...], case: Case) -> Finding:
    hospital = medicare_hospital_lines(study, case)
    bill = next((line for line in study.primaries if line not in hospital), None)
    choices = () if hospital else supply_choices(study, case)
    fixes = with_supplies(f"Add {CONTRAST_ADD_ON}", [add(study, case, CONTRAST_ADD_ON, Decimal(1), bill)], choices)
    instead = hospital_alternative(study, case)
    if instead:
        supplies = choices[0] if len(choices) == 1 else ()
        of = f" for {instead.line.code}" if isinstance(instead, ReplaceCode) else ""
        fixes.append(Fix(f"Medicare hospital claim: {instead.code}{of}", (instead, *supplies)))
    named = [CONTRAST_ADD_ON, *_supply_named(choices)]
    return Finding(
        summary=f"Contrast {'was given at' if case.stage == 'claim' else 'with'} this stress echo: "
        f"add {' and '.join(named)}.",
        evidence=seen,
        fixes=tuple(fixes),
        notes=(*supply_notes(study, case), *_setting_notes(study, instead is not None)),
        day=study.day,
        indicator=INFO if any(is_split(line) for line in study.primaries) else None,
    )


def _supply_named(choices: tuple[tuple[AddLine, ...], ...]) -> list[str]:
    named = [with_units(line) for line in supplies_named(choices)]
    return named or (["the supply code of the agent"] if choices else [])


def _setting_notes(study: Study, may_be_hospital: bool) -> Iterator[str]:
    if any(is_split(line) for line in study.primaries):
        yield (
            "The study is charged by component (26 or TC), so it was shared with a facility or another owner of the "
            "equipment. Societies allow the practitioner to charge 93352 in a facility, and the Medicare fee schedule "
            "marks it as not applicable there: confirm with your MAC. 93352 itself takes neither 26 nor TC."
        )
    if may_be_hospital:
        yield (
            "Whether this goes out on a professional or on a hospital claim is not known. A Medicare hospital "
            "outpatient claim reports the study with contrast by a C code and the supply, and never with 93352."
        )


def _ask(study: Study, seen: tuple[Evidence, ...], note: str) -> Finding:
    return Finding(
        summary="Contrast may belong to this stress echo: if it is used, 93352 and the supply code are due.",
        evidence=seen,
        notes=(note,),
        day=study.day,
        indicator=INFO,
    )
