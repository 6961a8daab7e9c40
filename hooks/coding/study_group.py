"""A group of records that belong to one study, and an index of groups."""

from collections.abc import Iterable, Iterator
from datetime import date

from cds_service.core.case import Administration, Days, Line, Order, Procedure, Record
from hooks.coding.practitioners import ByPractitioner, may_be_same_practitioner
from hooks.coding.products import is_supply
from hooks.coding.study_codes import CONTRAST_ADD_ON, Kind, names_contrast

# References to these identify a record's study; others (an encounter, an account) do not.
STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")

# What is true of a group if it is true of one of its records.
_FLAGS = (
    "has_draft_order",
    "has_line",
    "has_procedure",
    "names_procedure",
    "names_contrast",
    "has_agent",
)


class Group:
    """Records of one study. Values needed for every other record are kept, not derived each time.

    `billers` are the practitioners on its charges, `practitioners` those on all its records. `best_day` holds the rank
    of its source (performed, else charged, else planned, else ordered) and the day; `within` are the days that it may
    be of if none is known, but the month or the year.
    """

    def __init__(self, kind: Kind, records: Iterable[Record] = ()) -> None:
        self.kind = kind
        self.records: list[Record] = []
        self.ambiguous: list[Record] = []
        self.best_day: tuple[int, date] | None = None
        self.within: Days | None = None
        self.billers = frozenset[str]()
        self.practitioners = frozenset[str]()
        self.encounters: set[str] = set()
        self.has_draft_order = self.has_line = self.has_procedure = self.names_procedure = False
        self.names_contrast = self.has_agent = False
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Add a record."""
        self.records.append(record)
        if record.day:
            day = (_day_rank(record), record.day)
            self.best_day = min(self.best_day, day) if self.best_day else day
        self.within = self.within or record.within
        if record.performers:
            self.practitioners |= record.performers
            self.billers |= record.performers if isinstance(record, Line) else frozenset()
        if record.encounter:
            self.encounters.add(record.encounter)
        self.has_draft_order |= isinstance(record, Order) and record.under_review
        self.has_line |= isinstance(record, Line)
        self.has_procedure |= isinstance(record, Procedure)
        self.names_procedure |= _names_procedure(record)
        self.names_contrast |= names_contrast(record)
        self.has_agent |= is_agent(record) and not is_withheld(record)

    def absorb(self, other: "Group") -> None:
        """Add the records of another group, of which nothing is derived again: a call may merge hundreds."""
        self.records += other.records
        self.ambiguous += other.ambiguous
        self.best_day = min((each for each in (self.best_day, other.best_day) if each), default=None)
        self.within = self.within or other.within
        self.practitioners |= other.practitioners
        self.billers |= other.billers
        self.encounters |= other.encounters
        for name in _FLAGS:
            if getattr(other, name):
                setattr(self, name, True)

    @property
    def day(self) -> date | None:
        """The day of the study."""
        return self.best_day[1] if self.best_day else None

    def may_be_of_day_of(self, record: Record) -> bool:
        """True if the day of the study or of a record is unknown, and may be that of the other."""
        if record.day:
            return self.day is None and (self.within is None or record.day in self.within)
        return self.day is None or record.may_be_of(self.day)

    @property
    def part(self) -> str:
        """The part of the study that its charges are for, as far as all say the same; see `_part`."""
        parts = {_part(record) for record in self.records if isinstance(record, Line)}
        return parts.pop() if len(parts) == 1 else ""

    @property
    def is_linked(self) -> bool:
        """True if its charges refer to a procedure, on record or not; it is then a separate study."""
        return self.has_line and (self.has_procedure or self.names_procedure)


_FEW = 8  # groups that are compared one by one


class GroupsByBiller:
    """Groups in the order in which they were noted; if they are many, also by the practitioners on their charges."""

    def __init__(self) -> None:
        self._billers: dict[Group, frozenset[str]] = {}
        self._by_biller: ByPractitioner[Group] | None = None

    def __len__(self) -> int:
        return len(self._billers)

    def note(self, group: Group) -> None:
        """Note a group, or the practitioners that it has got since."""
        if self._billers.get(group) != group.billers:
            self._billers[group] = group.billers
            if self._by_biller is not None:
                self._by_biller.add(group, group.billers)

    def that_may_take(self, record: Record) -> Iterable[Group]:
        """The groups, each once; for a charge, without those that another practitioner has charged."""
        if not isinstance(record, Line) or not record.performers:
            return self._billers
        if self._by_biller is None and len(self._billers) > _FEW:
            self._by_biller = ByPractitioner(self._billers, self._billers.__getitem__)
        indexed = self._by_biller
        found = self._billers if indexed is None else dict.fromkeys(indexed.may_be_of(record.performers))
        return (group for group in found if may_be_same_practitioner(group.billers, record.performers))


def _billed_as(record: Record, groups: GroupsByBiller | None) -> Iterable[Group]:
    return groups.that_may_take(record) if groups else ()


class GroupIndex:
    """Index of groups by day, encounter, practitioner and reference, since a claim may have thousands.

    Results by day, encounter or practitioner must be checked with `_may_belong`: they change while a group grows.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        self._number: dict[Group, int] = {}
        self._by_identity: dict[str, list[Group]] = {}
        self._by_link: dict[str, list[Group]] = {}
        self._by_day: dict[date | None, GroupsByBiller] = {}
        self._by_encounter: dict[str | None, GroupsByBiller] = {}
        self._with_draft_order: list[Group] = []
        for group in groups:
            self.add_group(group)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._number)

    def add_group(self, group: Group) -> None:
        """Add a group."""
        self._number[group] = len(self._number)
        for record in group.records:
            self._note(group, record)

    def add(self, group: Group, record: Record) -> None:
        """Add a record to a group."""
        group.add(record)
        self._note(group, record)

    def linked_to(self, record: Record) -> list[Group]:
        """Groups that refer to the record, that it refers to, or that share a study reference with it."""
        found = [self._by_link.get(record.identity)] if record.identity else []
        for link in record.links:
            found.append(self._by_identity.get(link))
            if link.startswith(STUDY_REFERENCES):
                found.append(self._by_link.get(link))
        return self._in_order(found)

    def near(self, record: Record) -> list[Group]:
        """Groups of the record's day or encounter; for a draft order, also those with a draft order."""
        found = [_billed_as(record, self._by_day.get(record.day))] if record.day else []
        if record.encounter:
            found.append(_billed_as(record, self._by_encounter.get(record.encounter)))
        if isinstance(record, Order) and record.under_review:
            found.append(self._with_draft_order)
        return self._in_order(found)

    def has_few_near(self, record: Record) -> bool:
        """True if the groups of the record's day or encounter, whoever bills them, can be looked at one by one."""
        found = [self._by_day.get(record.day) if record.day else self._number, self._by_encounter.get(record.encounter)]
        return sum(len(groups) for groups in found if groups) <= _FEW

    def undated(self, record: Record) -> list[Group]:
        """Candidates for `_may_share_day` if the record or the group has no day."""
        if record.day:
            return self._in_order([_billed_as(record, self._by_day.get(None))])
        if record.encounter:
            return self._in_order([_billed_as(record, self._by_encounter.get(None))])
        return list(self._number)

    def _note(self, group: Group, record: Record) -> None:
        """Key None holds groups without an encounter, or without a day."""
        indexes = [self._by_identity.setdefault(record.identity, [])]
        indexes += [self._by_link.setdefault(link, []) for link in record.links]
        if group.has_draft_order:
            indexes.append(self._with_draft_order)
        for found in indexes:
            if not found or found[-1] is not group:
                found.append(group)
        self._by_day.setdefault(group.day, GroupsByBiller()).note(group)
        if record.encounter or not group.encounters:
            self._by_encounter.setdefault(record.encounter, GroupsByBiller()).note(group)

    def _in_order(self, found: Iterable[Iterable[Group] | None]) -> list[Group]:
        """Each group once, in creation order."""
        groups = {group for similar in found if similar for group in similar}
        return sorted(groups, key=self._number.__getitem__)


