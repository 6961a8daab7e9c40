"""Records of a case sorted into groups, one for each study.

Records belong together by reference; without references, by day and practitioner. A record that could belong to several
studies is assigned to none of them and kept as `ambiguous`.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice

from msgspec import structs

from cds_service.core import work_limit
from cds_service.core.case import Days, Line, Order, Origin, Record
from cds_service.core.union_find import DisjointSet
from hooks.coding.lines import grouped
from hooks.coding.practitioners import may_be_same_practitioner
from hooks.coding.study_codes import Kind, meaning_of, study_kind
from hooks.coding.study_group import STUDY_REFERENCES, Group, GroupIndex, GroupsByBiller, is_agent, is_contrast_add_on


def _groups_of_performed(records: Iterable[Record]) -> list[Group]:
    """Groups of procedures and charges: linked by reference, then by day and practitioner."""
    of_kind: dict[Kind, list[Record]] = {}
    for record in records:
        of_kind.setdefault(study_kind(record) or "none", []).append(record)
    groups = [Group(kind, linked) for kind, similar in of_kind.items() for linked in _linked(similar)]
    return [merged for similar in grouped(groups, _day_key).values() for merged in _merge_same_day(similar)]


def _linked(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records linked by reference to each other or to one study, directly or through others.

    Found by reference, not by pairwise comparison: a record may hold thousands.
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


def _day_key(group: Group) -> tuple[Kind, date | Days | None, str]:
    """Kind and day; the encounter if the day is unknown, and the month or year if that is known."""
    return group.kind, group.day or group.within, "" if group.day else min(group.encounters, default="")


class _MergedByPractitioner:
    """Groups of one kind and day, merged by practitioner unless references separate them.

    Indexed by practitioner and by reference, since a call may hold thousands of groups.
    """

    def __init__(self) -> None:
        self.groups: dict[Group, bool] = {}
        self._named: dict[tuple[str, bool], dict[Group, None]] = {}

    def add(self, new: Group) -> None:
        """Add a group, with the records of those that share a practitioner with it."""
        work_limit.check()
        sharing = self._sharing(new, (False,) if new.is_linked else (False, True))
        for group in sharing:
            self._remove(group)
        whole, *others = (*sharing, new)
        for other in others:  # into the first, which may have grown for long
            whole.absorb(other)
        self.groups[whole] = whole.is_linked
        for name in whole.practitioners:
            self._named.setdefault((name, self.groups[whole]), {})[whole] = None

    def _sharing(self, new: Group, linked: tuple[bool, ...]) -> list[Group]:
        """The groups that share a practitioner, in order."""
        keys = [(name, each) for name in new.practitioners for each in linked]
        found = {group for key in keys for group in self._named.get(key, ())}
        return [group for group in self.groups if group in found] if len(found) > 1 else list(found)

    def _remove(self, group: Group) -> None:
        is_linked = self.groups.pop(group)
        for name in group.practitioners:
            del self._named[name, is_linked][group]


def _merge_same_day(similar: Sequence[Group]) -> list[Group]:
    """Studies of one kind on one day are one study, unless practitioners or references separate them."""
    named = _MergedByPractitioner()
    for each in (group for group in similar if group.practitioners):
        named.add(each)
    groups = list(named.groups)
    groups += [group for group in similar if not group.practitioners]
    distinct = [group for group in groups if group.billers or group.is_linked]
    are_distinct = len(distinct) > 1 and not all(
        _may_bill_one_study(one, other) and not (one.is_linked and other.is_linked)
        for one in distinct
        for other in distinct
        if one is not other
    )
    if are_distinct or len(groups) < 2:
        return groups
    first, *others = groups
    for other in others:
        first.absorb(other)
    return [first]


# The two components; or the claims of a practitioner, who may charge the professional component, and of a hospital.
_TWO_PARTS = {frozenset({"26", "TC"}), frozenset({"26", "institutional"}), frozenset({"professional", "institutional"})}


def _may_bill_one_study(one: Group, other: Group) -> bool:
    """True for charges of one practitioner, and for the two parts that two parties charge."""
    return may_be_same_practitioner(one.billers, other.billers) or frozenset({one.part, other.part}) in _TWO_PARTS


def _attach_orders(groups: list[Group], orders: Iterable[Order]) -> GroupIndex:
    """Attach each order to the studies that refer to it, else to the study of its day or its encounter.

    Other orders become studies of their own in `groups`. Returns the index of all groups.
    """
    performed = GroupIndex(groups)
    not_performed: list[Group] = []
    for order in orders:
        kind = study_kind(order) or "none"
        candidates = [group for group in performed.linked_to(order) if group.kind == kind]
        candidates = candidates or _candidates_for_order(
            [group for group in performed.near(order) if group.kind == kind], order
        )
        if not candidates:
            not_performed.append(Group(kind, [order]))
        for group in candidates:
            performed.add(group, order)
    for group in not_performed:
        groups.append(group)
        performed.add_group(group)
    return performed


def _candidates_for_order(groups: Sequence[Group], order: Order) -> list[Group]:
    candidates = [group for group in groups if order.day and group.day == order.day]
    if not candidates and not order.planned:
        candidates = [group for group in groups if order.encounter in group.encounters and _not_before(group, order)]
    return candidates if len(candidates) == 1 else []


def _not_before(group: Group, order: Order) -> bool:
    return group.day is None or order.day is None or group.day >= order.day


def _attach_rest(groups: list[Group], index: GroupIndex, records: Iterable[Record]) -> None:
    """Attach add-ons, supplies, administrations and their orders; records of no study go to `groups` by day."""
    unassigned, ambiguous, waiting = _UnassignedByDay(groups), _Ambiguous(), _Waiting()
    for record in sorted(records, key=_attachment_order):
        work_limit.check()
        if ambiguous.takes(record) or waiting.takes(record):
            continue
        candidates = _candidates(index, record) or _of_others(index, record, unassigned)
        if len(candidates) == 1:
            index.add(candidates[0], record)
            ambiguous.forget()
            waiting.forget()
        elif candidates and is_agent(record):
            waiting.note(record)
        elif candidates:
            ambiguous.note(record, candidates)
        else:
            unassigned.attach(record)
    _attach_agents(index, waiting.records, ambiguous, unassigned)


def _of_others(index: GroupIndex, record: Record, unassigned: "_UnassignedByDay") -> list[Group]:
    """The studies of other practitioners that an agent may belong to: a nurse may have given it."""
    if not is_agent(record) or not record.performers or not index.has_few_near(record):
        return []
    if unassigned.has_group_for(record):
        return []
    return _candidates(index, structs.replace(record, performers=frozenset()))


def _attach_agents(
    index: GroupIndex, agents: Iterable[Record], ambiguous: "_Ambiguous", unassigned: "_UnassignedByDay"
) -> None:
    """Attach agents that may be of several studies: to the one with a code for contrast, if no other shows an agent."""
    showing = {group for group in index if group.names_contrast or group.has_agent}
    for record in agents:
        work_limit.check()
        if ambiguous.takes(record):
            continue
        candidates = _candidates(index, record) or _of_others(index, record, unassigned)
        shown = [group for group in candidates if group in showing]
        if len(candidates) == 1 or (len(shown) == 1 and shown[0].names_contrast):
            index.add((shown or candidates)[0], record)
            ambiguous.forget()
        else:
            ambiguous.note(record, shown if len(shown) > 1 else candidates)


class _Waiting:
    """Agents that may be of several studies, until all that is certain of a study is known."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._saying: set[Record] = set()

    def takes(self, record: Record) -> bool:
        """True if one that says the same waits: then this one does, too."""
        if not self._saying or _saying(record) not in self._saying:
            return False
        self.records.append(record)
        return True

    def note(self, record: Record) -> None:
        """Let a record wait."""
        self._saying.add(_saying(record))
        self.records.append(record)

    def forget(self) -> None:
        """Look again for candidates, since a study has changed."""
        self._saying.clear()


