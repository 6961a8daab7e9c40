"""The timeline of a case: patient, payer, and what was ordered, performed, given and charged, by study.

Each entry names the resource it comes from, so that the page can show it in the request and change it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from cds_service.core.case import Administration, Case, Coverage, Document, Line, Observation, Order, Procedure, Record
from cds_service.core.concepts import BILLING, Concept
from cds_service.core.notation import counted_units, plain
from cds_service.fhir.read import ParsedCase
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import fact, joined, name, worded
from cds_service.review.reference import Part
from cds_service.sandbox.json_paths import Json

# The records of each study of a case, by the study's title; `hooks` groups them.
Grouping = Callable[[Case], tuple[tuple[str, tuple[Record, ...]], ...]]

Kind = Literal["ordered", "done", "not done", "given", "not given", "charged", "unclear"]


class EditableFields(Part):
    """Current values of the fields that can be changed: None if a field cannot, empty if it has no value."""

    code: str | None = None
    units: str | None = None
    modifiers: tuple[str, ...] | None = None
    day: str | None = None
    ml: str | None = None


class TimelineEntry(Part, kw_only=True):
    """An order, procedure, administration or charge. `path` and `within` locate it in the request."""

    kind: Kind
    title: str
    code: str = ""
    detail: str = ""
    day: date | None = None
    reference: str
    path: str
    within: str = ""
    under_review: bool = False
    editable: EditableFields | None = None


class StudyTimeline(Part):
    """The entries of a study, or of no study, by date; `is_echo` if the study is an echo."""

    title: str
    day: date | None
    entries: tuple[TimelineEntry, ...]
    is_echo: bool = False


class Person(Part):
    """Name, gender and birth date of the patient, as far as recorded."""

    name: str = ""
    gender: str = ""
    born: str = ""


class OtherRecords(Part):
    """Records without a charge, such as observations, each in words."""

    kind: str
    items: tuple[str, ...]


class Timeline(Part):
    """The case as parsed. `complete` are the prefetch keys whose part of the record is complete."""

    patient: Person
    payers: tuple[str, ...]
    setting: str
    studies: tuple[StudyTimeline, ...]
    other_records: tuple[OtherRecords, ...]
    complete: tuple[str, ...]


def timeline_of(parsed: ParsedCase, grouping: Grouping, patient: Json | None = None) -> Timeline:
    """The timeline of a case. `grouping` sorts its records into studies; `patient` is the Patient resource if sent."""
    case = parsed.case
    groups = [(title, records) for title, records in grouping(case) if records]
    grouped = {id(record) for _, records in groups for record in records}
    rest = tuple(record for record in _events(case) if id(record) not in grouped)
    studies = [_study(title, records) for title, records in groups]
    return Timeline(
        patient=person_of(patient or {}),
        payers=tuple(dict.fromkeys(_payer(each) for each in case.coverages)),
        setting=_setting(case.lines),
        studies=(*studies, *([_study(worded("Not part of an echo study"), rest)] if rest else ())),
        other_records=tuple(_other_records(case)),
        complete=tuple(sorted(case.complete)),
    )


def _events(case: Case) -> tuple[Record, ...]:
    return (*case.orders, *case.procedures, *case.administrations, *case.lines)


_ECHO = "echo"  # the last word of the title of a study that is one


def _study(title: str, records: Iterable[Record]) -> StudyTimeline:
    entries = sorted((_entry(record) for record in records), key=lambda each: (each.day or date.max, _RANK[each.kind]))
    dated = [each for each in entries if each.day]
    days = [each.day for each in dated if each.kind != "ordered"] or [each.day for each in dated]
    first = min((day for day in days if day), default=None)
    return StudyTimeline(title, first, tuple(entries), is_echo=title.endswith(_ECHO))


_RANK: Mapping[Kind, int] = {
    "ordered": 0, "done": 1, "not done": 1, "given": 2, "not given": 2, "unclear": 2, "charged": 3,
}  # fmt: skip


def _entry(record: Record) -> TimelineEntry:
    kind, title, code, detail, editable = _described(record)
    return TimelineEntry(
        kind=kind,
        title=title,
        code=code,
        detail=detail,
        day=record.day,
        reference=record.origin.reference,
        path=record.origin.resource,
        within=record.origin.within,
        under_review=record.under_review,
        editable=editable,
    )


def _described(record: Record) -> tuple[Kind, str, str, str, EditableFields | None]:
    """Kind, title, code, detail and editable fields of an entry."""
    day = record.day.isoformat() if record.day else ""
    if isinstance(record, Line):
        return "charged", name(str(record)), record.code, _line_detail(record), _editable_line(record, day)
    if isinstance(record, Administration):
        kind: Kind = "unclear" if record.status == "unclear" else record.status
        ml = plain(record.ml) if record.ml is not None else ""
        words, code = _words(record.concept), _code(record.concept)
        volume = worded("no volume in mL") if record.ml is None else fact(Quantity(record.ml, "mL"))
        detail = joined("; ", (volume, name(code))) if code and code != words else volume
        return kind, words, "", detail, EditableFields(day=day, ml=ml)
    if isinstance(record, Procedure):
        done: Kind = "unclear" if record.status == "unclear" else record.status
        return done, _words(record.concept), _code(record.concept), name("; ".join(record.reasons)), None
    concept = record.concept if isinstance(record, Order) else Concept()
    reasons = name("; ".join(record.reasons)) if isinstance(record, Order) else ""
    return "ordered", _words(concept), _code(concept), reasons, None


def _editable_line(line: Line, day: str) -> EditableFields | None:
    if not line.open:
        return None
    return EditableFields(
        code=line.code, units=plain(line.units) if line.units is not None else "", modifiers=line.modifiers, day=day
    )


def _line_detail(line: Line) -> str:
    words = name(next(iter(line.concept.words), ""))
    submitted = "" if line.open else worded("already submitted: cannot be changed")
    return joined("; ", (part for part in (words, _units(line.units), submitted) if part))


def _units(units: Decimal | None) -> str:
    return worded("units not stated") if units is None else counted_units(units)


def _words(concept: Concept) -> str:
    """The text of a concept, else its code."""
    found = next(iter((*concept.words, *(code.value for code in concept.codes))), "")
    return name(found) if found else worded("not named")


def _code(concept: Concept) -> str:
    """The billing code of a concept, else any code."""
    return next(iter((*concept.values(BILLING), *(code.value for code in concept.codes))), "")


# --- patient, payer, setting ------------------------------------------------------------------------------------------


def person_of(resource: Json) -> Person:
    """Name, gender and birth date of a Patient resource."""
    names = resource.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = [str(each) for each in first.get("given") or []]
    written = " ".join([*given, str(first.get("family") or "")]).strip() or str(first.get("text") or "")
    return Person(written, str(resource.get("gender") or ""), str(resource.get("birthDate") or ""))


def _payer(coverage: Coverage) -> str:
    kind = next(iter((*coverage.concept.words, *(code.value for code in coverage.concept.codes))), "")
    payor = next(iter(coverage.payors), "")
    found = ", ".join(part for part in (kind, payor) if part)
    return name(found) if found else worded("not named")


_CLAIM_TYPES = {
    "professional": worded("professional claim"),
    "institutional": worded("hospital claim"),
    "unknown": "",
}


def _setting(lines: Iterable[Line]) -> str:
    claim_types = dict.fromkeys(_CLAIM_TYPES[line.claim_type] for line in lines)
    codes = dict.fromkeys(line.place_of_service for line in lines if line.place_of_service)
    places = (worded("place of service {place}", place=each) for each in codes)
    return joined(", ", (part for part in (*claim_types, *places) if part))


def _other_records(case: Case) -> Iterator[OtherRecords]:
    """Observations and documents: rules read them, and they carry no charge."""
    if case.observations:
        yield OtherRecords(worded("observations"), tuple(_observed(each) for each in case.observations))
    if case.documents:
        yield OtherRecords(worded("reports and documents"), tuple(_document(each) for each in case.documents))


def _observed(observation: Observation) -> str:
    value = "; ".join(observation.words)
    words = _words(observation.concept)
    return joined(": ", (words, name(value))) if value else words


_KINDS = {
    "report": worded("report"),
    "images": worded("images"),
    "document": worded("document"),
    "condition": worded("condition"),
}


def _document(document: Document) -> str:
    return joined(": ", (_KINDS.get(document.kind) or name(document.kind), _words(document.concept)))
