"""Records of each type of resource: by its status, with its links, and of claims by their items and details."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.core.case import Case
from cds_service.fhir.read import ParsedCase, read_case
from cds_service.fhir.sources import SourceResource
from tests.unit.test_read import CPT

SUBJECT = {"subject": {"reference": "Patient/p1"}}
PATIENT = {"patient": {"reference": "Patient/p1"}}
ECHO = {"code": {"coding": [{"system": CPT, "code": "93350"}]}}


def read(*resources: Any, reviewed: int = 100, **call: Any) -> ParsedCase:
    sources = [
        SourceResource(f"entry[{i}]", msgspec.Raw(json.dumps(each).encode()), under_review=i < reviewed, key=f"key{i}")
        for i, each in enumerate(resources)
    ]
    return read_case(sources, **{"stage": "claim", "patient_id": "p1"} | call)


def case_of(*resources: Any, **call: Any) -> Case:
    parsed = read(*resources, **call)
    assert parsed.skipped == ()
    return parsed.case


def resource(kind: str, status: str, **members: Any) -> dict[str, Any]:
    subject = PATIENT if kind in {"Claim", "ExplanationOfBenefit"} else SUBJECT
    subject = {"beneficiary": SUBJECT["subject"]} if kind == "Coverage" else subject
    made = {"resourceType": kind, "id": "1", "status": status} | subject | members
    return made | ({"item": [{"sequence": 1}]} if kind in {"Claim", "ExplanationOfBenefit"} else {})


ORDERED = {"intent": "order"}
COUNTS = [
    ("Procedure", "completed", {}, "procedures"), ("Procedure", "unknown", {}, "procedures"),
    ("Procedure", "entered-in-error", {}, ""), ("MedicationAdministration", "completed", {}, "administrations"),
    ("MedicationAdministration", "entered-in-error", {}, ""), ("ServiceRequest", "active", ORDERED, "orders"),
    ("ServiceRequest", "completed", ORDERED, "orders"), ("ServiceRequest", "revoked", ORDERED, ""),
    ("ServiceRequest", "entered-in-error", ORDERED, ""),
    ("ServiceRequest", "active", ORDERED | {"doNotPerform": True}, ""),
    ("ServiceRequest", "active", ORDERED | {"doNotPerform": False}, "orders"),
    ("MedicationRequest", "active", ORDERED, "orders"), ("MedicationRequest", "completed", ORDERED, "orders"),
    ("MedicationRequest", "cancelled", ORDERED, ""), ("MedicationRequest", "stopped", ORDERED, ""),
    ("MedicationRequest", "active", ORDERED | {"doNotPerform": True}, ""),
    ("Coverage", "active", {}, "coverages"), ("Coverage", "cancelled", {}, ""), ("Coverage", "draft", {}, ""),
    ("Observation", "final", {}, "observations"), ("Observation", "cancelled", {}, ""),
    ("DiagnosticReport", "final", {}, "documents"), ("DiagnosticReport", "cancelled", {}, ""),
    ("ImagingStudy", "available", {}, "documents"), ("ImagingStudy", "cancelled", {}, ""),
    ("DocumentReference", "current", {"content": []}, "documents"),
    ("DocumentReference", "superseded", {"content": []}, ""),
    ("Claim", "active", {}, "lines"), ("Claim", "draft", {}, "lines"), ("Claim", "cancelled", {}, ""),
    ("ExplanationOfBenefit", "active", {}, "lines"), ("ExplanationOfBenefit", "draft", {}, ""),
    ("ChargeItem", "planned", ECHO, "lines"), ("ChargeItem", "billed", ECHO, "lines"),
    ("ChargeItem", "aborted", ECHO, ""),
]  # fmt: skip
MEMBERS = ("lines", "procedures", "administrations", "orders", "coverages", "observations", "documents")


@pytest.mark.parametrize(("kind", "status", "members", "member"), COUNTS)
def test_a_record_counts_by_its_status(kind: str, status: str, members: dict[str, Any], member: str) -> None:
    drug = {"medicationCodeableConcept": {"text": "saline"}} if kind.startswith("Medication") else {}
    case = case_of(resource(kind, status, **members, **drug))
    assert [each for each in MEMBERS if len(getattr(case, each))] == ([member] if member else [])


@pytest.mark.parametrize(
    ("verification", "counts"),
    [("confirmed", True), ("provisional", True), ("refuted", False), ("entered-in-error", False), (None, True)],
)
def test_a_condition_counts_unless_it_was_refuted(verification: str | None, counts: bool) -> None:
    stated = {"verificationStatus": {"coding": [{"code": verification}]}} if verification else {}
    condition = {"resourceType": "Condition", "id": "1", "code": {"text": "angina"}} | SUBJECT | stated
    assert [each.kind for each in case_of(condition).documents] == (["condition"] if counts else [])


@pytest.mark.parametrize(
    ("status", "done", "given"),
    [
        ("completed", "done", "given"), ("not-done", "not done", "not given"), ("in-progress", "unclear", "given"),
        ("on-hold", "unclear", "unclear"), ("stopped", "unclear", "unclear"),
    ],
)  # fmt: skip
def test_what_was_done_and_given(status: str, done: str, given: str) -> None:
    drug = {"medicationCodeableConcept": {"text": "saline"}}
    case = case_of(resource("Procedure", status), resource("MedicationAdministration", status, **drug))
    assert (case.procedures[0].status, case.administrations[0].status) == (done, given)


@pytest.mark.parametrize(
    ("kind", "status", "is_open", "is_billable"),
    [
        ("ChargeItem", "billable", True, True), ("ChargeItem", "planned", True, False),
        ("ChargeItem", "billed", False, False), ("ChargeItem", "unknown", True, False),
        ("Claim", "active", True, False),
        ("Claim", "draft", True, False), ("ExplanationOfBenefit", "active", False, False),
    ],
)  # fmt: skip
def test_a_charge_is_open_to_changes_until_it_is_billed(
    kind: str, status: str, is_open: bool, is_billable: bool
) -> None:
    (line,) = case_of(resource(kind, status, **(ECHO if kind == "ChargeItem" else {}))).lines
    assert (line.open, line.billable) == (is_open, is_billable)


PLANNED, WRITTEN = {"occurrenceDateTime": "2026-03-20"}, {"authoredOn": "2026-03-02"}


@pytest.mark.parametrize(
    ("members", "day", "is_planned"),
    [
        (PLANNED | WRITTEN, 20, True), (WRITTEN, 2, False), (PLANNED, 20, True), ({}, None, False),
        ({"occurrenceDateTime": "2026-03"} | WRITTEN, 2, False),
        ({"occurrencePeriod": {"start": "2026-03-20", "end": "2026-03-22"}} | WRITTEN, 20, True),
    ],
)  # fmt: skip
def test_the_day_of_an_order_is_the_one_it_is_planned_for(
    members: dict[str, Any], day: int | None, is_planned: bool
) -> None:
    (order,) = case_of(resource("ServiceRequest", "active", **ORDERED, **members)).orders
    assert (order.day, order.planned) == (day and date(2026, 3, day), is_planned)


def test_a_document_has_its_words_and_what_it_belongs_to() -> None:
    of_study = {"encounter": {"reference": "Encounter/e"}, "basedOn": [{"reference": "ServiceRequest/o"}]}
    case = case_of(
        resource("DiagnosticReport", "final", conclusion="No ischemia", effectiveDateTime="2026-03-02", **of_study),
        resource("ImagingStudy", "available", description="Stress", started="2026-03-02",
                 procedureReference={"reference": "Procedure/p"}, **of_study),
        resource("Observation", "final", valueString="Normal", note=[{"text": "Seen"}, {}], code={"text": "ECG"},
                 valueCodeableConcept={"text": "Sinus"}, partOf=[{"reference": "Procedure/p"}],
                 effectivePeriod={"start": "2026-03-02"}, encounter={"reference": "Encounter/e"}),
    )  # fmt: skip
    report, images = case.documents
    (observed,) = case.observations
    assert [each.words for each in (report, images, observed)] == [
        ("No ischemia",), ("Stress",), ("Normal", "Sinus", "Seen"),
    ]  # fmt: skip
    assert {each.encounter for each in (report, images, observed)} == {"Encounter/e"}
    assert {each.day for each in (report, images, observed)} == {date(2026, 3, 2)}
    assert [sorted(each.links) for each in (report, images, observed)] == [
        ["ServiceRequest/o"], ["Procedure/p", "ServiceRequest/o"], ["Procedure/p"],
    ]  # fmt: skip


def coded(code: str, *, system: str = CPT) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def claim(*items: Any, **members: Any) -> dict[str, Any]:
    return (
        {"resourceType": "Claim", "id": "7", "status": "active", "use": "claim", "item": list(items)}
        | PATIENT
        | members
    )


def test_parts_of_a_claim_are_cited_by_their_sequences_or_their_places() -> None:
    sub = [{"sequence": 9, "productOrService": coded("93325")}, {"productOrService": coded("93321")}]
    details = [{"productOrService": coded("93320"), "subDetail": sub}, {"sequence": 5, "subDetail": sub[1:]}]
    items = [
        {"sequence": 3, "productOrService": coded("93350")},
        {"productOrService": coded("93352"), "detail": details},
    ]
    lines = case_of(claim(*items)).lines
    assert [(each.code, each.origin.reference, each.origin.within) for each in lines] == [
        ("93350", "Claim/7 item 3", "item[0]"),
        ("93352", "Claim/7 item 2", "item[1]"),
        ("93320", "Claim/7 item 2.1", "item[1].detail[0]"),
        ("93325", "Claim/7 item 2.1.9", "item[1].detail[0].subDetail[0]"),
        ("93321", "Claim/7 item 2.1.2", "item[1].detail[0].subDetail[1]"),
        ("", "Claim/7 item 2.5", "item[1].detail[1]"),
        ("93321", "Claim/7 item 2.5.1", "item[1].detail[1].subDetail[0]"),
    ]
    assert [each.identity for each in lines][:2] == ["Claim/7#item[0]", "Claim/7#item[1]"]


@pytest.mark.parametrize("number", [1, 2**31 - 1])
def test_sequences_are_positive_numbers_of_31_bits(number: int) -> None:
    (line,) = case_of(claim({"sequence": number, "productOrService": coded("93350")})).lines
    assert line.origin.reference == f"Claim/7 item {number}"


@pytest.mark.parametrize("number", [0, -1, 2**31])
def test_other_numbers_are_no_sequences(number: int) -> None:
    parsed = read(claim({"sequence": number, "productOrService": coded("93350")}))
    assert parsed.case.lines == ()
    assert len(parsed.skipped) == 1


TEAM = [
    {"sequence": 1, "provider": {"reference": "Practitioner/a"}, "role": coded("primary", system="x")},
    {"sequence": 2, "provider": {"reference": "Practitioner/b"}, "role": coded("referring", system="x")},
    {"sequence": 3, "provider": {"reference": "Organization/c"}},
]


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [([1], {"a"}), ([2], {"z"}), ([3], {"z"}), ([1, 2, 3], {"a"}), (None, {"z"}), ([9], {"z"})],
    ids=str,
)
def test_who_did_it_is_of_the_care_team_else_the_provider(sequences: list[int] | None, expected: set[str]) -> None:
    item = {"sequence": 1, "productOrService": coded("93350")} | ({"careTeamSequence": sequences} if sequences else {})
    (line,) = case_of(claim(item, careTeam=TEAM, provider={"reference": "Practitioner/z"})).lines
    assert line.performers == {f"Practitioner/{each}" for each in expected}


def insured(*coverages: Any, **members: Any) -> Any:
    insurance = [{"sequence": i, "focal": focal, "coverage": each} for i, (focal, each) in enumerate(coverages, 1)]
    (line,) = case_of(claim({"sequence": 1, "productOrService": coded("93350")}, insurance=insurance, **members)).lines
    return line.coverages, line.payer_names


def test_the_payer_is_that_of_the_focal_coverage() -> None:
    one, other = {"reference": "Coverage/1"}, {"reference": "Coverage/2"}
    assert insured((True, one), (False, other)) == (("Coverage/1",), ())
    assert insured((False, one), (False, other)) == (("Coverage/1", "Coverage/2"), ())
    assert insured((True, {"display": "Aetna"})) == ((), ("Aetna",))
    assert insured((True, one | {"display": "Aetna"})) == (("Coverage/1",), ())
    assert insured((True, {"identifier": {"system": "urn:m", "value": "1"}})) == (("urn:m|1",), ())
    assert insured((True, {"reference": "Coverage?identifier=urn:m|1"})) == (("urn:m|1",), ())
    contained = [{"resourceType": "Coverage", "id": "c", "status": "active"}]
    assert insured((True, {"reference": "#c"}), contained=contained) == (("Claim/7#c",), ())


def test_a_contained_coverage_is_one_of_the_record_unless_it_ended() -> None:
    kept = {"resourceType": "Coverage", "id": "c", "status": "active", "payor": [{"display": "Aetna"}]}
    ended, unnamed = kept | {"id": "d", "status": "cancelled"}, {"resourceType": "Coverage", "status": "active"}
    drug = {"resourceType": "Medication", "id": "m"}
    case = case_of(claim({"sequence": 1}, contained=[drug, ended, kept, unnamed]))
    assert [(each.identity, each.payors) for each in case.coverages] == [("Claim/7#c", ("Aetna",))]
    assert case.coverages[0].origin.resource == "entry[0].contained[2]"


def test_the_program_of_cms_is_a_class_of_its_coverage() -> None:
    def payors(*classes: str) -> tuple[str, ...]:
        stated = [{"type": {"text": "x"}, "value": each} for each in classes]
        return case_of(resource("Coverage", "active", **{"class": stated})).coverages[0].payors

    assert payors("Medicare", "Part B") == ("Medicare Part B",)
    assert payors("Part A", "medicare") == ("Medicare Part A",)
    assert payors("MEDICARE") == ("Medicare",)
    assert payors("Medicaid", "Part B") == ()


@pytest.mark.parametrize(
    ("place", "expected"),
    [("22", "22"), ("11", "11"), ("2", None), ("222", None), ("ab", None)],
)
def test_the_place_of_service_has_two_digits(place: str, expected: str | None) -> None:
    item = {"sequence": 1, "locationCodeableConcept": {"coding": [{"code": "x"}, {"code": place}]}}
    assert case_of(claim(item)).lines[0].place_of_service == expected


@pytest.mark.parametrize(
    ("code", "revenue", "expected"),
    [
        ("93350", "0480", [("billing", "93350")]),
        ("777", "0480", [("billing", "777"), ("revenue", "0480")]),
        (None, "0480", [("revenue", "0480")]),
        (None, None, []),
    ],
)
def test_a_cost_center_counts_where_no_service_is_coded(
    code: str | None, revenue: str | None, expected: list[tuple[str, str]]
) -> None:
    item = {"sequence": 1} | ({"productOrService": coded(code)} if code else {})
    item |= {"revenue": {"coding": [{"code": revenue}]}} if revenue else {}
    (line,) = case_of(claim(item)).lines
    assert [(each.system, each.value) for each in line.concept.codes] == expected


# --- the encounter under review -------------------------------------------------------------------------------------


def test_charges_of_the_encounter_under_review_are_under_review() -> None:
    here, there = {"context": {"reference": "Encounter/e"}}, {"context": {"reference": "Encounter/f"}}
    charges = [resource("ChargeItem", "billable", **ECHO, **each) | {"id": name} for name, each in
               (("1", here), ("2", there), ("3", {}))]  # fmt: skip
    item = {"sequence": 1, "productOrService": coded("93350")}
    every = [*charges, claim(item | {"encounter": [{"reference": "Encounter/e"}]}), claim(item) | {"id": "8"}]

    def reviewed(**call: Any) -> list[str]:
        lines = case_of(*every, reviewed=0, encounter_id="e", **call).lines
        return [each.identity.partition("#")[0] for each in lines if each.under_review]

    assert reviewed(review_encounter=True) == ["ChargeItem/1", "Claim/7"]
    assert reviewed() == []


# --- faults that the reader reports ---------------------------------------------------------------------------------


def reasons(*resources: Any, **call: Any) -> list[tuple[str, str]]:
    return [(each.path, each.reason) for each in read(*resources, **call).skipped]


DIFFERENT = "Procedure: a different resource with the same id came first"


@pytest.mark.parametrize(
    ("reviewed", "other", "expected"),
    [
        (2, {"status": "not-done"}, [("entry[1]", DIFFERENT)]),
        (0, {"status": "not-done"}, [("entry[1]", DIFFERENT)]),
        (2, {}, []),
        (1, {"status": "not-done"}, []),
    ],
    ids=["under review", "on record", "the same", "one under review"],
)
def test_of_two_resources_with_one_id_the_second_is_reported_if_it_differs(
    reviewed: int, other: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """A draft and the same resource on record may differ: the draft is what is about to be sent."""
    one = resource("Procedure", "completed")
    parsed = read(one, one | other, reviewed=reviewed, complete=frozenset({"key0", "key1", "key2"}))
    assert [(each.path, each.reason) for each in parsed.skipped] == expected
    assert [each.status for each in parsed.case.procedures] == ["done"]
    assert parsed.case.complete == ({"key2"} if expected else {"key0", "key1", "key2"})


DRUG = {"medicationCodeableConcept": {"text": "saline"}}
DOSE = {"dosage": {"dose": {"value": -1, "unit": "mL"}}}
DISCARDED = {
    "extension": [
        {
            "url": "https://example.org/contrast-echo-cds/StructureDefinition/discarded-amount",
            "valueQuantity": {"value": -1, "unit": "mL"},
        }
    ]
}
RANGE = "quantity: expected a number from 0 to 100000 with at most 18 digits"


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        (resource("MedicationAdministration", "completed", **DRUG, **DOSE), f"MedicationAdministration: {RANGE}"),
        (resource("MedicationAdministration", "completed", **DRUG, **DISCARDED), f"MedicationAdministration: {RANGE}"),
        (resource("ChargeItem", "billable", **ECHO, quantity={"value": -1}), f"ChargeItem: {RANGE}"),
        (claim({"sequence": 1, "quantity": {"value": -1}}), f"Claim: {RANGE}"),
        (claim(use="predetermination"), "a predetermination is not a claim for payment; not reviewed"),
        ({"resourceType": "Procedure", "status": 5}, "Procedure: Expected `str`, got `int` - at `$.status`"),
        ({"resourceType": "Procedure", "status": "x"},
         "Procedure: expected a code that FHIR R4 allows here - at `$.status`"),
        ({"resourceType": "Rumour"}, "not a resource type of FHIR R4"),
        ({"id": "1"}, "expected a FHIR resource with a `resourceType`"),
        (resource("Procedure", "completed", subject={"reference": "Patient/p2"}),
         "belongs to a different patient than the call"),
    ],
    ids=["dose", "discarded", "units", "claim", "use", "type", "code", "no type of FHIR", "no type", "patient"],
)  # fmt: skip
def test_what_is_not_read_is_reported_and_makes_its_part_incomplete(faulty: Any, reason: str) -> None:
    assert reasons(faulty) == [("entry[0]", reason)]
    other = resource("Observation", "final", id="o")
    parsed = read(other, faulty, complete=frozenset({"key0", "key1"}))
    is_left_out = "payment" in reason or "patient" in reason
    assert parsed.case.complete == ({"key0", "key1"} if is_left_out else {"key0"})
    assert len(parsed.case.observations) == 1
    assert [len(getattr(parsed.case, each)) for each in MEMBERS if each != "observations"] == [0] * 6


def test_an_administration_without_a_medication_is_reported_and_kept() -> None:
    """It may be a contrast agent."""
    parsed = read(resource("MedicationAdministration", "completed"))
    assert [each.reason for each in parsed.skipped] == [
        "MedicationAdministration.medication: expected a code, a text or a reference"
    ]
    assert len(parsed.case.administrations) == 1


@pytest.mark.parametrize(("unit", "ml", "mg"), [("mL", "2", None), ("mg", None, "2"), ("vial", None, None)])
def test_the_dose_that_was_given(unit: str, ml: str | None, mg: str | None) -> None:
    dose = {"dosage": {"dose": {"value": 2, "unit": unit}}}
    links = {"partOf": [{"reference": "Procedure/p"}], "request": {"reference": "MedicationRequest/r"}}
    given = resource("MedicationAdministration", "completed", **DRUG, **dose, **links, effectiveDateTime="2026-03-02")
    (found,) = case_of(given).administrations
    assert (found.ml, found.mg) == (ml and Decimal(ml), mg and Decimal(mg))
    assert found.day == date(2026, 3, 2)
    assert found.links == {"Procedure/p", "MedicationRequest/r"}
