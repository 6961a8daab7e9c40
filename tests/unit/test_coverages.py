"""Coverages of a claim: contained, received, or not resolved; only a display is a name."""

import json
from datetime import date
from typing import Any

import pytest

from cds_service.core.case import ALWAYS, Term
from cds_service.fhir.data_types import Period
from cds_service.fhir.terms import term_of
from cds_service.review.advisor import Advisor
from cds_service.review.report import Report, report_of
from tests.unit.test_records import read

CPT = "http://www.ama-assn.org/go/cpt"
MEDICARE = {
    "resourceType": "Coverage",
    "id": "cov",
    "status": "active",
    "type": {"coding": [{"system": "https://nahdo.org/sopt", "code": "121"}]},
    "beneficiary": {"reference": "Patient/p1"},
    "payor": [{"reference": "Organization/cms"}],
}
OTHER = MEDICARE | {"type": {"coding": [{"system": "https://nahdo.org/sopt", "code": "5"}]}}


def hospital_claim(coverage: Any, kind: str = "Claim", **members: Any) -> dict[str, Any]:
    codes = ("93351", "93352", "Q9957")
    return {
        "resourceType": kind,
        "id": "c1",
        "status": "active",
        "use": "claim",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "institutional"}]},
        "patient": {"reference": "Patient/p1"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": coverage}],
        "item": [
            {
                "sequence": number,
                "productOrService": {"coding": [{"system": CPT, "code": code}]},
                "servicedDate": "2026-03-02",
                "quantity": {"value": 1},
            }
            for number, code in enumerate(codes, 1)
        ],
    } | members


def outcome(advisor: Advisor, *resources: Any) -> str:
    """The outcome of `hospital-contrast-code`, which depends on the payer."""
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}
    report: Report = report_of(advisor.review_bundle(json.dumps(body).encode()))
    assert {each.message.partition(" as billed")[0] for each in report.warnings} <= {"ExplanationOfBenefit: reviewed"}
    parts: dict[str, tuple[Any, ...]] = {
        "finding": report.findings,
        "not checked": report.not_checked,
        "passed": report.passed,
    }
    (found,) = [name for name, each in parts.items() if "hospital-contrast-code" in {one.rule for one in each}]
    return found


UNNAMED = {each: value for each, value in MEDICARE.items() if each != "type"}
CMS = {"resourceType": "Organization", "id": "cms", "name": "Medicare"}


def test_an_organization_that_was_sent_names_the_payer(advisor: Advisor) -> None:
    claim = hospital_claim({"reference": "Coverage/cov"})
    assert outcome(advisor, claim, UNNAMED) == "not checked"
    assert outcome(advisor, claim, UNNAMED, CMS) == "finding"
    assert outcome(advisor, claim, UNNAMED, CMS | {"name": "Aetna PPO"}) == "passed"
    assert outcome(advisor, claim, UNNAMED, CMS | {"id": "other"}) == "not checked"


def test_an_organization_may_be_contained_beside_the_coverage(advisor: Advisor) -> None:
    beside = [UNNAMED | {"payor": [{"reference": "#cms"}]}, CMS]
    assert outcome(advisor, hospital_claim({"reference": "#cov"}, contained=beside)) == "finding"


@pytest.mark.parametrize("kind", ["Claim", "ExplanationOfBenefit"])
def test_a_contained_coverage_is_that_of_its_claim(advisor: Advisor, kind: str) -> None:
    for coverage, expected in (
        (MEDICARE, "finding"),
        (OTHER, "passed"),
        (MEDICARE | {"status": "cancelled"}, "not checked"),
    ):
        contained = hospital_claim({"reference": "#cov"}, kind, contained=[coverage])
        assert outcome(advisor, contained) == expected


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "#nowhere"},
        {"reference": "urn:uuid:5a6b1c1e-0000-4000-8000-000000000000"},
        {"reference": "Coverage/unknown"},
        {"reference": "Coverage?identifier=https://payer.example/members|12"},
        {"reference": "1EG4TE5MK73"},
        {"identifier": {"system": "https://payer.example/members", "value": "12"}},
        {"identifier": {"value": "1EG4TE5MK73"}},
        {"reference": "Coverage/unknown", "display": "Coverage of the patient"},
    ],
)
def test_a_coverage_that_is_not_resolved_is_an_unknown_payer(advisor: Advisor, reference: Any) -> None:
    assert outcome(advisor, hospital_claim(reference)) == "not checked"


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Medicare Part B", "finding"),
        ("Part B", "finding"),
        ("Example Health", "passed"),
        ("Example Medicare", "not checked"),
        ("CMS", "not checked"),
        ("Centers for Medicare & Medicaid Services", "not checked"),
        ("Noridian Healthcare Solutions", "not checked"),
        ("WPS Government Health Administrators", "not checked"),
        ("National Government Services, Inc.", "not checked"),
        ("MCR PART B", "not checked"),
    ],
)
def test_a_display_alone_is_a_name(advisor: Advisor, display: str, expected: str) -> None:
    assert outcome(advisor, hospital_claim({"display": display})) == expected


@pytest.mark.parametrize(
    "reference",
    [
        {"identifier": {"system": "https://payer.example/members", "value": "12"}},
        {"reference": "Coverage?identifier=https://payer.example/members|12"},
    ],
)
def test_a_coverage_is_found_by_its_own_identifier(advisor: Advisor, reference: Any) -> None:
    received = MEDICARE | {"identifier": [{"system": "https://payer.example/members", "value": "12"}]}
    assert outcome(advisor, hospital_claim(reference), received) == "finding"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"class": [{"value": "Medicare"}, {"value": "Part B"}]}, "finding"),
        ({"class": [{"value": "Medicare"}, {"value": "Part C"}]}, "not checked"),
        ({"class": [{"value": "Group 12"}]}, "not checked"),
        ({"payor": [{"reference": "#o"}],
          "contained": [{"resourceType": "Organization", "id": "o", "name": "Medicare"}]}, "finding"),
    ],
)  # fmt: skip
def test_a_coverage_names_its_payer_by_class_or_by_a_contained_organization(
    advisor: Advisor, members: Any, expected: str
) -> None:
    bare = {name: value for name, value in MEDICARE.items() if name != "type"}
    assert outcome(advisor, hospital_claim({"reference": "Coverage/cov"}), bare | members) == expected


