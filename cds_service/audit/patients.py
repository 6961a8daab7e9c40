"""A patient's records, sorted into cases: what one encounter or one day holds, as `POST /review` would be sent it.

Charges, procedures, administrations and orders belong together where they refer to one another, share an encounter, or
stand on the same or on neighbouring days (a moment written in another time zone). Observations and documents join the
cases of their day, and those that they refer to. What says of no day belongs to every case: coverages, conditions,
notes; where that is a charge or something done, the patient is not split at all.
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

# A shared reference to one of these ties records, even where the export does not hold what it leads to.
_STUDY_REFERENCES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/")
_TIED = ("lines", "procedures", "administrations", "orders")
_JOINING = ("observations", "documents")
_AUDITED = ("lines", "procedures", "administrations")  # what was only ordered is no case
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """A record as the export holds it. `related`: it can matter to a rule."""

    kind: str
    id: str
    raw: str
    related: bool = True


def by_patient(rows: Iterable[tuple[str, str, str, str, bool]]) -> Iterator[tuple[str, list[ExportedRecord]]]:
    """Each patient with all records. A row has the patient and what `Stored` has; those of a patient come together."""
    for patient, mine in groupby(rows, itemgetter(0)):
        yield patient, [ExportedRecord(kind, name, raw, related) for _, kind, name, raw, related in mine]


@dataclass(frozen=True, slots=True)
class PatientCases:
    """A patient's cases, and the records that could not be read, by their own names."""

    cases: tuple["PatientCase", ...]
    skipped: tuple[SkippedItem, ...]


@dataclass(frozen=True)
class PatientCase:
    """A case of a patient. `places` are those of its records; `related`: one of these can matter to a rule.

    `members` are the records of the whole patient that are its own, None where all are. Of most patients most cases are
    only counted: what a review would read is put together when it is asked for.
    """

    whole: ParsedCase
    members: "Members | None"
    places: frozenset[str]
    related: bool

    @cached_property
    def parsed(self) -> ParsedCase:
        """The case as a review reads it."""
        if self.members is None:
            return self.whole
        return replace(self.whole, case=self.whole.case.with_records(**self.members))

    @property
    def day(self) -> date | None:
        """The first day of its charges, else of what was done."""
        case = self.parsed.case
        for records in (case.lines, case.procedures, case.administrations):
            days = sorted(record.day for record in records if record.day)
            if days:
                return days[0]
        return None


def read_patient(
    stored: Iterable[ExportedRecord], advisor: Advisor, known: frozenset[str] = frozenset()
) -> PatientCases:
    """The cases of one patient, each read as a review reads it. What was only ordered is no case."""
    entries = entries_of(stored)
    parsed = advisor.parse([source for source, _ in entries], "claim", known)
    related = {source.path for source, each in entries if each.related}
    of_all = frozenset(record.origin.resource for record in parsed.case.coverages)
    cases = []
    for members in _split(parsed.case):
        chosen = _whole(parsed.case) if members is None else members
        if any(chosen[name] for name in _AUDITED):
            places = of_all.union(record.origin.resource for records in chosen.values() for record in records)
            cases.append(PatientCase(parsed, members, places, not related.isdisjoint(places)))
    return PatientCases(tuple(cases), _named(parsed.skipped, entries))


def _named(
    skipped: Iterable[SkippedItem], entries: Iterable[tuple[SourceResource, ExportedRecord]]
) -> tuple[SkippedItem, ...]:
    """What could not be read, by the names of the records and not by their places."""
    every = tuple(skipped)
    names = {source.path: f"{each.kind}/{each.id}" for source, each in entries} if every else {}
    return tuple(SkippedItem(names[each.path], each.reason) for each in every)


def entries_of(stored: Iterable[ExportedRecord]) -> list[tuple[SourceResource, ExportedRecord]]:
    """The records as the entries of a Bundle, in an order of their own: in whatever order they stood in the export.

    Of several versions of a resource only the newest is read: in a call, two that differ would be in contradiction.
    """
    ordered = _newest(sorted(stored, key=lambda each: (each.kind, each.id, each.raw)))
    found, seen = [], dict[str, int]()
    for position, each in enumerate(ordered):
        place = f"Bundle.entry[{position}].resource"
        raw = msgspec.Raw(each.raw.encode())
        found.append((SourceResource(place, raw, _address(each, seen), under_review=True, fault=fault_in(raw)), each))
    return found


