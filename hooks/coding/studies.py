"""Echo studies: a case's orders, procedures, lines and administrations, sorted into studies.

A study consists of the records that name it (a line, a procedure or an order with a study code) and of the records that
belong to it (add-ons, supplies, administrations, further orders). Records of no study are grouped by day, as a study of
kind `none`.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from cds_service.core.case import Administration, Case, Line, Order, Origin, Procedure, Record, cached_fact
from cds_service.core.concepts import BILLING, Concept
from cds_service.core.notation import codes_without_modifiers
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS, STUDIES
from hooks.coding.lines import days_under_review, relevant_lines
from hooks.coding.products import agent_in, is_supply
from hooks.coding.study_codes import Kind, is_certain, names_study, study_kind
from hooks.coding.study_group import Group
from hooks.coding.study_groups import groups_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """An echo study as shown by the case.

    `records` are all its records: charges (`lines`), procedures performed or not (`procedures`), agents given or not
    given (`administrations`) and orders (`orders`). `ambiguous` records may belong to another study instead. `facts`
    caches derived values, see `once`.
    """

    kind: Kind
    day: date | None
    records: tuple[Record, ...]
    lines: tuple[Line, ...]
    procedures: tuple[Procedure, ...]
    administrations: tuple[Administration, ...]
    orders: tuple[Order, ...]
    ambiguous: tuple[Record, ...] = ()
    under_review: bool = False
    facts: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def primaries(self) -> tuple[Line, ...]:
        """The lines that charge the study itself."""
        return tuple(line for line in self.lines if study_kind(line) is not None)

    @cached_property
    def supplies(self) -> tuple[Line, ...]:
        """The lines that charge the contrast agent."""
        return tuple(line for line in self.lines if is_supply(line.code))

    def lines_for(self, code: str) -> tuple[Line, ...]:
        """The lines that charge a code."""
        return tuple(line for line in self.lines if line.code == code)

    @cached_property
    def certain(self) -> bool:
        """True if a code with a code system names the study."""
        return any(is_certain(record) for record in self.records if study_kind(record))

    @cached_property
    def performers(self) -> frozenset[str]:
        """The practitioners named on its charges."""
        return frozenset(each for line in self.lines for each in line.performers)

    @cached_property
    def identities(self) -> frozenset[str]:
        """The identities of its records, as other records refer to them."""
        return frozenset(record.identity for record in self.records if record.identity)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The records that show the study, for a charge to refer to: procedures first, then orders."""
        shown = [each.identity for each in (*self.procedures, *self.orders) if "/" in each.identity]
        return tuple(dict.fromkeys(reference for reference in shown if not reference.startswith("urn:")))


@cached_fact
def studies(case: Case) -> tuple[Study, ...]:
    """All studies of a case, the earliest first."""
    return _sorted_studies(case)


@cached_fact
def records_of_echo(case: Case) -> tuple[Record, ...]:
    """The records that name a study or belong to one; other resources are not parsed into records.

    Empty at order time if the orders under review are not about an echo, as most are not.
    """
    if case.stage == "order" and not _is_about_echo(case):
        return ()
    orders = case.orders.matching(_orders_study_or_agent)
    lines = (line for line in relevant_lines(case) if _is_study_line(line))
    return (*case.procedures.matching(names_study), *lines, *case.administrations.matching(agent_in), *orders)


def _is_about_echo(case: Case) -> bool:
    """True if an order or charge under review is about an echo."""
    return (
        case.orders.has_match_under_review(_orders_study_or_agent)
        or any(_is_study_line(line) for line in case.lines.under_review())
        or case.procedures.has_match_under_review(names_study)
        or case.administrations.has_match_under_review(agent_in)
    )


def _orders_study_or_agent(ordered: Concept) -> object:
    return names_study(ordered) or agent_in(ordered)


def _is_study_line(line: Line) -> bool:
    return line.code in STUDIES or line.code in ADD_ONS or is_supply(line.code)


def study_of(line: Line, case: Case) -> Study | None:
    """The study of a line."""
    return _by_line(case).get(line.origin)


@cached_fact
def _by_line(case: Case) -> dict[Origin, Study]:
    return {line.origin: study for study in studies(case) for line in study.lines}


@cached_fact
def procedure_codes(study: Study) -> tuple[tuple[str, Procedure], ...]:
    """Billing codes of the procedures performed."""
    return tuple(
        (code, procedure)
        for procedure in study.procedures
        if procedure.status == "done"
        for code in codes_without_modifiers(procedure.concept.values(BILLING))
    )


def codes_ordered(study: Study) -> set[str]:
    """Billing codes of a study's orders, with or without a code system."""
    every = (code.value for order in study.orders for code in order.concept.codes)
    return set(codes_without_modifiers(every))


def stress_studies(case: Case) -> tuple[Study, ...]:
    """The stress echo studies under review."""
    return tuple(study for study in studies(case) if study.kind == "stress" and study.under_review)


_NAMES: dict[Kind, str] = {
    "stress": worded("Stress echo"),
    "rest": worded("Rest echo"),
    "none": worded("No echo study"),
}


def records_by_study(case: Case) -> tuple[tuple[str, tuple[Record, ...]], ...]:
    """The records of each study, under the study's name, for display."""
    return tuple((_NAMES[study.kind], (*study.records, *_ambiguous_shown_here(study, case))) for study in studies(case))


def _ambiguous_shown_here(study: Study, case: Case) -> tuple[Record, ...]:
    """Ambiguous records are listed once, with the first study they may belong to."""
    earlier = studies(case)[: studies(case).index(study)]
    shown = {id(record) for other in earlier for record in other.ambiguous}
    return tuple(record for record in study.ambiguous if id(record) not in shown)


def _sorted_studies(case: Case) -> tuple[Study, ...]:
    relevant = records_of_echo(case)
    if not relevant:
        return ()
    days = days_under_review(case) - {None}
    found = [_study(group, days, case) for group in groups_of(relevant)]
    return tuple(sorted(found, key=lambda study: (study.day or date.max, study.kind)))


def _study(group: Group, days_under_review: frozenset[date | None], case: Case) -> Study:
    under_review = any(
        case.is_in_focus(record) or case.is_of_visit(record) for record in (*group.records, *group.ambiguous)
    )
    same_day = case.stage == "claim" and group.day in days_under_review
    return Study(
        kind=group.kind,
        day=group.day,
        records=tuple(group.records),
        lines=tuple(record for record in group.records if isinstance(record, Line)),
        procedures=tuple(record for record in group.records if isinstance(record, Procedure)),
        administrations=tuple(record for record in group.records if isinstance(record, Administration)),
        orders=tuple(record for record in group.records if isinstance(record, Order)),
        ambiguous=tuple(group.ambiguous),
        under_review=under_review or same_day,
    )
