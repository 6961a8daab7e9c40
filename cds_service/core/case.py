"""A case as rules see it: one patient's orders, procedures, administrations and charges.

All types are immutable and independent of FHIR and HTTP. Records are msgspec structs, since a call may need hundreds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import wraps
from inspect import signature
from typing import Any, Literal, ParamSpec, TypeVar, cast

import msgspec

from cds_service.cms.lookup import Snapshot
from cds_service.core import work_limit
from cds_service.core.concepts import Concept
from cds_service.core.lazy_records import Records
from cds_service.core.notation import notation
from cds_service.core.site import Site

Stage = Literal["order", "claim"]
ClaimType = Literal["professional", "institutional", "unknown"]

MIDNIGHT = -1  # in place of an hour: exactly midnight in UTC may be a date written as an instant


class Days(msgspec.Struct, frozen=True, gc=False):
    """The days from the first to the last, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The source of a fact, for citing it on a card and for changing it.

    `resource` is the resource's path in the request (`context.draftCharges.entry[0].resource`), `within` the path
    inside the resource (`item[2]`, empty for all of it), `reference` the citation (`Claim/7 item 3`).
    """

    resource: str
    reference: str
    within: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields that all records share: day, performers, encounter and links.

    `identity` is the resource's own reference (`Procedure/1`), `links` are its references to other records. `day` is
    the local calendar day as sent, None if not known to the day. `utc_hour` is set if that may be the day after: the
    hour (0 to 11) of an instant written in UTC, or MIDNIGHT. `last_day` is set for a period over several days.
    `within` are the days of which it may be, where only the month or the year is known.
    `performers` are references to practitioners. `under_review` is false for resources only part of the record.
    """

    origin: Origin
    identity: str = ""
    links: frozenset[str] = frozenset()
    day: date | None = None
    utc_hour: int | None = None
    last_day: date | None = None
    within: Days | None = None
    performers: frozenset[str] = frozenset()
    encounter: str | None = None
    under_review: bool = False

    def may_be_of(self, day: date) -> bool:
        """True if it is of a day, or of one that is not known and may be that day."""
        return self.day == day if self.day else self.within is None or day in self.within


class Diagnosis(msgspec.Struct, frozen=True, gc=False):
    """A diagnosis as stated on a claim, an order or a procedure.

    `code` is its ICD-10-CM code in upper case with the dot, empty if it was not understood: a code of another system,
    a text, a reference to a resource that was not sent. `reference` cites it: `Claim/7 diagnosis 1`.
    """

    code: str
    concept: Concept
    reference: str


# In place of a code, in a reading of a diagnosis that was not understood: any diagnosis.
ANY_DIAGNOSIS = "*"


class Line(Record, frozen=True, kw_only=True, gc=False):
    """A charge or a claim line.

    `certain` is false if the code came without a code system. `units` are HCPCS units, None if not stated; with
    `units_unclear`, stated in a way that was not understood. `claim` identifies the line's claim, empty for a charge
    not yet on a claim. `open` is true while the line can be changed. `billable` is true for a charge on no claim whose
    status says that it is ready to be billed. `unclear_modifiers` are modifiers in a form that was not understood.
    `bill_type` are the first two digits of a hospital claim's type of bill: 13 outpatient, 85 critical access hospital.
    `coverages` are references and identifiers, `payer_names` the names of coverages that have neither.
    `diagnoses` are those that the line names, or all of its claim, if it names none or is on a hospital claim;
    `claim_diagnoses` are all of its claim.
    """

    code: str
    certain: bool = True
    concept: Concept = Concept()
    modifiers: tuple[str, ...] = ()
    unclear_modifiers: tuple[str, ...] = ()
    units: Decimal | None = None
    units_unclear: bool = False
    claim: str = ""
    claim_type: ClaimType = "unknown"
    bill_type: str | None = None
    place_of_service: str | None = None
    coverages: tuple[str, ...] = ()
    payer_names: tuple[str, ...] = ()
    open: bool = True
    billable: bool = False
    diagnoses: tuple[Diagnosis, ...] = ()
    claim_diagnoses: tuple[Diagnosis, ...] = ()

    def __str__(self) -> str:
        return notation(self.code, self.modifiers, self.units)


