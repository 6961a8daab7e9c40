"""The vocabulary that rules are written in: what was ordered, done, given and charged for one patient.

Everything here is frozen. Nothing here knows FHIR or HTTP: `fhir.read` fills a Case, rules look at it,
`fhir.build` turns the changes that rules propose back into FHIR. Records are msgspec structs, since a call may make
hundreds of them, in a third of the time of frozen dataclasses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import wraps
from typing import Any, Generic, Literal, ParamSpec, TypeVar, cast, overload

import msgspec

from cds_service.core.notation import notation

Stage = Literal["order", "claim"]
ClaimType = Literal["professional", "institutional", "unknown"]

# The kinds of code that rules ask for. A code of any other system keeps the system's own address.
BILLING = "billing"  # CPT and HCPCS Level II are one code space (CPT is HCPCS Level I)
NDC = "ndc"
RXNORM = "rxnorm"
SNOMED = "snomed"
LOINC = "loinc"
NO_SYSTEM = ""  # a coding that names no system: weak evidence


class Code(msgspec.Struct, frozen=True, gc=False):
    """A code in one of the code spaces above."""

    system: str
    value: str


class Concept(msgspec.Struct, frozen=True, gc=False):
    """What a record says of a thing: its codes, and the words beside them (weak evidence)."""

    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()

    def values(self, *systems: str) -> tuple[str, ...]:
        """The codes of the given systems, in the order in which they stand."""
        return tuple(code.value for code in self.codes if code.system in systems)


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a fact stands, so that a card can cite it and a change can find it.

    `resource` is the place of the resource in the request (`context.draftCharges.entry[0].resource`), `within` the
    place inside it (`item[2]`, empty for the whole), `reference` what a reader looks for (`Claim/7 item 3`).
    """

    resource: str
    reference: str
    within: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all records share: when, by whom, in which encounter, and what they point at.

    `identity` is the resource's own reference (`Procedure/1`), `links` are the references that it makes to other
    records. `day` is the local calendar day as the sender wrote it, None where it is not known to the day.
    `performers` are the practitioners named; `draft` is true for what the call is about, false for what is already on
    the record.
    """

    origin: Origin
    identity: str = ""
    links: frozenset[str] = frozenset()
    day: date | None = None
    performers: frozenset[str] = frozenset()
    encounter: str | None = None
    under_review: bool = False


class Line(Record, frozen=True, kw_only=True, gc=False):
    """A charge or a claim line.

    `certain` is false where the code came without a code system. `units` are HCPCS units, None where not stated.
    `bill` names the claim that the line stands on, empty for a charge that is on no claim yet. `open` is true while
    the line can still be changed.
    """

    code: str
    certain: bool = True
    concept: Concept = Concept()
    modifiers: tuple[str, ...] = ()
    units: Decimal | None = None
    claim: str = ""
    claim_type: ClaimType = "unknown"
    place_of_service: str | None = None
    coverages: tuple[str, ...] = ()
    open: bool = True

    def __str__(self) -> str:
        return notation(self.code, self.modifiers, self.units)


class Procedure(Record, frozen=True, kw_only=True, gc=False):
    """A procedure on the record; `used` are the materials and medications that it names as used.

    `reasons` are the indications that it names, `notes` the words written on it, `reports` the reports it points at.
    """

    status: Literal["done", "not done", "unclear"]
    concept: Concept
    used: tuple[Concept, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


class Administration(Record, frozen=True, kw_only=True, gc=False):
    """A medication given, or recorded as not given; `ml` is the volume in mL, None where it is not stated as one."""

    status: Literal["given", "not given", "unclear"]
    concept: Concept
    ml: Decimal | None = None


class Order(Record, frozen=True, kw_only=True, gc=False):
    """A request for a service or a medication. Where no day is planned, `day` is the day on which it was written.

    `reasons` are the indications that it names.
    """

    kind: Literal["service", "medication"]
    concept: Concept
    planned: bool = False
    reasons: tuple[str, ...] = ()


class Observation(Record, frozen=True, kw_only=True, gc=False):
    """A finding on the record; `words` are its value and notes where these are text."""

    concept: Concept
    words: tuple[str, ...] = ()


class Document(Record, frozen=True, kw_only=True, gc=False):
    """A report, images, a condition or a document on the record; `words` are what it says in text."""

    kind: Literal["report", "images", "condition", "document"]
    concept: Concept
    words: tuple[str, ...] = ()


class Coverage(Record, frozen=True, kw_only=True, gc=False):
    """Who pays: the type of plan, the payor's names, and its references and identifiers (`system|value`)."""

    concept: Concept
    payors: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    order: int | None = None


RecordT = TypeVar("RecordT", bound=Record)


def _as_it_is(record: Any) -> Any:
    return record


def _own_concept(record: Any) -> Concept:
    return cast(Concept, record.concept)


def _own_under_review(record: Any) -> bool:
    return cast(bool, record.under_review)


def _own_near(record: Any, day: date) -> bool:
    return record.day in (day, None) or bool(record.links)


