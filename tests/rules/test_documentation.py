"""Each item of the documentation is found where it belongs, and missing only from a complete part of the record."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.core.case import Administration, Case, Document, Observation, Order, Origin, Part, Procedure, Record
from cds_service.core.concepts import BILLING, LOINC, RXNORM, SNOMED, Code, Concept
from cds_service.review.advisor import Advisor
from hooks.codes.tables import DOCUMENTATION
from hooks.coding.documentation import documentation_of, is_incomplete
from hooks.coding.studies import stress_studies
from tests.rules.saying import together
from tests.rules.test_cases import advise

DAY = date(2026, 3, 2)
KINDS: dict[type[Record], str] = {
    Administration: "administrations",
    Document: "documents",
    Observation: "observations",
    Order: "orders",
    Procedure: "procedures",
}
ITEMS = [pytest.param(item, id=item.code) for item in DOCUMENTATION]


def concept(system: str = "", code: str = "", *words: str) -> Concept:
    return Concept(codes=(Code(system, code),) if code else (), words=words)


ECHO, DEFINITY = concept(BILLING, "93351"), concept(BILLING, "Q9957")
SALINE = concept("", "", "saline")


def at(number: int, day: date | None = DAY, **members: Any) -> dict[str, Any]:
    return {"origin": Origin("record", f"Record/{number}"), "identity": f"Record/{number}", "day": day} | members


def document(kind: Any, *words: str, **members: Any) -> Document:
    return Document(kind=kind, concept=Concept(), words=words, **at(1, **members))


def done(**members: Any) -> Procedure:
    own: dict[str, Any] = {"status": "done", "concept": ECHO}
    return Procedure(**at(2), **(own | members))


def given(**members: Any) -> Administration:
    own: dict[str, Any] = {"status": "given", "concept": DEFINITY}
    return Administration(**at(3), **(own | members))


def seen(named: Concept, *words: str) -> Observation:
    return Observation(concept=named, words=words, **at(4))


SOME = Decimal("1.3")
IN_SALINE = (Part(DEFINITY, SOME), Part(SALINE, None))
FOUND: dict[str, tuple[Record, set[str]]] = {
    "a condition": (document("condition"), {"reason"}),
    "a condition of another year": (document("condition", day=date(2020, 1, 1)), {"reason"}),
    "images": (document("images"), {"images"}),
    "images without a day": (document("images", day=None), {"images"}),
    "images of another day": (document("images", day=DAY + timedelta(1)), set()),
    "a report": (document("report"), {"report"}),
    "a report of another day": (document("report", day=DAY - timedelta(1)), set()),
    "a report's words": (document("report", "Two segments not seen. EKG without change."), {"report", "need", "ecg"}),
    "another document": (document("document"), set()),
    "another document's words": (document("document", "Bruce protocol, heart rate 150"), {"protocol", "result"}),
    "a condition's words": (document("condition", "Bruce protocol, heart rate 150"), {"reason"}),
    "the words of images": (document("images", "Bruce protocol, heart rate 150"), {"images"}),
    "a procedure": (done(), set()),
    "a procedure with its reason": (done(reasons=("chest pain",)), {"reason"}),
    "a procedure with its report": (done(reports=("DiagnosticReport/1",)), {"report"}),
    "a procedure's notes": (done(notes=("Bicycle; borders not seen",)), {"protocol", "need"}),
    "an exercise stress echo": (done(concept=concept(SNOMED, "433233004")), {"protocol"}),
    "another stress echo by SNOMED": (done(concept=concept(SNOMED, "433231002")), set()),
    "a procedure's name": (done(concept=concept(BILLING, "93351", "Treadmill stress echo")), {"protocol"}),
    "an order with its reason": (Order(kind="service", concept=ECHO, reasons=("dyspnea",), **at(5)), {"reason"}),
    "an order": (Order(kind="service", concept=ECHO, **at(5)), set()),
    "a dose": (given(ml=SOME), {"agent"}),
    "an agent without a dose": (given(), set()),
    "a dose that was stopped": (given(ml=SOME, status="unclear"), {"agent"}),
    "a dose that was not given": (given(ml=SOME, status="not given"), set()),
    "an agent in saline": (given(concept=concept("", "", "infusion"), parts=IN_SALINE), set()),
    "an agent by its name, in saline": (given(concept=concept("", "", "Definity"), parts=IN_SALINE), {"agent"}),
    "a dose of saline": (given(concept=SALINE, ml=SOME), set()),
    "a drug for the stress": (given(concept=concept(RXNORM, "3616")), {"protocol"}),
    "a drug for the stress by its name": (given(concept=concept("", "", "regadenoson")), {"protocol"}),
    "another drug": (given(concept=concept(RXNORM, "1")), set()),
    "an ECG": (seen(concept(LOINC, "11524-6")), {"ecg"}),
    "a stress ECG": (seen(concept(LOINC, "18752-6")), {"ecg", "result"}),
    "a heart rate": (seen(concept(LOINC, "8867-4")), {"result"}),
    "another observation": (seen(concept(LOINC, "1-8")), set()),
    "an observation's name": (seen(concept("", "", "Endocardial border definition")), {"need"}),
    "an observation's value": (seen(concept(LOINC, "1-8"), "wall motion normal"), {"result"}),
}


@pytest.fixture(scope="module")
def claim(advisor: Advisor) -> Case:
    """A claim for the stress echo of which the record holds nothing."""
    return advise(advisor, {"professional": "93351, 93352", "day": DAY}).parsed.case


def states(case: Case) -> dict[str, str]:
    (study,) = stress_studies(case)
    return {each.item.code: each.state for each in documentation_of(study, case)}


def found(case: Case) -> set[str]:
    return {code for code, state in states(case).items() if state == "found"}


def with_record(claim: Case, record: Record) -> Case:
    return together(claim, Case(stage="claim").with_records(**{KINDS[type(record)]: [record]}))


@pytest.mark.parametrize(("record", "expected"), FOUND.values(), ids=FOUND)
def test_a_record_documents(claim: Case, record: Record, expected: set[str]) -> None:
    assert found(with_record(claim, record)) == expected


def test_a_document_of_another_day_that_refers_to_the_study_is_of_the_study(claim: Case) -> None:
    performed = with_record(claim, done())
    report = document("report", day=DAY + timedelta(1))
    assert found(with_record(performed, report)) == set()
    assert found(with_record(performed, changed(report, links=frozenset({"Record/2"})))) == {"report"}


def test_a_drug_of_another_day_is_of_another_test(claim: Case) -> None:
    drug = given(concept=concept(RXNORM, "3616"))
    assert found(with_record(claim, changed(drug, day=DAY + timedelta(1)))) == set()


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_is_missing_only_from_parts_that_are_complete(advisor: Advisor, item: Any) -> None:
    parts = list(item.required_parts)
    known = {"professional": "93351, 93352", "day": DAY, "known": parts}
    (state,) = {states(advise(advisor, known).parsed.case)[item.code]}
    assert state == ("not found" if parts else "unknown")
    fewer = [known | {"known": [each for each in parts if each != left_out]} for left_out in parts]
    assert [states(advise(advisor, each).parsed.case)[item.code] for each in fewer] == ["unknown"] * len(parts)


def test_a_study_is_incomplete_if_an_item_is_missing(advisor: Advisor) -> None:
    for known, expected in (([], False), (["procedures"], False), (["medicationAdministrations"], True)):
        read = advise(advisor, {"professional": "93351, 93352", "day": DAY, "known": known}).parsed.case
        (study,) = stress_studies(read)
        assert is_incomplete(study, read) is expected
        assert is_incomplete(study, read) is ("not found" in states(read).values())
