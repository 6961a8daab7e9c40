"""Doses of contrast on record that may be of a study or not, so that no fix may rest on those that are."""

from collections.abc import Iterable
from typing import Literal

from cds_service.core.case import Administration, Case, Record, cached_fact
from cds_service.languages.worded import Worded, worded
from hooks.coding.contrast import ambiguous_agents
from hooks.coding.contrast_words import agent_name
from hooks.coding.studies import Study
from hooks.coding.unassigned import unassigned_administrations

Doubt = tuple[Literal["studies", "record"], Worded]


@cached_fact
def doubt_about_doses(study: Study, case: Case) -> Doubt | None:
    """The kind and the reason of a doubt about what was given at a study; None if the record leaves none.

    A dose may be of another study, day or visit, or may have been given in part only.
    """
    if ambiguous_agents(study):
        return "studies", worded("the agent may belong to one of several echo studies of the day")
    for each in study.administrations:
        if each.status == "unclear":
            return "record", worded("an administration of {drug} was stopped or is unclear", drug=_name(each))
    own = set(map(id, study.administrations))
    for each in (*study.administrations, *unassigned_administrations(study, case)):
        if each.status != "not given" and (each.within is not None or id(each) not in own):
            return "record", worded("an administration of {drug} may be of another day", drug=_name(each))
    if other := of_another_visit(study.administrations, (*study.lines, *study.procedures)):
        return "record", another_visit(_name(other))
    return None


def of_another_visit(given: Iterable[Administration], records: Iterable[Record]) -> Administration | None:
    """An administration whose encounter is none of those of a visit's records, beside one whose encounter is.

    By itself it may well be of the visit: a hospital may open an encounter of its own for what is given.
    """
    ours = {each.encounter for each in records if each.encounter}
    named = [each for each in given if each.encounter and each.status != "not given"]
    others = (each for each in named if each.encounter not in ours)
    return next(others, None) if any(each.encounter in ours for each in named) else None


def another_visit(drug: str) -> Worded:
    """The reason why such a dose is in doubt."""
    return worded("an administration of {drug} names another encounter than the charges", drug=drug)


def _name(administration: Administration) -> str:
    return agent_name(administration.concept)
