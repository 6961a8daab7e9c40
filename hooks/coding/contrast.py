"""Contrast used in a study: evidence, product, dose and the supply units that follow."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from typing import Literal

from cds_service.core.case import Administration, Case, Procedure, Record, cached_fact
from cds_service.core.concepts import Concept
from cds_service.core.notation import counted_units
from cds_service.core.rules import Evidence
from cds_service.core.site import Site
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import worded
from hooks.codes.tables import CODES
from hooks.coding.contrast_orders import ordered_with_contrast
from hooks.coding.contrast_words import agent_name, mentions_contrast, names_agent, not_performed, shown_by
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.performed import are_hospital_codes, stress_echo_is_flagged
from hooks.coding.products import BY_SUPPLY_CODE, Agent, agent_in, agent_ml, current_products
from hooks.coding.studies import Study, codes_ordered, procedure_codes
from hooks.coding.study_codes import CONTRAST_ADD_ON, PERFUSION_ADD_ON, is_hospital_code, names_contrast
from hooks.coding.study_group import is_agent, is_withheld
from hooks.coding.unassigned import unassigned_administrations, unassigned_procedures

Given = Literal["yes", "no", "unknown", "contradicted"]


@dataclass(frozen=True, eq=False)
class ContrastUse:
    """Use of contrast in a study; evidence is worded only when a card cites it.

    `given` states the outcome: `contradicted` if a supply is charged but the record shows none given. `against` is the
    evidence that none was given.
    """

    study: Study
    given: Given
    against: tuple[Evidence, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Evidence of contrast: records and charged supplies."""
        charged = (line for line in self.study.supplies if line.certain)
        return (
            *_record_evidence(self.study),
            *(Evidence(worded("{line} is charged", line=str(line)), line) for line in charged),
        )

    @cached_property
    def orders(self) -> tuple[Evidence, ...]:
        """Evidence that the study was ordered with contrast."""
        return ordered_with_contrast(self.study, "firm")

    @cached_property
    def orders_if_needed(self) -> tuple[Evidence, ...]:
        """Evidence that contrast was ordered only for the case that it is needed."""
        return ordered_with_contrast(self.study, "if needed")

    @property
    def ordered(self) -> bool:
        """True if the study was ordered with contrast."""
        return bool(self.orders)

    @cached_property
    def hints(self) -> tuple[Evidence, ...]:
        """Mentions in free text only."""
        return _hints(self.study)


@cached_fact
def contrast_in(study: Study, case: Case) -> ContrastUse:
    """Use of contrast in a study, weighed from all its records."""
    against = () if _may_have_been_given(study, case) else _not_given_evidence(study)
    return ContrastUse(study, _given(study, case, bool(against)), against)


def _given(study: Study, case: Case, against: bool) -> Given:
    if _contrast_records(study):
        return "yes"
    nothing_given = against or record_shows_none(study, case)
    if any(line.certain for line in study.supplies):
        return "contradicted" if nothing_given else "yes"
    return "no" if nothing_given else "unknown"


def record_shows_none(study: Study, case: Case) -> bool:
    """True if the administration record is complete and lists none for the study.

    At order time nothing has been given yet, so this is False.
    """
    complete = case.stage == "claim" and case.is_complete("medicationAdministrations", study.day)
    return complete and not study.administrations and not _may_have_been_given(study, case)


def _may_have_been_given(study: Study, case: Case) -> bool:
    """True if an agent may have been given: started and stopped, named in free text only, or not assigned to a study.

    The same holds for an ambiguous contrast echo, and for procedures that name an agent or contrast in words. Records
    without a date, or dated the day before or after (another time zone), may belong to this study.
    """
    ambiguous_procedures = [each for each in study.ambiguous if isinstance(each, Procedure)]
    if any(
        each.status != "not done" and (names_contrast(each) or _shows_contrast_in_words(each))
        for each in ambiguous_procedures
    ) or any(map(_shows_contrast_in_words, (*study.procedures, *unassigned_procedures(study, case)))):
        return True
    ambiguous = (each for each in study.ambiguous if isinstance(each, Administration))
    return any(
        each.status != "not given"
        for each in (*study.administrations, *ambiguous, *unassigned_administrations(study, case))
    )


def _shows_contrast_in_words(done: Procedure) -> bool:
    """True if a procedure, or what it used, names an agent, or its words mention contrast."""
    has_agent = any(map(names_agent, (done.concept, *done.used)))
    return done.status != "not done" and (has_agent or any(map(mentions_contrast, done.concept.words)))