_MOST_ALIKE = 24  # records that say the same, kept for each study that they may belong to


class _Ambiguous:
    """Records that may each belong to several studies.

    Hundreds may, to hundreds of studies. Those that say the same have the same candidates, which are looked for once,
    and the first few of them stand for the others.
    """

    def __init__(self) -> None:
        self._noted: dict[Record, tuple[list[Group], int]] = {}

    def takes(self, record: Record) -> bool:
        """True if one that says the same was noted: then this one is noted, too."""
        if not self._noted or (noted := self._noted.get(saying := _saying(record))) is None:
            return False
        candidates, before = noted
        self._noted[saying] = candidates, before + 1
        if before < _MOST_ALIKE:
            _add_to_each(candidates, record)
        return True

    def note(self, record: Record, candidates: list[Group]) -> None:
        """Note a record with the studies that it may belong to."""
        self._noted[_saying(record)] = candidates, 1
        _add_to_each(candidates, record)

    def forget(self) -> None:
        """Look again for candidates, since a study has changed."""
        self._noted.clear()


def _add_to_each(groups: Iterable[Group], record: Record) -> None:
    for group in groups:
        group.ambiguous.append(record)


def _saying(record: Record) -> Record:
    """The record without its place in the call and its own name."""
    return structs.replace(record, origin=_ANYWHERE, identity="")


_ANYWHERE = Origin("", "")


def _attachment_order(record: Record) -> tuple[bool, bool, bool]:
    """The contrast add-on first, since it shows the agent's study; then lines, those with a practitioner first."""
    return not is_contrast_add_on(record), not isinstance(record, Line), not record.performers