class Procedure(Record, frozen=True, kw_only=True, gc=False):
    """A procedure on the record; `used` are the materials and medications listed as used.

    `reasons` are its indications, `diagnoses` the same as diagnoses, `notes` its free-text notes, `reports` references
    to its reports.
    """

    status: Literal["done", "not done", "unclear"]
    concept: Concept
    used: tuple[Concept, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()


class Part(msgspec.Struct, frozen=True, gc=False):
    """An ingredient of a mixture, and its part of the dose in mL; None if the strength does not tell."""

    concept: Concept
    ml: Decimal | None = None


class Administration(Record, frozen=True, kw_only=True, gc=False):
    """A medication given, or recorded as not given; `ml` is the dose in mL, `mg` in mg, each None if not stated so.

    `discarded_ml` is the part of the vial that was discarded, in mL, None if the record does not state it.
    Of a mixture, `parts` are the ingredients and neither is set: the dose of the whole is not that of a product in it.
    """

    status: Literal["given", "not given", "unclear"]
    concept: Concept
    ml: Decimal | None = None
    mg: Decimal | None = None
    discarded_ml: Decimal | None = None
    parts: tuple[Part, ...] = ()


class Order(Record, frozen=True, kw_only=True, gc=False):
    """An order for a service or a medication. Without a planned day, `day` is the day it was written.

    `if_needed` is true of an order for the case that it is needed, and of one of several options. `reasons` are its
    indications, `diagnoses` the same as diagnoses.
    """

    kind: Literal["service", "medication"]
    concept: Concept
    planned: bool = False
    if_needed: bool = False
    reasons: tuple[str, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()


class Observation(Record, frozen=True, kw_only=True, gc=False):
    """An observation on the record; `words` are its text values and notes."""

    concept: Concept
    words: tuple[str, ...] = ()


class Document(Record, frozen=True, kw_only=True, gc=False):
    """A report, imaging study, condition or document on the record; `words` are its text."""

    kind: Literal["report", "images", "condition", "document"]
    concept: Concept
    words: tuple[str, ...] = ()


class Term(msgspec.Struct, frozen=True, gc=False):
    """The days on which a coverage is in force, both included; None where no end is stated.

    It is not known of the days in `unsure`, and of no day if an end is `unclear`: in a form that was not understood.
    """

    first: date | None = None
    last: date | None = None
    unsure: frozenset[date] = frozenset()
    unclear: bool = False

    def covers(self, day: date | None) -> bool | None:
        """True if the coverage is in force on a day; None if that is not known."""
        if day is None:
            return None if self != ALWAYS else True
        if (self.first and day < self.first) or (self.last and day > self.last):
            return False
        return None if self.unclear or day in self.unsure else True


ALWAYS = Term()


class Visit(msgspec.Struct, frozen=True, gc=False):
    """The encounter under review, with the days on which something was done in it, its own term, if it states a start,
    and the procedures and administrations that are of it (`here`) and of other encounters (`elsewhere`).
    """

    encounter: str
    days: frozenset[date] = frozenset()
    term: Term | None = None
    here: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()

    def may_hold(self, record: Record) -> bool:
        """True if a record is of the encounter, or may be: it names none, or in a form that is not understood, and
        refers to what was done in it or is of one of its days.
        """
        if record.encounter is not None and record.encounter.startswith("Encounter/"):
            return record.encounter == self.encounter
        if not self.here.isdisjoint(record.links):
            return True
        return self.elsewhere.isdisjoint(record.links) and any(map(self._is_of, possible_days(record)))

    def _is_of(self, day: date) -> bool:
        return day in self.days or (self.term is not None and self.term.covers(day) is not False)


def possible_days(record: Record) -> frozenset[date]:
    """The day of a record, the day before if it may be of that, and the last day of its period."""
    days = {record.day, record.last_day}
    if record.day is not None and record.utc_hour is not None and record.day > date.min:
        days.add(record.day - timedelta(days=1))
    return frozenset(day for day in days if day is not None)


class Coverage(Record, frozen=True, kw_only=True, gc=False):
    """Insurance coverage: type of plan, payor names, and payor references and identifiers (`system|value`)."""

    concept: Concept
    payors: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    order: int | None = None
    term: Term = ALWAYS


RecordT = TypeVar("RecordT", bound=Record)

NO_TABLES = Snapshot(())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One patient's orders, record and charges, as received with the call.

    `complete` names the complete parts of the record (prefetch keys: `procedures`, `medicationAdministrations`…);
    rules may conclude that something is absent only there, see `is_complete`. `complete_days` limits complete parts to
    the days that were asked for. `focus` names the records under review, None for all. At the end of a `visit`, what
    was done in it and its charges are under review.
    `unreadable_codes` are the codes found in charges that could not be parsed; they count as charged.
    `unreadable_parts` names the parts of the record of which a resource could not be parsed.
    `tables` are the loaded tables of CMS. `facts` is the cache of `cached_fact`.
    """

    stage: Stage
    patient: str = ""
    encounter: str | None = None
    lines: Records[Line] = field(default_factory=Records)
    procedures: Records[Procedure] = field(default_factory=Records)
    administrations: Records[Administration] = field(default_factory=Records)
    orders: Records[Order] = field(default_factory=Records)
    observations: Records[Observation] = field(default_factory=Records)
    documents: Records[Document] = field(default_factory=Records)
    coverages: Records[Coverage] = field(default_factory=Records)
    complete: frozenset[str] = frozenset()
    complete_days: Mapping[str, Days] = field(default_factory=dict)
    unreadable_codes: frozenset[str] = frozenset()
    unreadable_parts: frozenset[str] = frozenset()
    focus: frozenset[str] | None = None
    visit: Visit | None = None
    site: Site = field(default_factory=Site)
    tables: Snapshot = NO_TABLES
    facts: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def every_code(self) -> bool:
        """True if rules look at every code of a claim: by the site's file, at claim time, with loaded tables."""
        return self.site.scope == "all" and self.stage == "claim" and bool(self.tables.releases)

    def with_records(self, **members: Sequence[Record]) -> "Case":
        """A copy with other records for some members; cached facts are not copied."""
        chosen: dict[str, Any] = {name: Records(records) for name, records in members.items()}
        return replace(self, facts={}, **chosen)

    def is_complete(self, part: str, day: date | None) -> bool:
        """True if a part of the record is complete on a day, or with None, if it is complete on all days."""
        days = self.complete_days.get(part)
        return part in self.complete and (days is None or (day is not None and day in days))

    def is_in_focus(self, record: Record) -> bool:
        """True if the record is under review and, if the call names a focus, part of it."""
        return record.under_review and (self.focus is None or record.identity in self.focus)

    def is_of_visit(self, record: Record) -> bool:
        """True if something was done or charged in the visit under review, or may have been; never of an order."""
        return self.visit is not None and not isinstance(record, Order) and self.visit.may_hold(record)


P = ParamSpec("P")
T = TypeVar("T")


def cached_fact(derive: Callable[P, T]) -> Callable[P, T]:
    """Cache a derived fact in `facts` of the last argument, usually the case, since many rules need the same facts.

    Positional arguments only, hashable or compared by identity. A cached value must not refer to the object that
    caches it: the cycle would live until the next garbage collection.
    """

    cached = _cached_of_one if len(signature(derive).parameters) == 1 else _cached_of_several
    return cast("Callable[P, T]", wraps(derive)(cached(derive)))


def _cached_of_one(derive: Callable[..., T]) -> Callable[[Any], T]:
    """A fact of the case or study alone: most are, and are asked for so often that making a key would show."""

    def derived(holder: Any) -> T:
        facts: dict[Any, T] = holder.facts
        try:
            return facts[derive]
        except KeyError:
            work_limit.check()
            facts[derive] = found = derive(holder)
            return found

    return derived


def _cached_of_several(derive: Callable[..., T]) -> Callable[..., T]:
    def derived(*arguments: Any) -> T:
        facts: dict[Any, T] = arguments[-1].facts
        key = (derive, arguments[:-1])
        try:
            return facts[key]
        except KeyError:
            work_limit.check()
            facts[key] = found = derive(*arguments)
            return found

    return derived
