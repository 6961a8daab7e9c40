"""FHIR R4 in, Case out.

Real payloads are sloppy, so resources are read one by one: one that cannot be read is left out and reported with its
place and what was expected, and the others are read. What was entered in error or belongs to another patient counts as
nothing. Reports never repeat a value that was sent.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, cast

import msgspec
from msgspec import structs

from cds_service.case import (
    BILLING,
    NO_SYSTEM,
    Administration,
    Case,
    Code,
    Concept,
    Coverage,
    Document,
    Form,
    Line,
    Observation,
    Order,
    Origin,
    Procedure,
    Record,
    Records,
    Site,
    Stage,
)
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import entries_of, resource_in
from cds_service.fhir.doubts import UNREADABLE, doubtful, doubts, is_date
from cds_service.fhir.illegible import codes_in, parts_in
from cds_service.fhir.known_types import R4_TYPES
from cds_service.fhir.systems import kind


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A resource as it came: where it stands in the request, the client's own JSON, and whether the call is about it.

    `key` is the prefetch key under which it came, empty where it came under none; `fault` is what is wrong with its
    texts, None where nothing is. Where it was read together with what it came in, `resource` is what was read; of a
    Bundle `at` and `raw` are then the Bundle's, and `position` the entry. `raw` may be a way to look the JSON up, since
    it is seldom asked for.
    """

    at: str
    raw: msgspec.Raw | Callable[[], msgspec.Raw]
    full_url: str = ""
    draft: bool = False
    key: str = ""
    position: int | None = None
    resource: Any = None
    fault: str | None = None

    @property
    def place(self) -> str:
        """Where the resource stands in the request."""
        return self.at if self.position is None else f"{self.at}.entry[{self.position}].resource"

    def original(self) -> msgspec.Raw:
        """The client's own JSON of the resource."""
        (raw,) = originals((self,), {})
        return raw


# The entries of Bundles that were taken apart, by the id of what leads to the Bundle.
_Entries = dict[int, tuple[msgspec.Raw, ...]]


def originals(every: Iterable[Incoming], taken_apart: _Entries) -> Iterator[msgspec.Raw]:
    """The client's own JSON of several resources; each Bundle is looked up and taken apart once."""
    for each in every:
        if each.position is None:
            yield _looked_up(each)
            continue
        if id(each.raw) not in taken_apart:
            taken_apart[id(each.raw)] = entries_of(_looked_up(each))
        yield resource_in(taken_apart[id(each.raw)][each.position])


def _looked_up(incoming: Incoming) -> msgspec.Raw:
    return incoming.raw if isinstance(incoming.raw, msgspec.Raw) else incoming.raw()


