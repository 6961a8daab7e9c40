"""Which supply codes a study may carry, by the agent that the record shows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from cds_service.core.case import BILLING, Case, Concept, Line
from cds_service.core.rules import Evidence
from hooks.codes.tables import CODES, PRODUCTS, UNIT_LIMITS
from hooks.coding.claims import by_claim_type_and_component, is_reviewed, is_supply_of_another, units_of
from hooks.coding.contrast import agents_given, agents_ordered
from hooks.coding.lines import lines_inside
from hooks.coding.products import UNSPECIFIED, agent_in, name_of
from hooks.coding.studies import Study


@dataclass(frozen=True, slots=True)
class AgentsOnRecord:
    """The agents that a record shows for a study.

    `due` are the supply codes that are right for them on the day: one for each agent, or `open_to` where one agent was
    given and the record leaves its product open. Both are empty where the record shows none.
    """

    due: frozenset[str]
    open_to: frozenset[str]
    evidence: tuple[Evidence, ...]

    @property
    def are_shown(self) -> bool:
        """Whether the record shows an agent at all."""
        return bool(self.due or self.open_to)


def agents_of(study: Study, lines: Iterable[Line], case: Case) -> AgentsOnRecord:
    """The agents given (at order time: ordered), else the product that a charge for A9700 itself names."""
    found = agents_given(study) or (agents_ordered(study) if case.stage == "order" else [])
    named = [(agent.codes, record) for agent, record in found] or list(_named_by_charge(lines, case))
    sets = [frozenset(_code_on(code, study.day) for code in codes) for codes, _ in named]
    evidence = tuple(Evidence(f"{_in_words(codes)} named", record) for codes, record in named)
    single = frozenset(code for codes in sets if len(codes) == 1 for code in codes)
    if single or not sets:
        return AgentsOnRecord(single, frozenset(), evidence)
    return AgentsOnRecord(frozenset(), frozenset.intersection(*sets) or frozenset.union(*sets), evidence)


def _in_words(codes: frozenset[str]) -> str:
    return " or ".join(name_of(code) for code in sorted(codes))


def _code_on(code: str, day: date | None) -> str:
    """A product's code, or A9700 on a day on which it has none of its own yet."""
    return code if CODES.on(code, day) else UNSPECIFIED


def _named_by_charge(lines: Iterable[Line], case: Case) -> Iterator[tuple[frozenset[str], Line]]:
    """A charge for A9700 may name its product beside the code, or in a detail of the claim's line."""
    for line in lines:
        if line.code == UNSPECIFIED:
            for each in (line, *lines_inside(line, case)):
                agent = agent_in(_without_billing(each.concept))
                if agent is not None and agent.certain:
                    yield agent.codes, each


def _without_billing(concept: Concept) -> Concept:
    return Concept(tuple(code for code in concept.codes if code.system != BILLING), concept.words)


def supply_claims(study: Study, case: Case) -> Iterator[tuple[Line, ...]]:
    """The supply lines of a study by kind of bill, without those that have another fault of their own.

    Left out: a line that charges nothing, a code that is not in force on its date or whose drug is gone, a supply that
    is not the practitioner's to charge.
    """
    return by_claim_type_and_component(line for line in study.supplies if is_reviewed(line, case) and is_sound(line))


def is_sound(line: Line) -> bool:
    """Whether a supply line has no fault of its own that makes it none."""
    in_force = CODES.on(line.code, line.day) is not None and not is_gone(line.code, line.day)
    return in_force and bool(units_of(line)) and not is_supply_of_another(line)


def is_gone(code: str, day: date | None) -> bool:
    """Whether a product is known to be no longer sold: it is discontinued, and Medicare allows no unit on the day."""
    limits = [limit for limit in UNIT_LIMITS.history(code) if day is not None and limit.in_force(day)]
    return is_discontinued(code) and any(limit.units == 0 for limit in limits)


def is_discontinued(code: str) -> bool:
    """Whether a supply code's product was taken off the market, whenever that was."""
    return any(product.discontinued for product in PRODUCTS.history(code))
