"""References to resources that did not arrive with the records that name them."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec

from cds_service.core.case import Days
from cds_service.fhir import resources as r
from cds_service.fhir.elements import day_of
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item

# The id has a letter or digit, so that it is no `..`.
_READABLE = re.compile(r"[A-Za-z]+/(?=[^/]*[A-Za-z0-9])[A-Za-z0-9\-.]{1,64}")


class MissingMedication(msgspec.Struct, frozen=True):
    """A Medication that did not arrive: `Medication/id`, the reference as written, and True if it has a display."""

    identity: str
    written: str
    is_named: bool


def can_be_read(reference: str) -> bool:
    """True if a reference is `Type/id`, so that it can be read from a server as it is."""
    return bool(_READABLE.fullmatch(reference))


def missing_medications(items: Iterable[Item], resolver: Resolver, days: Days | None) -> tuple[MissingMedication, ...]:
    """The missing Medications of the records of some days, each once; those without a display first.

    Records without a date count, and those of the day before and after, since an instant may be in another time zone.
    """
    found: dict[str, MissingMedication] = {}
    for item in items:
        for reference in _references(item.resource, days):
            identity = resolver.ref(reference)
            is_medication = identity.startswith("Medication/") and can_be_read(identity)
            if is_medication and identity not in resolver.medications:
                each = MissingMedication(identity, reference.reference or "", bool(reference.display))
                if identity not in found or found[identity].is_named:
                    found[identity] = each
    return tuple(sorted(found.values(), key=lambda each: each.is_named))


def _references(resource: Any, days: Days | None) -> Iterator[r.Reference]:
    """The references of a resource to Medications, if it may be of one of the days."""
    kind = type(resource)
    if kind is r.MedicationAdministration and resource.medication_reference:
        day = day_of(resource.effective_date_time, resource.effective_period)
        named = (resource.medication_reference,)
    elif kind is r.MedicationRequest and resource.medication_reference:
        day, named = day_of(resource.authored_on), (resource.medication_reference,)
    elif kind is r.Procedure and resource.used_reference:
        day, named = day_of(resource.performed_date_time, resource.performed_period), resource.used_reference
    else:
        return
    if resource.status != "entered-in-error" and _may_be_of(day, days):
        yield from named


def _may_be_of(day: date | None, days: Days | None) -> bool:
    if day is None or days is None:
        return True
    return days.first.toordinal() - 1 <= day.toordinal() <= days.last.toordinal() + 1