def _address(each: ExportedRecord, seen: dict[str, int]) -> str:
    """By which others may point at a resource; one without an id gets an address of its content."""
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
    """The newest version of each resource; one without an id has no versions. The order is kept."""
    result: list[ExportedRecord] = []
    for (_, name), alike in groupby(ordered, _names):
        versions = list(alike)
        result += [max(versions, key=_updated)] if name and len(versions) > 1 else versions
    return result


def _names(each: ExportedRecord) -> tuple[str, str]:
    return each.kind, each.id


def _updated(each: ExportedRecord) -> float:
    """When a version was written, in seconds since 1970; a version that does not say so is older than all others."""
    try:
        meta = msgspec.json.decode(each.raw, type=_Versioned).meta
        moment = datetime.fromisoformat((meta.last_updated if meta else None) or "")
    except (msgspec.MsgspecError, ValueError):
        return float("-inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def short(reference: str) -> str:
    """A reference without the server's address and the version: `Organization/1`."""
    return "/".join(reference.split("/_history/", maxsplit=1)[0].split("/")[-2:])


# --- splitting ------------------------------------------------------------------------------------------------------


# Records by the name of the Case's member that takes them.
Members = Mapping[str, Sequence[Record]]


def _whole(case: Case) -> Members:
    return {member: getattr(case, member) for member in (*_TIED, *_JOINING)}


def _split(case: Case) -> list[Members | None]:
    """The records of each case, by day; None where all of them are one case."""
    tied = [record for member in _TIED for record in getattr(case, member)]
    ties = _tie(tied)
    days: dict[Any, set[date]] = {}
    for record in tied:
        days.setdefault(ties.find(record.origin.resource), set()).update({record.day} if record.day else ())
    if len(days) < 2 or not all(days.values()):
        return [None]
    homes = sorted(days, key=lambda home: (min(days[home]), str(home)))
    parts: dict[Any, dict[str, list[Record]]] = {home: {name: [] for name in (*_TIED, *_JOINING)} for home in homes}
    for member in _TIED:
        for record in getattr(case, member):
            parts[ties.find(record.origin.resource)][member].append(record)
    for member in _JOINING:
        for record in getattr(case, member):
            for home in _homes(record, ties, days):
                parts[home][member].append(record)
    return [*parts.values()]


def _tie(records: Sequence[Record]) -> DisjointSet:
    ties = DisjointSet()
    identities = {_resource_of(record) for record in records}
    days = {record.day for record in records if record.day}
    for record in records:
        place = record.origin.resource
        ties.union(place, ("id", _resource_of(record)))
        if record.encounter:
            ties.union(place, ("encounter", record.encounter))
        if record.day:
            ties.union(place, ("day", record.day))
        for link in record.links:
            if link in identities or link.startswith(_STUDY_REFERENCES):
                ties.union(place, ("id", link))
    for day in days:
        if day + timedelta(days=1) in days:
            ties.union(("day", day), ("day", day + timedelta(days=1)))
    return ties


def _resource_of(record: Record) -> str:
    """The identity of a record's resource: the lines of a claim are of one."""
    bill = record.claim if isinstance(record, Line) else ""
    return bill or record.identity or record.origin.resource


def _homes(record: Record, ties: DisjointSet, days: dict[Any, set[date]]) -> frozenset[Any]:
    """The cases that an observation or a document joins: none for those of other days, all where it says of no day."""
    if isinstance(record, Document) and record.kind == "condition":
        return frozenset(days)
    names: list[tuple[str, Any]] = [
        ("encounter", record.encounter),
        *(("id", link) for link in record.links),
        ("id", record.identity),
    ]
    if record.day:
        names.append(("day", record.day))
    homes = {ties.find(name) for name in names if name in ties} & set(days)
    return frozenset(homes if homes or record.day else days)
