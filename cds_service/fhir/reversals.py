"""Charges that were reversed, and the charges that reverse them: neither is billed."""

from collections.abc import Hashable, Iterable

from msgspec.structs import replace

from cds_service.fhir import resources as r
from cds_service.fhir.charges import charge_item
from cds_service.fhir.elements import OutOfRange
from cds_service.fhir.extensions import offsets
from cds_service.fhir.records import KINDS
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item


def reversed_charges(items: Iterable[Item], resolver: Resolver) -> set[str]:
    """The paths of charges that name each other as reversed (Oracle Health), and of credits with their charges."""
    charges = [item for item in items if type(item.resource) is r.ChargeItem]
    named: set[str] = set()
    for item in charges:
        for each in offsets(item.resource.extension or ()):
            named |= {item.identity, resolver.ref(each.value_reference)}
    found = {item.source.path for item in charges if item.identity in named - {""}}
    left = [item for item in charges if item.source.path not in found and KINDS[r.ChargeItem].is_active(item.resource)]
    return found | _credited(left, resolver)


def _credited(charges: list[Item], resolver: Resolver) -> set[str]:
    """Charges of a negative quantity, each with one equal charge; a credit without one is reported by the reader."""
    credits = [item for item in charges if _is_credit(item.resource)]
    if not credits:
        return set()
    by_service: dict[Hashable, list[Item]] = {}
    for item in charges:
        if not _is_credit(item.resource) and (service := _service_of(item, resolver)):
            by_service.setdefault(service, []).append(item)
    found: set[str] = set()
    for item in credits:
        if equal := by_service.get(_service_of(item, resolver)):
            found |= {item.source.path, equal.pop(0).source.path}
    return found


def _is_credit(charge: r.ChargeItem) -> bool:
    value = charge.quantity.value if charge.quantity else None
    return value is not None and value.is_finite() and value < 0


def _service_of(item: Item, resolver: Resolver) -> Hashable:
    """The codes, day, modifiers and units by which a credit and a charge are equal; None if it names no code."""
    charge: r.ChargeItem = item.resource
    if charge.quantity and charge.quantity.value:
        positive = replace(charge.quantity, value=charge.quantity.value.copy_abs())
        item = replace(item, resource=replace(charge, quantity=positive))
    try:
        line = charge_item(resolver, item)
    except OutOfRange:
        return None  # the reader reports it
    return (
        (line.code or line.concept.codes, line.day, frozenset(line.modifiers), line.units)
        if line.concept.codes
        else None
    )
