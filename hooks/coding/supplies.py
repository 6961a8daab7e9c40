"""Supply codes that a study may carry, by the agent on record."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from cds_service.core.case import Case, Line
from cds_service.core.concepts import BILLING, Concept
from cds_service.core.rules import Evidence
from cds_service.languages.worded import Worded, linked, worded
from hooks.codes.tables import CODES, PRODUCTS, UNIT_LIMITS, UnitLimit
from hooks.coding.claims import by_claim_type_and_component, is_facility_supply, is_reviewed, units_of
from hooks.coding.contrast import agents_given, agents_ordered
from hooks.coding.lines import detail_lines
from hooks.coding.products import UNSPECIFIED, agent_in, name_of
from hooks.coding.studies import Study


@dataclass(frozen=True, slots=True)
class AgentsOnRecord:
    """The agents on record for a study.

    `due` are the right supply codes on the day, one per agent; `possible` those of one agent whose product is open.
    Both are empty if no agent is on record.
    """

    due: frozenset[str]
    possible: frozenset[str]
    evidence: tuple[Evidence, ...]

    @property
    def on_record(self) -> bool:
        """True if an agent is on record."""
        return bool(self.due or self.possible)


def agents_of(study: Study, lines: Iterable[Line], case: Case) -> AgentsOnRecord:
    """The agents given (at order time: ordered), else the product named on a charge for A9700."""
    found = agents_given(study) or (agents_ordered(study) if case.stage == "order" else [])
    named = [(agent.codes, record) for agent, record in found] or list(_products_on_charge(lines, case))
    sets = [frozenset(_code_on(code, study.day) for code in codes) for codes, _ in named]
    evidence = tuple(
        Evidence(worded("{products} on record", products=_product_names(codes)), record) for codes, record in named
    )
    single = frozenset(code for codes in sets if len(codes) == 1 for code in codes)
    if single or not sets:
        return AgentsOnRecord(single, frozenset(), evidence)
    return AgentsOnRecord(frozenset(), frozenset.intersection(*sets) or frozenset.union(*sets), evidence)


def _product_names(codes: frozenset[str]) -> Worded:
    return linked((name_of(code) for code in sorted(codes)), "or")


def _code_on(code: str, day: date | None) -> str:
    """A product's code, or A9700 before the product had a code."""
    return code if CODES.on(code, day) else UNSPECIFIED


def _products_on_charge(lines: Iterable[Line], case: Case) -> Iterator[tuple[frozenset[str], Line]]:
    """Products named on a charge for A9700, on the line or in its details."""
    for line in lines:
        if line.code == UNSPECIFIED:
            for each in (line, *detail_lines(line, case)):
                agent = agent_in(_without_billing_codes(each.concept))
                if agent is not None and agent.certain:
                    yield agent.codes, each


def _without_billing_codes(concept: Concept) -> Concept:
    return Concept(tuple(code for code in concept.codes if code.system != BILLING), concept.words)


def supply_claims(study: Study, case: Case) -> Iterator[tuple[Line, ...]]:
    """The supply lines of a study by claim type, without lines that other rules flag.

    Skipped: lines without units, codes not in force or off the market on the date, and supplies that the facility
    charges.
    """
    return by_claim_type_and_component(
        line for line in study.supplies if is_reviewed(line, case) and is_valid_supply(line)
    )


def invalid_supplies(study: Study, case: Case) -> list[Line]:
    """The supply lines of a study that other rules flag."""
    return [line for line in study.supplies if is_reviewed(line, case) and units_of(line) and not is_valid_supply(line)]


def is_valid_supply(line: Line) -> bool:
    """True if a supply line has units, a code in force, a product on the market and the right owner."""
    in_force = CODES.on(line.code, line.day) is not None and not is_off_market(line.code, line.day)
    return in_force and bool(units_of(line)) and not is_facility_supply(line)


def is_off_market(code: str, day: date | None) -> bool:
    """True if the product is discontinued and Medicare's unit limit on the day is 0."""
    return is_discontinued(code) and bool(zero_limits(code, day))


def zero_limits(code: str, day: date | None) -> tuple[UnitLimit, ...]:
    """Medicare's unit limits of a code on a day that are 0."""
    limits = UNIT_LIMITS.history(code) if day is not None else ()
    return tuple(limit for limit in limits if limit.in_force(day) and limit.units == 0)


def is_discontinued(code: str) -> bool:
    """True if the product of a supply code is discontinued, whatever the date."""
    return any(product.discontinued for product in PRODUCTS.history(code))
