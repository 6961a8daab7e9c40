"""Rule: contrast charged or given at a stress echo, without its supply code."""

from collections.abc import Iterator

from cds_service.core.case import Case
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Undecided, rule
from hooks.codes.sources import MEDLEARN_2018, NORIDIAN_JZ_2024
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.contrast import ContrastUse, charged_with_contrast, contrast_in, unsure_agents
from hooks.coding.fixes import (
    supplies_named,
    supply_choices,
    supply_is_missing,
    supply_notes,
    what_was_done,
    with_supplies,
    with_units,
)
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(PRODUCTS, CODES),
    sources=(CODES.sources["hcpcs"], MEDLEARN_2018, NORIDIAN_JZ_2024),
    override_reasons=MISSING_CHARGE,
)
def contrast_supply_missing(case: Case) -> Iterator[Finding | Undecided]:
    """The contrast agent of a stress echo is not charged.

    Why:
        The agent is charged by its own HCPCS code, in units of 1 mL, by whoever owns the technical component: the
        practice in its office, the hospital for its patients. 93352 pays for using it and does not include it.

    Flags:
        93352 is charged, or a hospital code for a stress echo with contrast, or 0439T at a stress echo at which the
        record shows that an agent was given, and no supply code is. The units follow from the mL recorded as given,
        added up for the study and rounded up once.

    Passes:
        A supply code is charged; the study is charged with 26 or on a professional claim for a facility (the supply is
        then the facility's); contrast recorded as not given; 93352 is missing too (its own rule adds both).
    """
    for study in studies(case):
        if (
            study.under_review
            and study.kind != "rest"
            and charged_with_contrast(study, case)
            and supply_is_missing(study)
        ):
            yield from _verdict(study, contrast_in(study, case), case)


def _verdict(study: Study, use: ContrastUse, case: Case) -> Iterator[Finding | Undecided]:
    seen = (*_charged(study), *use.evidence)
    if use.given == "no":
        yield Undecided(
            "contradiction", "contrast is charged, and the record shows that none was given", (*seen, *use.against)
        )
    elif unsure_agents(study):
        yield Undecided(
            "studies",
            "the agent belongs to one of several echo studies of the day, and the record does not say to which",
            tuple(Evidence("belongs to one of several studies", record) for record in unsure_agents(study)),
        )
    else:
        yield _finding(study, seen, use, case)


def _charged(study: Study) -> tuple[Evidence, ...]:
    codes = (CONTRAST_ADD_ON, PERFUSION_ADD_ON)
    add_ons = tuple(Evidence(f"{line} is charged", line) for code in codes for line in study.charged(code))
    return (*what_was_done(study), *add_ons)


def _finding(study: Study, seen: tuple[Evidence, ...], use: ContrastUse, case: Case) -> Finding:
    choices = supply_choices(study, case)
    certain = all(line.certain for line in (*study.primaries, *study.charged(CONTRAST_ADD_ON)))
    codes = " and ".join(with_units(line) for line in supplies_named(choices)) or "the supply code of the product used"
    return Finding(
        summary=f"Contrast is charged without the agent itself: add {codes}.",
        evidence=(*seen, *use.hints),
        fixes=tuple(with_supplies("", (), choices)) if certain else (),
        notes=supply_notes(study, case),
        day=study.day,
        indicator=None if certain else INFO,
    )