def _part(line: Line) -> str:
    """The component that a charge is for, 26 or TC; else the type of its claim, which says as much: a practitioner's or
    a hospital's.
    """
    return next((each for each in ("26", "TC") if each in line.modifiers), line.claim_type)


def _names_procedure(record: Record) -> bool:
    return isinstance(record, Line) and any(link.startswith("Procedure/") for link in record.links)


def _day_rank(record: Record) -> int:
    """Reliability of a record's date as the day of its study; the lowest is best."""
    if isinstance(record, Order):
        return 3 if record.planned else 4 if record.kind == "service" else 5
    return 0 if isinstance(record, Procedure) else 1 if isinstance(record, Line) else 2


def is_contrast_add_on(record: Record) -> bool:
    """True for a charge of the contrast add-on."""
    return isinstance(record, Line) and record.code == CONTRAST_ADD_ON


def is_withheld(record: Record) -> bool:
    """True for an administration that is recorded as not given."""
    return isinstance(record, Administration) and record.status == "not given"


def is_agent(record: Record) -> bool:
    """True for an administration, an order or a supply of a contrast agent, of those that studies are made of."""
    if isinstance(record, Order):
        return record.kind == "medication"
    return isinstance(record, Administration) or (isinstance(record, Line) and is_supply(record.code))
