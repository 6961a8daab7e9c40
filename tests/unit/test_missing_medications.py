"""Medications that records refer to and that did not arrive: those that are worth a read from the FHIR server."""

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from cds_service.core.case import Days
from cds_service.fhir.missing import can_be_read, missing_medications
from cds_service.fhir.read import CaseReader
from cds_service.fhir.sources import SourceResource

SUBJECT = {"subject": {"reference": "Patient/p1"}}
DAY = Days(date(2026, 3, 2), date(2026, 3, 3))


def to(identity: str, display: str | None = None) -> dict[str, str]:
    return {"reference": f"Medication/{identity}"} | ({"display": display} if display else {})


def given(reference: dict[str, str], **members: Any) -> dict[str, Any]:
    base = {"resourceType": "MedicationAdministration", "status": "completed", "medicationReference": reference}
    return base | SUBJECT | {"effectiveDateTime": "2026-03-02"} | members


def ordered(reference: dict[str, str], **members: Any) -> dict[str, Any]:
    base = {"resourceType": "MedicationRequest", "status": "active", "intent": "order"}
    return base | SUBJECT | {"medicationReference": reference, "authoredOn": "2026-03-02"} | members


def performed(*references: dict[str, str], **members: Any) -> dict[str, Any]:
    base = {"resourceType": "Procedure", "status": "completed", "usedReference": list(references)}
    return base | SUBJECT | {"performedDateTime": "2026-03-02"} | members


def missing(*resources: dict[str, Any], days: Days | None = DAY) -> list[tuple[str, str, bool]]:
    reader = CaseReader(stage="claim", patient_id="p1")
    reader.add(
        SourceResource(f"entry[{number}]", msgspec.Raw(json.dumps({"id": f"r{number}"} | each).encode()), "", True)
        for number, each in enumerate(resources)
    )
    reader.parsed(frozenset())
    return [
        (each.identity, each.written, each.is_named)
        for each in missing_medications(reader.items, reader.resolver, days)
    ]


@pytest.mark.parametrize("record", [given, ordered, performed], ids=["given", "ordered", "used in a procedure"])
def test_what_a_record_refers_to_and_what_did_not_arrive(record: Any) -> None:
    assert missing(record(to("m1"))) == [("Medication/m1", "Medication/m1", False)]
    assert missing(record(to("m1", "Definity"))) == [("Medication/m1", "Medication/m1", True)]
    assert missing(record(to("m1")), {"resourceType": "Medication", "id": "m1"}) == []
    assert missing(record(to("m1"), status="entered-in-error")) == []


@pytest.mark.parametrize("record", [given, ordered, performed], ids=["given", "ordered", "used in a procedure"])
def test_records_without_a_medication_name_none(record: Any) -> None:
    nothing = {"medicationReference": None, "medicationCodeableConcept": {"text": "saline"}, "usedReference": None}
    plain = {key: value for key, value in (record(to("m1")) | nothing).items() if value is not None}
    assert missing(plain) == []


@pytest.mark.parametrize(
    ("day", "is_looked_for"),
    [
        ("2026-02-28", False), ("2026-03-01", True), ("2026-03-02", True), ("2026-03-03", True), ("2026-03-04", True),
        ("2026-03-05", False), ("2026-03", True), (None, True),
    ],
)  # fmt: skip
def test_of_some_days_those_of_the_days_around_them_too(day: str | None, is_looked_for: bool) -> None:
    """An instant may be in another time zone; without a date it may be of any day."""
    records = [
        (given(to("m1")), "effectiveDateTime"),
        (ordered(to("m1")), "authoredOn"),
        (performed(to("m1")), "performedDateTime"),
    ]
    for record, member in records:
        dated = {key: value for key, value in (record | {member: day}).items() if value is not None}
        assert bool(missing(dated)) is is_looked_for
        assert missing(dated, days=None)


def test_the_day_of_a_period() -> None:
    period = {"start": "2026-03-09T08:00:00Z", "end": "2026-03-09T09:00:00Z"}
    assert missing(given(to("m1")) | {"effectiveDateTime": None, "effectivePeriod": period}) == []
    assert missing(performed(to("m1")) | {"performedDateTime": None, "performedPeriod": period}) == []


def test_each_once_and_those_without_a_name_first() -> None:
    found = missing(given(to("m1", "Definity")), given(to("m2")), given(to("m2")), given(to("m3", "Optison")))
    assert [(identity, is_named) for identity, _, is_named in found] == [
        ("Medication/m2", False), ("Medication/m1", True), ("Medication/m3", True),
    ]  # fmt: skip


@pytest.mark.parametrize("names", [("Definity", None), (None, "Definity")], ids=["named first", "named last"])
def test_one_that_is_named_once_only_counts_as_without_a_name(names: tuple[str | None, str | None]) -> None:
    """The record that does not name it may be of any drug."""
    assert missing(*(given(to("m1", name)) for name in names)) == [("Medication/m1", "Medication/m1", False)]


def test_a_reference_is_kept_as_it_was_written() -> None:
    written = "https://fhir.example.org/r4/Medication/m1"
    assert missing(given({"reference": written})) == [("Medication/m1", written, False)]


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Substance/s1"},
        {"reference": "#m1"},
        {"display": "Definity"},
        {"identifier": {"system": "urn:x", "value": "Medication/1"}},
        {"reference": "Medication/.."},
        {"reference": "Medication/m 1"},
    ],
    ids=["a substance", "contained", "a name only", "an identifier", "a path", "a space"],
)
def test_what_is_no_medication_to_read(reference: dict[str, Any]) -> None:
    assert missing(given(reference)) == []


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Medication/m1", True), ("Medication/a.b-C", True), (f"Medication/{'x' * 64}", True), ("Medication/.1", True),
        (f"Medication/{'x' * 65}", False), ("Medication/", False), ("Medication/..", False), ("Medication/.-.", False),
        ("Medication/a/b", False), ("Medication/a_b", False), ("Medication/a?b", False), ("m1", False), ("#m1", False),
        ("urn:uuid:1", False), ("Medication/m1\n", False),
    ],
)  # fmt: skip
def test_references_that_can_be_read_by_id(reference: str, expected: bool) -> None:
    assert can_be_read(reference) is expected
