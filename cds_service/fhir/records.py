"""Converts clinical and coverage resources to records, with a table of converters by resource type."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from msgspec.structs import replace

from cds_service.core.case import Administration, Coverage, Document, Observation, Order, Procedure, Record
from cds_service.core.concepts import Concept
from cds_service.fhir import resources as r
from cds_service.fhir.charges import contained_reference
from cds_service.fhir.contained import contained_of, texts
from cds_service.fhir.diagnoses import reason_diagnoses
from cds_service.fhir.elements import (
    concept,
    may_be_of,
    merged,
    milligrams,
    milliliters,
    note_texts,
    practitioners,
    texts_or_codes,
)
from cds_service.fhir.extensions import discarded_milliliters
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item, SourceResource


def _procedure(resolver: Resolver, item: Item) -> Procedure:
    p: r.Procedure = item.resource
    statuses = {"completed": "done", "not-done": "not done"}
    used = [resolver.concept(each) for each in p.used_code or ()]
    used += [resolver.material(each, p) for each in p.used_reference or () if resolver.may_be_drug(each)]
    return Procedure(
        **resolver.common_fields(item),
        status=statuses.get(p.status, "unclear"),  # type: ignore[arg-type]
        concept=resolver.concept(p.code),
        used=tuple(used),
        **resolver.days(p.performed_date_time, p.performed_period),
        performers=practitioners(resolver.ref(each.actor) for each in p.performer or ()),
        encounter=resolver.ref(p.encounter) or None,
        links=resolver.refs(p.based_on, p.part_of, p.used_reference),
        reasons=resolver.reasons(p.reason_code, p.reason_reference),
        notes=note_texts(p.note),
        reports=tuple(sorted(resolver.refs(p.report))),
        diagnoses=reason_diagnoses(resolver, p.reason_code, p.reason_reference, item),
    )


def _administration(resolver: Resolver, item: Item) -> Administration:
    m: r.MedicationAdministration = item.resource
    statuses = {"completed": "given", "in-progress": "given", "not-done": "not given"}
    parts, dose = resolver.mixture(m), m.dosage.dose if m.dosage else None
    return Administration(
        **resolver.common_fields(item),
        status=statuses.get(m.status, "unclear"),  # type: ignore[arg-type]
        concept=resolver.medication(m),
        ml=None if parts else milliliters(dose),
        mg=None if parts else milligrams(dose),
        discarded_ml=discarded_milliliters(m.extension) if m.extension else None,
        parts=parts,
        **resolver.days(m.effective_date_time, m.effective_period),
        encounter=resolver.ref(m.context) or None,
        links=resolver.refs(m.part_of, (m.request,)),
    )


def _service_request(resolver: Resolver, item: Item) -> Order:
    s: r.ServiceRequest = item.resource
    planned = resolver.days(s.occurrence_date_time, s.occurrence_period)
    return Order(
        **resolver.common_fields(item),
        **(planned if planned["day"] else resolver.days(s.authored_on)),
        kind="service",
        concept=_ordered(resolver, s),
        planned=planned["day"] is not None,
        performers=practitioners(resolver.ref(each) for each in s.performer or ()),
        encounter=resolver.ref(s.encounter) or None,
        links=resolver.refs(s.based_on),
        reasons=resolver.reasons(s.reason_code, s.reason_reference),
        diagnoses=reason_diagnoses(resolver, s.reason_code, s.reason_reference, item),
    )


def _ordered(resolver: Resolver, order: r.ServiceRequest) -> Concept:
    """The ordered service with its details."""
    if not order.order_detail:
        return resolver.concept(order.code)
    return merged([resolver.concept(order.code), *(resolver.concept(each) for each in order.order_detail or ())])


def _medication_request(resolver: Resolver, item: Item) -> Order:
    m: r.MedicationRequest = item.resource
    return Order(
        **resolver.common_fields(item),
        kind="medication",
        concept=resolver.medication(m),
        **resolver.days(m.authored_on),
        encounter=resolver.ref(m.encounter) or None,
        links=resolver.refs(m.based_on),
    )


def _coverage(resolver: Resolver, item: Item) -> Coverage:
    c: r.Coverage = item.resource
    return Coverage(
        **resolver.common_fields(item),
        concept=concept(c.type),
        payors=(*texts(each.display for each in c.payor or ()), *_payor_names(resolver, c), *_medicare_plan(c)),
        identifiers=_identifiers(resolver, c),
        order=c.order,
    )


def contained_coverages(holder: Item) -> Iterator[Item]:
    """The active coverages that a claim contains, as resources of their own."""
    for position, coverage in contained_of(r.Coverage, holder.resource):
        if coverage.id and KINDS[r.Coverage].is_active(coverage):
            source = SourceResource(
                f"{holder.source.path}.contained[{position}]",
                holder.source.raw,
                under_review=holder.source.under_review,
            )
            identity = contained_reference(r.Reference(reference=f"#{coverage.id}"), holder)
            yield Item(source, replace(coverage, contained=holder.resource.contained), identity)


def _payor_organizations(resolver: Resolver, coverage: r.Coverage) -> Iterator[r.Organization]:
    """The organizations that pay, contained or received."""
    return (found for each in coverage.payor or () if (found := resolver.organization(each, coverage)))


def _payor_names(resolver: Resolver, coverage: r.Coverage) -> Iterator[str]:
    return texts(each.name for each in _payor_organizations(resolver, coverage))


def _medicare_plan(coverage: r.Coverage) -> Iterator[str]:
    """CMS states the program and its part as classes: `Medicare Part B`."""
    classes = [*texts(each.value for each in coverage.class_ or ())]
    if any(each.lower() == "medicare" for each in classes):
        yield " ".join(["Medicare", *(each for each in classes if each.lower() != "medicare")])


def _identifiers(resolver: Resolver, coverage: r.Coverage) -> tuple[str, ...]:
    """The payor references, and the identifiers of payor and coverage as `system|value`."""
    payors = coverage.payor or ()
    every = [each.identifier for each in payors if each.identifier]
    every += [each for found in _payor_organizations(resolver, coverage) for each in found.identifier or ()]
    every += coverage.identifier or ()
    written = [f"{each.system or ''}|{each.value}" for each in every if each.value]
    return tuple(dict.fromkeys([*(resolver.ref(each) for each in payors if each.reference), *written]))


def may_date_from(item: Item, day: date) -> bool:
    """False only for an observation of another day without links; a record may hold hundreds that need not be built."""
    o = item.resource
    return type(o) is not r.Observation or bool(o.part_of) or may_be_of(day, o.effective_date_time, o.effective_period)


def _observation(resolver: Resolver, item: Item) -> Observation:
    o: r.Observation = item.resource
    return Observation(
        **resolver.common_fields(item),
        concept=resolver.concept(o.code),
        words=(
            *((o.value_string,) if o.value_string else ()),
            *texts_or_codes(o.value_codeable_concept),
            *note_texts(o.note),
        ),
        **resolver.days(o.effective_date_time, o.effective_period),
        encounter=resolver.ref(o.encounter) or None,
        links=resolver.refs(o.part_of),
    )


def _report(resolver: Resolver, item: Item) -> Document:
    d: r.DiagnosticReport = item.resource
    return Document(
        **resolver.common_fields(item),
        kind="report",
        concept=concept(d.code),
        words=(d.conclusion,) if d.conclusion else (),
        **resolver.days(d.effective_date_time, d.effective_period),
        encounter=resolver.ref(d.encounter) or None,
        links=resolver.refs(d.based_on),
    )


def _images(resolver: Resolver, item: Item) -> Document:
    i: r.ImagingStudy = item.resource
    return Document(
        **resolver.common_fields(item),
        kind="images",
        concept=_imaged(resolver, i),
        words=(i.description,) if i.description else (),
        **resolver.days(i.started),
        encounter=resolver.ref(i.encounter) or None,
        links=resolver.refs(i.based_on, (i.procedure_reference,)),
    )


def _imaged(_: Resolver, images: r.ImagingStudy) -> Concept:
    """The procedures that the images show."""
    return merged(concept(each) for each in images.procedure_code or ())


def _condition(resolver: Resolver, item: Item) -> Document:
    c: r.Condition = item.resource
    encounter = resolver.ref(c.encounter) or None
    return Document(**resolver.common_fields(item), kind="condition", concept=concept(c.code), encounter=encounter)


def _document(resolver: Resolver, item: Item) -> Document:
    d: r.DocumentReference = item.resource
    words = (d.description,) if d.description else ()
    return Document(
        **resolver.common_fields(item), kind="document", concept=concept(d.type), words=words, **resolver.days(d.date)
    )


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A type of resource that becomes records: its Case field, its converter and its concept.

    Resources with a status in `inactive`, or entered in error, are ignored.
    """

    member: str
    make: Callable[[Resolver, Item], Record]
    inactive: frozenset[str] = frozenset()
    concept: Callable[[Resolver, Any], Concept] = lambda resolver, resource: resolver.concept(resource.code)

    def is_active(self, resource: Any) -> bool:
        """True if the resource is not inactive or entered in error."""
        return resource.status not in self.inactive and resource.status != "entered-in-error"


