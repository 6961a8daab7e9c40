"""The words for records that show contrast, or that none was given."""

from cds_service.core.case import Administration, Procedure
from cds_service.core.concepts import Concept
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, worded
from hooks.coding.products import agent_in, agent_ml, name_of
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
