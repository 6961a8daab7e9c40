"""What an echo study is: a case's orders, procedures, lines and administrations, sorted into studies.

A study is made of what names it (a line, a procedure or an order with a study code) and of what belongs to it (add-ons,
supplies, administrations, further orders). Records belong together by reference; where they make none, by day and
practitioner. What could belong to several studies is given to none of them and kept as `unsure`, so that a rule can say
that it cannot decide. What belongs to no study is gathered by day, as a study of kind `none`.
"""

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any, Literal, TypeVar

from cds_service.case import (
    BILLING,
    NO_SYSTEM,
    Administration,
    Case,
    Code,
    Concept,
    Line,
    Order,
    Origin,
    Procedure,
    Record,
    once,
)
from cds_service.ties import Ties
from hooks.lines import draft_days, lines_that_matter
from hooks.products import agent_in, is_supply
from hooks.tables import ADD_ONS, STUDIES, StudyCode

Kind = Literal["stress", "rest", "none"]

CONTRAST_ADD_ON = "93352"
PERFUSION_ADD_ON = "0439T"

# References to these say which study a record belongs to; others (an encounter, an account) do not.
_STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """An echo study as far as the case shows it.

    `records` are all that belong to it: what is charged (`lines`), what the record says was done (`procedures`), the
    agents recorded as given or not given (`administrations`), what was ordered (`orders`). `draft`: the call is about
    it. `facts` keeps what was derived from it, see `once`.
    """

    kind: Kind
    day: date | None
    records: tuple[Record, ...]
    lines: tuple[Line, ...]
    procedures: tuple[Procedure, ...]
    administrations: tuple[Administration, ...]
    orders: tuple[Order, ...]
    unsure: tuple[Record, ...] = ()
    draft: bool = False
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


@once
def studies(case: Case) -> tuple[Study, ...]:
    """All studies of a case, the earliest first."""
    return _sort_into_studies(case)


@once
def records_of_echo(case: Case) -> tuple[Record, ...]:
    """The records that name a study, or belong to one; of what else came, no record is made.

    None where an order is about something else, as most are: the record is then not looked at.
    """
    if case.stage == "order" and not _orders_echo(case):
        return ()
    orders = case.orders.about(_is_of_order)
    lines = (line for line in lines_that_matter(case) if _is_of_line(line))
    return (*case.procedures.about(_is_of_study), *lines, *case.administrations.about(agent_in), *orders)


def _orders_echo(case: Case) -> bool:
    """Whether one of the drafts concerns an echo."""
    return (
        case.orders.has_draft(_is_of_order)
        or any(_is_of_line(line) for line in case.lines.drafts())
        or case.procedures.has_draft(_is_of_study)
        or case.administrations.has_draft(agent_in)
    )


def _is_of_order(ordered: Concept) -> object:
    return _is_of_study(ordered) or agent_in(ordered)


def _is_of_line(line: Line) -> bool:
    return line.code in STUDIES or line.code in ADD_ONS or is_supply(line.code)


def study_of(line: Line, case: Case) -> Study | None:
    """The study to which a line belongs."""
    return _by_line(case).get(line.origin)


@once
def _by_line(case: Case) -> dict[Origin, Study]:
    return {line.origin: study for study in studies(case) for line in study.lines}


def stress_studies(case: Case) -> tuple[Study, ...]:
    """The stress echo studies that the call is about."""
    return tuple(study for study in studies(case) if study.kind == "stress" and study.draft)


_NAMES: dict[Kind, str] = {"stress": "Stress echo", "rest": "Rest echo", "none": "Without an echo study"}


def studies_told(case: Case) -> tuple[tuple[str, tuple[Record, ...]], ...]:
    """The records of each study under its name, for whoever tells a case to a person."""
    return tuple((_NAMES[study.kind], (*study.records, *_only_here(study, case))) for study in studies(case))


def _only_here(study: Study, case: Case) -> tuple[Record, ...]:
    """What could belong to several studies is told once, with the first of them."""
    earlier = studies(case)[: studies(case).index(study)]
    told = {id(record) for other in earlier for record in other.unsure}
    return tuple(record for record in study.unsure if id(record) not in told)


# --- what a record says of a study ----------------------------------------------------------------------------------