@cached_fact
def _contrast_records(study: Study) -> tuple[tuple[Administration | Procedure, Concept | None], ...]:
    """Records other than charges that show contrast, with the agent each names: administrations, agents used in a
    procedure, a contrast echo performed.
    """
    found: list[tuple[Administration | Procedure, Concept | None]] = [
        (administration, administration.concept)
        for administration in study.administrations
        if _shows_contrast(administration)
    ]
    for procedure in study.procedures:
        if procedure.status == "done":
            found += [(procedure, used) for used in procedure.used if _names_agent_by_code(used)]
            if names_contrast(procedure):
                found.append((procedure, None))
    return tuple(found)


def _shows_contrast(administration: Administration) -> bool:
    """True of an agent given; not of a dose of nothing, or where only the month or the year of its day is known."""
    is_given = administration.status == "given" and administration.within is None
    return is_given and agent_ml(administration) != 0 and _names_agent_by_code(administration.concept)


def _record_evidence(study: Study) -> tuple[Evidence, ...]:
    return tuple(Evidence(shown_by(record, agent), record) for record, agent in _contrast_records(study))


def _not_given_evidence(study: Study) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(worded("recorded as not given"), administration)
        for administration in study.administrations
        if administration.status == "not given" and administration.within is None
    ) + tuple(
        Evidence(not_performed(procedure), procedure)
        for procedure in study.procedures
        if procedure.status == "not done" and (names_contrast(procedure) or not _may_have_been_done(study))
    )


def _may_have_been_done(study: Study) -> bool:
    """False if every attempt at the study is recorded as not done."""
    return any(procedure.status != "not done" for procedure in study.procedures)


def _hints(study: Study) -> tuple[Evidence, ...]:
    """Agents named in free text only: weak evidence that supports a question, never a charge."""
    found = [*ordered_with_contrast(study, "words")]
    for administration in study.administrations:
        if administration.status == "given" and not _names_agent_by_code(administration.concept):
            agent = agent_name(administration.concept)
            seen = worded("{agent} given, named in free text only", agent=agent)
            found.append(Evidence(seen, administration))
    return tuple(found)


def _names_agent_by_code(concept: Concept) -> bool:
    agent = agent_in(concept)
    return agent is not None and agent.certain


# --- supplies due ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Supply:
    """A supply code due for a study, its HCPCS units (None: enter them) and the reason for both."""

    code: str
    units: Decimal | None
    reason: str


@cached_fact
def supplies_due(study: Study, case: Case) -> tuple[tuple[Supply, ...], ...]:
    """The supplies for the agents given, else ordered: one tuple per alternative.

    One alternative if the products are known; several if the record leaves the product open.
    """
    agents = _agents(study)
    certain = sorted({next(iter(agent.codes)) for agent, _ in agents if len(agent.codes) == 1})
    if certain:
        return (tuple(_supply(code, study, case.site) for code in certain),)
    possible = frozenset.intersection(*(agent.codes for agent, _ in agents)) if agents else current_products()
    return tuple((_supply(code, study, case.site),) for code in sorted(possible or current_products()))