class Records(Sequence[RecordT], Generic[RecordT]):
    """Records of one kind, each made from what was sent when it is first looked at.

    Most of what comes with a call is never looked at: `about` finds by their concepts the records that are, and leaves
    the others unmade. Without ways to make them, the items are the records.
    """

    __slots__ = ("_concept", "_is_near", "_is_under_review", "_items", "_made", "_make")

    def __init__(
        self,
        items: Sequence[Any] = (),
        make: Callable[[Any], RecordT] = _as_it_is,
        concept: Callable[[Any], Concept] = _own_concept,
        is_under_review: Callable[[Any], bool] = _own_under_review,
        is_near: Callable[[Any, date], bool] = _own_near,
    ) -> None:
        self._items = items
        self._make = make
        self._concept = concept
        self._is_under_review = is_under_review
        self._is_near = is_near
        self._made: dict[int, RecordT] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[RecordT]:
        return map(self._at, range(len(self._items)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, number: int) -> RecordT: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[RecordT]: ...
    def __getitem__(self, number: int | slice) -> RecordT | Sequence[RecordT]:
        chosen = range(len(self._items))[number]
        return self._at(chosen) if isinstance(chosen, int) else tuple(map(self._at, chosen))

    def about(self, test: Callable[[Concept], object]) -> Iterator[RecordT]:
        """The records whose concept passes a test."""
        concept = self._concept
        return (self._at(number) for number, item in enumerate(self._items) if test(concept(item)))

    def near(self, day: date) -> Iterator[RecordT]:
        """The records of a day, those whose day is not known, and those that point at others."""
        is_near = self._is_near
        return (self._at(number) for number, item in enumerate(self._items) if is_near(item, day))

    def under_review(self) -> Iterator[RecordT]:
        """The records that the call is about."""
        is_under_review = self._is_under_review
        return (self._at(number) for number, item in enumerate(self._items) if is_under_review(item))

    def has_under_review(self, test: Callable[[Concept], object]) -> bool:
        """Whether the concept of one of these passes a test."""
        concept, is_under_review = self._concept, self._is_under_review
        return any(is_under_review(item) and test(concept(item)) for item in self._items)

    def under_review_or_about(self, test: Callable[[Concept], object]) -> Iterator[RecordT]:
        """Both, in their order."""
        concept, is_under_review = self._concept, self._is_under_review
        return (
            self._at(number) for number, item in enumerate(self._items) if is_under_review(item) or test(concept(item))
        )

    def _at(self, number: int) -> RecordT:
        if number not in self._made:
            self._made[number] = self._make(self._items[number])
        return self._made[number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """A payer as a site knows it: how the data name it, and the site's answers to the questions that rules ask.

    `names` are in lower case. `identifiers` and `types` (of coverage) are references, bare values or `system|value`.
    A question without an answer is unknown.
    """

    names: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site has decided.

    `mappings` lead from codes of the site to billing codes; they are applied while the data are read. `vial_units`:
    where the product is known and the dose is not, charge one vial, of the usual size or of that in `vial_units_of`.
    `order_suggestions`: what a suggestion creates at order time, a planned charge or a draft order.
    """

    mappings: Mapping[Code, str] = field(default_factory=dict)
    payers: tuple[Payer, ...] = ()
    rules_off: frozenset[str] = frozenset()
    rules_lowered: frozenset[str] = frozenset()
    vial_units: bool = False
    vial_units_of: Mapping[str, Decimal] = field(default_factory=dict)
    order_suggestions: Literal["ChargeItem", "ServiceRequest"] = "ChargeItem"

    def units_of_vial(self, code: str, usual: Decimal | None) -> Decimal | None:
        """The units to charge where no dose is known, or None where the site leaves them to a person."""
        return self.vial_units_of.get(code, usual if self.vial_units else None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One patient's orders, record and charges, as received with the call.

    `complete` names the parts of the record (prefetch keys: `procedures`, `medicationAdministrations`…) that are known
    to be complete; absence may be concluded only there. `focus` names the records under review, None for all.
    `unreadable_codes` are the codes found in charges that could not be parsed; they count as charged.
    `unreadable_parts` names the parts of the record of which a resource could not be parsed.
    `facts` caches derived facts, see `once`.
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
    unreadable_codes: frozenset[str] = frozenset()
    unreadable_parts: frozenset[str] = frozenset()
    focus: frozenset[str] | None = None
    site: Site = Site()
    facts: dict[Any, Any] = field(default_factory=dict, repr=False)

    def having(self, **members: Sequence[Record]) -> "Case":
        """The same case with other records as some of its members; nothing that was derived goes along."""
        chosen: dict[str, Any] = {name: Records(records) for name, records in members.items()}
        return replace(self, facts={}, **chosen)

    def is_about(self, record: Record) -> bool:
        """Whether the call is about a record: it is a draft, and one of those in focus where the call names some."""
        return record.under_review and (self.focus is None or record.identity in self.focus)


P = ParamSpec("P")
T = TypeVar("T")


def once(derive: Callable[P, T]) -> Callable[P, T]:
    """Derive a fact only once from the same arguments. It is kept with the last of them: a case, or what has `facts`.

    Many rules ask the same. Positional arguments only; each is a hashable value or compared by identity. What is kept
    must not hold what it is kept with: such a circle would stay until the garbage collector comes by.
    """

    @wraps(derive)
    def derived(*arguments: P.args, **_: P.kwargs) -> T:
        facts: dict[Any, T] = arguments[-1].facts  # type: ignore[attr-defined]
        key = (derive, arguments[:-1])
        try:
            return facts[key]
        except KeyError:
            facts[key] = found = derive(*arguments)  # type: ignore[call-arg]
            return found

    return derived
