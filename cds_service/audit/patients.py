"""Splits a patient's records into cases: the records of one encounter or day, as a client would send to `/review`.

Charges, procedures, administrations and orders form one case if they reference each other, share an encounter, or are
of the same or adjacent days (time zones can shift a date). Observations and documents join the cases of their day and
of their references. Records without a date (coverages, conditions, notes) belong to every case; if a charge or
procedure has neither date nor encounter, the patient is one case.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from cds_service.core.case import Case, Document, Line, Record
from cds_service.core.union_find import DisjointSet
from cds_service.fhir.read import ParsedCase
from cds_service.fhir.sources import SkippedItem, SourceResource
from cds_service.fhir.text_faults import fault_in
from cds_service.review.advisor import Advisor

# A shared reference to one of these links records, even if the export lacks its target.
_STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")
_LINKED = ("lines", "procedures", "administrations", "orders")
_JOINING = ("observations", "documents")
_AUDITED = ("lines", "procedures", "administrations")  # orders alone are no case
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """A record of the export. `related`: it is relevant to a rule."""

    kind: str
    id: str
    raw: str
    related: bool = True


def by_patient(rows: Iterable[tuple[str, str, str, str, bool]]) -> Iterator[tuple[str, list[ExportedRecord]]]:
    """Each patient with all records. A row is the patient and the fields of ExportedRecord, sorted by patient."""
    for patient, mine in groupby(rows, itemgetter(0)):
        yield patient, [ExportedRecord(kind, name, raw, related) for _, kind, name, raw, related in mine]


@dataclass(frozen=True, slots=True)
class PatientCases:
    """The cases of a patient, and the skipped records by reference."""

    cases: tuple["PatientCase", ...]
    skipped: tuple[SkippedItem, ...]


@dataclass(frozen=True)
class PatientCase:
    """A case of a patient. `paths` locate its records; `related`: one of them is relevant to a rule.

    `members` are its own records, None if it has all of the patient's. Most cases are only counted, so the parsed case
    is built on demand.
    """

    patient: ParsedCase
    members: "Members | None"
    paths: frozenset[str]
    related: bool

    @cached_property
    def parsed(self) -> ParsedCase:
        """The case as a review parses it."""
        if self.members is None:
            return self.patient
        return replace(self.patient, case=self.patient.case.with_records(**self.members))

    @property
    def day(self) -> date | None:
        """The first date of its charges, else of its procedures, else of its administrations."""
        case = self.parsed.case
        for records in (case.lines, case.procedures, case.administrations):
            days = sorted(record.day for record in records if record.day)
            if days:
                return days[0]
        return None


def read_patient(
    records: Iterable[ExportedRecord], advisor: Advisor, complete: frozenset[str] = frozenset()
) -> PatientCases:
    """The cases of one patient, parsed as in a review. Orders alone are no case."""
    entries = entries_of(records)
    parsed = advisor.parse([source for source, _ in entries], "claim", complete)
    related = {source.path for source, each in entries if each.related}
    shared = frozenset(record.origin.resource for record in parsed.case.coverages)
    cases = []
    for members in _split(parsed.case):
        chosen = _all_members(parsed.case) if members is None else members
        if any(chosen[name] for name in _AUDITED):
            paths = shared.union(record.origin.resource for each in chosen.values() for record in each)
            cases.append(PatientCase(parsed, members, paths, not related.isdisjoint(paths)))
    return PatientCases(tuple(cases), _by_reference(parsed.skipped, entries))


def _by_reference(
    skipped: Iterable[SkippedItem], entries: Iterable[tuple[SourceResource, ExportedRecord]]
) -> tuple[SkippedItem, ...]:
    """The skipped items with the references of their records in place of Bundle paths."""
    every = tuple(skipped)
    names = {source.path: f"{each.kind}/{each.id}" for source, each in entries} if every else {}
    return tuple(SkippedItem(names[each.path], each.reason) for each in every)


def entries_of(records: Iterable[ExportedRecord]) -> list[tuple[SourceResource, ExportedRecord]]:
    """The records as Bundle entries, in an order that does not depend on the export.

    Only the newest version of a resource is kept: in a review, different versions would contradict each other.
    """
    ordered = _newest(sorted(records, key=lambda each: (each.kind, each.id, each.raw)))
    found, seen = [], dict[str, int]()
    for position, each in enumerate(ordered):
        path = f"Bundle.entry[{position}].resource"
        raw = msgspec.Raw(each.raw.encode())
        found.append((SourceResource(path, raw, _address(each, seen), under_review=True, fault=fault_in(raw)), each))
    return found


def _address(each: ExportedRecord, seen: dict[str, int]) -> str:
    """The fullUrl of a resource; one without an id gets a hash of its content."""
    if each.id:
        return f"urn:uuid:{each.id}" if _UUID.fullmatch(each.id) else ""
    address = f"urn:sha256:{hashlib.sha256(each.raw.encode()).hexdigest()[:16]}"
    seen[address] = seen.get(address, 0) + 1
    return address if seen[address] == 1 else f"{address}-{seen[address]}"


class _Meta(msgspec.Struct, rename="camel"):
    last_updated: str | None = None


class _Versioned(msgspec.Struct):
    meta: _Meta | None = None


def _newest(ordered: list[ExportedRecord]) -> list[ExportedRecord]:
    """The newest version of each resource, in order; resources without an id have no versions."""
    result: list[ExportedRecord] = []
    for (_, name), alike in groupby(ordered, _names):
        versions = list(alike)
        result += [max(versions, key=_updated)] if name and len(versions) > 1 else versions
    return result


def _names(each: ExportedRecord) -> tuple[str, str]:
    return each.kind, each.id


def _updated(each: ExportedRecord) -> float:
    """`meta.lastUpdated` in seconds since 1970; a version without it counts as oldest."""
    try:
        meta = msgspec.json.decode(each.raw, type=_Versioned).meta
        moment = datetime.fromisoformat((meta.last_updated if meta else None) or "")
    except (msgspec.MsgspecError, ValueError):
        return float("-inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def short(reference: str) -> str:
    """A reference without server address and version: `Organization/1`."""
    return "/".join(reference.split("/_history/", maxsplit=1)[0].split("/")[-2:])


# --- splitting ------------------------------------------------------------------------------------------------------


# Records by the member of Case that holds them.
Members = Mapping[str, Sequence[Record]]


def _all_members(case: Case) -> Members:
    return {member: getattr(case, member) for member in (*_LINKED, *_JOINING)}


def _split(case: Case) -> list[Members | None]:
    """The records of each case, by date; None if all are one case."""
    linked = [record for member in _LINKED for record in getattr(case, member)]
    links = _linked(linked)
    days: dict[Any, set[date]] = {}
    for record in linked:
        days.setdefault(links.find(record.origin.resource), set()).update({record.day} if record.day else ())
    if len(days) < 2 or not all(days.values()):
        return [None]
    roots = sorted(days, key=lambda root: (min(days[root]), str(root)))
    parts: dict[Any, dict[str, list[Record]]] = {root: {name: [] for name in (*_LINKED, *_JOINING)} for root in roots}
    for member in _LINKED:
        for record in getattr(case, member):
            parts[links.find(record.origin.resource)][member].append(record)
    for member in _JOINING:
        for record in getattr(case, member):
            for root in _roots_joined(record, links, days):
                parts[root][member].append(record)
    return [*parts.values()]


def _linked(records: Sequence[Record]) -> DisjointSet:
    """The records as disjoint sets: linked by id, encounter, reference, same or adjacent date."""
    links = DisjointSet()
    identities = {_resource_of(record) for record in records}
    days = {record.day for record in records if record.day}
    for record in records:
        path = record.origin.resource
        links.union(path, ("id", _resource_of(record)))
        if record.encounter:
            links.union(path, ("encounter", record.encounter))
        if record.day:
            links.union(path, ("day", record.day))
        for link in record.links:
            if link in identities or link.startswith(_STUDY_REFERENCES):
                links.union(path, ("id", link))
    for day in days:
        if day + timedelta(days=1) in days:
            links.union(("day", day), ("day", day + timedelta(days=1)))
    return links


def _resource_of(record: Record) -> str:
    """The identity of a record's resource; the lines of a claim share it."""
    claim = record.claim if isinstance(record, Line) else ""
    return claim or record.identity or record.origin.resource


def _roots_joined(record: Record, links: DisjointSet, days: dict[Any, set[date]]) -> frozenset[Any]:
    """The cases that an observation or document joins: those of its date or references; all if it has no date."""
    if isinstance(record, Document) and record.kind == "condition":
        return frozenset(days)
    names: list[tuple[str, Any]] = [
        ("encounter", record.encounter),
        *(("id", link) for link in record.links),
        ("id", record.identity),
    ]
    if record.day:
        names.append(("day", record.day))
    roots = {links.find(name) for name in names if name in links} & set(days)
    return frozenset(roots if roots or record.day else days)
