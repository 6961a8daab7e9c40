"""What was read of a case, as a person would tell it: who, when, what was ordered, done, given and charged.

Each thing on the time line is tied to the resource it stands in, so that it can be shown there and be changed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from cds_service.core.case import (
    BILLING,
    Administration,
    Case,
    Concept,
    Coverage,
    Document,
    Line,
    Observation,
    Order,
    Procedure,
    Record,
)
from cds_service.core.notation import plain
from cds_service.fhir.read import ParsedCase
from cds_service.review.reference import Part
from cds_service.sandbox.json_paths import Json

# The records of each study of a case; the knowledge tells which belong together.
Grouping = Callable[[Case], tuple[tuple[str, tuple[Record, ...]], ...]]

Kind = Literal["ordered", "done", "not done", "given", "not given", "charged", "unclear"]


class EditableFields(Part):
    """What of a thing can be changed, as it stands there: None where it cannot be, empty where it is not said."""

    code: str | None = None
    units: str | None = None
    modifiers: tuple[str, ...] | None = None
    day: str | None = None
    ml: str | None = None


class TimelineEntry(Part, kw_only=True):
    """A thing on the time line. `place` and `within` say where in the request it stands."""

    kind: Kind
    what: str
    code: str = ""
    detail: str = ""
    day: date | None = None
    reference: str
    place: str
    within: str = ""
    under_review: bool = False
    editable: EditableFields | None = None


class StudyTimeline(Part):
    """A study, or what belongs to none, in the order of its days."""

    title: str
    day: date | None
    told: tuple[TimelineEntry, ...]


class Person(Part):
    """The patient, as far as the record says."""

    name: str = ""
    gender: str = ""
    born: str = ""


class OtherRecords(Part):
    """What was read besides: how many of what, and the words of each."""

    kind: str
    items: tuple[str, ...]


class Timeline(Part):
    """All that was read of a case. `complete` are the parts of the record that are known to be whole."""

    patient: Person
    payers: tuple[str, ...]
    setting: str
    chapters: tuple[StudyTimeline, ...]
    also: tuple[OtherRecords, ...]
    complete: tuple[str, ...]


def story_of(parsed: ParsedCase, grouping: Grouping, patient: Json | None = None) -> Timeline:
    """The story of a case. `grouping` sorts its records into studies, `patient` is the Patient resource if it came."""
    case = parsed.case
    groups = [(title, records) for title, records in grouping(case) if records]
    grouped = {id(record) for _, records in groups for record in records}
    rest = tuple(record for record in _events(case) if id(record) not in grouped)
    chapters = [_chapter(title, records) for title, records in groups]
    return Timeline(
        patient=person_of(patient or {}),
        payers=tuple(dict.fromkeys(_payer(each) for each in case.coverages)),
        setting=_setting(case.lines),
        chapters=(*chapters, *([_chapter("Not part of an echo study", rest)] if rest else ())),
        also=tuple(_also(case)),
        complete=tuple(sorted(case.complete)),
    )


def _events(case: Case) -> tuple[Record, ...]:
    return (*case.orders, *case.procedures, *case.administrations, *case.lines)


def _chapter(title: str, records: Iterable[Record]) -> StudyTimeline:
    told = sorted((_told(record) for record in records), key=lambda each: (each.day or date.max, _RANK[each.kind]))
    days = [each.day for each in told if each.day and each.kind != "ordered"] or [each.day for each in told if each.day]
    return StudyTimeline(title, min(days, default=None), tuple(told))


_RANK: Mapping[Kind, int] = {
    "ordered": 0, "done": 1, "not done": 1, "given": 2, "not given": 2, "unclear": 2, "charged": 3,
}  # fmt: skip


def _told(record: Record) -> TimelineEntry:
    kind, what, code, detail, editable = _said(record)
    return TimelineEntry(
        kind=kind,
        what=what,
        code=code,
        detail=detail,
        day=record.day,
        reference=record.origin.reference,
        place=record.origin.resource,
        within=record.origin.within,
        under_review=record.under_review,
        editable=editable,
    )


def _said(record: Record) -> tuple[Kind, str, str, str, EditableFields | None]:
    """Kind, words, code, detail and what can be changed."""
    day = record.day.isoformat() if record.day else ""
    if isinstance(record, Line):
        return "charged", str(record), record.code, _line_detail(record), _editable_line(record, day)
    if isinstance(record, Administration):
        kind: Kind = "unclear" if record.status == "unclear" else record.status
        ml = plain(record.ml) if record.ml is not None else ""
        words, code = _words(record.concept), _code(record.concept)
        parts = (f"{ml} mL" if ml else "no volume in mL", "" if code == words else code)
        return kind, words, "", "; ".join(part for part in parts if part), EditableFields(day=day, ml=ml)
    if isinstance(record, Procedure):
        done: Kind = "unclear" if record.status == "unclear" else record.status
        return done, _words(record.concept), _code(record.concept), "; ".join(record.reasons), None
    concept = record.concept if isinstance(record, Order) else Concept()
    reasons = "; ".join(record.reasons) if isinstance(record, Order) else ""
    return "ordered", _words(concept), _code(concept), reasons, None


def _editable_line(line: Line, day: str) -> EditableFields | None:
    if not line.open:
        return None
    return EditableFields(
        code=line.code, units=plain(line.units) if line.units is not None else "", modifiers=line.modifiers, day=day
    )


def _line_detail(line: Line) -> str:
    words = next(iter(line.concept.words), "")
    units = _units(line.units)
    return "; ".join(part for part in (words, units, "" if line.open else "can no longer be changed") if part)


def _units(units: Decimal | None) -> str:
    if units is None:
        return "units not stated"
    return f"{plain(units)} {'unit' if units == 1 else 'units'}"


def _words(concept: Concept) -> str:
    """The words of a thing, else its code."""
    return next(iter((*concept.words, *(code.value for code in concept.codes))), "not named")


def _code(concept: Concept) -> str:
    """The billing code of a thing, or whatever code it has."""
    return next(iter((*concept.values(BILLING), *(code.value for code in concept.codes))), "")


# --- who, where, who pays -------------------------------------------------------------------------------------------


def person_of(resource: Json) -> Person:
    """A Patient's name, gender and date of birth, as far as they can be read."""
    names = resource.get("name")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = [str(each) for each in name.get("given") or []]
    written = " ".join([*given, str(name.get("family") or "")]).strip() or str(name.get("text") or "")
    return Person(written, str(resource.get("gender") or ""), str(resource.get("birthDate") or ""))


def _payer(coverage: Coverage) -> str:
    kind = next(iter((*coverage.concept.words, *(code.value for code in coverage.concept.codes))), "")
    payor = next(iter(coverage.payors), "")
    return ", ".join(part for part in (kind, payor) if part) or "not named"


_FORMS = {"professional": "professional claim", "institutional": "hospital claim", "unknown": ""}


def _setting(lines: Iterable[Line]) -> str:
    forms = dict.fromkeys(_FORMS[line.claim_type] for line in lines)
    places = dict.fromkeys(f"place of service {line.place_of_service}" for line in lines if line.place_of_service)
    return ", ".join(part for part in (*forms, *places) if part)


def _also(case: Case) -> Iterator[OtherRecords]:
    """Findings and documents: they bear no charge, and rules read them."""
    if case.observations:
        yield OtherRecords("observations", tuple(_observed(each) for each in case.observations))
    if case.documents:
        yield OtherRecords("reports and documents", tuple(_document(each) for each in case.documents))


def _observed(observation: Observation) -> str:
    value = "; ".join(observation.words)
    return f"{_words(observation.concept)}: {value}" if value else _words(observation.concept)


def _document(document: Document) -> str:
    return f"{document.kind}: {_words(document.concept)}"
