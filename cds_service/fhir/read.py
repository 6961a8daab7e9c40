"""FHIR R4 in, Case out.

Real payloads are sloppy, so resources are read one by one: one that cannot be read is left out and reported with its
place and what was expected, and the others are read. What was entered in error or belongs to another patient counts as
nothing. Reports never repeat a value that was sent.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

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
    Site,
    Stage,
)
from cds_service.fhir import resources as r
from cds_service.fhir.doubts import UNREADABLE, doubts, is_date
from cds_service.fhir.illegible import codes_in, parts_in
from cds_service.fhir.known_types import R4_TYPES
from cds_service.fhir.systems import kind


@dataclass(frozen=True, slots=True)
class Incoming:
    """A resource as it came: its place in the request, the client's own JSON, and whether the call is about it.

    `key` is the prefetch key under which it came, empty where it came under none; `fault` is what is wrong with its
    texts, None where nothing is.
    """

    place: str
    raw: msgspec.Raw
    full_url: str = ""
    draft: bool = False
    key: str = ""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was left out: where it stands and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A case, the client's own JSON by place, what was left out, and the patients whom the resources name."""

    case: Case
    raw: dict[str, msgspec.Raw]
    unread: tuple[Unread, ...]
    patients: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Item:
    """A decoded resource and where it came from. `identity` is empty where the resource has neither id nor address."""

    incoming: Incoming
    resource: Any
    identity: str

    @property
    def label(self) -> str:
        return self.identity or f"{type(self.resource).__name__} in {self.incoming.place}"


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
    case = Case(
        stage=stage,
        patient=f"Patient/{patient_id}" if patient_id else reader.only_subject(),
        encounter=f"Encounter/{encounter_id}" if encounter_id else None,
        known=known - reader.flawed,
        illegible=codes_in(reader.refused, stage),
        lost=parts_in(reader.refused),
        focus=focus,
        site=site,
        **records,
    )
    return Reading(case, reader.raw, tuple(reader.unread), reader.patients())


class _Reader:
    def __init__(self, patient_id: str, site: Site, encounter: str | None = None) -> None:
        self.mappings = site.mappings
        self.patient = f"Patient/{patient_id}" if patient_id else ""
        self.encounter = encounter
        self.items: list[_Item] = []
        self.raw: dict[str, msgspec.Raw] = {}
        self.unread: list[Unread] = []
        self.flawed: set[str] = set()
        self.refused: list[msgspec.Raw] = []
        self._alias: dict[str, str] = {}
        self._taken: dict[str, _Item] = {}

    def take(self, incoming: Incoming) -> None:
        """Decode a resource, or note why it is left out. What was taken before is not taken twice."""
        try:
            resource = _DECODER.decode(incoming.raw)
        except UNREADABLE as error:
            self._refuse(incoming, error)
            return
        identity = f"{type(resource).__name__}/{resource.id}" if resource.id else incoming.full_url
        if identity and identity in self._taken:
            self._compare(incoming, resource, self._taken[identity])
            return
        self._taken[identity] = _Item(incoming, resource, identity)
        if incoming.full_url:
            self._alias[incoming.full_url] = identity
        self.raw[incoming.place] = incoming.raw
        self.items.append(self._taken[identity])

    def _compare(self, incoming: Incoming, resource: Any, first: _Item) -> None:
        """Report a resource that has another's id and says something else; a draft may differ from the record."""
        if incoming.draft == first.incoming.draft and resource != first.resource:
            self._leave_out(incoming, f"{type(resource).__name__}: another one with the same id came before it")
            self.refused.append(incoming.raw)
            self.flawed.add(first.incoming.key)

    def _refuse(self, incoming: Incoming, error: Exception) -> None:
        """Report a resource of a type that is read, or of no type at all; other types of R4 are simply not needed."""
        self.refused.append(incoming.raw)
        try:
            resource_type = _HEAD.decode(incoming.raw).resource_type
        except UNREADABLE:
            self._leave_out(incoming, "expected a FHIR resource with a `resourceType`")
            return
        if resource_type in r.READ_TYPES:
            self._leave_out(incoming, f"{resource_type}: {without_values(str(error))}")
        elif resource_type not in R4_TYPES:
            self._leave_out(incoming, "not a resource type of FHIR R4")

    def _leave_out(self, incoming: Incoming, reason: str) -> None:
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
        """All records by the name of the Case's member that takes them."""
        self._medications = {item.identity: item for item in self.items if isinstance(item.resource, r.Medication)}
        found: dict[str, list[Record]] = {}
        for item in self.items:
            if self._is_other_patients(item):
                self.unread.append(Unread(item.incoming.place, "belongs to another patient than the call"))
                self.refused += [item.incoming.raw] if item.incoming.fault else []
                continue
            for member, record in self._convert(item):
                found.setdefault(member, []).append(self._marked(record))
        return {member: tuple(records) for member, records in found.items()}

    def _marked(self, record: Record) -> Record:
        """A charge of the encounter that the call is about is a draft."""
        is_draft = isinstance(record, Line) and self.encounter is not None and record.encounter == self.encounter
        return replace(record, draft=True) if is_draft else record

    def _is_other_patients(self, item: _Item) -> bool:
        subject = self.ref(_subject(item.resource))
        return bool(self.patient and subject.startswith("Patient/") and subject != self.patient)

    def _convert(self, item: _Item) -> Iterator[tuple[str, Record]]:
        convert = _CONVERTERS.get(type(item.resource))
        if convert is None or getattr(item.resource, "status", None) == "entered-in-error":
            return
        for doubt in self._doubts(item):
            self.refused.append(item.incoming.raw)
            self._leave_out(item.incoming, doubt)
        try:
            yield from list(convert(self, item))
        except _OutOfRange as error:
            self.refused.append(item.incoming.raw)
            self._leave_out(item.incoming, f"{type(item.resource).__name__}: {error}")

    def _doubts(self, item: _Item) -> Iterator[str]:
        """What of a resource was decoded and not understood; it counts without that."""
        if item.incoming.fault:
            yield item.incoming.fault
        yield from (f"{type(item.resource).__name__}.{doubt}" for doubt in doubts(item.resource))

    # --- references ------------------------------------------------------------------------------------------------

    def ref(self, reference: r.Reference | None) -> str:
        """A reference in one form: `Type/id`, the address of a Bundle entry, or `system|value`; empty where none."""
        if reference is None:
            return ""
        if reference.reference:
            return self._alias.get(reference.reference) or _relative(reference.reference)
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
        """A concept with the billing codes to which the site maps its codes."""
        return _mapped(concept(value), self.mappings)

    def base(self, item: _Item) -> dict[str, Any]:
        """What every record carries."""
        return {
            "origin": Origin(item.incoming.place, item.label),
            "identity": item.identity,
            "draft": item.incoming.draft,
        }


