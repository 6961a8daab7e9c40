"""What an echo study is: a case's orders, procedures, lines and administrations, sorted into studies.

A study is made of what names it (a line, a procedure or an order with a study code) and of what belongs to it (add-ons,
supplies, administrations, further orders). Records belong together by reference; where they make none, by day and
practitioner. What could belong to several studies is given to none of them and kept as `unsure`, so that a rule can say
that it cannot decide. What belongs to no study is gathered by day, as a study of kind `none`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from cds_service.case import (
    BILLING,
    NO_SYSTEM,
    Administration,
    Case,
    Code,
    Line,
    Order,
    Procedure,
    Record,
)
from hooks.products import agent_in, is_supply
from hooks.tables import ADD_ONS, STUDIES, StudyCode

Kind = Literal["stress", "rest", "none"]

CONTRAST_ADD_ON = "93352"
PERFUSION_ADD_ON = "0439T"

# References to these say which study a record belongs to; others (an encounter, an account) do not.
_STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """An echo study as far as the case shows it. `draft`: the call is about it."""

    kind: Kind
    day: date | None
    records: tuple[Record, ...]
    unsure: tuple[Record, ...] = ()
    draft: bool = False

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is charged for the study."""
        return tuple(record for record in self.records if isinstance(record, Line))

    @property
    def procedures(self) -> tuple[Procedure, ...]:
        """What the record says was done."""
        return tuple(record for record in self.records if isinstance(record, Procedure))

    @property
    def administrations(self) -> tuple[Administration, ...]:
        """The contrast agents recorded as given or not given."""
        return tuple(record for record in self.records if isinstance(record, Administration))

    @property
    def orders(self) -> tuple[Order, ...]:
        """What was ordered."""
        return tuple(record for record in self.records if isinstance(record, Order))

    @property
    def primaries(self) -> tuple[Line, ...]:
        """The lines that charge the study itself."""
        return tuple(line for line in self.lines if study_kind(line) is not None)

    @property
    def supplies(self) -> tuple[Line, ...]:
        """The lines that charge the contrast agent."""
        return tuple(line for line in self.lines if is_supply(line.code))

    def charged(self, code: str) -> tuple[Line, ...]:
        """The lines that charge a code."""
        return tuple(line for line in self.lines if line.code == code)

    @property
    def certain(self) -> bool:
        """Whether the study is named by a code whose system is named."""
        return any(is_certain(record) for record in self.records if study_kind(record))

    @property
    def performers(self) -> frozenset[str]:
        """The practitioners whom its charges name."""
        return frozenset(each for line in self.lines for each in line.performers)

    @property
    def references(self) -> tuple[str, ...]:
        """The records that show the study, for a charge to point at: procedures first, then orders."""
        shown = [each.identity for each in (*self.procedures, *self.orders) if "/" in each.identity]
        return tuple(dict.fromkeys(reference for reference in shown if not reference.startswith("urn:")))


_STUDIES_OF: "WeakKeyDictionary[Case, tuple[Study, ...]]" = WeakKeyDictionary()


def studies(case: Case) -> tuple[Study, ...]:
    """All studies of a case, the earliest first; computed once a case."""
    if case not in _STUDIES_OF:
        _STUDIES_OF[case] = _sort_into_studies(case)
    return _STUDIES_OF[case]


def stress_studies(case: Case) -> tuple[Study, ...]:
    """The stress echo studies that the call is about."""
    return tuple(study for study in studies(case) if study.kind == "stress" and study.draft)


# --- what a record says of a study ----------------------------------------------------------------------------------


def study_codes(record: Record) -> tuple[StudyCode, ...]:
    """The entries of the study table that a record's codes name."""
    if isinstance(record, Line):
        return STUDIES.history(record.code)
    if not isinstance(record, Procedure | Order):
        return ()
    return tuple(entry for code in record.concept.codes for entry in _entries(code))


def _entries(code: Code) -> Iterator[StudyCode]:
    """A code without a system is taken for a billing code; a billing code may have modifiers behind it."""
    system = code.system or BILLING
    value = code.value[:5] if system == BILLING else code.value
    return (entry for entry in STUDIES.history(value) if entry.system == system)


def study_kind(record: Record) -> Kind | None:
    """The kind of study that a record names, None where it names none of its own."""
    kinds = {entry.kind for entry in study_codes(record) if not entry.add_on}
    if "stress" in kinds:
        return "stress"
    return "rest" if "rest" in kinds else None


def names_contrast(record: Record) -> bool:
    """Whether a record's own code says that contrast was used."""
    return any(entry.contrast for entry in study_codes(record))


def is_hospital_code(charged: Line | str) -> bool:
    """Whether a line, or a code, charges a hospital outpatient code for an echo with contrast."""
    code = charged if isinstance(charged, str) else charged.code
    return any(entry.hospital for entry in STUDIES.history(code))


