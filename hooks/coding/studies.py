"""Echo studies: a case's orders, procedures, lines and administrations, sorted into studies.

A study consists of the records that name it (a line, a procedure or an order with a study code) and of those that
belong to it (add-ons, supplies, administrations, further orders). Records of no study are grouped by day, as a study
of kind `none`.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from cds_service.core.case import Administration, Case, Concept, Line, Order, Origin, Procedure, Record, cached_fact
from hooks.codes.tables import ADD_ONS, STUDIES
from hooks.coding.lines import days_under_review, lines_that_matter
from hooks.coding.products import agent_in, is_supply
from hooks.coding.study_codes import Kind, is_certain, names_study, study_kind
from hooks.coding.study_groups import Group, groups_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """An echo study as far as the case shows it.

    `records` are all that belong to it: what is charged (`lines`), what the record says was done (`procedures`), the
    agents recorded as given or not given (`administrations`), what was ordered (`orders`). `draft`: the call is about
    it. `facts` keeps what was derived from it, see `cached_fact`.
    """

    kind: Kind
    day: date | None
    records: tuple[Record, ...]
    lines: tuple[Line, ...]
    procedures: tuple[Procedure, ...]
    administrations: tuple[Administration, ...]
    orders: tuple[Order, ...]
    unsure: tuple[Record, ...] = ()
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

    def charged(self, code: str) -> tuple[Line, ...]:
        """The lines that charge a code."""
        return tuple(line for line in self.lines if line.code == code)

    @cached_property
    def certain(self) -> bool:
        """Whether the study is named by a code whose system is named."""
        return any(is_certain(record) for record in self.records if study_kind(record))

    @cached_property
    def performers(self) -> frozenset[str]:
        """The practitioners whom its charges name."""
        return frozenset(each for line in self.lines for each in line.performers)

    @cached_property
    def identities(self) -> frozenset[str]:
        """By what other records point at its own."""
        return frozenset(record.identity for record in self.records if record.identity)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The records that show the study, for a charge to point at: procedures first, then orders."""
        shown = [each.identity for each in (*self.procedures, *self.orders) if "/" in each.identity]
        return tuple(dict.fromkeys(reference for reference in shown if not reference.startswith("urn:")))


@cached_fact
def studies(case: Case) -> tuple[Study, ...]:
    """All studies of a case, the earliest first."""
    return _sort_into_studies(case)


@cached_fact
def records_of_echo(case: Case) -> tuple[Record, ...]:
    """The records that name a study, or belong to one; of what else came, no record is made.

    None where an order is about something else, as most are: the record is then not looked at.
    """
    if case.stage == "order" and not _orders_echo(case):
        return ()
    orders = case.orders.matching(_is_of_order)
    lines = (line for line in lines_that_matter(case) if _is_of_line(line))
    return (*case.procedures.matching(names_study), *lines, *case.administrations.matching(agent_in), *orders)


def _orders_echo(case: Case) -> bool:
    """Whether one of the drafts concerns an echo."""
    return (
        case.orders.has_match_under_review(_is_of_order)
        or any(_is_of_line(line) for line in case.lines.under_review())
        or case.procedures.has_match_under_review(names_study)
        or case.administrations.has_match_under_review(agent_in)
    )


def _is_of_order(ordered: Concept) -> object:
    return names_study(ordered) or agent_in(ordered)


def _is_of_line(line: Line) -> bool:
    return line.code in STUDIES or line.code in ADD_ONS or is_supply(line.code)


def study_of(line: Line, case: Case) -> Study | None:
    """The study to which a line belongs."""
    return _by_line(case).get(line.origin)


@cached_fact
def _by_line(case: Case) -> dict[Origin, Study]:
    return {line.origin: study for study in studies(case) for line in study.lines}


def stress_studies(case: Case) -> tuple[Study, ...]:
    """The stress echo studies that the call is about."""
    return tuple(study for study in studies(case) if study.kind == "stress" and study.under_review)


_NAMES: dict[Kind, str] = {"stress": "Stress echo", "rest": "Rest echo", "none": "Without an echo study"}


def studies_told(case: Case) -> tuple[tuple[str, tuple[Record, ...]], ...]:
    """The records of each study under its name, for whoever tells a case to a person."""
    return tuple((_NAMES[study.kind], (*study.records, *_only_here(study, case))) for study in studies(case))


def _only_here(study: Study, case: Case) -> tuple[Record, ...]:
    """What could belong to several studies is told once, with the first of them."""
    earlier = studies(case)[: studies(case).index(study)]
    told = {id(record) for other in earlier for record in other.unsure}
    return tuple(record for record in study.unsure if id(record) not in told)


def _sort_into_studies(case: Case) -> tuple[Study, ...]:
    relevant = records_of_echo(case)
    if not relevant:
        return ()
    days = days_under_review(case) - {None}
    found = [_study(group, days, case) for group in groups_of(relevant)]
    return tuple(sorted(found, key=lambda study: (study.day or date.max, study.kind)))


def _study(group: Group, days_under_review: frozenset[date | None], case: Case) -> Study:
    under_review = any(case.is_in_focus(record) for record in (*group.records, *group.unsure))
    same_day = case.stage == "claim" and group.day in days_under_review
    return Study(
        kind=group.kind,
        day=group.day,
        records=tuple(group.records),
        lines=tuple(record for record in group.records if isinstance(record, Line)),
        procedures=tuple(record for record in group.records if isinstance(record, Procedure)),
        administrations=tuple(record for record in group.records if isinstance(record, Administration)),
        orders=tuple(record for record in group.records if isinstance(record, Order)),
        unsure=tuple(group.unsure),
        under_review=under_review or same_day,
    )
