"""The records of a case sorted into groups, one for each study.

Records belong together by reference; without references, by day and practitioner. A record that could belong to several
studies is assigned to none of them and kept as `unsure`.
"""

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import TypeVar

from cds_service.core.case import (
    Administration,
    Line,
    Order,
    Procedure,
    Record,
)
from cds_service.core.union_find import DisjointSet
from hooks.coding.practitioners import agrees
from hooks.coding.products import is_supply
from hooks.coding.study_codes import CONTRAST_ADD_ON, Kind, meaning_of, names_contrast, study_kind

# References to these say which study a record belongs to; others (an encounter, an account) do not.
STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")


class Group:
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
        self.has_draft_order |= isinstance(record, Order) and record.under_review
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

    def __init__(self, groups: Iterable[Group]) -> None:
        self._number: dict[Group, int] = {}
        self._by_identity: dict[str, list[Group]] = {}
        self._by_link: dict[str, list[Group]] = {}
        self._by_day: dict[date | None, list[Group]] = {}
        self._by_encounter: dict[str | None, list[Group]] = {}
        self._with_draft_order: list[Group] = []
        for group in groups:
            self.take(group)

    def take(self, group: Group) -> None:
        """Take in a further group."""
        self._number[group] = len(self._number)
        for record in group.records:
            self._note(group, record)

    def add(self, group: Group, record: Record) -> None:
        """Take a record into a group."""
        group.add(record)
        self._note(group, record)

    def referring(self, record: Record) -> list[Group]:
        """The groups that refer to a record, to which it refers, or which refer to one and the same study as it."""
        found = [self._by_link.get(record.identity)] if record.identity else []
        for link in record.links:
            found.append(self._by_identity.get(link))
            if link.startswith(STUDY_REFERENCES):
                found.append(self._by_link.get(link))
        return self._in_order(found)

    def near(self, record: Record) -> list[Group]:
        """The groups of a record's day or encounter; for a draft order, those that have one already."""
        found = [self._by_day.get(record.day)] if record.day else []
        if record.encounter:
            found.append(self._by_encounter.get(record.encounter))
        if isinstance(record, Order) and record.under_review:
            found.append(self._with_draft_order)
        return self._in_order(found)

    def not_dated(self, record: Record) -> list[Group]:
        """Where a record or a group has no day: the groups that `_is_not_ruled_out` may let stand."""
        if record.day:
            return self._in_order([self._by_day.get(None)])
        return self._in_order([self._by_encounter.get(None)]) if record.encounter else list(self._number)

    def _note(self, group: Group, record: Record) -> None:
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

    def _in_order(self, found: Iterable[list[Group] | None]) -> list[Group]:
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


def _groups_of_done(records: Iterable[Record]) -> list[Group]:
    """What was done and charged: tied by reference, then by day and practitioner."""
    of_kind: dict[Kind, list[Record]] = {}
    for record in records:
        of_kind.setdefault(study_kind(record) or "none", []).append(record)
    groups = [Group(kind, tied) for kind, alike in of_kind.items() for tied in _tied(alike)]
    return [merged for alike in _by(groups, _time) for merged in _merged_by_day(alike)]