class Originals(Mapping[str, msgspec.Raw]):
    """The client's own JSON by the place of each resource; looked for only where it is asked for."""

    def __init__(self, items: Iterable["_Item"]) -> None:
        self._items = items
        self._taken_apart: _Entries = {}

    @cached_property
    def _by_place(self) -> dict[str, Incoming]:
        return {item.incoming.place: item.incoming for item in self._items}

    def __getitem__(self, place: str) -> msgspec.Raw:
        (raw,) = originals((self._by_place[place],), self._taken_apart)
        return raw

    def __contains__(self, place: object) -> bool:
        return place in self._by_place

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_place)

    def __len__(self) -> int:
        return len(self._by_place)


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was left out: where it stands and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A case, the client's own JSON by place, what was left out, and the patients whom the resources name.

    `patients` is looked for only where the call names none.
    """

    case: Case
    raw: Mapping[str, msgspec.Raw]
    unread: tuple[Unread, ...]
    patients: frozenset[str] = frozenset()


class _Item(msgspec.Struct, frozen=True, gc=False):
    """A decoded resource and where it came from. `identity` is empty where the resource has neither id nor address."""

    incoming: Incoming
    resource: Any
    identity: str

    @property
    def label(self) -> str:
        return self.identity or f"{type(self.resource).__name__} in {self.incoming.place}"


def _type(item: _Item) -> str:
    return type(item.resource).__name__


def _differ(one: Any, other: Any) -> bool:
    """Whether two resources say different things; what can be compared with nothing, as the number sNaN, differs."""
    try:
        return bool(one != other)
    except ArithmeticError:
        return True


class _Head(msgspec.Struct):
    resource_type: str = msgspec.field(name="resourceType")


DEFAULT_SITE = Site()

_DECODER = msgspec.json.Decoder(r.Read)
_HEAD = msgspec.json.Decoder(_Head)
_MEDICATION = msgspec.json.Decoder(r.Medication)

# The largest amount taken for real: a typing error of 10^9 units would not be charged, and must not be computed with.
_LARGEST_AMOUNT = Decimal(100_000)
# FHIR asks for no more digits; written out, 1e-99999999 would fill the memory.
_MOST_DIGITS = 18
_ONE = Decimal(1)


def read_case(
    incoming: Iterable[Incoming],
    *,
    stage: Stage,
    patient_id: str = "",
    encounter_id: str | None = None,
    about_encounter: bool = False,
    known: frozenset[str] = frozenset(),
    focus: frozenset[str] | None = None,
    site: Site = DEFAULT_SITE,
) -> Reading:
    """Read resources into a case.

    `patient_id` is the patient whom the call is about; empty takes every resource. With `about_encounter` the charges
    of the encounter are what the call is about. A key of `known` in which something was not readable is not known to be
    complete: that may have been the very record that is looked for. Nothing in the resources raises.
    """
    reader = _Reader(patient_id, site, f"Encounter/{encounter_id}" if encounter_id and about_encounter else None)
    for each in incoming:
        reader.take(each)
    records = reader.records()
    refused = tuple(originals(reader.refused.values(), {}))
    patients = frozenset[str]() if patient_id else reader.patients()
    case = Case(
        stage=stage,
        patient=f"Patient/{patient_id}" if patient_id else reader.only_subject(),
        encounter=f"Encounter/{encounter_id}" if encounter_id else None,
        known=known - reader.flawed,
        illegible=codes_in(refused, stage),
        lost=parts_in(refused),
        focus=focus,
        site=site,
        **records,
    )
    return Reading(case, Originals(reader.items), tuple(reader.unread), patients)


class _Reader:
    def __init__(self, patient_id: str, site: Site, encounter: str | None = None) -> None:
        self.mappings = site.mappings
        self.patient = f"Patient/{patient_id}" if patient_id else ""
        self.encounter = encounter
        self.items: list[_Item] = []
        self.unread: list[Unread] = []
        self.flawed: set[str] = set()
        self.refused: dict[int, Incoming] = {}
        self.in_doubt: set[type] = set()
        self._alias: dict[str, str] = {}
        self._refs: dict[str, str] = {}
        self._taken: dict[str, _Item] = {}
        # By the element, which is kept beside it: an id is another's when the first is gone.
        self._concepts: dict[int, tuple[r.CodeableConcept | None, Concept]] = {}

    def take(self, incoming: Incoming) -> None:
        """Take a resource, or note why it is left out. What was taken before is not taken twice."""
        resource = incoming.resource or self._decoded(incoming)
        if resource is None:
            return
        identity = f"{type(resource).__name__}/{resource.id}" if resource.id else incoming.full_url
        item = _Item(incoming, resource, identity)
        if identity and (first := self._taken.setdefault(identity, item)) is not item:
            self._compare(item, first)
            return
        if incoming.full_url:
            self._alias[incoming.full_url] = identity
        self.items.append(item)

    def _compare(self, item: _Item, first: _Item) -> None:
        """Report a resource that has another's id and says something else; a draft may differ from the record."""
        if item.incoming.draft == first.incoming.draft and _differ(item.resource, first.resource):
            self._report(item.incoming, f"{_type(item)}: another one with the same id came before it")
            self.flawed.add(first.incoming.key)

    def _decoded(self, incoming: Incoming) -> Any:
        try:
            resource = _DECODER.decode(incoming.original())
        except UNREADABLE as error:
            self._refuse(incoming, error)
            return None
        if incoming.fault:
            self.in_doubt.add(type(resource))
        return resource

    def _refuse(self, incoming: Incoming, error: Exception) -> None:
        """Report a resource of a type that is read, or of no type at all; other types of R4 are simply not needed."""
        self.refused[id(incoming)] = incoming
        try:
            resource_type = _HEAD.decode(incoming.original()).resource_type
        except UNREADABLE:
            self._report(incoming, "expected a FHIR resource with a `resourceType`")
            return
        if resource_type in r.READ_TYPES:
            self._report(incoming, f"{resource_type}: {without_values(str(error))}")
        elif resource_type not in R4_TYPES:
            self._report(incoming, "not a resource type of FHIR R4")

    def _report(self, incoming: Incoming, reason: str) -> None:
        """Note that a resource, or something of it, was not understood, and keep it: codes may stand in it."""
        self.refused[id(incoming)] = incoming
        self.unread.append(Unread(incoming.place, reason))
        self.flawed.add(incoming.key)

    def only_subject(self) -> str:
        """The patient of a Bundle that came without a context, where it has just one."""
        patients = {self.ref(_subject(item.resource)) for item in self.items} - {""}
        return patients.pop() if len(patients) == 1 else ""

    def patients(self) -> frozenset[str]:
        """The patients whom the resources name by reference."""
        subjects = {self.ref(_subject(item.resource)) for item in self.items}
        return frozenset(subject for subject in subjects if subject.startswith("Patient/"))

    def records(self) -> dict[str, Any]:
        """All records by the name of the Case's member that takes them.

        Lines of claims are made at once; what else there is, when a rule looks at it.
        """
        self._medications = {item.identity: item for item in self.items if type(item.resource) is r.Medication}
        lines: list[Line | _Item] = []
        found: dict[str, list[_Item]] = {}
        in_doubt = self.in_doubt | doubtful([item.resource for item in self.items])
        for item in self.items:
            resource = item.resource
            subject = _subject(resource) if self.patient else None
            if subject is not None and subject.reference != self.patient and self._is_other_patients(subject):
                self._set_aside(item.incoming)
                continue
            if in_doubt and type(resource) in in_doubt:
                self._report_doubts(item)
            if (kind := _KINDS.get(type(resource))) is None or not kind.counts(resource):
                continue
            if isinstance(kind, _Charges):
                lines += self._lines(item)
            elif type(resource) is not r.MedicationAdministration or self._is_in_range(item):
                found.setdefault(kind.member, []).append(item)
        records = {member: self._to_be_made(items) for member, items in found.items()}
        return {**records, "lines": Records(lines, self._line, self._concept_of_line, _is_draft)}

    def _to_be_made(self, items: list[_Item]) -> Records[Record]:
        return Records(items, self._record, self._concept_of, _is_draft, _is_near)

    def _record(self, item: _Item) -> Record:
        return _recorded(item).make(self, item)

    def _concept_of(self, item: _Item) -> Concept:
        return _recorded(item).concept(self, item.resource)

    def _is_in_range(self, item: _Item) -> bool:
        """Whether a dose can be meant; asked at once, since what is left out is reported.

        What was given may be anything where that is not said: it is then not known that no contrast was.
        """
        if not _says_what_was_given(item.resource):
            self._report(item.incoming, f"{_type(item)}.medication: expected a code, a text or a reference")
        dosage = item.resource.dosage
        try:
            _amount(dosage.dose if dosage else None)
        except _OutOfRange as error:
            self._report(item.incoming, f"{_type(item)}: {error}")
            return False
        return True

    def _lines(self, item: _Item) -> Sequence["Line | _Item"]:
        """The lines of a claim; a charge as it is, to be made into a line where its code matters.

        Where the call is about an encounter, each charge must be looked at, since it may be what the call is about.
        """
        resource = item.resource
        try:
            if type(resource) is r.Claim:
                return [self._marked(line) for line in _claim(self, item)]
            _amount(resource.quantity)
            return [item] if self.encounter is None else [self._marked(_charge_item(self, item))]
        except _OutOfRange as error:
            self._report(item.incoming, f"{_type(item)}: {error}")
            return []

    def _line(self, item: "Line | _Item") -> Line:
        return _charge_item(self, item) if isinstance(item, _Item) else item

    def _concept_of_line(self, item: "Line | _Item") -> Concept:
        return self.concept(item.resource.code) if isinstance(item, _Item) else item.concept

    def _marked(self, line: Line) -> Line:
        """A charge of the encounter that the call is about is a draft."""
        is_draft = self.encounter is not None and line.encounter == self.encounter
        return structs.replace(line, draft=True) if is_draft else line

    def _is_other_patients(self, subject: r.Reference) -> bool:
        reference = self.ref(subject)
        return reference != self.patient and reference.startswith("Patient/")

    def _set_aside(self, incoming: Incoming) -> None:
        """What belongs to another patient counts as nothing, unless a fault in its texts may have made it so."""
        self.unread.append(Unread(incoming.place, "belongs to another patient than the call"))
        if incoming.fault:
            self.refused[id(incoming)] = incoming

    def _report_doubts(self, item: _Item) -> None:
        """Report what of a resource was decoded and not understood, each kind once; it counts without that."""
        if type(item.resource) not in _KINDS or getattr(item.resource, "status", None) == "entered-in-error":
            return
        found = [f"{_type(item)}.{doubt}" for doubt in doubts(item.resource)]
        for doubt in dict.fromkeys([item.incoming.fault, *found] if item.incoming.fault else found):
            self._report(item.incoming, doubt)

    # --- references ------------------------------------------------------------------------------------------------

    def ref(self, reference: r.Reference | None) -> str:
        """A reference in one form: `Type/id`, the address of a Bundle entry, or `system|value`; empty where none."""
        if reference is None:
            return ""
        if written := reference.reference:
            if written not in self._refs:
                self._refs[written] = self._alias.get(written) or _relative(written)
            return self._refs[written]
        if reference.identifier and reference.identifier.value:
            return f"{reference.identifier.system or ''}|{reference.identifier.value}"
        return ""

    def refs(self, *groups: Iterable[r.Reference | None] | None) -> frozenset[str]:
        """All references of several optional lists."""
        return frozenset(self.ref(each) for group in groups for each in group or ()) - {""}

    def medication(self, resource: r.MedicationAdministration | r.MedicationRequest) -> Concept:
        """What a medication is, in place or behind a reference: contained, in a Bundle or in prefetch."""
        own = self.concept(resource.medication_codeable_concept)
        reference = resource.medication_reference
        if reference is None:
            return own
        behind = self._behind(reference, resource.contained)
        words = (*own.words, *behind.words, *((reference.display,) if reference.display else ()))
        return Concept((*own.codes, *behind.codes), words)

    def _behind(self, reference: r.Reference, contained: tuple[msgspec.Raw, ...] | None) -> Concept:
        if reference.reference and reference.reference.startswith("#"):
            return self.concept(_contained_medication(reference.reference[1:], contained or ()))
        found = self._medications.get(self.ref(reference))
        return self.concept(found.resource.code) if found else Concept()

    def concept(self, value: r.CodeableConcept | None) -> Concept:
        """A concept with the billing codes to which the site maps its codes; made once, and asked for by many."""
        kept = self._concepts.get(id(value))
        if kept is None:
            made = concept(value)
            kept = self._concepts[id(value)] = value, _mapped(made, self.mappings) if self.mappings else made
        return kept[1]

    def base(self, item: _Item) -> dict[str, Any]:
        """What every record carries."""
        incoming, identity = item.incoming, item.identity
        return {"origin": Origin(incoming.place, item.label), "identity": identity, "draft": incoming.draft}