def _agents(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents given, else the agents ordered."""
    return agents_given(study) or agents_ordered(study)


@cached_fact
def agents_given(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents given or used, with the record that shows it; by code only."""
    given: list[tuple[Agent, Record]] = []
    for administration in study.administrations:
        if administration.status == "given":
            given += _coded_agent(administration.concept, administration)
    for procedure in study.procedures:
        if procedure.status == "done":
            given += [found for used in procedure.used for found in _coded_agent(used, procedure)]
    return tuple(given)


@cached_fact
def agents_ordered(study: Study) -> tuple[tuple[Agent, Record], ...]:
    """The agents ordered for a study; free text does not count."""
    return tuple(found for order in study.orders for found in _coded_agent(order.concept, order))


def _coded_agent(concept: Concept, record: Record) -> tuple[tuple[Agent, Record], ...]:
    agent = agent_in(concept)
    return ((agent, record),) if agent and agent.certain and agent.codes else ()


def _supply(code: str, study: Study, site: Site) -> Supply:
    if CODES.on(code, study.day) is None and CODES.on("A9700", study.day) is not None:
        reason = worded(
            "{code} is not in effect on the date of service; {instead} is charged once per study",
            code=code,
            instead="A9700",
        )
        return Supply("A9700", Decimal(1), reason)
    return _supply_units(code, administrations_of(code, study), site)


@cached_fact
def administrations_of(code: str, study: Study) -> tuple[Administration, ...]:
    """The administrations of a study that may be of the product with this supply code."""
    return tuple(
        administration
        for administration in study.administrations
        if administration.status == "given" and _may_be_product(administration.concept, code)
    )


@cached_fact
def documented_units(code: str, study: Study) -> Supply:
    """HCPCS units of a product from the mL recorded as given; units None if the record does not decide."""
    return _supply_units(code, administrations_of(code, study), None)


@cached_fact
def milliliters_given(code: str, study: Study) -> Decimal:
    """Volume of a product recorded as given in a study, in mL."""
    return sum((agent_ml(each) or Decimal(0) for each in administrations_of(code, study)), Decimal(0))


def _may_be_product(concept: Concept, code: str) -> bool:
    agent = agent_in(concept)
    return agent is not None and agent.certain and code in agent.codes


def _supply_units(code: str, given: tuple[Administration, ...], site: Site | None) -> Supply:
    """Units of 1 mL for the doses given: added up for the study, then rounded up once."""
    product = BY_SUPPLY_CODE.get(code)
    if product is None:
        return Supply(code, None, worded("it is the code of no product, whose mL would tell the units; enter them"))
    total = sum((agent_ml(each) or Decimal(0) for each in given), Decimal(0))
    if not given or any(agent_ml(each) is None for each in given) or not total:
        return _units_unknown(code, worded("no dose in mL is recorded; enter the units"), site if given else None)
    if product.label_limit_ml is not None and total > product.label_limit_ml:
        return _units_unknown(
            code,
            worded(
                "{amount} exceeds the label's maximum for {product} in a study and is treated as a diluted volume; "
                "enter the units from the vials",
                amount=Quantity(total, "mL"),
                product=product.name,
            ),
            None,
        )
    units = total.to_integral_value(ROUND_CEILING)
    return Supply(
        code,
        units,
        worded(
            "{amount} given, rounded up to {units} of {unit}",
            amount=Quantity(total, "mL"),
            units=counted_units(units),
            unit=Quantity(Decimal(1), "mL"),
        ),
    )


def _units_unknown(code: str, reason: str, site: Site | None) -> Supply:
    """One vial if the site charges by vial, else units None for the user to enter."""
    vial = site.units_of_vial(code, BY_SUPPLY_CODE[code].units_per_vial) if site else None
    if vial is not None:
        return Supply(
            code,
            vial,
            worded("no dose in mL is recorded; this site charges one vial ({units} units): verify", units=vial),
        )
    return Supply(code, None, reason)


def contrast_is_charged(study: Study, case: Case) -> bool:
    """True if 93352 or a code that includes it is charged; if both are missing, the 93352 rule asks for both.

    0439T excludes 93352; with 0439T the record must show that an agent was given.
    """
    if study.lines_for(CONTRAST_ADD_ON) or any(is_hospital_code(line) for line in study.primaries):
        return True
    done = {code for code, _ in procedure_codes(study)}
    if study.kind != "stress":
        return False
    if study.lines_for(PERFUSION_ADD_ON):
        return bool(_contrast_records(study))
    if study.primaries:
        return PERFUSION_ADD_ON in done
    return (PERFUSION_ADD_ON in done or _will_bill_hospital_code(study, done, case)) and stress_echo_is_flagged(
        study, case
    )


def _will_bill_hospital_code(study: Study, done: set[str], case: Case) -> bool:
    """True if a study not yet charged will be billed with a hospital code that includes contrast."""
    by_payer = bool(_contrast_records(study)) and bool(medicare_hospital_lines(study, case))
    return by_payer or are_hospital_codes(done)


@cached_fact
def ambiguous_agents(study: Study) -> tuple[Record, ...]:
    """Administrations, orders and supplies of an agent that may belong to this study or to another one of the day."""
    return tuple(each for each in study.ambiguous if is_agent(each) and not is_withheld(each))


@cached_fact
def ambiguous_contrast(study: Study) -> tuple[Record, ...]:
    """Records that show contrast and may belong to this study or to another one of the day."""
    procedures = (each for each in study.ambiguous if isinstance(each, Procedure))
    said = tuple(each for each in procedures if not names_contrast(each) and _shows_contrast_in_words(each))
    return (*ambiguous_agents(study), *filter(names_contrast, study.ambiguous), *said)


def has_contrast_add_on(study: Study) -> bool:
    """True if 93352 is charged or ordered for the study."""
    return bool(study.lines_for(CONTRAST_ADD_ON)) or CONTRAST_ADD_ON in codes_ordered(study)