# --- one converter a resource type ----------------------------------------------------------------------------------


def _procedure(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    p: r.Procedure = item.resource
    statuses = {"completed": "done", "not-done": "not done"}
    used = [reader.concept(each) for each in p.used_code or ()]
    used += [reader._behind(each, p.contained) for each in p.used_reference or ()]
    yield (
        "procedures",
        Procedure(
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
        ),
    )


def _administration(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    m: r.MedicationAdministration = item.resource
    statuses = {"completed": "given", "in-progress": "given", "not-done": "not given"}
    yield (
        "administrations",
        Administration(
            **reader.base(item),
            status=statuses.get(m.status, "unclear"),  # type: ignore[arg-type]
            concept=reader.medication(m),
            ml=_millilitres(m.dosage.dose if m.dosage else None),
            day=_day(m.effective_date_time, m.effective_period),
            encounter=reader.ref(m.context) or None,
            links=reader.refs(m.part_of, (m.request,)),
        ),
    )


def _service_request(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    s: r.ServiceRequest = item.resource
    if s.status == "revoked" or s.do_not_perform:
        return
    planned = _day(s.occurrence_date_time, s.occurrence_period)
    details = [reader.concept(each) for each in s.order_detail or ()]
    yield (
        "orders",
        Order(
            **reader.base(item),
            kind="service",
            concept=_joined([reader.concept(s.code), *details]),
            day=planned or _day(s.authored_on),
            planned=planned is not None,
            performers=_practitioners(reader.ref(each) for each in s.performer or ()),
            encounter=reader.ref(s.encounter) or None,
            links=reader.refs(s.based_on),
            reasons=_reasons(reader, s.reason_code, s.reason_reference),
        ),
    )


def _medication_request(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    m: r.MedicationRequest = item.resource
    if m.status in {"cancelled", "stopped"} or m.do_not_perform:
        return
    yield (
        "orders",
        Order(
            **reader.base(item),
            kind="medication",
            concept=reader.medication(m),
            day=_day(m.authored_on),
            encounter=reader.ref(m.encounter) or None,
            links=reader.refs(m.based_on),
        ),
    )


def _charge_item(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    c: r.ChargeItem = item.resource
    if c.status in {"aborted", "not-billable"}:
        return
    what = reader.concept(c.code)
    code, modifiers = _billed(what)
    yield (
        "lines",
        Line(
            **reader.base(item),
            code=code,
            certain=_is_certain(what),
            concept=_joined([what, reader.concept(c.product_codeable_concept)]),
            modifiers=(*modifiers, *_extension_modifiers(c.extension or ())),
            units=_amount(c.quantity),
            day=_day(c.occurrence_date_time, c.occurrence_period),
            performers=_practitioners(reader.ref(each.actor) for each in c.performer or ()),
            encounter=reader.ref(c.context) or None,
            links=reader.refs(c.service, c.supporting_information),
            open=c.status != "billed",
        ),
    )


def _claim(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    c: r.Claim = item.resource
    if c.status == "cancelled":
        return
    if c.use != "claim":
        reader.unread.append(Unread(item.incoming.place, f"a {c.use} charges nothing: not reviewed"))
        return
    for position, claim_item in enumerate(c.item or ()):
        for within, number, part in _parts(position, claim_item):
            yield "lines", _claim_line(reader, item, claim_item, part, within, number)


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
    reader: _Reader, item: _Item, claim_item: r.ClaimItem, part: r.ClaimLine, within: str, number: str
) -> Line:
    c: r.Claim = item.resource
    what = reader.concept(part.product_or_service)
    code, modifiers = _billed(what)
    base = reader.base(item) | {
        "origin": Origin(item.incoming.place, f"{item.label} item {number}", within),
        "identity": f"{item.identity}#{within}" if item.identity else "",
    }
    return Line(
        **base,
        code=code,
        certain=_is_certain(what),
        concept=what,
        modifiers=(*modifiers, *_modifiers(part.modifier or ())),
        units=_amount(part.quantity),
        day=_day(claim_item.serviced_date, claim_item.serviced_period) or _single_day(c.billable_period),
        performers=_claim_practitioners(reader, c, claim_item),
        encounter=next(iter(reader.refs(claim_item.encounter)), None),
        links=_claim_procedures(reader, c, claim_item),
        bill=item.identity or item.incoming.place,
        form=_form(c),
        place_of_service=_place_of_service(claim_item),
        coverages=_claim_coverages(reader, c),
        open=c.status in {"draft", "active"},
    )


def _claim_practitioners(reader: _Reader, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = item.care_team_sequence or ()
    team = _practitioners(reader.ref(each.provider) for each in claim.care_team or () if each.sequence in wanted)
    return team or _practitioners([reader.ref(claim.provider)])


def _claim_procedures(reader: _Reader, claim: r.Claim, item: r.ClaimItem) -> frozenset[str]:
    wanted = item.procedure_sequence or ()
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


def _coverage(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    c: r.Coverage = item.resource
    if c.status in {"cancelled", "draft"}:
        return
    payors = tuple(each.display for each in c.payor or () if each.display)
    yield (
        "coverages",
        Coverage(
            **reader.base(item),
            concept=concept(c.type),
            payors=payors,
            identifiers=_identifiers(reader, c),
            order=c.order,
        ),
    )


def _identifiers(reader: _Reader, coverage: r.Coverage) -> tuple[str, ...]:
    """By what the payor and the coverage itself are known: references, and identifiers as `system|value`."""
    payors = coverage.payor or ()
    every = [each.identifier for each in payors if each.identifier] + list(coverage.identifier or ())
    written = [f"{each.system or ''}|{each.value}" for each in every if each.value]
    return tuple(dict.fromkeys([*(reader.ref(each) for each in payors if each.reference), *written]))


def _observation(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    o: r.Observation = item.resource
    if o.status == "cancelled":
        return
    yield (
        "observations",
        Observation(
            **reader.base(item),
            concept=reader.concept(o.code),
            words=(*((o.value_string,) if o.value_string else ()), *_said(o.value_codeable_concept), *_texts(o.note)),
            day=_day(o.effective_date_time, o.effective_period),
            encounter=reader.ref(o.encounter) or None,
            links=reader.refs(o.part_of),
        ),
    )


def _report(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    d: r.DiagnosticReport = item.resource
    if d.status == "cancelled":
        return
    yield (
        "documents",
        Document(
            **reader.base(item),
            kind="report",
            concept=concept(d.code),
            words=(d.conclusion,) if d.conclusion else (),
            day=_day(d.effective_date_time, d.effective_period),
            encounter=reader.ref(d.encounter) or None,
            links=reader.refs(d.based_on),
        ),
    )


def _images(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    i: r.ImagingStudy = item.resource
    if i.status == "cancelled":
        return
    yield (
        "documents",
        Document(
            **reader.base(item),
            kind="images",
            concept=_joined(concept(each) for each in i.procedure_code or ()),
            words=(i.description,) if i.description else (),
            day=_day(i.started),
            encounter=reader.ref(i.encounter) or None,
            links=reader.refs(i.based_on, (i.procedure_reference,)),
        ),
    )


def _condition(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    c: r.Condition = item.resource
    if {code.value for code in concept(c.verification_status).codes} & {"entered-in-error", "refuted"}:
        return
    encounter = reader.ref(c.encounter) or None
    yield "documents", Document(**reader.base(item), kind="condition", concept=concept(c.code), encounter=encounter)


def _document(reader: _Reader, item: _Item) -> Iterator[tuple[str, Record]]:
    d: r.DocumentReference = item.resource
    if d.status == "superseded":
        return
    words = (d.description,) if d.description else ()
    yield (
        "documents",
        Document(**reader.base(item), kind="document", concept=concept(d.type), words=words, day=_day(d.date)),
    )


_CONVERTERS: dict[type, Callable[[_Reader, _Item], Iterator[tuple[str, Record]]]] = {
    r.Procedure: _procedure,
    r.MedicationAdministration: _administration,
    r.ServiceRequest: _service_request,
    r.MedicationRequest: _medication_request,
    r.ChargeItem: _charge_item,
    r.Claim: _claim,
    r.Coverage: _coverage,
    r.Observation: _observation,
    r.DiagnosticReport: _report,
    r.ImagingStudy: _images,
    r.Condition: _condition,
    r.DocumentReference: _document,
}


# --- pieces ---------------------------------------------------------------------------------------------------------


class _OutOfRange(Exception):
    """A number that cannot be meant."""


def concept(value: r.CodeableConcept | None) -> Concept:
    """A CodeableConcept as a Concept. A coding without a code gives only its words."""
    if value is None:
        return Concept()
    codings = value.coding or ()
    codes = tuple(Code(kind(each.system), each.code.strip()) for each in codings if each.code and each.code.strip())
    words = [each.display for each in codings if each.display]
    return Concept(codes, (*words, *((value.text,) if value.text else ())))


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


def _billed(what: Concept) -> tuple[str, tuple[str, ...]]:
    """The billing code of a line and its modifiers, written behind it or as codings of two characters."""
    named, bare = what.values(BILLING), what.values(NO_SYSTEM)
    matches = [match for value in named or bare if (match := _BILLED.fullmatch(value.upper()))]
    behind = re.findall(r"[0-9A-Z]{2}", matches[0][2]) if matches else []
    beside = [value.upper() for value in (*named, *bare) if re.fullmatch(r"[0-9A-Za-z]{2}", value)]
    return matches[0][1] if matches else "", (*behind, *beside)


def _is_certain(what: Concept) -> bool:
    return bool(what.values(BILLING))


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
    if not value.is_finite() or not 0 <= value <= _LARGEST_AMOUNT or not _is_written_short(value):
        raise _OutOfRange(f"quantity: expected a number from 0 to {_LARGEST_AMOUNT} with at most {_MOST_DIGITS} digits")
    return abs(value)  # zero has no sign


def _is_written_short(value: Decimal) -> bool:
    """Whether the number has few digits, on either side of the point and altogether."""
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and -exponent <= _MOST_DIGITS and len(digits) <= _MOST_DIGITS


_MICROLITRES = {"ul", "µl", "μl", "mcl", "microliter", "microliters", "microlitre", "microlitres"}
_MILLILITRES = {"ml", "mls", "cc", "milliliter", "milliliters", "millilitre", "millilitres"}


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


def _relative(reference: str) -> str:
    match = re.search(r"([A-Za-z]+/[A-Za-z0-9\-.]{1,64})(/_history/[^/]*)?$", reference)
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


def _subject(resource: Any) -> r.Reference | None:
    for member in ("subject", "patient", "beneficiary"):
        if (found := getattr(resource, member, None)) is not None:
            return found  # type: ignore[no-any-return]
    return None


def without_values(message: str) -> str:
    """A decoder's message without the value at fault, which may be patient data; only types and places stay."""
    if message.startswith("Invalid enum value"):
        return f"expected a code that FHIR R4 allows here - at {message.rpartition(' - at ')[2]}"
    return message