# --- one converter a resource type ----------------------------------------------------------------------------------


def _procedure(reader: _Reader, item: _Item) -> Procedure:
    p: r.Procedure = item.resource
    statuses = {"completed": "done", "not-done": "not done"}
    used = [reader.concept(each) for each in p.used_code or ()]
    used += [reader._behind(each, p.contained) for each in p.used_reference or ()]
    return Procedure(
        **reader.base(item),
        status=statuses.get(p.status, "unclear"),  # type: ignore[arg-type]
        concept=reader.concept(p.code),
        used=tuple(used),
        day=_day(p.performed_date_time, p.performed_period),
        performers=_practitioners(reader.ref(each.actor) for each in p.performer or ()),
        encounter=reader.ref(p.encounter) or None,
        links=reader.refs(p.based_on, p.part_of, p.used_reference),
        reasons=_reasons(reader, p.reason_code, p.reason_reference),
        notes=_texts(p.note),
        reports=tuple(sorted(reader.refs(p.report))),
    )


def _administration(reader: _Reader, item: _Item) -> Administration:
    m: r.MedicationAdministration = item.resource
    statuses = {"completed": "given", "in-progress": "given", "not-done": "not given"}
    return Administration(
        **reader.base(item),
        status=statuses.get(m.status, "unclear"),  # type: ignore[arg-type]
        concept=reader.medication(m),
        ml=_millilitres(m.dosage.dose if m.dosage else None),
        day=_day(m.effective_date_time, m.effective_period),
        encounter=reader.ref(m.context) or None,
        links=reader.refs(m.part_of, (m.request,)),
    )