def _tied(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records that refer to one another or to one study, directly or through others.

    Found by what they refer to, not by comparing each with each: a record may hold thousands.
    """
    ties = DisjointSet()
    named = {record.identity: number for number, record in enumerate(records) if record.identity}
    for number, record in enumerate(records):
        for link in record.links:
            if link in named or link.startswith(STUDY_REFERENCES):
                ties.union(number, named.setdefault(link, number))
    together: dict[Hashable, list[Record]] = {}
    for number, record in enumerate(records):
        together.setdefault(ties.find(number), []).append(record)
    yield from together.values()


def _time(group: Group) -> tuple[Kind, date | None, str]:
    """Where the day is not known, the encounter stands for it."""
    return group.kind, group.day, "" if group.day else min(group.encounters, default="")


def _merge(groups: list[Group], new: Group, belongs: Callable[[Group, Group], bool]) -> None:
    for group in [each for each in groups if belongs(each, new)]:
        for record in group.records:
            new.add(record)
        groups.remove(group)
    groups.append(new)


def _merged_by_day(alike: Sequence[Group]) -> list[Group]:
    """Studies of one kind on one day are one study, unless practitioners or references tell them apart."""
    groups: list[Group] = []
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
    return [Group(groups[0].kind, [record for group in groups for record in group.records])]


def _attach_orders(groups: list[Group], orders: Iterable[Order]) -> _Index:
    """An order belongs to the studies that refer to it, else to the study of its day or its encounter.

    The others, each a study of its own, go to `groups`. Returns the index of all.
    """
    done = _Index(groups)
    not_done: list[Group] = []
    for order in orders:
        kind = study_kind(order) or "none"
        homes = [group for group in done.referring(order) if group.kind == kind]
        homes = homes or _homes_of_order([group for group in done.near(order) if group.kind == kind], order)
        if not homes:
            not_done.append(Group(kind, [order]))
        for group in homes:
            done.add(group, order)
    for group in not_done:
        groups.append(group)
        done.take(group)
    return done


def _homes_of_order(groups: Sequence[Group], order: Order) -> list[Group]:
    homes = [group for group in groups if order.day and group.day == order.day]
    if not homes and not order.planned:
        homes = [group for group in groups if order.encounter in group.encounters and _not_before(group, order)]
    return homes if len(homes) == 1 else []


def _not_before(group: Group, order: Order) -> bool:
    return group.day is None or order.day is None or group.day >= order.day


def _attach_rest(groups: list[Group], studies_only: _Index, records: Iterable[Record]) -> None:
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


def _homes(studies_only: _Index, record: Record) -> list[Group]:
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


def _narrow(homes: list[Group], keep: Callable[[Group], bool]) -> list[Group]:
    kept = [group for group in homes if keep(group)]
    return kept or homes


def _may_belong(group: Group, record: Record) -> bool:
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    if isinstance(record, Order) and record.under_review and group.has_draft_order:
        return True  # unsigned orders of one session belong together, whatever they say of dates
    if record.day is None or group.day is None:
        return record.encounter is not None and record.encounter in group.encounters
    return record.day == group.day


def _is_not_ruled_out(group: Group, record: Record) -> bool:
    """Whether the day of one of them is not known, and nothing else tells them apart."""
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    return None in (record.day, group.day) and (record.encounter is None or not group.encounters)


def _needs_stress(record: Record) -> bool:
    return _is_contrast_add_on(record) or meaning_of(record).on_stress


def _is_contrast_add_on(record: Record) -> bool:
    return isinstance(record, Line) and record.code == CONTRAST_ADD_ON


class _Days:
    """What belongs to no study, by day; where the day is not known, by encounter. New groups go to `groups`."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._number: dict[Group, int] = {}
        self._found: dict[tuple[date | None, str | None], list[Group]] = {}
        for group in groups:
            if group.kind == "none":
                self._note(group, _times(group))

    def attach(self, record: Record) -> None:
        """Put a record to others of its day, else to the only ones that may be of its day, else into a new group."""
        group = self._of_its_day(record) or self._only_one_left(record)
        if group is None:
            group = Group("none", [record])
            self._groups.append(group)
            self._note(group, _times(group))
            return
        before = _times(group)
        group.add(record)
        self._note(group, _times(group) - before)

    def _of_its_day(self, record: Record) -> Group | None:
        alike = self._found.get((record.day, None if record.day else record.encounter), [])
        return next((each for each in alike if each.day == record.day and _same_biller(each, record)), None)

    def _only_one_left(self, record: Record) -> Group | None:
        """The group that nothing rules out; None where there are several, for then none can be named."""
        left = [*islice((group for group in self._number if _is_not_ruled_out(group, record)), 2)]
        return left[0] if len(left) == 1 else None

    def _note(self, group: Group, times: Iterable[tuple[date | None, str | None]]) -> None:
        """The groups of a time stay in the order in which they were made, though a group may learn its day later."""
        self._number.setdefault(group, len(self._number))
        for time in times:
            insort(self._found.setdefault(time, []), group, key=self._number.__getitem__)


def _times(group: Group) -> set[tuple[date | None, str | None]]:
    return {(group.day, None)} if group.day else {(None, encounter) for encounter in group.encounters}


def _same_biller(group: Group, record: Record) -> bool:
    return not isinstance(record, Line) or agrees(group.billers, record.performers)


KeyT = TypeVar("KeyT")


def _by(groups: Iterable[Group], key: Callable[[Group], KeyT]) -> Iterator[list[Group]]:
    sorted_out: dict[KeyT, list[Group]] = {}
    for group in groups:
        sorted_out.setdefault(key(group), []).append(group)
    yield from sorted_out.values()


def groups_of(records: Iterable[Record]) -> list[Group]:
    """The records of a case sorted into groups, one for each study and one for each day without a study."""
    every = list(records)
    named = [record for record in every if study_kind(record)]
    groups = _groups_of_done(record for record in named if not isinstance(record, Order))
    index = _attach_orders(groups, [record for record in named if isinstance(record, Order)])
    _attach_rest(groups, index, [record for record in every if not study_kind(record)])
    return groups
