"""Clinical and coverage resources as records: one converter for each resource type, and the table of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from cds_service.core.case import Administration, Concept, Coverage, Document, Observation, Order, Procedure, Record
from cds_service.fhir import resources as r
from cds_service.fhir.elements import concept, day_of, joined, milliliters, practitioners, said, texts
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item


def _procedure(resolver: Resolver, item: Item) -> Procedure:
    p: r.Procedure = item.resource
    statuses = {"completed": "done", "not-done": "not done"}
    used = [resolver.concept(each) for each in p.used_code or ()]
    used += [resolver.behind(each, p.contained) for each in p.used_reference or ()]
    return Procedure(
        **resolver.base(item),
        status=statuses.get(p.status, "unclear"),  # type: ignore[arg-type]
        concept=resolver.concept(p.code),
        used=tuple(used),
        day=day_of(p.performed_date_time, p.performed_period),
        performers=practitioners(resolver.ref(each.actor) for each in p.performer or ()),
        encounter=resolver.ref(p.encounter) or None,
        links=resolver.refs(p.based_on, p.part_of, p.used_reference),
        reasons=resolver.reasons(p.reason_code, p.reason_reference),
        notes=texts(p.note),
        reports=tuple(sorted(resolver.refs(p.report))),
    )


def _administration(resolver: Resolver, item: Item) -> Administration:
    m: r.MedicationAdministration = item.resource
    statuses = {"completed": "given", "in-progress": "given", "not-done": "not given"}
    return Administration(
        **resolver.base(item),
        status=statuses.get(m.status, "unclear"),  # type: ignore[arg-type]
        concept=resolver.medication(m),
        ml=milliliters(m.dosage.dose if m.dosage else None),
        day=day_of(m.effective_date_time, m.effective_period),
        encounter=resolver.ref(m.context) or None,
        links=resolver.refs(m.part_of, (m.request,)),
    )


def _service_request(resolver: Resolver, item: Item) -> Order:
    s: r.ServiceRequest = item.resource
    planned = day_of(s.occurrence_date_time, s.occurrence_period)
    return Order(
        **resolver.base(item),
        kind="service",
        concept=_ordered(resolver, s),
        day=planned or day_of(s.authored_on),
        planned=planned is not None,
        performers=practitioners(resolver.ref(each) for each in s.performer or ()),
        encounter=resolver.ref(s.encounter) or None,
        links=resolver.refs(s.based_on),
        reasons=resolver.reasons(s.reason_code, s.reason_reference),
    )


def _ordered(resolver: Resolver, order: r.ServiceRequest) -> Concept:
    """What is ordered, with its details."""
    if not order.order_detail:
        return resolver.concept(order.code)
    return joined([resolver.concept(order.code), *(resolver.concept(each) for each in order.order_detail or ())])


def _medication_request(resolver: Resolver, item: Item) -> Order:
    m: r.MedicationRequest = item.resource
    return Order(
        **resolver.base(item),
        kind="medication",
        concept=resolver.medication(m),
        day=day_of(m.authored_on),
        encounter=resolver.ref(m.encounter) or None,
        links=resolver.refs(m.based_on),
    )


def _coverage(resolver: Resolver, item: Item) -> Coverage:
    c: r.Coverage = item.resource
    payors = tuple(each.display for each in c.payor or () if each.display)
    return Coverage(
        **resolver.base(item),
        concept=concept(c.type),
        payors=payors,
        identifiers=_identifiers(resolver, c),
        order=c.order,
    )


def _identifiers(resolver: Resolver, coverage: r.Coverage) -> tuple[str, ...]:
    """By what the payor and the coverage itself are known: references, and identifiers as `system|value`."""
    payors = coverage.payor or ()
    every = [each.identifier for each in payors if each.identifier] + list(coverage.identifier or ())
    written = [f"{each.system or ''}|{each.value}" for each in every if each.value]
    return tuple(dict.fromkeys([*(resolver.ref(each) for each in payors if each.reference), *written]))


def is_near(item: Item, day: date) -> bool:
    """False for an observation of another day that points at nothing: a record may hold hundreds, and of these none
    has to be made.
    """
    o = item.resource
    return type(o) is not r.Observation or bool(o.part_of) or _day_of_observation(o) in (day, None)


def _day_of_observation(observation: r.Observation) -> date | None:
    return day_of(observation.effective_date_time, observation.effective_period)


def _observation(resolver: Resolver, item: Item) -> Observation:
    o: r.Observation = item.resource
    return Observation(
        **resolver.base(item),
        concept=resolver.concept(o.code),
        words=(*((o.value_string,) if o.value_string else ()), *said(o.value_codeable_concept), *texts(o.note)),
        day=_day_of_observation(o),
        encounter=resolver.ref(o.encounter) or None,
        links=resolver.refs(o.part_of),
    )


def _report(resolver: Resolver, item: Item) -> Document:
    d: r.DiagnosticReport = item.resource
    return Document(
        **resolver.base(item),
        kind="report",
        concept=concept(d.code),
        words=(d.conclusion,) if d.conclusion else (),
        day=day_of(d.effective_date_time, d.effective_period),
        encounter=resolver.ref(d.encounter) or None,
        links=resolver.refs(d.based_on),
    )


def _images(resolver: Resolver, item: Item) -> Document:
    i: r.ImagingStudy = item.resource
    return Document(
        **resolver.base(item),
        kind="images",
        concept=_shown(resolver, i),
        words=(i.description,) if i.description else (),
        day=day_of(i.started),
        encounter=resolver.ref(i.encounter) or None,
        links=resolver.refs(i.based_on, (i.procedure_reference,)),
    )


def _shown(_: Resolver, images: r.ImagingStudy) -> Concept:
    """What the images show."""
    return joined(concept(each) for each in images.procedure_code or ())


def _condition(resolver: Resolver, item: Item) -> Document:
    c: r.Condition = item.resource
    encounter = resolver.ref(c.encounter) or None
    return Document(**resolver.base(item), kind="condition", concept=concept(c.code), encounter=encounter)


def _document(resolver: Resolver, item: Item) -> Document:
    d: r.DocumentReference = item.resource
    words = (d.description,) if d.description else ()
    return Document(**resolver.base(item), kind="document", concept=concept(d.type), words=words, day=day_of(d.date))


@dataclass(frozen=True, slots=True)
class RecordKind:
    """Resources that become records: which member of the Case takes them, and how a record and its concept are made.

    With one of the statuses of `idle` they say nothing, nor where they were entered in error.
    """

    member: str
    make: Callable[[Resolver, Item], Record]
    idle: frozenset[str] = frozenset()
    concept: Callable[[Resolver, Any], Concept] = lambda resolver, resource: resolver.concept(resource.code)

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return resource.status not in self.idle and resource.status != "entered-in-error"


class OrderKind(RecordKind):
    """Orders, which may be to leave something undone."""

    __slots__ = ()

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return RecordKind.counts(self, resource) and not resource.do_not_perform


class ConditionKind(RecordKind):
    """Conditions, whose status is a concept."""

    __slots__ = ()

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        codes = {code.value for code in concept(resource.verification_status).codes}
        return not codes & {"entered-in-error", "refuted"}


@dataclass(frozen=True, slots=True)
class ChargeKind:
    """Resources that become lines; `idle` as for those that become records."""

    idle: frozenset[str]

    def counts(self, resource: Any) -> bool:
        """Whether a resource says something."""
        return resource.status not in self.idle and resource.status != "entered-in-error"


def _own_code(_: Resolver, resource: Any) -> Concept:
    """A code that no site maps to a billing code."""
    return concept(resource.code)


def _own_type(_: Resolver, resource: Any) -> Concept:
    return concept(resource.type)


_CANCELLED = frozenset({"cancelled"})

KINDS: dict[type, RecordKind | ChargeKind] = {
    r.ChargeItem: ChargeKind(frozenset({"aborted", "not-billable"})),
    r.Claim: ChargeKind(_CANCELLED),
    r.Procedure: RecordKind("procedures", _procedure),
    r.MedicationAdministration: RecordKind("administrations", _administration, concept=Resolver.medication),
    r.ServiceRequest: OrderKind("orders", _service_request, frozenset({"revoked"}), _ordered),
    r.MedicationRequest: OrderKind(
        "orders", _medication_request, frozenset({"cancelled", "stopped"}), Resolver.medication
    ),
    r.Coverage: RecordKind("coverages", _coverage, frozenset({"cancelled", "draft"}), _own_type),
    r.Observation: RecordKind("observations", _observation, _CANCELLED),
    r.DiagnosticReport: RecordKind("documents", _report, _CANCELLED, _own_code),
    r.ImagingStudy: RecordKind("documents", _images, _CANCELLED, _shown),
    r.Condition: ConditionKind("documents", _condition, concept=_own_code),
    r.DocumentReference: RecordKind("documents", _document, frozenset({"superseded"}), _own_type),
}


def record_kind(item: Item) -> RecordKind:
    """The entry of the table for a resource."""
    return cast(RecordKind, KINDS[type(item.resource)])