def _service_request(reader: _Reader, item: _Item) -> Order:
    s: r.ServiceRequest = item.resource
    planned = _day(s.occurrence_date_time, s.occurrence_period)
    return Order(
        **reader.base(item),
        kind="service",
        concept=_ordered(reader, s),
        day=planned or _day(s.authored_on),
        planned=planned is not None,
        performers=_practitioners(reader.ref(each) for each in s.performer or ()),
        encounter=reader.ref(s.encounter) or None,
        links=reader.refs(s.based_on),
        reasons=_reasons(reader, s.reason_code, s.reason_reference),
    )


def _ordered(reader: _Reader, order: r.ServiceRequest) -> Concept:
    """What is ordered, with its details."""
    if not order.order_detail:
        return reader.concept(order.code)
    return _joined([reader.concept(order.code), *(reader.concept(each) for each in order.order_detail or ())])


def _medication_request(reader: _Reader, item: _Item) -> Order:
    m: r.MedicationRequest = item.resource
    return Order(
        **reader.base(item),
        kind="medication",
        concept=reader.medication(m),
        day=_day(m.authored_on),
        encounter=reader.ref(m.encounter) or None,
        links=reader.refs(m.based_on),
    )


def _is_draft(item: Line | _Item) -> bool:
    return item.incoming.draft if isinstance(item, _Item) else item.draft


