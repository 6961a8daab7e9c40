"""Charges of an agent by NDC or RxNorm alone: each can only be its supply."""

import json
from typing import Any

import pytest

from cds_service.review.advisor import Advisor
from cds_service.review.report import Report, report_of

CPT = "http://www.ama-assn.org/go/cpt"
NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOCAL = "urn:oid:1.2.3"
COMPLETE = frozenset({"medicationAdministrations", "procedures", "chargeItems"})
DEFINITY = (NDC, "11994-011-04")


def coded(*codes: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codes]}


def of_patient(kind: str, number: int, **members: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": f"{kind}{number}", "subject": {"reference": "Patient/p1"}} | members


def reviewed(advisor: Advisor, *charged: dict[str, Any]) -> Report:
    day = "2026-03-02"
    resources = [
        of_patient("ChargeItem", number, status="billable", code=code, occurrenceDateTime=day, quantity={"value": 1})
        for number, code in enumerate((coded((CPT, "93351")), *charged))
    ]
    resources.append(of_patient("Procedure", 1, status="completed", code=coded((CPT, "93351")), performedDateTime=day))
    given = {"medicationCodeableConcept": coded(DEFINITY), "dosage": {"dose": {"value": 1.3, "unit": "mL"}}}
    resources.append(of_patient("MedicationAdministration", 1, status="completed", effectiveDateTime=day) | given)
    entries = [{"resource": each} for each in resources]
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    return report_of(advisor.review_bundle(body, complete=COMPLETE))


@pytest.mark.parametrize("codes", [[DEFINITY], [(RXNORM, "283753")], [DEFINITY, (RXNORM, "283753")]], ids=str)
def test_a_product_alone_may_be_its_supply_only(advisor: Advisor, codes: list[tuple[str, str]]) -> None:
    report = reviewed(advisor, coded(*codes))
    (asked,) = [each for each in report.not_checked if each.rule == "contrast-add-on-missing"]
    assert "and no CPT or HCPCS code: it may be Q995" in asked.reason
    assert any("and no CPT or HCPCS code" in each.message for each in report.warnings)


def test_a_product_alone_takes_away_no_advice_about_other_charges(advisor: Advisor) -> None:
    twice = [coded((CPT, "93352")), coded((CPT, "93352"))]
    assert "add-on-repeated" in {each.rule for each in reviewed(advisor, *twice, coded(DEFINITY)).findings}


@pytest.mark.parametrize("codes", [[(LOCAL, "7")], [(LOCAL, "7"), DEFINITY]], ids=str)
def test_a_local_code_may_be_the_contrast_add_on(advisor: Advisor, codes: list[tuple[str, str]]) -> None:
    assert "contrast-add-on-missing" not in {each.rule for each in reviewed(advisor, coded(*codes)).findings}


def test_without_either_both_are_missing(advisor: Advisor) -> None:
    assert "contrast-add-on-missing" in {each.rule for each in reviewed(advisor).findings}
