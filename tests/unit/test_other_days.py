"""Records that may be of another day: alone, and together with records of unclear codes."""

import json
from typing import Any

import pytest

from cds_service.review.advisor import Advisor, Answer
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of, service_of

WHOLE = ["procedures", "medicationAdministrations", "chargeItems"]
GOOD = {"professional": "93351, 93352, Q9957x2-JZ", "place": "11", "given": ["Definity 1.3 mL"], "done": ["93351"],
        "known": WHOLE, "payer": "SOPT 121"}  # fmt: skip
RECORDS = ("procedures", "medicationAdministrations")
EVENING = "2026-03-03T01:30:00Z"
MIDNIGHT = "2026-03-02T00:00:00Z"


def good() -> dict[str, Any]:
    return request_of(GOOD)


def resources(request: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in request["prefetch"][key]["entry"]]


def dated(request: dict[str, Any], moment: str, *keys: str) -> dict[str, Any]:
    for key in keys:
        for each in resources(request, key):
            name = next(name for name in ("performedDateTime", "effectiveDateTime") if name in each)
            each[name] = moment
    return request


def review(advisor: Advisor, request: dict[str, Any]) -> Answer:
    return advisor.answer(SERVICES[service_of(GOOD)], json.dumps(request).encode())


def found(answer: Answer) -> list[str]:
    return [rule.id for rule, _ in answer.review.findings]


def site(tmp_path: Any, zone: str) -> Advisor:
    path = tmp_path / "site.yaml"
    path.write_text(f"time_zone: {zone}")
    return create_advisor(Settings(site_file=path))


def test_an_evening_in_utc_with_a_drug_that_was_not_sent(advisor: Advisor) -> None:
    request = dated(good(), EVENING, *RECORDS)
    (given,) = resources(request, "medicationAdministrations")
    del given["medicationCodeableConcept"]
    given["medicationReference"] = {"reference": "Medication/not-sent"}
    answer = review(advisor, request)
    assert found(answer) == []
    assert "contrast-not-supported" in {rule.id for rule, _ in answer.review.not_checked}


def test_an_evening_in_utc_with_charges_under_a_local_code(advisor: Advisor) -> None:
    request = dated(good(), EVENING, *RECORDS)
    for item in request["context"]["draftCharges"]["entry"][0]["resource"]["item"]:
        item["productOrService"] = {"coding": [{"system": "urn:local", "code": "777"}]}
    assert found(review(advisor, request)) == []


@pytest.mark.parametrize("zone", ["", "America/Chicago", "Pacific/Honolulu"])
def test_a_date_written_as_midnight_in_utc(advisor: Advisor, tmp_path: Any, zone: str) -> None:
    chosen = site(tmp_path, zone) if zone else advisor
    assert found(review(chosen, dated(good(), MIDNIGHT, *RECORDS))) == []


@pytest.mark.parametrize("zone", ["", "America/Chicago"])
def test_a_date_written_as_midnight_beside_a_real_instant(advisor: Advisor, tmp_path: Any, zone: str) -> None:
    request = dated(good(), EVENING, "medicationAdministrations")
    request = dated(request, MIDNIGHT, "procedures")
    assert found(review(site(tmp_path, zone) if zone else advisor, request)) == []


def test_a_period_past_midnight_may_be_of_its_last_day(advisor: Advisor) -> None:
    request = good()
    for each in resources(request, "medicationAdministrations"):
        del each["effectiveDateTime"]
        each["effectivePeriod"] = {"start": "2026-03-01T23:30:00-06:00", "end": "2026-03-02T00:20:00-06:00"}
    assert found(review(advisor, request)) == []


def test_a_correct_claim_of_an_afternoon_is_judged(plain_advisor: Advisor) -> None:
    answer = review(plain_advisor, dated(good(), "2026-03-02T20:10:00Z", *RECORDS))
    assert found(answer) == []
    assert [each.reason for _, each in answer.review.not_checked] == []