def _charge_item(reader: _Reader, item: _Item) -> Line:
    c: r.ChargeItem = item.resource
    what = reader.concept(c.code)
    code, modifiers = _billed(what.codes)
    return Line(
        **reader.base(item),
        code=code,
        certain=_is_certain(what),
        concept=_joined([what, reader.concept(c.product_codeable_concept)]) if c.product_codeable_concept else what,
        modifiers=(*modifiers, *_extension_modifiers(c.extension)) if c.extension else modifiers,
        units=_amount(c.quantity),
        day=_day(c.occurrence_date_time, c.occurrence_period),
        performers=_practitioners(reader.ref(each.actor) for each in c.performer or ()),
        encounter=reader.ref(c.context) or None,
        links=reader.refs(c.service, c.supporting_information),
        open=c.status != "billed",
    )


def _claim(reader: _Reader, item: _Item) -> Iterator[Line]:
    c: r.Claim = item.resource
    if c.use != "claim":
        reader.unread.append(Unread(item.incoming.place, f"a {c.use} charges nothing: not reviewed"))
        return
    of_claim = {
        "draft": item.incoming.draft,
        "bill": item.identity or item.incoming.place,
        "form": _form(c),
        "coverages": _claim_coverages(reader, c),
        "open": c.status in {"draft", "active"},
    }
    for position, claim_item in enumerate(c.item or ()):
        of_item = {
            "day": _day(claim_item.serviced_date, claim_item.serviced_period) or _single_day(c.billable_period),
            "performers": _claim_practitioners(reader, c, claim_item),
            "encounter": next(iter(reader.refs(claim_item.encounter)), None),
            "links": _claim_procedures(reader, c, claim_item),
            "place_of_service": _place_of_service(claim_item),
        }
        for within, number, part in _parts(position, claim_item):
            yield _claim_line(reader, item, part, within, number, of_claim | of_item)


def _parts(position: int, item: r.ClaimItem) -> Iterator[tuple[str, str, r.ClaimLine]]:
    """A claim's item, its details and their details: place inside the claim, number for people, line."""
    within, number = f"item[{position}]", str(item.sequence or position + 1)
    yield within, number, item
    for i, detail in enumerate(item.detail or ()):
        yield f"{within}.detail[{i}]", f"{number}.{detail.sequence or i + 1}", detail
        for j, sub in enumerate(detail.sub_detail or ()):
            place = f"{within}.detail[{i}].subDetail[{j}]"
            yield place, f"{number}.{detail.sequence or i + 1}.{sub.sequence or j + 1}", sub


def _claim_line(
    reader: _Reader, item: _Item, part: r.ClaimLine, within: str, number: str, shared: Mapping[str, Any]
) -> Line:
    """A line; `shared` is what it has in common with others of its item and of its claim."""
    what = reader.concept(part.product_or_service)
    code, modifiers = _billed(what.codes)
    return Line(
        origin=Origin(item.incoming.place, f"{item.label} item {number}", within),
        identity=f"{item.identity}#{within}" if item.identity else "",
        code=code,
        certain=_is_certain(what),
        concept=what,
        modifiers=(*modifiers, *_modifiers(part.modifier or ())),
        units=_amount(part.quantity),
        **shared,
    )


def _claim_practitioners(reader: _Reader, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.care_team_sequence or ())
    team = _practitioners(reader.ref(each.provider) for each in claim.care_team or () if each.sequence in wanted)
    return team or _practitioners([reader.ref(claim.provider)])


