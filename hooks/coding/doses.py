"""Doses of contrast on record that may be of a study or not, so that no fix may rest on those that are."""

from typing import Literal

from cds_service.core.case import Administration, Case, cached_fact
from cds_service.languages.worded import Worded, worded
from hooks.coding.contrast import ambiguous_agents, unassigned_administrations
from hooks.coding.contrast_words import agent_name
from hooks.coding.studies import Study

Doubt = tuple[Literal["studies", "record"], Worded]


@cached_fact
def doubt_about_doses(study: Study, case: Case) -> Doubt | None:
    """The kind and the reason of a doubt about what was given at a study; None if the record leaves none.

    A dose may be of another study or of another day, or may have been given in part only.
    """
    if ambiguous_agents(study):
        return "studies", worded("the agent may belong to one of several echo studies of the day")
    for each in study.administrations:
        if each.status == "unclear":
            return "record", worded("an administration of {drug} was stopped or is unclear", drug=_name(each))
    own = set(map(id, study.administrations))
    for each in unassigned_administrations(study, case):
        if each.status != "not given" and id(each) not in own:
            return "record", worded("an administration of {drug} may be of another day", drug=_name(each))
    return None


def _name(administration: Administration) -> str:
    return agent_name(administration.concept)