class _Named:
    """What entries of the study table say together of a record: which kind of study of its own, whether contrast was
    used, whether it charges a hospital's code, and whether it is added to a stress echo.
    """

    __slots__ = ("contrast", "hospital", "kind", "on_stress")

    def __init__(self, entries: Iterable[StudyCode]) -> None:
        every = tuple(entries)
        kinds = {entry.kind for entry in every if not entry.add_on}
        self.kind: Kind | None = "stress" if "stress" in kinds else "rest" if "rest" in kinds else None
        self.contrast = any(entry.contrast for entry in every)
        self.hospital = any(entry.hospital for entry in every)
        self.on_stress = any(entry.add_on and entry.kind == "stress" for entry in every)


_BY_LINE = {entry.code: _Named(STUDIES.history(entry.code)) for entry in STUDIES}
_NOTHING = _Named(())


def _named(record: Record) -> _Named:
    if isinstance(record, Line):
        return _BY_LINE.get(record.code, _NOTHING)
    return _named_by(record.concept.codes) if isinstance(record, (Procedure, Order)) else _NOTHING


@lru_cache(maxsize=4096)  # a record holds few kinds of procedure, again and again
def _named_by(codes: tuple[Code, ...]) -> _Named:
    return _Named(chain.from_iterable(map(_entries, codes)))


def _is_of_study(concept: Concept) -> bool:
    """Whether one of the codes stands in the study table."""
    return any(map(_entries, concept.codes))


@lru_cache(maxsize=4096)
def _entries(code: Code) -> tuple[StudyCode, ...]:
    """A code without a system is taken for a billing code; a billing code may have modifiers behind it."""
    system = code.system or BILLING
    value = code.value[:5] if system == BILLING else code.value
    return tuple(entry for entry in STUDIES.history(value) if entry.system == system)


def study_kind(record: Record) -> Kind | None:
    """The kind of study that a record names, None where it names none of its own."""
    return _named(record).kind


def names_contrast(record: Record) -> bool:
    """Whether a record's own code says that contrast was used."""
    return _named(record).contrast


def is_hospital_code(charged: Line | str) -> bool:
    """Whether a line, or a code, charges a hospital outpatient code for an echo with contrast."""
    return _BY_LINE.get(charged if isinstance(charged, str) else charged.code, _NOTHING).hospital


def is_certain(record: Record) -> bool:
    """Whether a record names its study by a code whose system is named; a bare code is weak evidence."""
    if isinstance(record, Line):
        return record.certain
    if isinstance(record, Procedure | Order):
        return any(code.system != NO_SYSTEM and _entries(code) for code in record.concept.codes)
    return False


