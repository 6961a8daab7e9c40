"""Diagnoses of claims, charges, procedures and orders, as rules see them."""

from typing import Any

import pytest

from cds_service.core.case import Diagnosis
from cds_service.core.concepts import REFERENCE, Code
from cds_service.fhir.systems import ICD_10_CM_URI
from tests.unit.test_read import CPT, case_of

PATIENT = {"patient": {"reference": "Patient/p1"}}
SUBJECT = {"subject": {"reference": "Patient/p1"}}


def coded(code: str, system: str | None = ICD_10_CM_URI) -> dict[str, Any]:
    return {"coding": [{"code": code} | ({"system": system} if system else {})]}


def claim(
    *items: list[int] | None, diagnosis: Any = None, claim_type: str = "professional", **members: Any
) -> dict[str, Any]:
    """A claim of one line for each list of sequences, with three diagnoses."""
    three = [{"sequence": i, "diagnosisCodeableConcept": coded(code)} for i, code in enumerate(("I10", "R07.9"), 1)]
    lines = [
        {"sequence": i, "productOrService": coded("93350", CPT)} | ({"diagnosisSequence": each} if each else {})
        for i, each in enumerate(items, 1)
    ]
    return {
        "resourceType": "Claim",
        "id": "7",
        "status": "active",
        "use": "claim",
        "type": {"coding": [{"code": claim_type}]},
        "diagnosis": three if diagnosis is None else diagnosis,
        "item": lines,
        **PATIENT,
        **members,
    }


def codes(diagnoses: tuple[Diagnosis, ...]) -> list[str]:
    return [each.code for each in diagnoses]


def of_first_line(*resources: Any) -> list[str]:
    return codes(case_of(*resources).lines[0].diagnoses)


def test_a_line_has_the_diagnoses_that_it_names_in_its_order() -> None:
    first, second = case_of(claim([2], [2, 1])).lines
    assert (codes(first.diagnoses), codes(second.diagnoses)) == (["R07.9"], ["R07.9", "I10"])
    assert codes(first.claim_diagnoses) == ["I10", "R07.9"]
    assert first.diagnoses[0].reference == "Claim/7 diagnosis 2"


def test_a_line_that_names_none_has_all_of_the_claim() -> None:
    assert of_first_line(claim(None)) == ["I10", "R07.9"]


def test_on_a_hospital_claim_every_line_has_all() -> None:
    assert of_first_line(claim([2], claim_type="institutional")) == ["I10", "R07.9"]


def test_the_details_of_a_line_have_its_diagnoses() -> None:
    item = {"productOrService": coded("93350", CPT), "diagnosisSequence": [1]}
    detail = {"sequence": 1, "productOrService": coded("93352", CPT), "subDetail": [item | {"diagnosisSequence": [2]}]}
    lines = case_of(claim(item=[item | {"detail": [detail]}])).lines
    assert [codes(line.diagnoses) for line in lines] == [["I10"]] * 3


def test_an_explanation_of_benefits_states_diagnoses_too() -> None:
    explanation = claim([2]) | {"resourceType": "ExplanationOfBenefit", "outcome": "complete"}
    assert of_first_line(explanation) == ["R07.9"]


@pytest.mark.parametrize(
    ("system", "written"),
    [
        (ICD_10_CM_URI, "I25.10"),
        (ICD_10_CM_URI, "I2510"),
        (ICD_10_CM_URI, " i25.10 "),
        ("https://hl7.org/fhir/sid/icd-10-cm/", "I25.10"),
        (f"{ICD_10_CM_URI}|2026", "I25.10"),
        ("urn:oid:2.16.840.1.113883.6.90", "I25.10"),
        ("2.16.840.1.113883.6.90", "I2510"),
        ("ICD-10-CM", "I2510"),
        ("ICD10CM", "I2510"),
        ("ICD-10", "I2510"),
        ("ABK", "I2510"),
        ("ABF", "I2510"),
    ],
)
def test_icd_10_cm_is_understood_under_its_addresses_with_and_without_the_dot(system: str, written: str) -> None:
    stated = [{"sequence": 1, "diagnosisCodeableConcept": coded(written, system)}]
    assert of_first_line(claim([1], diagnosis=stated)) == ["I25.10"]


