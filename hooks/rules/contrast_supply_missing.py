"""Rule: contrast charged without its supply code."""

from collections.abc import Iterator

from cds_service.core.case import Case
from cds_service.core.changes import AddLine
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, linked, worded
from hooks.codes.sources import MEDLEARN_2018, NORIDIAN_JZ_2024
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charge_evidence
from hooks.coding.contrast import ContrastUse, agents_given, ambiguous_agents, contrast_in, contrast_is_charged
from hooks.coding.fixes import (
    code_with_units,
    common_supplies,
    fixes_with_supplies,
    study_evidence,
    supply_choices,
    supply_is_missing,
    supply_notes,
)
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, named, on_day
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(PRODUCTS, CODES),
    sources=(CODES.sources["hcpcs"], MEDLEARN_2018, NORIDIAN_JZ_2024),
    override_reasons=MISSING_CHARGE,
    if_none=worded("no stress echo with contrast is under review"),
)
def contrast_supply_missing(case: Case) -> Iterator[Verdict]:
    """The contrast agent of a stress echo is not charged.

    Why:
        The owner of the technical component charges the agent with its HCPCS code, in units of 1 mL: the practice in
        its office, the hospital for its patients. 93352 covers the use of contrast and does not include the agent.

    Flags:
        No supply code with 93352, with a hospital code for a stress echo with contrast, or with 0439T at a stress echo
        with an agent recorded as given. The units are the mL recorded as given, added up for the study and rounded up
        once.

    Passes:
        A supply code is charged; the study is charged with 26 or on a professional claim for a facility (the facility
        then charges the supply); contrast recorded as not given; 93352 is missing too (contrast-add-on-missing adds
        both).
    """
    for study in studies(case):
        if not study.under_review or study.kind == "rest":
            continue
        if not contrast_is_charged(study, case):
            yield Passed(_no_contrast, study)
        elif study.kind == "none" and not agents_given(study):
            because = worded("{codes} without a study and without an agent", codes=codes_of(study.lines))
            yield Passed(left_to, "add-on-without-primary", because, study.lines)
        elif supply_is_missing(study):
            yield from _verdict(study, contrast_in(study, case), case)
        else:
            yield Passed(_not_missing, study)


def _no_contrast(study: Study) -> Because:
    if study.kind == "none":
        return Because(worded("no stress echo is charged with contrast"), study_evidence(study))
    text = worded("no contrast is charged with the stress echo{on_day}", on_day=on_day(study.day))
    return Because(text, study_evidence(study))


def _not_missing(study: Study) -> Because:
    if study.supplies:
        supplies = named(map(str, study.supplies))
        text = worded("{lines} charges the agent{on_day}", lines=supplies, on_day=on_day(study.day))
        return because_of(text, study.supplies)
    text = worded("the facility charges the agent, beside {lines}", lines=named(map(str, study.lines)))
    return because_of(text, study.lines)


def _verdict(study: Study, use: ContrastUse, case: Case) -> Iterator[Verdict]:
    evidence = (*_study_and_add_ons(study), *use.evidence)
    if use.given == "no":
        reason = worded("contrast is charged, but the record shows that none was given")
        yield Undecided("contradiction", reason, (*evidence, *use.against))
    elif ambiguous_agents(study):
        yield Undecided(
            "studies",
            worded("the agent may belong to one of several echo studies of the day; the record does not state which"),
            tuple(
                Evidence(worded("may belong to one of several studies"), record) for record in ambiguous_agents(study)
            ),
        )
    else:
        yield _finding(study, evidence, use, case)


def _study_and_add_ons(study: Study) -> tuple[Evidence, ...]:
    codes = (CONTRAST_ADD_ON, PERFUSION_ADD_ON)
    add_ons = (line for code in codes for line in study.lines_for(code))
    return (*study_evidence(study), *charge_evidence(add_ons))


def _finding(study: Study, evidence: tuple[Evidence, ...], use: ContrastUse, case: Case) -> Finding:
    choices = supply_choices(study, case)
    certain = all(line.certain for line in (*study.primaries, *study.lines_for(CONTRAST_ADD_ON)))
    return Finding(
        summary=_summary(common_supplies(choices)),
        evidence=(*evidence, *use.hints),
        fixes=tuple(fixes_with_supplies((), choices)) if certain else (),
        notes=supply_notes(study, case),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _summary(supplies: tuple[AddLine, ...]) -> Worded:
    if not supplies:
        return worded("Contrast is charged without its supply code: add the code of the product used.")
    codes = linked(map(code_with_units, supplies))
    return worded("Contrast is charged without its supply code: add {codes}.", codes=codes)
