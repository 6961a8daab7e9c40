"""Parses a line of an export: patient, resource type and id; or the reason why it is rejected.

No content of a line raises an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from cds_service.audit.patients import short
from cds_service.fhir.bundle import HEAD
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.elements import without_values
from cds_service.fhir.foreign import FOREIGN, cannot_be_resource
from cds_service.fhir.patient_identity import identity_of
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.resources import DECODED_TYPES, Reference, Resource

# Resources with the names of sites and practitioners; they hold no patient data.
NAMED_TYPES = frozenset({"Organization", "Location", "Practitioner", "PractitionerRole"})
MEDICATION = "Medication"


class _Reference(msgspec.Struct):
    reference: str | None = None


class _RecordHead(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None
    beneficiary: Reference | None = None
    medication_reference: _Reference | None = None
    used_reference: list[_Reference] | None = None
    contained: msgspec.Raw = msgspec.Raw()


@dataclass(slots=True)
class Row:
    """A record: its patient (empty if it has none), resource type and id.

    `medications` are the ids of the Medication resources that it references; `name` is the name of an organization,
    location or practitioner. With a `reason` the line is rejected; with `skipped` no rule reads it.
    """

    patient: str = ""
    kind: str = ""
    id: str = ""
    medications: tuple[str, ...] = ()
    name: str | None = None
    reason: str = ""
    skipped: bool = False


_DECODER = msgspec.json.Decoder(_RecordHead)


def read_line(line: str) -> Row:
    """The record of a line."""
    try:
        head = _DECODER.decode(line)
    except DECODE_ERRORS as error:
        return _rejected(line, error)
    kind = head.resource_type
    if kind in NAMED_TYPES:
        return Row(kind=kind, id=head.id or "", name=_name_in(line), skipped=not head.id)
    if kind == MEDICATION:
        return Row(kind=kind, id=head.id or "", skipped=not head.id)
    if kind not in DECODED_TYPES:
        return _skipped(kind)
    patient = f"Patient/{head.id}" if kind == "Patient" and head.id else _patient_of(head)
    if not patient:
        return Row(kind=kind, id=head.id or "", reason=f"{kind}: no reference to a patient")
    return Row(patient, kind, head.id or "", tuple(_medications(head)))


class _HumanName(msgspec.Struct):
    text: str | None = None
    family: str | None = None
    given: list[str] = []


class _PatientName(msgspec.Struct):
    name: str | list[_HumanName] | None = None
    practitioner: Reference | None = None


def _name_in(line: str) -> str:
    """The name of an organization, location or practitioner; for a role, the reference of its practitioner."""
    try:
        found = msgspec.json.decode(line, type=_PatientName)
    except DECODE_ERRORS:
        return ""  # without a name, the reference is shown
    if isinstance(found.name, str):
        return found.name
    names = found.name or []
    if names:
        return names[0].text or " ".join([*names[0].given, names[0].family or ""]).strip()
    role = found.practitioner
    return (role.display or short(role.reference or "")) if role else ""


def _rejected(line: str, error: Exception) -> Row:
    """The reject for a line that is not JSON, or whose patient reference has the wrong type."""
    try:
        kind = HEAD.decode(line).resource_type
    except DECODE_ERRORS:
        if cannot_be_resource(line):
            return Row(kind=FOREIGN, skipped=True)
        return Row(reason="expected a FHIR resource in JSON, with a `resourceType`")
    if kind not in DECODED_TYPES | NAMED_TYPES:
        return _skipped(kind)
    return Row(kind=kind, reason=f"{kind}: {without_values(str(error))}")


def _skipped(kind: str) -> Row:
    if kind == "Bundle":
        return Row(kind=kind, reason="expected one resource on each line, found a Bundle")
    if kind not in R4_TYPES:
        return Row(reason="not a resource type of FHIR R4")
    return Row(kind=kind, skipped=True)


def _patient_of(head: _RecordHead) -> str:
    """The key of the record's patient: a reference, or what an identifier or a contained Patient states."""
    for each in (head.subject, head.patient, head.beneficiary):
        if each is None:
            continue
        if each.reference and not each.reference.startswith("#") and "?" not in each.reference:
            return patient_key(each.reference)
        holder = Resource(contained=_contained(head))
        if key := identity_of(each, holder, {}, {}).key:
            return key
    return ""


def _contained(head: _RecordHead) -> tuple[msgspec.Raw, ...] | None:
    """The contained resources, read only if the record's patient is among them."""
    try:
        return msgspec.json.decode(head.contained, type=tuple[msgspec.Raw, ...]) if head.contained else None
    except DECODE_ERRORS:
        return None  # the parser reports the record


_PATIENT = re.compile(r"Patient/[A-Za-z0-9\-.]{1,64}(?=$|/_history/)")
_URN = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")


def patient_key(reference: str) -> str:
    """A normalized patient reference; empty for other or contained resources.

    `urn:uuid:…` counts as the patient with that id: exports made from Bundles keep such references.
    """
    found = _PATIENT.search(reference)
    if found:
        return found[0]
    urn = _URN.fullmatch(reference)
    return f"Patient/{urn[1]}" if urn else ""


def _medications(head: _RecordHead) -> Iterator[str]:
    for each in (head.medication_reference, *(head.used_reference or ())):
        target = each.reference if each is not None else None
        if target and not target.startswith("#"):
            yield re.sub(r"/_history/.*$", "", target).rsplit("/", 1)[-1].removeprefix("urn:uuid:")
