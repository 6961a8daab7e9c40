"""Whether contrast was used in a study, which product, how much, and how many units of supply that makes."""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from typing import Literal

from cds_service.core.case import Administration, Case, Concept, Line, Order, Procedure, Record, Site, cached_fact
from cds_service.core.notation import plain
from cds_service.core.rules import Evidence
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.performed import is_asked_for, only_by_hospital
from hooks.coding.products import Agent, agent_in, current_products, is_supply, name_of
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code, names_contrast

Answer = Literal["yes", "no", "unknown", "contradicted"]


@dataclass(frozen=True, eq=False)
class ContrastUse:
    """What the case says of contrast in a study; put into words only where a card cites it.

    `given` answers for what happened: `contradicted` where a supply is charged and the record says that nothing was
    given. `against` is what speaks against it.
    """

    study: Study
    given: Answer
    against: tuple[Evidence, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What shows that contrast was used: the record, and the supplies charged."""
        charged = (line for line in self.study.supplies if line.certain)
        return (*_clinical(self.study), *(Evidence(f"{line} is charged", line) for line in charged))

    @cached_property
    def orders(self) -> tuple[Evidence, ...]:
        """By what the study was ordered with contrast."""
        return tuple(item for order in self.study.orders for item, weak in _ordered(order) if not weak)

    @property
    def ordered(self) -> bool:
        """Whether the study was ordered with contrast."""
        return bool(self.orders)

    @cached_property
    def hints(self) -> tuple[Evidence, ...]:
        """Mentions in words only."""
        return _hints(self.study)


@cached_fact
def contrast_in(study: Study, case: Case) -> ContrastUse:
    """Weigh what the records of a study say of contrast."""
    against = () if _unsettled(study, case) else _against(study)
    return ContrastUse(study, _answer(study, case, bool(against)), against)


def _answer(study: Study, case: Case, against: bool) -> Answer:
    if _shown(study):
        return "yes"
    nothing_given = against or known_not_given(study, case)
    if any(line.certain for line in study.supplies):
        return "contradicted" if nothing_given else "yes"
    return "no" if nothing_given else "unknown"


def known_not_given(study: Study, case: Case) -> bool:
    """Whether the record of administrations is complete and shows none for the study.

    At order time nothing has been given yet, and that says nothing.
    """
    complete = case.stage == "claim" and "medicationAdministrations" in case.complete
    return complete and not study.administrations and not _unsettled(study, case)


def _unsettled(study: Study, case: Case) -> bool:
    """Whether an agent may have been given after all: begun and stopped, named in words only, or not tied to a study.

    So may a contrast echo that is tied to none. An administration without a day, or of the day before or after (a
    moment written in another time zone), may be of this study.
    """
    if any(isinstance(each, Procedure) and each.status != "not done" and names_contrast(each) for each in study.unsure):
        return True
    unsure = (each for each in study.unsure if isinstance(each, Administration))
    return any(each.status != "not given" for each in (*study.administrations, *unsure, *_loose(study, case)))


def _loose(study: Study, case: Case) -> list[Administration]:
    """The administrations that belong to no study and may be of this one, by their day."""
    by_day = _loose_by_day(case)
    if study.day is None:
        return [each for found in by_day.values() for each in found]
    today = study.day.toordinal()
    return [each for day in (today - 1, today, today + 1, None) for each in by_day.get(day, ())]


@cached_fact
def _loose_by_day(case: Case) -> dict[int | None, list[Administration]]:
    """By the number of the day in the calendar, so that the days beside it are found."""
    found: dict[int | None, list[Administration]] = {}
    for study in studies(case):
        for each in study.administrations if study.kind == "none" else ():
            found.setdefault(each.day.toordinal() if each.day else None, []).append(each)
    return found


@cached_fact
def _shown(study: Study) -> tuple[tuple[Administration | Procedure, Concept | None], ...]:
    """The records outside the charges that show contrast, each with the agent that it names: administrations, agents
    that a procedure used, a contrast echo that was done.
    """
    found: list[tuple[Administration | Procedure, Concept | None]] = [
        (administration, administration.concept)
        for administration in study.administrations
        if administration.status == "given" and _certain(administration.concept)
    ]
    for procedure in study.procedures:
        if procedure.status == "done":
            found += [(procedure, used) for used in procedure.used if _certain(used)]
            if names_contrast(procedure):
                found.append((procedure, None))
    return tuple(found)


def _clinical(study: Study) -> tuple[Evidence, ...]:
    return tuple(Evidence(_in_words(record, agent), record) for record, agent in _shown(study))


def _in_words(record: Administration | Procedure, agent: Concept | None) -> str:
    if agent is None:
        return "echo with contrast, done"
    if isinstance(record, Procedure):
        return f"{_agent_words(agent)} used"
    return f"{_agent_words(agent)}{_amount_words(record)} given"


def _against(study: Study) -> tuple[Evidence, ...]:
    return tuple(
        Evidence("recorded as not given", administration)
        for administration in study.administrations
        if administration.status == "not given"
    ) + tuple(
        Evidence(f"{'echo with contrast' if names_contrast(procedure) else 'echo'}, recorded as not done", procedure)
        for procedure in study.procedures
        if procedure.status == "not done" and (names_contrast(procedure) or not _was_done(study))
    )


def _was_done(study: Study) -> bool:
    """Whether the record leaves room for the study to have taken place: not every attempt is recorded as not done."""
    return any(procedure.status != "not done" for procedure in study.procedures)


def _ordered(order: Order) -> list[tuple[Evidence, bool]]:
    """What an order says of contrast, and whether it says so in words only."""
    agent = agent_in(order.concept)
    if agent:
        return [(Evidence(f"{_agent_words(order.concept)} ordered", order), not agent.certain)]
    if names_contrast(order):
        return [(Evidence("echo with contrast ordered", order), False)]
    if order.kind == "service" and any(_mentions_contrast(word) for word in order.concept.words):
        return [(Evidence("contrast mentioned in the words of the order", order), True)]
    return []


def _mentions_contrast(words: str) -> bool:
    text = words.lower()
    return "contrast" in text and not re.search(r"\b(without|no|non)\b[ -]*(\w+ )?contrast", text)


def _hints(study: Study) -> tuple[Evidence, ...]:
    """Agents named in words only: weak evidence, enough to ask and never enough to charge."""
    found = [item for order in study.orders for item, weak in _ordered(order) if weak]
    for administration in study.administrations:
        if administration.status == "given" and not _certain(administration.concept):
            found.append(Evidence(f"{_agent_words(administration.concept)} given, named in words only", administration))
    return tuple(found)


def _certain(concept: Concept) -> bool:
    agent = agent_in(concept)
    return agent is not None and agent.certain


def _agent_words(concept: Concept) -> str:
    agent = agent_in(concept)
    if agent is None or len(agent.codes) != 1:
        return "echo contrast (product not decided)"
    return name_of(next(iter(agent.codes)))


def _amount_words(administration: Administration) -> str:
    return f", {plain(administration.ml)} mL" if administration.ml is not None else ""


# --- the supply that is due ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Supply:
    """A supply code that may be charged for a study, its HCPCS units (None: to be entered), and why they are so."""

    code: str
    units: Decimal | None
    reason: str


@cached_fact
def supplies_due(study: Study, case: Case) -> tuple[tuple[Supply, ...], ...]:
    """The supplies for what was given, or was ordered: one tuple for each alternative.

    One alternative where the products are known, several where the record leaves the product open.
    """
    agents = _agents(study)
    certain = sorted({next(iter(agent.codes)) for agent, _ in agents if len(agent.codes) == 1})
    if certain:
        return (tuple(_supply(code, study, case.site) for code in certain),)
    open_to = frozenset.intersection(*(agent.codes for agent, _ in agents)) if agents else current_products()
    return tuple((_supply(code, study, case.site),) for code in sorted(open_to or current_products()))


def _agents(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents that were given, else those that were ordered."""
    return agents_given(study) or agents_ordered(study)


@cached_fact
def agents_given(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents that the record says were given or used, and where it says so; those named by code only."""
    given: list[tuple[Agent, Record]] = []
    for administration in study.administrations:
        if administration.status == "given":
            given += _named(administration.concept, administration)
    for procedure in study.procedures:
        if procedure.status == "done":
            given += [found for used in procedure.used for found in _named(used, procedure)]
    return tuple(given)


@cached_fact
def agents_ordered(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents that were ordered for a study; mentions in words do not count."""
    return tuple(found for order in study.orders for found in _named(order.concept, order))


def _named(concept: Concept, record: Record) -> tuple[tuple[Agent, Record], ...]:
    agent = agent_in(concept)
    return ((agent, record),) if agent and agent.certain and agent.codes else ()


def _supply(code: str, study: Study, site: Site) -> Supply:
    if CODES.on(code, study.day) is None and CODES.on("A9700", study.day) is not None:
        reason = f"{code} is not in force on the date of service; A9700 is charged once per study"
        return Supply("A9700", Decimal(1), reason)
    return _units(code, given_of(code, study), site)


@cached_fact
def given_of(code: str, study: Study) -> tuple[Administration, ...]:
    """The administrations of a study that may be of a product, by its supply code."""
    return tuple(
        administration
        for administration in study.administrations
        if administration.status == "given" and _may_be(administration.concept, code)
    )


@cached_fact
def documented_units(code: str, study: Study) -> Supply:
    """HCPCS units of a product that follow from the mL recorded as given; None where the record does not decide."""
    return _units(code, given_of(code, study), None)


@cached_fact
def millilitres_given(code: str, study: Study) -> Decimal:
    """The volume of a product recorded as given in a study, in mL."""
    return sum((each.ml for each in given_of(code, study) if each.ml is not None), Decimal(0))


def _may_be(concept: Concept, code: str) -> bool:
    agent = agent_in(concept)
    return agent is not None and agent.certain and code in agent.codes


def _units(code: str, given: tuple[Administration, ...], site: Site | None) -> Supply:
    """Units of 1 mL for what was given: doses of one study are added up, then rounded up once."""
    product = PRODUCTS.history(code)[0]
    total = sum((each.ml for each in given if each.ml is not None), Decimal(0))
    if not given or any(each.ml is None for each in given) or not total:
        return _units_unknown(code, "no dose in mL is recorded yet: enter the units", site if given else None)
    if product.label_limit_ml is not None and total > product.label_limit_ml:
        return _units_unknown(
            code,
            f"{plain(total)} mL is more than the label allows of {product.name} in a study, so it is taken for a "
            "diluted volume: enter the units from the vials",
            None,
        )
    units = total.to_integral_value(ROUND_CEILING)
    return Supply(code, units, f"{plain(total)} mL given, rounded up to whole units of 1 mL: {plain(units)}")


def _units_unknown(code: str, reason: str, site: Site | None) -> Supply:
    """One vial where the site charges it, else the units are left to the person who knows them."""
    vial = site.units_of_vial(code, PRODUCTS.history(code)[0].units_per_vial) if site else None
    if vial is not None:
        return Supply(code, vial, f"no dose in mL is recorded; this site charges one vial: {plain(vial)} units, verify")
    return Supply(code, None, reason)


def charged_with_contrast(study: Study, case: Case) -> bool:
    """The add-on, or a code that includes it; where both lack, the add-on's own rule asks for both.

    The add-on for perfusion excludes it: there the record has to show that an agent was given.
    """
    if study.charged(CONTRAST_ADD_ON) or any(is_hospital_code(line) for line in study.primaries):
        return True
    done = {code for code, _ in procedure_codes(study)}
    if study.kind != "stress":
        return False
    if study.charged(PERFUSION_ADD_ON):
        return bool(_shown(study))
    if study.primaries:
        return PERFUSION_ADD_ON in done
    return (PERFUSION_ADD_ON in done or _is_of_hospital(study, done, case)) and is_asked_for(study, case)


def _is_of_hospital(study: Study, done: set[str], case: Case) -> bool:
    """Whether a study that is not charged yet will be charged by a hospital's code with contrast."""
    by_payer = bool(_shown(study)) and bool(medicare_hospital_lines(study, case))
    return by_payer or only_by_hospital(done)


def unsure_agents(study: Study) -> tuple[Record, ...]:
    """Administrations and supplies that may be of this study or of another one of the day."""
    return tuple(
        each
        for each in study.unsure
        if isinstance(each, Administration | Order) or (isinstance(each, Line) and is_supply(each.code))
    )


def add_on_present(study: Study) -> bool:
    """Whether 93352 is charged for the study, or is ordered with it."""
    ordered = any(entry.value[:5] == CONTRAST_ADD_ON for order in study.orders for entry in order.concept.codes)
    return bool(study.charged(CONTRAST_ADD_ON)) or ordered


@cached_fact
def procedure_codes(study: Study) -> tuple[tuple[str, Procedure], ...]:
    """The billing codes of the procedures that were done."""
    return tuple(
        (code.value[:5], procedure)
        for procedure in study.procedures
        if procedure.status == "done"
        for code in procedure.concept.codes
        if code.system == "billing"
    )