@pytest.mark.parametrize(
    "stated",
    [
        coded("I25.10", "http://hl7.org/fhir/sid/icd-10"),  # of the WHO
        coded("I25.10", None),
        coded("414.01", "http://hl7.org/fhir/sid/icd-9-cm"),
        coded("53741008", "http://snomed.info/sct"),
        coded("I25.10", "https://ehr.example.org/codes"),
        coded("heart", ICD_10_CM_URI),
        coded("", ICD_10_CM_URI),
        {"text": "coronary disease"},
        {"coding": [*coded("I25.10")["coding"], *coded("I10")["coding"]]},
        {},
    ],
    ids=str,
)
def test_another_form_is_a_diagnosis_that_is_not_understood(stated: dict[str, Any]) -> None:
    assert of_first_line(claim([1], diagnosis=[{"sequence": 1, "diagnosisCodeableConcept": stated}])) == [""]


def test_a_clinical_code_beside_it_does_not_matter() -> None:
    both = {"coding": [*coded("53741008", "http://snomed.info/sct")["coding"], *coded("I25.10")["coding"]]}
    assert of_first_line(claim([1], diagnosis=[{"sequence": 1, "diagnosisCodeableConcept": both}])) == ["I25.10"]


CONDITION = {"resourceType": "Condition", "id": "c1", "code": coded("I25.10"), **SUBJECT}


@pytest.mark.parametrize("where", ["received", "contained", "by address"])
def test_a_condition_states_the_diagnosis(where: str) -> None:
    reference = {"received": "Condition/c1", "contained": "#c1", "by address": "urn:uuid:1"}[where]
    stated = [{"sequence": 1, "diagnosisReference": {"reference": reference}}]
    if where == "contained":
        assert of_first_line(claim([1], diagnosis=stated, contained=[CONDITION])) == ["I25.10"]
    else:
        assert of_first_line(claim([1], diagnosis=stated), CONDITION) == ["I25.10"]


def test_what_a_line_refers_to_and_was_not_sent_is_not_understood() -> None:
    stated = [{"sequence": 1, "diagnosisReference": {"reference": "Condition/none"}}]
    (line,) = case_of(claim([1, 9], diagnosis=stated)).lines
    assert codes(line.diagnoses) == ["", ""]
    references = [code for each in line.diagnoses for code in each.concept.codes]
    assert references == [Code(REFERENCE, "Condition/none"), Code(REFERENCE, "diagnosisSequence-9")]


def test_a_diagnosis_without_a_sequence_counts_by_its_place_and_spoils_nothing() -> None:
    assert of_first_line(claim([1], diagnosis=[{"diagnosisCodeableConcept": coded("I10")}])) == ["I10"]


def test_reasons_are_diagnoses() -> None:
    reasons = {"reasonCode": [coded("I10"), {"text": "dyspnea"}], "reasonReference": [{"reference": "Condition/c1"}]}
    done = {"resourceType": "Procedure", "id": "d", "status": "completed", "code": coded("93350", CPT)}
    order = {"resourceType": "ServiceRequest", "id": "o", "status": "draft", "intent": "order", "code": done["code"]}
    charge = {"resourceType": "ChargeItem", "id": "x", "status": "billable", "code": done["code"]}
    case = case_of(
        {**done, **SUBJECT, **reasons},
        {**order, **SUBJECT, **reasons},
        {**charge, **SUBJECT, "reason": [coded("R07.9")]},
        CONDITION,
    )
    assert codes(case.procedures[0].diagnoses) == ["I10", "", "I25.10"]
    assert codes(case.orders[0].diagnoses) == ["I10", "", "I25.10"]
    assert codes(case.lines[0].diagnoses) == ["R07.9"]
    assert case.orders[0].diagnoses[0].reference == "ServiceRequest/o"
