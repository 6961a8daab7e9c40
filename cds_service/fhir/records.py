"""Converts clinical and coverage resources to records, with a table of converters by resource type."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from cds_service.core.case import Administration, Coverage, Document, Observation, Order, Procedure, Record
from cds_service.core.concepts import Concept
from cds_service.fhir import resources as r
from cds_service.fhir.charges import contained_reference
from cds_service.fhir.contained import contained_of, texts
from cds_service.fhir.diagnoses import reason_diagnoses
from cds_service.fhir.elements import (
    concept,
    day_of,
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
from cds_service.fhir.terms import term_of

# When something happened, as sent: a moment, and the period in its place.
Moment = tuple[str | None, r.Period | None]
_PERFORMED: Callable[[Any], Moment] = attrgetter("performed_date_time", "performed_period")
_EFFECTIVE: Callable[[Any], Moment] = attrgetter("effective_date_time", "effective_period")
OCCURRED: Callable[[Any], Moment] = attrgetter("occurrence_date_time", "occurrence_period")


def _never(_: Any) -> Moment:
    return None, None


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
        **resolver.days(*_PERFORMED(p)),
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
        **resolver.days(*_EFFECTIVE(m)),
        encounter=resolver.ref(m.context) or None,
        links=resolver.refs(m.part_of, (m.request,)),
    )


def _service_request(resolver: Resolver, item: Item) -> Order:
    s: r.ServiceRequest = item.resource
    planned = resolver.days(*OCCURRED(s))
    return Order(
        **resolver.common_fields(item),
        **(planned if planned["day"] else resolver.days(s.authored_on)),
        kind="service",
        concept=_ordered(resolver, s),
        planned=planned["day"] is not None,
        if_needed=s.intent == _OPTION or _is_as_needed(s.as_needed_boolean, s.as_needed_codeable_concept),
        performers=practitioners(resolver.ref(each) for each in s.performer or ()),
        encounter=resolver.ref(s.encounter) or None,
        links=resolver.refs(s.based_on),
        reasons=resolver.reasons(s.reason_code, s.reason_reference),
        diagnoses=reason_diagnoses(resolver, s.reason_code, s.reason_reference, item),
    )


def _planned_or_written(order: r.ServiceRequest) -> Moment:
    """The moment a service is planned for, if that is known to the day, else that of its order."""
    planned = OCCURRED(order)
    return planned if day_of(*planned) else (order.authored_on, None)


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
        if_needed=m.intent == _OPTION or any(map(_is_dose_as_needed, m.dosage_instruction or ())),
        **resolver.days(m.authored_on),
        encounter=resolver.ref(m.encounter) or None,
        links=resolver.refs(m.based_on),
    )


_OPTION = "option"


def _is_dose_as_needed(dose: r.DosageInstruction) -> bool:
    """True if one dose is given only as needed: the others may be alternatives to it."""
    for_some = dose.as_needed_for or ()
    return _is_as_needed(dose.as_needed_boolean, dose.as_needed_codeable_concept) or bool(dose.as_needed or for_some)


def _is_as_needed(is_stated: bool | None, needed_for: r.CodeableConcept | None) -> bool:
    return bool(is_stated) or needed_for is not None


def _coverage(resolver: Resolver, item: Item) -> Coverage:
    c: r.Coverage = item.resource
    return Coverage(
        **resolver.common_fields(item),
        concept=concept(c.type),
        payors=(*texts(each.display for each in c.payor or ()), *_payor_names(resolver, c), *_medicare_plan(c)),
        identifiers=_identifiers(resolver, c),
        order=c.order,
        term=term_of(c.period, resolver.zone),
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
        **resolver.days(*_EFFECTIVE(o)),
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
        **resolver.days(*_EFFECTIVE(d)),
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


def _is_linked(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A type of resource that becomes records: its Case field and its converter.

    Its concept, its moment, and whether it names other records (if in doubt, it does) can be told without the record.
    Resources with a status in `inactive`, or entered in error, are ignored.
    """

    member: str
    make: Callable[[Resolver, Item], Record]
    inactive: frozenset[str] = frozenset()
    concept: Callable[[Resolver, Any], Concept] = lambda resolver, resource: resolver.concept(resource.code)
    moment: Callable[[Any], Moment] = _never
    is_linked: Callable[[Any], object] = _is_linked

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
    """A type of resource that becomes lines; `inactive` and `moment` as in RecordKind."""

    inactive: frozenset[str]
    moment: Callable[[Any], Moment] = _never

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
    r.ChargeItem: ChargeKind(frozenset({"aborted", "not-billable"}), OCCURRED),
    r.Claim: ChargeKind(_CANCELLED),
    r.ExplanationOfBenefit: ChargeKind(frozenset({"cancelled", "draft"})),
    r.Procedure: RecordKind("procedures", _procedure, moment=_PERFORMED),
    r.MedicationAdministration: RecordKind(
        "administrations",
        _administration,
        concept=Resolver.medication,
        moment=_EFFECTIVE,
        is_linked=lambda given: given.part_of or given.request,
    ),
    r.ServiceRequest: OrderKind(
        "orders", _service_request, frozenset({"revoked"}), _ordered, moment=_planned_or_written
    ),
    r.MedicationRequest: OrderKind(
        "orders",
        _medication_request,
        frozenset({"cancelled", "stopped"}),
        Resolver.medication,
        moment=lambda ordered: (ordered.authored_on, None),
    ),
    r.Coverage: RecordKind("coverages", _coverage, frozenset({"cancelled", "draft"}), _unmapped_type),
    r.Observation: RecordKind(
        "observations", _observation, _CANCELLED, moment=_EFFECTIVE, is_linked=attrgetter("part_of")
    ),
    r.DiagnosticReport: RecordKind("documents", _report, _CANCELLED, _unmapped_code, _EFFECTIVE),
    r.ImagingStudy: RecordKind("documents", _images, _CANCELLED, _imaged, lambda images: (images.started, None)),
    r.Condition: ConditionKind("documents", _condition, concept=_unmapped_code),
    r.DocumentReference: RecordKind(
        "documents", _document, frozenset({"superseded"}), _unmapped_type, lambda document: (document.date, None)
    ),
}


_RECORD_KINDS = {resource: kind for resource, kind in KINDS.items() if isinstance(kind, RecordKind)}


def record_kind(item: Item) -> RecordKind:
    """The record kind of a resource. Raises KeyError for one of another kind."""
    return _RECORD_KINDS[type(item.resource)]
