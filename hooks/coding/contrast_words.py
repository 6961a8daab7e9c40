"""The words for records that show contrast, or that none was given; and the words of records that deny it."""

import re

from cds_service.core.case import Administration, Procedure
from cds_service.core.concepts import Concept
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, worded
from hooks.coding.products import ANY_WORD, agent_in, agent_ml, name_of
from hooks.coding.study_codes import names_contrast


def shown_by(record: Administration | Procedure, agent: Concept | None) -> str:
    """The way in which a record shows contrast; `agent` is what it names."""
    if agent is None:
        return worded("echo with contrast performed")
    if isinstance(record, Procedure):
        return worded("{agent} used", agent=agent_name(agent))
    ml = agent_ml(record)
    if ml is None:
        return worded("{agent} given", agent=agent_name(agent))
    return worded("{agent}, {amount} given", agent=agent_name(agent), amount=Quantity(ml, "mL"))


def not_performed(procedure: Procedure) -> Worded:
    """The echo of a procedure that was not done."""
    if names_contrast(procedure):
        return worded("echo with contrast recorded as not performed")
    return worded("echo recorded as not performed")


def agent_name(concept: Concept) -> str:
    """The agent of a concept by name; in words if the product is open."""
    agent = agent_in(concept)
    if agent is None or len(agent.codes) != 1:
        return worded("echo contrast (product not specified)")
    return name_of(next(iter(agent.codes)))


_NAMED = rf"(?:contrast|{ANY_WORD.pattern})"
_VERBS = r"(?: (?:agent|media|enhancement|was|were|is|has been|to be))*"
_DENIALS = re.compile(
    rf"\b(?:without|no|non|not|never)\b[ -]*(?:\w+ )?{_NAMED}"
    rf"|{_NAMED}{_VERBS} (?:not|never|declined|refused|contraindicated|withheld|deferred|unnecessary)\b"
)


def mentions_contrast(words: str) -> bool:
    """True of a text that speaks of contrast and does not deny it."""
    return "contrast" in words.lower() and not denies_contrast(words)


def denies_contrast(words: str) -> bool:
    """True of a text that denies contrast or an agent: "no contrast", "contrast was not used", "Definity declined"."""
    return _DENIALS.search(words.lower()) is not None
