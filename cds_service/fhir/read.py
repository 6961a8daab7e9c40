"""Parses FHIR R4 resources into a Case.

Resources are parsed one by one, since real payloads contain errors: a resource that cannot be parsed is skipped and
reported with its path and the expected value. Resources entered in error or of another patient are ignored. Reports
never repeat values.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import structs

from cds_service.cms.lookup import Snapshot
from cds_service.core.case import NO_TABLES, Case, Days, Line, Record, Stage, Visit
from cds_service.core.lazy_records import Records
from cds_service.core.site import Site
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import HEAD
from cds_service.fhir.charges import charge_item, claim_lines
from cds_service.fhir.checks import DECODE_ERRORS, date_expected, element_faults, types_with_faults
from cds_service.fhir.counted_once import uncounted
from cds_service.fhir.elements import OutOfRange, amount, names_medication, subject_of, without_values
from cds_service.fhir.extensions import discarded_milliliters
from cds_service.fhir.looks import look_at_lines, look_at_records
from cds_service.fhir.patient_identity import PatientIdentity, identity_of, of_patient, told_apart
from cds_service.fhir.r4_types import CONTAINERS, R4_TYPES, UNREAD_CHARGES, unread_charges
from cds_service.fhir.records import KINDS, ChargeKind, contained_coverages, record_kind
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.salvage import codes_in, parts_in
from cds_service.fhir.sources import (
    PREFETCH_KEYS,
    Item,
    OriginalJson,
    SkippedItem,
    SourceResource,
    original_json_of,
    type_name,
)
from cds_service.fhir.visits import visit_of


@dataclass(frozen=True, slots=True)
class ParsedCase:
    """A case, the original JSON by path, the skipped resources, and the patients that the resources tell apart.

    `patients` is empty if all may be one patient, or if the call names its patient.
    """

    case: Case
    raw: Mapping[str, msgspec.Raw]
    skipped: tuple[SkippedItem, ...]
    patients: frozenset[PatientIdentity] = frozenset()


def _differ(one: Any, other: Any) -> bool:
    """True if two resources differ, or hold a value that cannot be compared, such as sNaN."""
    try:
        return bool(one != other)
    except ArithmeticError:
        return True


DEFAULT_SITE = Site()

_MAY_BE_COUNTED = "may be of the same claim as another resource of the same type, code and day; counted once"

_CHARGES = PREFETCH_KEYS["ChargeItem"]

_ALL_DAYS: Mapping[str, Days] = {}

_DECODER = msgspec.json.Decoder(r.AnyResource)


def read_case(
    sources: Iterable[SourceResource],
    *,
    stage: Stage,
    complete: frozenset[str] = frozenset(),
    **call: Any,
) -> ParsedCase:
    """Parse resources into a case in one step; `call` are further arguments of CaseReader."""
    reader = CaseReader(stage=stage, **call)
    reader.add(sources)
    return reader.parsed(complete)


class CaseReader:
    """Parses the resources of one call into a case; further resources may be taken after a fetch.

    `patient_id` is the patient of the call; if empty, all resources are used. With `review_encounter`, what was done
    in the encounter and its charges are under review. `focus` names the records under review, None for all. `tables`
    are the loaded tables of CMS. No resource raises.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        patient_id: str = "",
        encounter_id: str | None = None,
        review_encounter: bool = False,
        focus: frozenset[str] | None = None,
        site: Site = DEFAULT_SITE,
        tables: Snapshot = NO_TABLES,
    ) -> None:
        self.stage: Stage = stage
        self.site = site
        self.tables = tables
        self.focus = focus
        self.resolver = Resolver(site.mappings, site.time_zone)
        self.patient = f"Patient/{patient_id}" if patient_id else ""
        self.encounter = f"Encounter/{encounter_id}" if encounter_id else None
        self.reviewed_encounter = self.encounter if review_encounter else None
        self.visit: Visit | None = None
        self.items: list[Item] = []
        self.skipped: list[SkippedItem] = []
        self.flawed: set[str] = set()
        self.unparsed: dict[int, SourceResource] = {}
        self.faulty_types: set[type] = set()
        self._by_identity: dict[str, Item] = {}
        self._patients_of: tuple[int, dict[str, PatientIdentity]] = 0, {}
        self._unread_types: set[str] = set()
        self._doubtful_codes: frozenset[str] = frozenset()

    def parsed(self, complete: frozenset[str], complete_days: Mapping[str, Days] = _ALL_DAYS) -> ParsedCase:
        """The case made of the resources added so far.

        A key of `complete` counts as incomplete if one of its resources could not be parsed; `complete_days` limits
        keys to the days that were asked for. Faults that are found while records are made are reported anew each time.
        """
        before = [*self.skipped], {*self.flawed}, {**self.unparsed}
        case = self._case(complete, complete_days)
        result = ParsedCase(case, OriginalJson(self.items), tuple(self.skipped), self._patients())
        self.skipped, self.flawed, self.unparsed = before
        return result

    def _case(self, complete: frozenset[str], complete_days: Mapping[str, Days]) -> Case:
        records = self._records()
        unparsed = tuple(original_json_of(self.unparsed.values(), {}))
        return Case(
            stage=self.stage,
            patient=self.patient or self._sole_patient(),
            encounter=self.encounter,
            complete=complete - self.flawed,
            complete_days=complete_days,
            unreadable_codes=codes_in(unparsed, self.stage) | self._doubtful_codes,
            unreadable_parts=parts_in(unparsed),
            focus=self.focus,
            visit=self.visit,
            site=self.site,
            tables=self.tables,
            **records,
        )

    def add(self, sources: Iterable[SourceResource]) -> None:
        """Add resources, or report why they are skipped. Duplicates are ignored."""
        for each in sources:
            self._add(each)

    def _add(self, source: SourceResource) -> None:
        resource = source.resource or self._decoded(source)
        if resource is None:
            return
        identity = f"{type(resource).__name__}/{resource.id}" if resource.id else source.full_url
        item = Item(source, resource, identity)
        if identity and (first := self._by_identity.setdefault(identity, item)) is not item:
            self._report_conflict(item, first)
            return
        if source.full_url:
            self.resolver.aliases[source.full_url] = identity
        self.items.append(item)

    def _report_conflict(self, item: Item, first: Item) -> None:
        """Report a different resource with the same id; one under review may differ from the record.

        The codes of both may be charged: a reference to the id may be to the one that is not read.
        """
        if item.source.under_review == first.source.under_review and _differ(item.resource, first.resource):
            self._report(item.source, f"{type_name(item)}: a different resource with the same id came first")
            self.unparsed[id(first.source)] = first.source
            self.flawed.add(first.source.key)

    def _decoded(self, source: SourceResource) -> Any:
        try:
            resource = _DECODER.decode(source.original_json())
        except DECODE_ERRORS as error:
            self._report_unparsed(source, error)
            return None
        if source.fault:
            self.faulty_types.add(type(resource))
        return resource

    def _report_unparsed(self, source: SourceResource, error: Exception) -> None:
        """Report a resource of a used, missing or unknown type; unused types of R4 without charges are ignored."""
        self.unparsed[id(source)] = source
        try:
            resource_type = HEAD.decode(source.original_json()).resource_type
        except DECODE_ERRORS:
            self._report(source, "expected a FHIR resource with a `resourceType`")
            return
        if resource_type in r.DECODED_TYPES:
            self._report(source, f"{resource_type}: {without_values(str(error))}")
        elif resource_type in CONTAINERS:
            self._report(source, f"{resource_type} in a Bundle is not read; send each resource as an entry of its own")
        elif resource_type not in R4_TYPES:
            self._report(source, "not a resource type of FHIR R4")
        elif resource_type in UNREAD_CHARGES and resource_type not in self._unread_types:
            self._unread_types.add(resource_type)
            self.skipped.append(SkippedItem(source.path, unread_charges(resource_type)))
            self.flawed.add(_CHARGES)  # wherever they came: they are no part of another list

    def _report(self, source: SourceResource, reason: str) -> None:
        """Report a resource that was not fully parsed, and keep it for salvaging its codes."""
        self.unparsed[id(source)] = source
        self.skipped.append(SkippedItem(source.path, reason))
        self.flawed.add(source.key)

    def _sole_patient(self) -> str:
        """The patient of a Bundle without context; empty unless there is exactly one, named by a reference."""
        named = {each.reference for each in self._identities()} - {""}
        return named.pop() if len(named) == 1 else ""

    def _patients(self) -> frozenset[PatientIdentity]:
        """The patients that are told apart; not collected if the call names its patient."""
        return frozenset() if self.patient else told_apart(self._identities())

    def _identities(self) -> Iterator[PatientIdentity]:
        """The patients of all resources; a plain reference is looked at once."""
        seen: set[str | None] = set()
        for item in self.items:
            subject = subject_of(item.resource)
            if subject is None or subject.reference in seen:
                continue
            if subject.reference and not subject.reference.startswith("#"):
                seen.add(subject.reference)
            yield self._identity(subject, item.resource)

    def _identity(self, subject: r.Reference, holder: r.Resource) -> PatientIdentity:
        return identity_of(subject, holder, self.resolver.aliases, self._known_patients)

    def _records(self) -> dict[str, Any]:
        """All records by the Case field that holds them.

        Claim lines are built here, all other records on first use.
        """
        self.resolver.medications = self._received(r.Medication)
        self.resolver.organizations = self._received(r.Organization)
        self.resolver.conditions = self._received(r.Condition)
        lines: list[Line | Item] = []
        found: dict[str, list[Item]] = {}
        others = self._of_other_patients()
        counted = [item for item in self.items if item.source.path not in others] if others else self.items
        left_out = uncounted(counted, self.resolver)
        self._doubtful_codes = frozenset().union(*left_out.doubtful.values())
        self.skipped += [SkippedItem(path, _MAY_BE_COUNTED) for path in left_out.doubtful]
        if self.reviewed_encounter is not None:
            self.visit = visit_of(self.reviewed_encounter, counted, self.resolver)
        faulty_types = self.faulty_types | types_with_faults([item.resource for item in self.items])
        for item in self.items:
            resource = item.resource
            if others and item.source.path in others:
                continue
            if faulty_types and type(resource) in faulty_types:
                self._report_faults(item)
            if left_out.paths and item.source.path in left_out.paths:
                if item.source.path in left_out.undated:
                    self._report(item.source, f"{type_name(item)}.{date_expected('created')}")
                continue
            if (kind := KINDS.get(type(resource))) is None or not kind.is_active(resource):
                continue
            if isinstance(kind, ChargeKind):
                lines += self._lines(item)
                if resource.contained:
                    found.setdefault("coverages", []).extend(contained_coverages(item))
            elif type(resource) is not r.MedicationAdministration or self._is_in_range(item):
                found.setdefault(kind.member, []).append(item)
        look = look_at_records(self.resolver, faulty_types)
        records = {member: Records(items, self._record, look) for member, items in found.items()}
        return {**records, "lines": Records(lines, self._line, look_at_lines(self.resolver, faulty_types))}

    def _received(self, kind: type) -> dict[str, Item]:
        """The received resources of a type, by identity."""
        return {item.identity: item for item in self.items if type(item.resource) is kind}

    def _record(self, item: Item) -> Record:
        return record_kind(item).make(self.resolver, item)

    def _is_in_range(self, item: Item) -> bool:
        """True if the dose is plausible; checked early because skipped resources are reported.

        An administration without a medication is reported too, since it may be a contrast agent.
        """
        if not names_medication(item.resource):
            self._report(item.source, f"{type_name(item)}.medication: expected a code, a text or a reference")
        dosage = item.resource.dosage
        try:
            amount(dosage.dose if dosage else None)
            discarded_milliliters(item.resource.extension or ())
        except OutOfRange as error:
            self._report(item.source, f"{type_name(item)}: {error}")
            return False
        return True

    def _lines(self, item: Item) -> Sequence["Line | Item"]:
        """The lines of a claim, or a charge item that becomes a line on first use.

        If an encounter is under review, charge items become lines here, to mark those of the encounter.
        """
        resource = item.resource
        try:
            if isinstance(resource, r.BilledClaim) and resource.use != "claim":
                self.skipped.append(
                    SkippedItem(item.source.path, f"a {resource.use} is not a claim for payment; not reviewed")
                )
                return []
            if isinstance(resource, r.BilledClaim):
                return [self._with_review_flag(line) for line in claim_lines(self.resolver, item)]
            amount(resource.quantity)
            if self.visit is None:
                return [item]
            return [self._with_review_flag(charge_item(self.resolver, item))]
        except OutOfRange as error:
            self._report(item.source, f"{type_name(item)}: {error}")
            return []

    def _line(self, item: "Line | Item") -> Line:
        return charge_item(self.resolver, item) if isinstance(item, Item) else item

    def _with_review_flag(self, line: Line) -> Line:
        """The line, under review if it is of the encounter under review, or may be."""
        is_under_review = self.visit is not None and self.visit.may_hold(line)
        return structs.replace(line, under_review=True) if is_under_review else line

    def _of_other_patients(self) -> frozenset[str]:
        """The paths of resources of other patients than the call's, which are reported.

        A patient who is contained, or named by an identifier, is the call's unless the two are told apart. If such
        patients are told apart from each other, none of them is known to be the call's.
        """
        subjects = ((item, subject_of(item.resource)) for item in self.items) if self.patient else ()
        named = [(item, subject) for item, subject in subjects if subject and subject.reference != self.patient]
        if not named:
            return frozenset()
        of_call = self._known_patients.get(self.patient, PatientIdentity(self.patient))
        others: set[str] = set()
        unlinked: list[tuple[Item, PatientIdentity]] = []
        for item, subject in named:
            identity = self._identity(subject, item.resource)
            if identity.is_told_apart(of_call):
                self._reject_other_patient(item.source)
                others.add(item.source.path)
            elif not identity.is_same(of_call):
                unlinked.append((item, identity))
        doubtful = told_apart(identity for _, identity in unlinked)
        for item, identity in unlinked:
            if identity in doubtful:
                self._report(item.source, f"{type_name(item)}: of one of several patients; expected a reference")
                others.add(item.source.path)
        return frozenset(others)

    @property
    def _known_patients(self) -> dict[str, PatientIdentity]:
        """The received Patients by reference."""
        if self._patients_of[0] != len(self.items):
            received = (item for item in self.items if type(item.resource) is r.Patient and item.identity)
            found = {item.identity: of_patient(item.resource, item.identity) for item in received}
            self._patients_of = len(self.items), found
        return self._patients_of[1]

    def _reject_other_patient(self, source: SourceResource) -> None:
        """Skip a resource of another patient; keep one with text faults, which may have changed its patient."""
        self.skipped.append(SkippedItem(source.path, "belongs to a different patient than the call"))
        if source.fault:
            self.unparsed[id(source)] = source

    def _report_faults(self, item: Item) -> None:
        """Report the faulty elements of a resource once each; the resource is used without them."""
        if type(item.resource) not in KINDS or getattr(item.resource, "status", None) == "entered-in-error":
            return
        found = [f"{type_name(item)}.{fault}" for fault in element_faults(item.resource)]
        for fault in dict.fromkeys([item.source.fault, *found] if item.source.fault else found):
            self._report(item.source, fault)
