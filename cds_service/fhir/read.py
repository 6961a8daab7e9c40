"""FHIR R4 in, Case out.

Real payloads are sloppy, so resources are read one by one: one that cannot be read is left out and reported with its
place and what was expected, and the others are read. What was entered in error or belongs to another patient counts as
nothing. Reports never repeat a value that was sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import structs

from cds_service.core.case import Case, Concept, Line, Record, Records, Site, Stage
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import HEAD
from cds_service.fhir.charges import charge_item, claim_lines
from cds_service.fhir.checks import UNREADABLE, doubtful, doubts
from cds_service.fhir.elements import OutOfRange, amount, says_what_was_given, subject_of, without_values
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.records import KINDS, ChargeKind, is_near, record_kind
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.salvage import codes_in, parts_in
from cds_service.fhir.sources import Item, OriginalJson, SkippedItem, SourceResource, originals, type_name


@dataclass(frozen=True, slots=True)
class ParsedCase:
    """A case, the client's own JSON by place, what was left out, and the patients whom the resources name.

    `patients` is looked for only where the call names none.
    """

    case: Case
    raw: Mapping[str, msgspec.Raw]
    skipped: tuple[SkippedItem, ...]
    patients: frozenset[str] = frozenset()


def _differ(one: Any, other: Any) -> bool:
    """Whether two resources say different things; what can be compared with nothing, as the number sNaN, differs."""
    try:
        return bool(one != other)
    except ArithmeticError:
        return True


DEFAULT_SITE = Site()

_DECODER = msgspec.json.Decoder(r.Read)


def read_case(
    sources: Iterable[SourceResource],
    *,
    stage: Stage,
    complete: frozenset[str] = frozenset(),
    site: Site = DEFAULT_SITE,
    **call: Any,
) -> ParsedCase:
    """Parse resources into a case in one step; `call` are further arguments of CaseReader."""
    reader = CaseReader(stage=stage, site=site, **call)
    reader.take(sources)
    return reader.parsed(complete)


class CaseReader:
    """Parses the resources of one call into a case; further resources may be taken after a fetch.

    `patient_id` is the patient of the call; empty takes every resource. With `about_encounter` the charges of the
    encounter are under review. `focus` names the records under review, None for all. Nothing in the resources raises.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        patient_id: str = "",
        encounter_id: str | None = None,
        about_encounter: bool = False,
        focus: frozenset[str] | None = None,
        site: Site = DEFAULT_SITE,
    ) -> None:
        self.stage: Stage = stage
        self.site = site
        self.focus = focus
        self.resolver = Resolver(site.mappings)
        self.patient = f"Patient/{patient_id}" if patient_id else ""
        self.encounter = f"Encounter/{encounter_id}" if encounter_id else None
        self.reviewed_encounter = self.encounter if about_encounter else None
        self.items: list[Item] = []
        self.skipped: list[SkippedItem] = []
        self.flawed: set[str] = set()
        self.refused: dict[int, SourceResource] = {}
        self.in_doubt: set[type] = set()
        self._taken: dict[str, Item] = {}

    def parsed(self, complete: frozenset[str]) -> ParsedCase:
        """The case made of the resources taken so far.

        A key of `complete` loses that state if one of its resources could not be parsed: it may have been the record in
        question. Faults found while records are made are reported anew each time.
        """
        before = [*self.skipped], {*self.flawed}, {**self.refused}
        case = self._case(complete)
        result = ParsedCase(case, OriginalJson(self.items), tuple(self.skipped), self._patients())
        self.skipped, self.flawed, self.refused = before
        return result

    def _case(self, complete: frozenset[str]) -> Case:
        records = self._records()
        refused = tuple(originals(self.refused.values(), {}))
        return Case(
            stage=self.stage,
            patient=self.patient or self._only_subject(),
            encounter=self.encounter,
            complete=complete - self.flawed,
            unreadable_codes=codes_in(refused, self.stage),
            unreadable_parts=parts_in(refused),
            focus=self.focus,
            site=self.site,
            **records,
        )

    def take(self, sources: Iterable[SourceResource]) -> None:
        """Take resources; the same one is taken once, and one that cannot be used is reported."""
        for each in sources:
            self._take(each)

    def _take(self, source: SourceResource) -> None:
        resource = source.resource or self._decoded(source)
        if resource is None:
            return
        identity = f"{type(resource).__name__}/{resource.id}" if resource.id else source.full_url
        item = Item(source, resource, identity)
        if identity and (first := self._taken.setdefault(identity, item)) is not item:
            self._compare(item, first)
            return
        if source.full_url:
            self.resolver.aliases[source.full_url] = identity
        self.items.append(item)

    def _compare(self, item: Item, first: Item) -> None:
        """Report a resource that has another's id and says something else; a draft may differ from the record."""
        if item.source.under_review == first.source.under_review and _differ(item.resource, first.resource):
            self._report(item.source, f"{type_name(item)}: another one with the same id came before it")
            self.flawed.add(first.source.key)

    def _decoded(self, source: SourceResource) -> Any:
        try:
            resource = _DECODER.decode(source.original())
        except UNREADABLE as error:
            self._refuse(source, error)
            return None
        if source.fault:
            self.in_doubt.add(type(resource))
        return resource

    def _refuse(self, source: SourceResource, error: Exception) -> None:
        """Report a resource of a type that is read, or of no type at all; other types of R4 are simply not needed."""
        self.refused[id(source)] = source
        try:
            resource_type = HEAD.decode(source.original()).resource_type
        except UNREADABLE:
            self._report(source, "expected a FHIR resource with a `resourceType`")
            return
        if resource_type in r.READ_TYPES:
            self._report(source, f"{resource_type}: {without_values(str(error))}")
        elif resource_type not in R4_TYPES:
            self._report(source, "not a resource type of FHIR R4")

    def _report(self, source: SourceResource, reason: str) -> None:
        """Note that a resource, or something of it, was not understood, and keep it: codes may stand in it."""
        self.refused[id(source)] = source
        self.skipped.append(SkippedItem(source.place, reason))
        self.flawed.add(source.key)

    def _only_subject(self) -> str:
        """The patient of a Bundle that came without a context, where it has just one."""
        patients = {self.resolver.ref(subject_of(item.resource)) for item in self.items} - {""}
        return patients.pop() if len(patients) == 1 else ""

    def _patients(self) -> frozenset[str]:
        """The patients whom the resources name by reference; not looked for if the call names its patient."""
        if self.patient:
            return frozenset()
        subjects = {self.resolver.ref(subject_of(item.resource)) for item in self.items}
        return frozenset(subject for subject in subjects if subject.startswith("Patient/"))

    def _records(self) -> dict[str, Any]:
        """All records by the name of the Case's member that takes them.

        Lines of claims are made at once; what else there is, when a rule looks at it.
        """
        self.resolver.medications = {item.identity: item for item in self.items if type(item.resource) is r.Medication}
        lines: list[Line | Item] = []
        found: dict[str, list[Item]] = {}
        in_doubt = self.in_doubt | doubtful([item.resource for item in self.items])
        for item in self.items:
            resource = item.resource
            subject = subject_of(resource) if self.patient else None
            if subject is not None and subject.reference != self.patient and self._is_other_patients(subject):
                self._reject_other_patient(item.source)
                continue
            if in_doubt and type(resource) in in_doubt:
                self._report_doubts(item)
            if (kind := KINDS.get(type(resource))) is None or not kind.counts(resource):
                continue
            if isinstance(kind, ChargeKind):
                lines += self._lines(item)
            elif type(resource) is not r.MedicationAdministration or self._is_in_range(item):
                found.setdefault(kind.member, []).append(item)
        records = {member: self._to_be_made(items) for member, items in found.items()}
        return {**records, "lines": Records(lines, self._line, self._concept_of_line, _is_under_review)}

    def _to_be_made(self, items: list[Item]) -> Records[Record]:
        return Records(items, self._record, self._concept_of, _is_under_review, is_near)

    def _record(self, item: Item) -> Record:
        return record_kind(item).make(self.resolver, item)

    def _concept_of(self, item: Item) -> Concept:
        return record_kind(item).concept(self.resolver, item.resource)

    def _is_in_range(self, item: Item) -> bool:
        """Whether a dose can be meant; asked at once, since what is left out is reported.

        What was given may be anything where that is not said: it is then not known that no contrast was.
        """
        if not says_what_was_given(item.resource):
            self._report(item.source, f"{type_name(item)}.medication: expected a code, a text or a reference")
        dosage = item.resource.dosage
        try:
            amount(dosage.dose if dosage else None)
        except OutOfRange as error:
            self._report(item.source, f"{type_name(item)}: {error}")
            return False
        return True

    def _lines(self, item: Item) -> Sequence["Line | Item"]:
        """The lines of a claim; a charge as it is, to be made into a line where its code matters.

        Where the call is about an encounter, each charge must be looked at, since it may be what the call is about.
        """
        resource = item.resource
        try:
            if type(resource) is r.Claim and resource.use != "claim":
                self.skipped.append(SkippedItem(item.source.place, f"a {resource.use} charges nothing: not reviewed"))
                return []
            if type(resource) is r.Claim:
                return [self._marked(line) for line in claim_lines(self.resolver, item)]
            amount(resource.quantity)
            return [item] if self.reviewed_encounter is None else [self._marked(charge_item(self.resolver, item))]
        except OutOfRange as error:
            self._report(item.source, f"{type_name(item)}: {error}")
            return []

    def _line(self, item: "Line | Item") -> Line:
        return charge_item(self.resolver, item) if isinstance(item, Item) else item

    def _concept_of_line(self, item: "Line | Item") -> Concept:
        return self.resolver.concept(item.resource.code) if isinstance(item, Item) else item.concept

    def _marked(self, line: Line) -> Line:
        """A charge of the encounter that the call is about is a draft."""
        is_under_review = self.reviewed_encounter is not None and line.encounter == self.reviewed_encounter
        return structs.replace(line, under_review=True) if is_under_review else line

    def _is_other_patients(self, subject: r.Reference) -> bool:
        reference = self.resolver.ref(subject)
        return reference != self.patient and reference.startswith("Patient/")

    def _reject_other_patient(self, source: SourceResource) -> None:
        """What belongs to another patient counts as nothing, unless a fault in its texts may have made it so."""
        self.skipped.append(SkippedItem(source.place, "belongs to another patient than the call"))
        if source.fault:
            self.refused[id(source)] = source

    def _report_doubts(self, item: Item) -> None:
        """Report what of a resource was decoded and not understood, each kind once; it counts without that."""
        if type(item.resource) not in KINDS or getattr(item.resource, "status", None) == "entered-in-error":
            return
        found = [f"{type_name(item)}.{doubt}" for doubt in doubts(item.resource)]
        for doubt in dict.fromkeys([item.source.fault, *found] if item.source.fault else found):
            self._report(item.source, doubt)


def _is_under_review(item: Line | Item) -> bool:
    return item.source.under_review if isinstance(item, Item) else item.under_review
