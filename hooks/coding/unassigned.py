"""Records of agents that belong to no study, and may be of one by their date."""

from cds_service.core.case import Administration, Case, Procedure, cached_fact
from hooks.coding.products import agent_in
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import names_study
from hooks.coding.unclear import may_be_near


def unassigned_procedures(study: Study, case: Case) -> list[Procedure]:
    """Procedures of no study code that name an agent and may belong to the study, by date."""
    return [each for each in _procedures_of_agents(case) if study.day is None or may_be_near(each, study.day)]


@cached_fact
def _procedures_of_agents(case: Case) -> tuple[Procedure, ...]:
    return tuple(each for each in case.procedures.matching(agent_in) if not names_study(each.concept))


def unassigned_administrations(study: Study, case: Case) -> list[Administration]:
    """Administrations that may belong to a study by date, its own or that of a charge for it: those of no study; for
    charges of no study, those of any.
    """
    by_day = _administrations_by_day(study.kind == "none", case)
    day = study.day
    if day is None:
        return [each for found in by_day.values() for each in found]
    days = {each.toordinal() for each in (day, *(line.day for line in study.lines)) if each}
    near = sorted({each + by for each in days for by in (-1, 0, 1)})
    found = [each for number in near for each in by_day.get(number, ())]
    return found + [each for each in by_day.get(None, ()) if each.may_be_of(day)]


@cached_fact
def _administrations_by_day(of_any: bool, case: Case) -> dict[int | None, list[Administration]]:
    """Those of any study, or of none; keyed by ordinal day, so that adjacent days can be looked up."""
    found: dict[int | None, list[Administration]] = {}
    for study in studies(case):
        for each in study.administrations if of_any or study.kind == "none" else ():
            found.setdefault(each.day.toordinal() if each.day else None, []).append(each)
    return found
