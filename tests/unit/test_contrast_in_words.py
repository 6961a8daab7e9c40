"""Contrast that a procedure names in words only: it may have been given, so its charges are not without support."""

import json
from typing import Any

import pytest

from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LOCAL = "urn:oid:1.2.3"
COMPLETE = frozenset({"medicationAdministrations", "procedures"})
STRESS_ECHO = {"coding": [{"system": CPT, "code": "93351"}]}


def claim() -> dict[str, Any]:
    codes = ((CPT, "93351", 1), (CPT, "93352", 1), (HCPCS, "Q9957", 2))
    return {
        "resourceType": "Claim",
        "id": "c1",
        "status": "active",
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "item": [
            {
                "sequence": number,
                "productOrService": {"coding": [{"system": system, "code": code}]},
                "servicedDate": "2026-03-02",
                "quantity": {"value": units},
            }
            for number, (system, code, units) in enumerate(codes, 1)
        ],
    }


def procedure(identity: str = "1", **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": identity,
        "status": "completed",
        "code": STRESS_ECHO,
        "subject": {"reference": "Patient/p1"},
        "performedDateTime": "2026-03-02",
    } | members


def lacks_support(advisor: Advisor, *procedures: dict[str, Any]) -> bool:
    entries = [{"resource": each} for each in (claim(), *procedures)]
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    report = report_of(advisor.review_bundle(body, complete=COMPLETE))
    return "contrast-not-supported" in {each.rule for each in report.findings}


@pytest.mark.parametrize(
    "members",
    [
        {"usedCode": [{"text": "Definity 1.5 mL vial"}]},
        {"usedCode": [{"coding": [{"system": LOCAL, "code": "7", "display": "DEFINITY"}]}]},
        {"code": STRESS_ECHO | {"text": "Stress echo with Definity"}},
        {"code": {"coding": [{"system": CPT, "code": "93351", "display": "Stress echo with contrast"}]}},
    ],
    ids=str,
)
def test_an_agent_or_contrast_in_words_may_have_been_given(advisor: Advisor, members: dict[str, Any]) -> None:
    assert not lacks_support(advisor, procedure(**members))


def test_a_procedure_without_a_study_code_that_names_an_agent_may_be_of_the_study(advisor: Advisor) -> None:
    named = {"code": {"text": "Stress echo with Definity"}}
    assert not lacks_support(advisor, procedure(), procedure("2", **named))
    assert not lacks_support(advisor, procedure(), procedure("2", **named, performedDateTime="2026-03-03"))
    assert lacks_support(advisor, procedure(), procedure("2", **named, performedDateTime="2026-03-09"))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"code": STRESS_ECHO | {"text": "Stress echo without contrast"}},
        {"usedCode": [{"text": "saline flush"}]},
    ],
    ids=str,
)
def test_without_them_the_charges_lack_support(advisor: Advisor, members: dict[str, Any]) -> None:
    assert lacks_support(advisor, procedure(**members))


def test_an_agent_of_a_procedure_that_was_not_done_was_not_given(advisor: Advisor) -> None:
    named = {"code": {"text": "Stress echo with Definity"}, "status": "not-done"}
    assert lacks_support(advisor, procedure(), procedure("2", **named))