def typed(system: str, code: str, display: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": system, "code": code, "display": display}]}}


ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (typed(ACT_CODE, "EHCPOL", "extended healthcare"), "not checked"),
        (typed(ACT_CODE, "PUBLICPOL", "public healthcare"), "not checked"),
        (typed(ACT_CODE, "EHCPOL", "extended healthcare") | {"payor": [{"display": "CMS"}]}, "not checked"),
        (typed(ACT_CODE, "EHCPOL", "extended healthcare") | {"payor": [{"display": "Example Health"}]}, "passed"),
        (typed(ACT_CODE, "HMO", "health maintenance organization policy"), "not checked"),
        (typed("urn:oid:1.2.3", "7", "Commercial PPO"), "passed"),
        (typed("urn:oid:1.2.3", "8", "Medicare"), "finding"),
        ({"type": {"text": "Example Health PPO"}}, "passed"),
        ({"type": {"text": "Health insurance plan"}}, "not checked"),
    ],
    ids=str,
)
def test_a_type_that_names_no_payer_is_not_another_payer(advisor: Advisor, members: Any, expected: str) -> None:
    bare = {name: value for name, value in MEDICARE.items() if name != "type"}
    assert outcome(advisor, hospital_claim({"reference": "Coverage/cov"}), bare | members) == expected


SECONDARY = {**OTHER, "id": "second"}


def insurance(*coverages: tuple[str, bool]) -> list[dict[str, Any]]:
    named = enumerate(coverages, 1)
    return [
        {"sequence": number, "focal": focal, "coverage": {"reference": f"Coverage/{name}"}}
        for number, (name, focal) in named
    ]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((("cov", True), ("second", False)), "finding"),
        ((("second", False), ("cov", True)), "finding"),
        ((("cov", False), ("second", True)), "passed"),
    ],
)
def test_a_claim_is_for_its_focal_coverage(advisor: Advisor, named: Any, expected: str) -> None:
    claim = hospital_claim(None, insurance=insurance(*named))
    assert outcome(advisor, claim, MEDICARE, SECONDARY) == expected


@pytest.mark.parametrize(("first", "second", "expected"), [(1, 2, "finding"), (2, 1, "passed")])
def test_a_claim_that_names_no_coverage_is_for_the_patient_s_first(
    advisor: Advisor, first: int, second: int, expected: str
) -> None:
    claim = hospital_claim(None, insurance=[])
    coverages = (MEDICARE | {"order": first}, SECONDARY | {"order": second})
    assert outcome(advisor, claim, *coverages) == expected
    assert outcome(advisor, claim, *reversed(coverages)) == expected


def test_a_claim_that_names_no_coverage_is_for_the_first_in_force_on_its_day(advisor: Advisor) -> None:
    """The day of service is 2026-03-02; a claim that names its coverage is for that one, whatever its period."""
    claim = hospital_claim(None, insurance=[])
    first, second = MEDICARE | {"order": 1}, SECONDARY | {"order": 2}
    for period, expected in (
        ({"end": "2026-03-01"}, "passed"),
        ({"end": "2026-03-02"}, "finding"),
        ({"end": "2026-03"}, "finding"),
        ({"start": "2026-03-03"}, "passed"),
        ({"start": "2026"}, "finding"),
    ):
        assert outcome(advisor, claim, first | {"period": period}, second) == expected
        named = hospital_claim({"reference": "Coverage/cov"})
        assert outcome(advisor, named, first | {"period": period}, second) == "finding"
    assert outcome(advisor, claim, first | {"period": {"end": "2020-12-31"}}) == "not checked"


@pytest.mark.parametrize(
    ("period", "term"),
    [
        (None, ALWAYS),
        ({}, ALWAYS),
        ({"start": "2020-02-29", "end": "2024-02-29"}, Term(date(2020, 2, 29), date(2024, 2, 29))),
        ({"start": "2020-02", "end": "2024-02"}, Term(date(2020, 2, 1), date(2024, 2, 29))),
        ({"start": "2020", "end": "2024"}, Term(date(2020, 1, 1), date(2024, 12, 31))),
        ({"start": "2020-03-02T23:30:00-06:00"}, Term(date(2020, 3, 2))),
        (
            {"start": "2020-01-01T05:00:00Z", "end": "2024-01-01T04:59:59Z"},
            Term(date(2019, 12, 31), date(2024, 1, 1), frozenset({date(2019, 12, 31), date(2024, 1, 1)})),
        ),
        ({"start": "0001-01-01T00:00:00Z"}, Term(date(1, 1, 1))),
        ({"start": "soon", "end": "2024"}, Term(None, date(2024, 12, 31), unclear=True)),
        ({"end": "2024-13"}, Term(unclear=True)),
    ],
)
def test_a_period_is_a_term(period: dict[str, str] | None, term: Term) -> None:
    assert term_of(None if period is None else Period(**period), None) == term


def test_an_end_of_a_coverage_that_is_no_date_is_reported() -> None:
    sent = MEDICARE | {"period": {"start": "2020-01-01", "end": "never"}}
    assert [each.reason for each in read(sent).skipped] == ["Coverage.period.end: expected a date such as 2026-03-17"]