def _candidates(index: GroupIndex, record: Record) -> list[Group]:
    """The studies that a record may belong to, narrowed step by step while at least one remains."""
    candidates = index.linked_to(record)
    if not candidates:
        candidates = [group for group in index.near(record) if _may_belong(group, record)]
    if not candidates:
        candidates = [group for group in index.undated(record) if _may_share_day(group, record)]
    if len(candidates) < 2:
        return candidates
    candidates = _prefer(candidates, lambda group: not _needs_stress(record) or group.kind == "stress")
    candidates = _prefer(candidates, lambda group: record.encounter in group.encounters)
    return _prefer(candidates, lambda group: bool(record.performers & group.practitioners))


def _prefer(candidates: list[Group], keep: Callable[[Group], bool]) -> list[Group]:
    kept = [group for group in candidates if keep(group)]
    return kept or candidates


def _may_belong(group: Group, record: Record) -> bool:
    """True if a group near a record, which for a charge is of its practitioner, is of its day or visit."""
    if isinstance(record, Order) and record.under_review and group.has_draft_order:
        return True  # unsigned orders of one session belong together, even with different dates
    if record.day is None or group.day is None:
        is_of_visit = record.encounter is not None and record.encounter in group.encounters
        return is_of_visit and group.may_be_of_day_of(record)
    return record.day == group.day


def _may_share_day(group: Group, record: Record) -> bool:
    """True if the day of one is unknown and no practitioner or encounter separates them."""
    if isinstance(record, Line) and not may_be_same_practitioner(group.billers, record.performers):
        return False
    return group.may_be_of_day_of(record) and (record.encounter is None or not group.encounters)


def _needs_stress(record: Record) -> bool:
    return is_contrast_add_on(record) or meaning_of(record).on_stress


_DayKey = tuple[date | None, str | None]  # a day, or an encounter where the day is not known


class _UnassignedByDay:
    """Groups of records of no study, by day or, if unknown, by encounter. New groups go to `groups`."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._number: dict[Group, int] = {}
        self._found: dict[_DayKey, list[Group]] = {}
        self._by_biller: dict[_DayKey, GroupsByBiller] = {}
        self._every, self._without_day, self._without_encounter = (GroupsByBiller() for _ in range(3))
        for group in groups:
            if group.kind == "none":
                self._note(group)

    def attach(self, record: Record) -> None:
        """Add a record to the group of its day, else to the only possible group, else to a new group."""
        group = self._same_day_group(record) or self._only_possible_group(record)
        if group is None:
            group = Group("none", [record])
            self._groups.append(group)
        else:
            group.add(record)
        self._note(group)

    def has_group_for(self, record: Record) -> bool:
        """True if a group of no study is of the record's day and practitioner."""
        return self._same_day_group(record) is not None

    def _same_day_group(self, record: Record) -> Group | None:
        """The first group of the record's day, in order of creation: a group may get its day later."""
        key = (record.day, None if record.day else record.encounter)
        if key not in self._found:
            return None
        if isinstance(record, Line) and record.performers:
            billed = self._by_biller[key].that_may_take(record)
            return min((each for each in billed if each.day == record.day), key=self._number.__getitem__, default=None)
        return next((each for each in self._found[key] if each.day == record.day), None)

    def _only_possible_group(self, record: Record) -> Group | None:
        """The only group that may share the record's day; None if there are several."""
        undated = self._without_encounter if record.encounter else self._every
        similar = self._without_day if record.day else undated
        possible = [*islice((each for each in similar.that_may_take(record) if _may_share_day(each, record)), 2)]
        return possible[0] if len(possible) == 1 else None

    def _note(self, group: Group) -> None:
        self._number.setdefault(group, len(self._number))
        self._every.note(group)
        if not group.day:
            self._without_day.note(group)
        if not group.encounters:
            self._without_encounter.note(group)
        for key in _day_keys(group):
            self._by_biller.setdefault(key, GroupsByBiller()).note(group)
            self._note_in_order(self._found.setdefault(key, []), group)

    def _note_in_order(self, found: list[Group], group: Group) -> None:
        number = self._number.__getitem__
        place = bisect_left(found, number(group), key=number)
        if place == len(found) or found[place] is not group:
            found.insert(place, group)


def _day_keys(group: Group) -> set[_DayKey]:
    return {(group.day, None)} if group.day else {(None, encounter) for encounter in group.encounters}


def groups_of(records: Iterable[Record]) -> list[Group]:
    """Records of a case in groups, one for each study and one for each day without a study."""
    all_records = list(records)
    named = [record for record in all_records if study_kind(record)]
    groups = _groups_of_performed(record for record in named if not isinstance(record, Order))
    index = _attach_orders(groups, [record for record in named if isinstance(record, Order)])
    _attach_rest(groups, index, [record for record in all_records if not study_kind(record)])
    return groups