def _claim_procedures(reader: _Reader, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = frozenset(item.procedure_sequence or ())
    return reader.refs(each.procedure_reference for each in claim.procedure or () if each.sequence in wanted)


def _claim_coverages(reader: _Reader, claim: r.Claim) -> tuple[str, ...]:
    """The coverages that the claim is sent to (the focal one where one is), by reference or by name."""
    focal = [each for each in claim.insurance or () if each.focal] or list(claim.insurance or ())
    names = [reader.ref(each.coverage) or (each.coverage.display if each.coverage else "") or "" for each in focal]
    return tuple(name for name in names if name)


def _form(claim: r.Claim) -> Form:
    for code in concept(claim.type).codes:
        if code.value == "professional":
            return "professional"
        if code.value == "institutional":
            return "institutional"
    return "unknown"


def _place_of_service(item: r.ClaimItem) -> str | None:
    codes = [code.value for code in concept(item.location_codeable_concept).codes]
    return next((code for code in codes if re.fullmatch(r"\d\d", code)), None)


def _coverage(reader: _Reader, item: _Item) -> Coverage:
    c: r.Coverage = item.resource
    payors = tuple(each.display for each in c.payor or () if each.display)
    return Coverage(
        **reader.base(item),
        concept=concept(c.type),
        payors=payors,
        identifiers=_identifiers(reader, c),
        order=c.order,
    )


def _identifiers(reader: _Reader, coverage: r.Coverage) -> tuple[str, ...]:
    """By what the payor and the coverage itself are known: references, and identifiers as `system|value`."""
    payors = coverage.payor or ()
    every = [each.identifier for each in payors if each.identifier] + list(coverage.identifier or ())
    written = [f"{each.system or ''}|{each.value}" for each in every if each.value]
    return tuple(dict.fromkeys([*(reader.ref(each) for each in payors if each.reference), *written]))


def _is_near(item: _Item, day: date) -> bool:
    """False for an observation of another day that points at nothing: a record may hold hundreds, and of these none
    has to be made.
    """
    o = item.resource
    return type(o) is not r.Observation or bool(o.part_of) or _day_of_observation(o) in (day, None)


def _day_of_observation(observation: r.Observation) -> date | None:
    return _day(observation.effective_date_time, observation.effective_period)


def _observation(reader: _Reader, item: _Item) -> Observation:
    o: r.Observation = item.resource
    return Observation(
        **reader.base(item),
        concept=reader.concept(o.code),
        words=(*((o.value_string,) if o.value_string else ()), *_said(o.value_codeable_concept), *_texts(o.note)),
        day=_day_of_observation(o),
        encounter=reader.ref(o.encounter) or None,
        links=reader.refs(o.part_of),
    )


def _report(reader: _Reader, item: _Item) -> Document:
    d: r.DiagnosticReport = item.resource
    return Document(
        **reader.base(item),
        kind="report",
        concept=concept(d.code),
        words=(d.conclusion,) if d.conclusion else (),
        day=_day(d.effective_date_time, d.effective_period),
        encounter=reader.ref(d.encounter) or None,
        links=reader.refs(d.based_on),
    )


def _images(reader: _Reader, item: _Item) -> Document:
    i: r.ImagingStudy = item.resource
    return Document(
        **reader.base(item),
        kind="images",
        concept=_shown(reader, i),
        words=(i.description,) if i.description else (),
        day=_day(i.started),
        encounter=reader.ref(i.encounter) or None,
        links=reader.refs(i.based_on, (i.procedure_reference,)),
    )


def _shown(_: _Reader, images: r.ImagingStudy) -> Concept:
    """What the images show."""
    return _joined(concept(each) for each in images.procedure_code or ())


def _condition(reader: _Reader, item: _Item) -> Document:
    c: r.Condition = item.resource
    encounter = reader.ref(c.encounter) or None
    return Document(**reader.base(item), kind="condition", concept=concept(c.code), encounter=encounter)


def _document(reader: _Reader, item: _Item) -> Document:
    d: r.DocumentReference = item.resource
    words = (d.description,) if d.description else ()
    return Document(**reader.base(item), kind="document", concept=concept(d.type), words=words, day=_day(d.date))


@dataclass(frozen=True, slots=True)
class _Recorded:
    """Resources that become records: which member of the Case takes them, and how a record and its concept are made.

    With one of the statuses of `idle` they say nothing, nor where they were entered in error.
    """

    member: str
    make: Callable[[_Reader, _Item], Record]
    idle: frozenset[str] = frozenset()
    concept: Callable[[_Reader, Any], Concept] = lambda reader, resource: reader.concept(resource.code)

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return resource.status not in self.idle and resource.status != "entered-in-error"


class _Ordered(_Recorded):
    """Orders, which may be to leave something undone."""

    __slots__ = ()

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return _Recorded.counts(self, resource) and not resource.do_not_perform


class _Diagnosed(_Recorded):
    """Conditions, whose status is a concept."""

    __slots__ = ()

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        codes = {code.value for code in concept(resource.verification_status).codes}
        return not codes & {"entered-in-error", "refuted"}


@dataclass(frozen=True, slots=True)
class _Charges:
    """Resources that become lines; `idle` as for those that become records."""

    idle: frozenset[str]

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return resource.status not in self.idle and resource.status != "entered-in-error"


def _own_code(_: _Reader, resource: Any) -> Concept:
    """A code that no site maps to a billing code."""
    return concept(resource.code)


def _own_type(_: _Reader, resource: Any) -> Concept:
    return concept(resource.type)


_CANCELLED = frozenset({"cancelled"})

_KINDS: dict[type, _Recorded | _Charges] = {
    r.ChargeItem: _Charges(frozenset({"aborted", "not-billable"})),
    r.Claim: _Charges(_CANCELLED),
    r.Procedure: _Recorded("procedures", _procedure),
    r.MedicationAdministration: _Recorded("administrations", _administration, concept=_Reader.medication),
    r.ServiceRequest: _Ordered("orders", _service_request, frozenset({"revoked"}), _ordered),
    r.MedicationRequest: _Ordered(
        "orders", _medication_request, frozenset({"cancelled", "stopped"}), _Reader.medication
    ),
    r.Coverage: _Recorded("coverages", _coverage, frozenset({"cancelled", "draft"}), _own_type),
    r.Observation: _Recorded("observations", _observation, _CANCELLED),
    r.DiagnosticReport: _Recorded("documents", _report, _CANCELLED, _own_code),
    r.ImagingStudy: _Recorded("documents", _images, _CANCELLED, _shown),
    r.Condition: _Diagnosed("documents", _condition, concept=_own_code),
    r.DocumentReference: _Recorded("documents", _document, frozenset({"superseded"}), _own_type),
}


def _recorded(item: _Item) -> _Recorded:
    return cast(_Recorded, _KINDS[type(item.resource)])


# --- pieces ---------------------------------------------------------------------------------------------------------


class _OutOfRange(Exception):
    """A number that cannot be meant."""


_NOTHING_SAID = Concept()


def concept(value: r.CodeableConcept | None) -> Concept:
    """A CodeableConcept as a Concept. A coding without a code gives only its words."""
    if value is None:
        return _NOTHING_SAID
    codes: list[Code] = []
    words: list[str] = []
    for each in value.coding or ():
        if each.code and (code := _code(each.system, each.code)):
            codes.append(code)
        if each.display:
            words.append(each.display)
    if value.text:
        words.append(value.text)
    return Concept(tuple(codes), tuple(words))


@lru_cache(maxsize=16_384)  # a record holds few codes, again and again
def _code(system: str | None, written: str) -> Code | None:
    value = written.strip()
    return Code(kind(system), value) if value else None


def _mapped(what: Concept, mappings: Mapping[Code, str]) -> Concept:
    """The mapped codes beside the sender's own; a local code that is sent as a billing code gives way to its own."""
    added = tuple(Code(BILLING, mappings[code]) for code in what.codes if code in mappings)
    if not added:
        return what
    kept = tuple(code for code in what.codes if code not in mappings or code.system != BILLING)
    return Concept(tuple(dict.fromkeys(kept + added)), what.words)


def _joined(concepts: Iterable[Concept]) -> Concept:
    every = list(concepts)
    return Concept(
        tuple(code for each in every for code in each.codes), tuple(word for each in every for word in each.words)
    )


def _reasons(
    reader: _Reader, codes: Iterable[r.CodeableConcept] | None, references: Iterable[r.Reference] | None
) -> tuple[str, ...]:
    """The indications that a record names: their codes or words, and the records that it points at."""
    named = [text for each in codes or () for text in _said(each)]
    return (*named, *sorted(reader.refs(references)))


def _said(value: r.CodeableConcept | None) -> tuple[str, ...]:
    """A concept's words, else its codes."""
    what = concept(value)
    return what.words or tuple(code.value for code in what.codes)


def _texts(notes: Iterable[r.Annotation] | None) -> tuple[str, ...]:
    return tuple(each.text for each in notes or () if each.text)


_BILLED = re.compile(r"([0-9A-Z]{5})((?:[-: ]?[0-9A-Z]{2})*)")
_MODIFIER = re.compile(r"[0-9A-Za-z]{2}")


@lru_cache(maxsize=4096)  # a long record charges few codes, again and again
def _billed(codes: tuple[Code, ...]) -> tuple[str, tuple[str, ...]]:
    """The billing code of a line and its modifiers, written behind it or as codings of two characters."""
    named = [code.value for code in codes if code.system == BILLING]
    bare = [code.value for code in codes if code.system == NO_SYSTEM]
    matches = [match for value in named or bare if (match := _BILLED.fullmatch(value.upper()))]
    behind = re.findall(r"[0-9A-Z]{2}", matches[0][2]) if matches else []
    beside = [value.upper() for value in (*named, *bare) if _MODIFIER.fullmatch(value)]
    return matches[0][1] if matches else "", (*behind, *beside)


def _is_certain(what: Concept) -> bool:
    return any(code.system == BILLING for code in what.codes)


def _modifiers(concepts: Iterable[r.CodeableConcept]) -> tuple[str, ...]:
    codes = [code.value.upper() for each in concepts for code in concept(each).codes]
    return tuple(dict.fromkeys(code for code in codes if re.fullmatch(r"[0-9A-Z]{2}", code)))


def _extension_modifiers(extensions: Iterable[r.Extension]) -> tuple[str, ...]:
    """R4 has no element for a charge's modifiers: senders put them into an extension whose address names them."""
    concepts = [_as_concept(each) for each in extensions if "modifier" in (each.url or "").lower()]
    return _modifiers(concepts)


def _as_concept(extension: r.Extension) -> r.CodeableConcept:
    bare = extension.value_code or extension.value_string
    coding = extension.value_coding or (r.Coding(code=bare) if bare else None)
    return extension.value_codeable_concept or r.CodeableConcept(coding=(coding,) if coding else ())


def _amount(quantity: r.Quantity | None) -> Decimal | None:
    value = quantity.value if quantity else None
    if value is None:
        return None
    if value.same_quantum(_ONE) and 0 <= value <= _LARGEST_AMOUNT:
        return abs(value)  # a whole number, as most are
    if not value.is_finite() or not 0 <= value <= _LARGEST_AMOUNT or not _is_written_short(value):
        raise _OutOfRange(f"quantity: expected a number from 0 to {_LARGEST_AMOUNT} with at most {_MOST_DIGITS} digits")
    return abs(value)  # zero has no sign


def _is_written_short(value: Decimal) -> bool:
    """Whether the number has few digits, on either side of the point and altogether."""
    written = str(value)
    if len(written) <= _MOST_DIGITS and "E" not in written:
        return True  # as nearly always
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and -exponent <= _MOST_DIGITS and len(digits) <= _MOST_DIGITS


_MICROLITRES = {"ul", "µl", "μl", "mcl", "microliter", "microliters", "microlitre", "microlitres"}
_MILLILITRES = {"ml", "mls", "cc", "milliliter", "milliliters", "millilitre", "millilitres"}


def _says_what_was_given(administration: r.MedicationAdministration) -> bool:
    what = administration.medication_codeable_concept
    if administration.medication_reference or what is None:
        return administration.medication_reference is not None
    return bool(what.text) or any(each.display or (each.code or "").strip() for each in what.coding or ())


def _millilitres(dose: r.Quantity | None) -> Decimal | None:
    """A dose as a volume in mL; None where it is not given as a volume."""
    value = _amount(dose)
    if value is None or dose is None:
        return None
    units = {(dose.code or "").strip().lower(), (dose.unit or "").strip().lower()}
    if units & _MILLILITRES:
        return value
    if units & _MICROLITRES:
        return value / 1000
    return None


def _day(moment: str | None, period: r.Period | None = None) -> date | None:
    """The local calendar day as the sender wrote it: the zone offset says where local is, so it is not shifted."""
    text = moment or (period.start if period else None)
    if not text or len(text) < 10 or not is_date(text):
        return None  # known to the month or the year only, or no date, which is reported
    return date.fromisoformat(text[:10])


def _single_day(period: r.Period | None) -> date | None:
    if period is None:
        return None
    start, end = _day(period.start), _day(period.end)
    return start if end in (None, start) else None


def _practitioners(references: Iterable[str]) -> frozenset[str]:
    """Only people: an organisation says nothing of who performed."""
    people = ("Practitioner/", "PractitionerRole/")
    return frozenset(each for each in references if each.startswith(people) or "|" in each or each.startswith("urn:"))


_RELATIVE = re.compile(r"([A-Za-z]+/[A-Za-z0-9\-.]{1,64})(/_history/[^/]*)?$")


def _relative(reference: str) -> str:
    match = _RELATIVE.search(reference)
    return match[1] if match else reference


def _contained_medication(wanted: str, contained: Iterable[msgspec.Raw]) -> r.CodeableConcept | None:
    for raw in contained:
        try:
            found = _MEDICATION.decode(raw)
        except UNREADABLE:
            continue  # another contained resource, of a type that is not read
        if found.id == wanted:
            return found.code
    return None


# A way to the member by which a resource names its patient; the others name none.
_SUBJECTS: dict[type, Callable[[Any], r.Reference | None]] = {
    kind: attrgetter(member)
    for kind in r.Read.__args__
    for member in kind.__struct_fields__
    if member in {"subject", "patient", "beneficiary"}
}


# The parts of the record (prefetch keys) in which resources of a type stand. Both kinds of charge are one part.
KEYS = {
    "Procedure": "procedures",
    "MedicationAdministration": "medicationAdministrations",
    "ChargeItem": "chargeItems",
    "Claim": "chargeItems",
    "Coverage": "coverages",
    "Observation": "observations",
}


def part_of(incoming: Incoming) -> str | None:
    """The part of the record in which a resource stands, empty where it is of none; None where that cannot be read."""
    if incoming.resource is not None:
        return KEYS.get(type(incoming.resource).__name__, "")
    try:
        return KEYS.get(_HEAD.decode(incoming.original()).resource_type, "")
    except UNREADABLE:
        return None


def _subject(resource: Any) -> r.Reference | None:
    subject = _SUBJECTS.get(type(resource))
    return subject(resource) if subject else None


def without_values(message: str) -> str:
    """A decoder's message without the value at fault, which may be patient data; only types and places stay."""
    if message.startswith("Invalid enum value"):
        return f"expected a code that FHIR R4 allows here - at {message.rpartition(' - at ')[2]}"
    return message