def agrees(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of practitioners may be the same person: one names nobody, they share one, or they name one as a
    person and the other as a role, which cannot be compared.
    """
    if not one or not other or one & other:
        return True
    return not {each.split("/")[0] for each in one} & {each.split("/")[0] for each in other}


# --- sorting --------------------------------------------------------------------------------------------------------


class _Group:
    """Records that make one study. What is asked of it for every other record is kept, not derived each time.

    `billers` are the practitioners whom its charges name, `people` all whom its records name. `best_day` tells from how
    good a source the day is: from what was done, else charged, else planned, else the day of the order.
    """

    def __init__(self, kind: Kind, records: Iterable[Record] = ()) -> None:
        self.kind = kind
        self.records: list[Record] = []
        self.unsure: list[Record] = []
        self.best_day: tuple[int, date] | None = None
        self.billers = frozenset[str]()
        self.people = frozenset[str]()
        self.encounters: set[str] = set()
        self.has_draft_order = self.has_contrast_add_on = self.names_contrast = False
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Take a record in."""
        self.records.append(record)
        if record.day:
            day = (_weight_of_day(record), record.day)
            self.best_day = min(self.best_day, day) if self.best_day else day
        if record.performers:
            self.people |= record.performers
            self.billers |= record.performers if isinstance(record, Line) else frozenset()
        if record.encounter:
            self.encounters.add(record.encounter)
        self.has_draft_order |= isinstance(record, Order) and record.draft
        self.has_contrast_add_on |= _is_contrast_add_on(record)
        self.names_contrast |= names_contrast(record)

    @property
    def day(self) -> date | None:
        """The day of the study."""
        return self.best_day[1] if self.best_day else None

    @property
    def is_tied(self) -> bool:
        """Whether its charges refer to a procedure, be it on record or not: then it is a study of its own."""
        kinds = {type(record) for record in self.records}
        return Line in kinds and (Procedure in kinds or any(map(_names_procedure, self.records)))


class _Index:
    """Finds the groups to which a record may belong without asking all of them: a claim may have thousands.

    What is found by day or encounter is to be held against `_may_belong`: days change while a group grows.
    """

    def __init__(self, groups: Iterable[_Group]) -> None:
        self._number: dict[_Group, int] = {}
        self._by_identity: dict[str, list[_Group]] = {}
        self._by_link: dict[str, list[_Group]] = {}
        self._by_day: dict[date | None, list[_Group]] = {}
        self._by_encounter: dict[str | None, list[_Group]] = {}
        self._with_draft_order: list[_Group] = []
        for group in groups:
            self.take(group)

    def take(self, group: _Group) -> None:
        """Take in a further group."""
        self._number[group] = len(self._number)
        for record in group.records:
            self._note(group, record)

    def add(self, group: _Group, record: Record) -> None:
        """Take a record into a group."""
        group.add(record)
        self._note(group, record)

    def referring(self, record: Record) -> list[_Group]:
        """The groups that refer to a record, to which it refers, or which refer to one and the same study as it."""
        found = [self._by_link.get(record.identity)] if record.identity else []
        for link in record.links:
            found.append(self._by_identity.get(link))
            if link.startswith(_STUDY_REFERENCES):
                found.append(self._by_link.get(link))
        return self._in_order(found)

    def near(self, record: Record) -> list[_Group]:
        """The groups of a record's day or encounter; for a draft order, those that have one already."""
        found = [self._by_day.get(record.day)] if record.day else []
        if record.encounter:
            found.append(self._by_encounter.get(record.encounter))
        if isinstance(record, Order) and record.draft:
            found.append(self._with_draft_order)
        return self._in_order(found)

    def not_dated(self, record: Record) -> list[_Group]:
        """Where a record or a group has no day: the groups that `_is_not_ruled_out` may let stand."""
        if record.day:
            return self._in_order([self._by_day.get(None)])
        return self._in_order([self._by_encounter.get(None)]) if record.encounter else list(self._number)

    def _note(self, group: _Group, record: Record) -> None:
        """Under an encounter of None are the groups that name none, under a day of None those without one."""
        places = [self._by_identity.setdefault(record.identity, []), self._by_day.setdefault(group.day, [])]
        places += [self._by_link.setdefault(link, []) for link in record.links]
        if record.encounter or not group.encounters:
            places.append(self._by_encounter.setdefault(record.encounter, []))
        if group.has_draft_order:
            places.append(self._with_draft_order)
        for found in places:
            if not found or found[-1] is not group:
                found.append(group)

    def _in_order(self, found: Iterable[list[_Group] | None]) -> list[_Group]:
        """Each group once, in the order in which they were made."""
        groups = {group for alike in found if alike for group in alike}
        return sorted(groups, key=self._number.__getitem__) if len(groups) > 1 else list(groups)


def _names_procedure(record: Record) -> bool:
    return isinstance(record, Line) and any(link.startswith("Procedure/") for link in record.links)


def _weight_of_day(record: Record) -> int:
    """How well a record knows the day of its study, the best first."""
    if isinstance(record, Order):
        return 3 if record.planned else 4 if record.kind == "service" else 5
    return 0 if isinstance(record, Procedure) else 1 if isinstance(record, Line) else 2


def _sort_into_studies(case: Case) -> tuple[Study, ...]:
    relevant = records_of_echo(case)
    if not relevant:
        return ()
    named = [record for record in relevant if study_kind(record)]
    groups = _groups_of_done(record for record in named if not isinstance(record, Order))
    index = _attach_orders(groups, [record for record in named if isinstance(record, Order)])
    _attach_rest(groups, index, [record for record in relevant if not study_kind(record)])
    days = draft_days(case) - {None}
    found = [_study(group, days, case) for group in groups]
    return tuple(sorted(found, key=lambda study: (study.day or date.max, study.kind)))


def _study(group: _Group, draft_days: frozenset[date | None], case: Case) -> Study:
    draft = any(case.is_about(record) for record in (*group.records, *group.unsure))
    same_day = case.stage == "claim" and group.day in draft_days
    return Study(
        kind=group.kind,
        day=group.day,
        records=tuple(group.records),
        lines=tuple(record for record in group.records if isinstance(record, Line)),
        procedures=tuple(record for record in group.records if isinstance(record, Procedure)),
        administrations=tuple(record for record in group.records if isinstance(record, Administration)),
        orders=tuple(record for record in group.records if isinstance(record, Order)),
        unsure=tuple(group.unsure),
        draft=draft or same_day,
    )


def _groups_of_done(records: Iterable[Record]) -> list[_Group]:
    """What was done and charged: tied by reference, then by day and practitioner."""
    of_kind: dict[Kind, list[Record]] = {}
    for record in records:
        of_kind.setdefault(study_kind(record) or "none", []).append(record)
    groups = [_Group(kind, tied) for kind, alike in of_kind.items() for tied in _tied(alike)]
    return [merged for alike in _by(groups, _time) for merged in _merged_by_day(alike)]


def _tied(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records that refer to one another or to one study, directly or through others.

    Found by what they refer to, not by comparing each with each: a record may hold thousands.
    """
    ties = Ties()
    named = {record.identity: number for number, record in enumerate(records) if record.identity}
    for number, record in enumerate(records):
        for link in record.links:
            if link in named or link.startswith(_STUDY_REFERENCES):
                ties.tie(number, named.setdefault(link, number))
    together: dict[Hashable, list[Record]] = {}
    for number, record in enumerate(records):
        together.setdefault(ties.first(number), []).append(record)
    yield from together.values()


def _time(group: _Group) -> tuple[Kind, date | None, str]:
    """Where the day is not known, the encounter stands for it."""
    return group.kind, group.day, "" if group.day else min(group.encounters, default="")


def _merge(groups: list[_Group], new: _Group, belongs: Callable[[_Group, _Group], bool]) -> None:
    for group in [each for each in groups if belongs(each, new)]:
        for record in group.records:
            new.add(record)
        groups.remove(group)
    groups.append(new)


def _merged_by_day(alike: Sequence[_Group]) -> list[_Group]:
    """Studies of one kind on one day are one study, unless practitioners or references tell them apart."""
    groups: list[_Group] = []
    for each in (group for group in alike if group.people):
        _merge(groups, each, lambda group, new: bool(group.people & new.people) and not (group.is_tied and new.is_tied))
    groups += [group for group in alike if not group.people]
    distinct = [group for group in groups if group.billers or group.is_tied]
    apart = len(distinct) > 1 and not all(
        agrees(one.billers, other.billers) and not (one.is_tied and other.is_tied)
        for one in distinct
        for other in distinct
        if one is not other
    )
    if apart or len(groups) < 2:
        return groups
    return [_Group(groups[0].kind, [record for group in groups for record in group.records])]


def _attach_orders(groups: list[_Group], orders: Iterable[Order]) -> _Index:
    """An order belongs to the studies that refer to it, else to the study of its day or its encounter.

    The others, each a study of its own, go to `groups`. Returns the index of all.
    """
    done = _Index(groups)
    not_done: list[_Group] = []
    for order in orders:
        kind = study_kind(order) or "none"
        homes = [group for group in done.referring(order) if group.kind == kind]
        homes = homes or _homes_of_order([group for group in done.near(order) if group.kind == kind], order)
        if not homes:
            not_done.append(_Group(kind, [order]))
        for group in homes:
            done.add(group, order)
    for group in not_done:
        groups.append(group)
        done.take(group)
    return done


def _homes_of_order(groups: Sequence[_Group], order: Order) -> list[_Group]:
    homes = [group for group in groups if order.day and group.day == order.day]
    if not homes and not order.planned:
        homes = [group for group in groups if order.encounter in group.encounters and _not_before(group, order)]
    return homes if len(homes) == 1 else []


def _not_before(group: _Group, order: Order) -> bool:
    return group.day is None or order.day is None or group.day >= order.day


def _attach_rest(groups: list[_Group], studies_only: _Index, records: Iterable[Record]) -> None:
    """Add-ons, supplies, administrations, and orders for them; what belongs to no study goes to `groups` by day."""
    days = _Days(groups)
    for record in sorted(records, key=_order_of_attachment):
        homes = _homes(studies_only, record)
        if len(homes) == 1:
            studies_only.add(homes[0], record)
        elif homes:
            for group in homes:
                group.unsure.append(record)
        else:
            days.attach(record)


def _order_of_attachment(record: Record) -> tuple[bool, bool, bool]:
    """First the contrast add-on, which shows where the agent belongs; then lines, those with a practitioner first."""
    return not _is_contrast_add_on(record), not isinstance(record, Line), not record.performers


def _homes(studies_only: _Index, record: Record) -> list[_Group]:
    """The studies that a record may belong to, narrowed step by step as long as one is left."""
    homes = studies_only.referring(record)
    if not homes:
        homes = [group for group in studies_only.near(record) if _may_belong(group, record)]
    if not homes:
        homes = [group for group in studies_only.not_dated(record) if _is_not_ruled_out(group, record)]
    if len(homes) < 2:
        return homes
    homes = _narrow(homes, lambda group: not _needs_stress(record) or group.kind == "stress")
    homes = _narrow(homes, lambda group: record.encounter in group.encounters)
    homes = _narrow(homes, lambda group: bool(record.performers & group.people))
    homes = _narrow(homes, lambda group: group.has_contrast_add_on)
    return _narrow(homes, lambda group: not _is_agent(record) or group.names_contrast)


def _is_agent(record: Record) -> bool:
    return isinstance(record, Administration) or (isinstance(record, Line) and is_supply(record.code))


def _narrow(homes: list[_Group], keep: Callable[[_Group], bool]) -> list[_Group]:
    kept = [group for group in homes if keep(group)]
    return kept or homes


def _may_belong(group: _Group, record: Record) -> bool:
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    if isinstance(record, Order) and record.draft and group.has_draft_order:
        return True  # unsigned orders of one session belong together, whatever they say of dates
    if record.day is None or group.day is None:
        return record.encounter is not None and record.encounter in group.encounters
    return record.day == group.day


def _is_not_ruled_out(group: _Group, record: Record) -> bool:
    """Whether the day of one of them is not known, and nothing else tells them apart."""
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    return None in (record.day, group.day) and (record.encounter is None or not group.encounters)


def _needs_stress(record: Record) -> bool:
    return _is_contrast_add_on(record) or _named(record).on_stress


def _is_contrast_add_on(record: Record) -> bool:
    return isinstance(record, Line) and record.code == CONTRAST_ADD_ON


class _Days:
    """What belongs to no study, by day; where the day is not known, by encounter. New groups go to `groups`."""

    def __init__(self, groups: list[_Group]) -> None:
        self._groups = groups
        self._number: dict[_Group, int] = {}
        self._found: dict[tuple[date | None, str | None], list[_Group]] = {}
        for group in groups:
            if group.kind == "none":
                self._note(group, _times(group))

    def attach(self, record: Record) -> None:
        """Put a record to others of its day, else to the only ones that may be of its day, else into a new group."""
        group = self._of_its_day(record) or self._only_one_left(record)
        if group is None:
            group = _Group("none", [record])
            self._groups.append(group)
            self._note(group, _times(group))
            return
        before = _times(group)
        group.add(record)
        self._note(group, _times(group) - before)

    def _of_its_day(self, record: Record) -> _Group | None:
        alike = self._found.get((record.day, None if record.day else record.encounter), [])
        return next((each for each in alike if each.day == record.day and _same_biller(each, record)), None)

    def _only_one_left(self, record: Record) -> _Group | None:
        """The group that nothing rules out; None where there are several, for then none can be named."""
        left = [*islice((group for group in self._number if _is_not_ruled_out(group, record)), 2)]
        return left[0] if len(left) == 1 else None

    def _note(self, group: _Group, times: Iterable[tuple[date | None, str | None]]) -> None:
        """The groups of a time stay in the order in which they were made, though a group may learn its day later."""
        self._number.setdefault(group, len(self._number))
        for time in times:
            insort(self._found.setdefault(time, []), group, key=self._number.__getitem__)


def _times(group: _Group) -> set[tuple[date | None, str | None]]:
    return {(group.day, None)} if group.day else {(None, encounter) for encounter in group.encounters}


def _same_biller(group: _Group, record: Record) -> bool:
    return not isinstance(record, Line) or agrees(group.billers, record.performers)


KeyT = TypeVar("KeyT")


def _by(groups: Iterable[_Group], key: Callable[[_Group], KeyT]) -> Iterator[list[_Group]]:
    sorted_out: dict[KeyT, list[_Group]] = {}
    for group in groups:
        sorted_out.setdefault(key(group), []).append(group)
    yield from sorted_out.values()
