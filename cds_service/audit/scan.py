"""Parses lines of an export: patient, resource type, relevance; or the reason why a line is rejected.

Both engines use it, so that they see the same records. No content of a line raises an error.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from cds_service.audit.patients import short
from cds_service.fhir.bundle import HEAD
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.elements import without_values
from cds_service.fhir.patient_identity import identity_of
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.resources import DECODED_TYPES, Reference, Resource

# Resources with the names of sites and practitioners; they hold no patient data.
NAMED_TYPES = frozenset({"Organization", "Location", "Practitioner", "PractitionerRole"})
MEDICATION = "Medication"

BATCH_LINES = 4096

# JSON can escape any letter, and a code could hide in an escape: such a line counts as relevant. The last one is the
# Kelvin sign, whose lower case is `k`.
_ESCAPED = r"\\u00[2-7]|\\u212a"


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


# --- batches --------------------------------------------------------------------------------------------------------

ROWS = pa.schema(
    [
        ("patient", pa.string()),
        ("kind", pa.string()),
        ("id", pa.string()),
        ("medications", pa.list_(pa.string())),
        ("related", pa.bool_()),
        ("raw", pa.large_string()),
    ]
)


@dataclass(slots=True)
class ScannedBatch:
    """A batch of lines: records as a table, rejects (position, type, reason), and lines by resource type."""

    rows: pa.RecordBatch
    rejects: list[tuple[int, str, str]]
    kinds: dict[str, int]


def scan(lines: list[str], relevant: str) -> ScannedBatch:
    """Parse a batch of lines; empty lines are ignored."""
    kept: list[tuple[Row, str]] = []
    rejects: list[tuple[int, str, str]] = []
    kinds: dict[str, int] = {}
    for position, each in enumerate(lines):
        line = each.strip("\ufeff \t\r\n")
        if not line:
            continue
        row = read_line(line)
        kinds[row.kind or "?"] = kinds.get(row.kind or "?", 0) + 1
        if row.reason:
            rejects.append((position, row.kind, row.reason))
        elif not row.skipped:
            kept.append((row, line if row.name is None else row.name))
    raw = pa.array([line for _, line in kept], pa.large_string())
    columns = [
        pa.array([row.patient for row, _ in kept], pa.string()),
        pa.array([row.kind for row, _ in kept], pa.string()),
        pa.array([row.id for row, _ in kept], pa.string()),
        pa.array([row.medications for row, _ in kept], pa.list_(pa.string())),
        pc.match_substring_regex(raw, f"{relevant}|{_ESCAPED}", ignore_case=True),
        raw,
    ]
    return ScannedBatch(pa.RecordBatch.from_arrays(columns, schema=ROWS), rejects, kinds)


def batches(lines: Iterable[str], size: int = BATCH_LINES) -> Iterator[list[str]]:
    """Lines in batches of at most `size` lines and 8 MB."""
    batch: list[str] = []
    held = 0
    for line in lines:
        batch.append(line)
        held += len(line)
        if len(batch) >= size or held > 8_000_000:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