class OrderKind(RecordKind):
    """Orders; ignored with `doNotPerform`."""

    __slots__ = ()

    def is_active(self, resource: Any) -> bool:
        """True if the resource is not inactive or entered in error."""
        return RecordKind.is_active(self, resource) and not resource.do_not_perform


class ConditionKind(RecordKind):
    """Conditions; ignored if refuted."""

    __slots__ = ()

    def is_active(self, resource: Any) -> bool:
        """True if the resource is not inactive or entered in error."""
        codes = {code.value for code in concept(resource.verification_status).codes}
        return not codes & {"entered-in-error", "refuted"}


@dataclass(frozen=True, slots=True)
class ChargeKind:
    """A type of resource that becomes lines; `inactive` as in RecordKind."""

    inactive: frozenset[str]

    def is_active(self, resource: Any) -> bool:
        """True if the resource is not inactive or entered in error."""
        return resource.status not in self.inactive and resource.status != "entered-in-error"


def _unmapped_code(_: Resolver, resource: Any) -> Concept:
    """The code without the site's mappings."""
    return concept(resource.code)


def _unmapped_type(_: Resolver, resource: Any) -> Concept:
    return concept(resource.type)


_CANCELLED = frozenset({"cancelled"})

KINDS: dict[type, RecordKind | ChargeKind] = {
    r.ChargeItem: ChargeKind(frozenset({"aborted", "not-billable"})),
    r.Claim: ChargeKind(_CANCELLED),
    r.ExplanationOfBenefit: ChargeKind(frozenset({"cancelled", "draft"})),
    r.Procedure: RecordKind("procedures", _procedure),
    r.MedicationAdministration: RecordKind("administrations", _administration, concept=Resolver.medication),
    r.ServiceRequest: OrderKind("orders", _service_request, frozenset({"revoked"}), _ordered),
    r.MedicationRequest: OrderKind(
        "orders", _medication_request, frozenset({"cancelled", "stopped"}), Resolver.medication
    ),
    r.Coverage: RecordKind("coverages", _coverage, frozenset({"cancelled", "draft"}), _unmapped_type),
    r.Observation: RecordKind("observations", _observation, _CANCELLED),
    r.DiagnosticReport: RecordKind("documents", _report, _CANCELLED, _unmapped_code),
    r.ImagingStudy: RecordKind("documents", _images, _CANCELLED, _imaged),
    r.Condition: ConditionKind("documents", _condition, concept=_unmapped_code),
    r.DocumentReference: RecordKind("documents", _document, frozenset({"superseded"}), _unmapped_type),
}


def record_kind(item: Item) -> RecordKind:
    """The record kind of a resource."""
    return cast(RecordKind, KINDS[type(item.resource)])