def is_certain(record: Record) -> bool:
    """Whether a record names its study by a code whose system is named; a bare code is weak evidence."""
    if isinstance(record, Line):
        return record.certain
    if isinstance(record, Procedure | Order):
        return any(code.system != NO_SYSTEM and any(_entries(code)) for code in record.concept.codes)
    return False


def agrees(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of practitioners may be the same person: one names nobody, they share one, or they name one as a
    person and the other as a role, which cannot be compared.
    """
    if not one or not other or one & other:
        return True
    return not {each.split("/")[0] for each in one} & {each.split("/")[0] for each in other}


# --- sorting --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Group:
    kind: Kind
    records: list[Record] = field(default_factory=list)
    unsure: list[Record] = field(default_factory=list)

    @property
    def day(self) -> date | None:
        """Of what was done, else of what is charged, else of what is planned, else of the day of the order."""
        days = sorted((_weight_of_day(record), record.day) for record in self.records if record.day)
        return days[0][1] if days else None

    @property
    def billers(self) -> frozenset[str]:
        return frozenset(each for record in self.records if isinstance(record, Line) for each in record.performers)

    @property
    def encounters(self) -> set[str]:
        return {record.encounter for record in self.records if record.encounter}

    @property
    def is_tied(self) -> bool:
        """Whether its charges refer to a procedure, be it on record or not: then it is a study of its own."""
        kinds = {type(record) for record in self.records}
        return Line in kinds and (Procedure in kinds or any(map(_names_procedure, self.records)))

    def refers(self, record: Record) -> bool:
        """Whether a record and the group refer to one another, or to one and the same study."""
        return any(_refer(record, other) for other in self.records)


def _names_procedure(record: Record) -> bool:
    return isinstance(record, Line) and any(link.startswith("Procedure/") for link in record.links)


def _weight_of_day(record: Record) -> int:
    """How well a record knows the day of its study, the best first."""
    if isinstance(record, Order):
        return 3 if record.planned else 4 if record.kind == "service" else 5
    return 0 if isinstance(record, Procedure) else 1 if isinstance(record, Line) else 2


def _refer(one: Record, other: Record) -> bool:
    if (one.identity and one.identity in other.links) or (other.identity and other.identity in one.links):
        return True
    shared = {link for link in one.links & other.links if link.startswith(_STUDY_REFERENCES)}
    return bool(shared)


def _sort_into_studies(case: Case) -> tuple[Study, ...]:
    relevant = [*case.procedures, *case.lines, *case.administrations, *case.orders]
    named = [record for record in relevant if study_kind(record)]
    groups = _groups_of_done(record for record in named if not isinstance(record, Order))
    _attach_orders(groups, [record for record in named if isinstance(record, Order)])
    _attach_rest(groups, [record for record in relevant if not study_kind(record) and _concerns_echo(record)])
    days = {line.day for line in case.lines if line.draft and line.day}
    found = [_study(group, days, case) for group in groups]
    return tuple(sorted(found, key=lambda study: (study.day or date.max, study.kind)))


def _study(group: _Group, draft_days: set[date], case: Case) -> Study:
    draft = any(case.is_about(record) for record in (*group.records, *group.unsure))
    same_day = case.stage == "claim" and group.day in draft_days
    return Study(
        kind=group.kind,
        day=group.day,
        records=tuple(group.records),
        unsure=tuple(group.unsure),
        draft=draft or same_day,
    )


def _concerns_echo(record: Record) -> bool:
    if isinstance(record, Line):
        return record.code in ADD_ONS or is_supply(record.code)
    if isinstance(record, Administration):
        return agent_in(record.concept) is not None
    if isinstance(record, Order) and agent_in(record.concept):
        return True
    return bool(study_codes(record))


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
    leads_to = list(range(len(records)))

    def first_of(number: int) -> int:
        while leads_to[number] != number:
            leads_to[number] = leads_to[leads_to[number]]
            number = leads_to[number]
        return number

    named = {record.identity: number for number, record in enumerate(records) if record.identity}
    for number, record in enumerate(records):
        for link in record.links:
            if link in named or link.startswith(_STUDY_REFERENCES):
                leads_to[first_of(number)] = first_of(named.setdefault(link, number))
    together: dict[int, list[Record]] = {}
    for number, record in enumerate(records):
        together.setdefault(first_of(number), []).append(record)
    yield from together.values()


def _time(group: _Group) -> tuple[Kind, date | None, str]:
    """Where the day is not known, the encounter stands for it."""
    return group.kind, group.day, "" if group.day else min(group.encounters, default="")


def _merge(groups: list[_Group], new: _Group, belongs: Callable[[_Group, _Group], bool]) -> None:
    for group in [each for each in groups if belongs(each, new)]:
        new.records += group.records
        groups.remove(group)
    groups.append(new)


def _merged_by_day(alike: Sequence[_Group]) -> list[_Group]:
    """Studies of one kind on one day are one study, unless practitioners or references tell them apart."""
    groups: list[_Group] = []
    for each in (group for group in alike if _people(group)):
        _merge(
            groups, each, lambda group, new: bool(_people(group) & _people(new)) and not (group.is_tied and new.is_tied)
        )
    groups += [group for group in alike if not _people(group)]
    distinct = [group for group in groups if group.billers or group.is_tied]
    apart = len(distinct) > 1 and not all(
        agrees(one.billers, other.billers) and not (one.is_tied and other.is_tied)
        for one in distinct
        for other in distinct
        if one is not other
    )
    if apart or not groups:
        return groups
    return [_Group(groups[0].kind, [record for group in groups for record in group.records])]


def _people(group: _Group) -> frozenset[str]:
    return frozenset(each for record in group.records for each in record.performers)


def _attach_orders(groups: list[_Group], orders: Iterable[Order]) -> None:
    """An order belongs to the studies that refer to it, else to the study of its day or its encounter."""
    done = list(groups)
    for order in orders:
        kind = study_kind(order) or "none"
        alike = [group for group in done if group.kind == kind]
        homes = [group for group in alike if group.refers(order)] or _homes_of_order(alike, order)
        if not homes:
            groups.append(_Group(kind, [order]))
        for group in homes:
            group.records.append(order)


def _homes_of_order(groups: Sequence[_Group], order: Order) -> list[_Group]:
    homes = [group for group in groups if order.day and group.day == order.day]
    if not homes and not order.planned:
        homes = [group for group in groups if order.encounter in group.encounters and _not_before(group, order)]
    return homes if len(homes) == 1 else []


def _not_before(group: _Group, order: Order) -> bool:
    return group.day is None or order.day is None or group.day >= order.day


def _attach_rest(groups: list[_Group], records: Iterable[Record]) -> None:
    """Add-ons, supplies, administrations, and orders for them."""
    studies_only = list(groups)
    for record in sorted(records, key=_order_of_attachment):
        homes = _homes(studies_only, record)
        if len(homes) == 1:
            homes[0].records.append(record)
        elif homes:
            for group in homes:
                group.unsure.append(record)
        else:
            _attach_to_day(groups, record)


def _order_of_attachment(record: Record) -> tuple[bool, bool, bool]:
    """First the contrast add-on, which shows where the agent belongs; then lines, those with a practitioner first."""
    return not _is_contrast_add_on(record), not isinstance(record, Line), not record.performers


def _homes(groups: Sequence[_Group], record: Record) -> list[_Group]:
    """The studies that a record may belong to, narrowed step by step as long as one is left."""
    homes = [group for group in groups if group.refers(record)]
    if not homes:
        homes = [group for group in groups if _may_belong(group, record)]
    if not homes:
        homes = [group for group in groups if _is_not_ruled_out(group, record)]
    homes = _narrow(homes, lambda group: not _needs_stress(record) or group.kind == "stress")
    homes = _narrow(homes, lambda group: record.encounter in group.encounters)
    homes = _narrow(homes, lambda group: bool(record.performers & _people(group)))
    homes = _narrow(homes, lambda group: any(_is_contrast_add_on(other) for other in group.records))
    return _narrow(homes, lambda group: not _is_agent(record) or any(names_contrast(other) for other in group.records))


def _is_agent(record: Record) -> bool:
    return isinstance(record, Administration) or (isinstance(record, Line) and is_supply(record.code))


def _narrow(homes: list[_Group], keep: Callable[[_Group], bool]) -> list[_Group]:
    kept = [group for group in homes if keep(group)]
    return kept or homes


def _may_belong(group: _Group, record: Record) -> bool:
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    if isinstance(record, Order) and record.draft and any(isinstance(o, Order) and o.draft for o in group.records):
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
    return _is_contrast_add_on(record) or any(entry.add_on and entry.kind == "stress" for entry in study_codes(record))


def _is_contrast_add_on(record: Record) -> bool:
    return isinstance(record, Line) and record.code == CONTRAST_ADD_ON


def _attach_to_day(groups: list[_Group], record: Record) -> None:
    without_study = [group for group in groups if group.kind == "none"]
    homes = [group for group in without_study if group.day == record.day and _same_session(group, record)]
    homes = homes[:1] or [group for group in without_study if _is_not_ruled_out(group, record)]
    if len(homes) == 1:
        homes[0].records.append(record)
    else:
        groups.append(_Group("none", [record]))


def _same_session(group: _Group, record: Record) -> bool:
    if isinstance(record, Line) and not agrees(group.billers, record.performers):
        return False
    return record.day is not None or record.encounter in group.encounters


KeyT = TypeVar("KeyT")


def _by(groups: Iterable[_Group], key: Callable[[_Group], KeyT]) -> Iterator[list[_Group]]:
    sorted_out: dict[KeyT, list[_Group]] = {}
    for group in groups:
        sorted_out.setdefault(key(group), []).append(group)
    yield from sorted_out.values()
