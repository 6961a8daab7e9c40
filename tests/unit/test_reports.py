"""Reports of a study: by the day that they state, by a reference, or, without a day, as the study's."""

import json
from typing import Any

import pytest

from cds_service.review.advisor import Advisor
from hooks.coding.documentation import documentation_of
from hooks.coding.studies import studies
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of, service_of

CASE = {
    "lines": "93351, 93352, Q9957x2",
    "day": "2026-03-16",
    "given": ["Definity 1.3 mL"],
    "done": ["93351"],
    "known": ["observations"],
    "reported": ['words "Two segments not seen without contrast. ECG without change. Peak heart rate 150."'],
}
OTHER_DAY = "2026-03-14T10:00:00Z"


def found(advisor: Advisor, report: dict[str, Any], procedure: dict[str, Any] | None = None) -> set[str]:
    """The items that the record has, with a report, and a procedure, that have other members."""
    request, changed = request_of(CASE), 0
    for bundle in (request["context"]["draftCharges"], *request["prefetch"].values()):
        for entry in bundle.get("entry", []):
            resource = entry["resource"]
            if resource["resourceType"] == "DiagnosticReport":
                del resource["effectiveDateTime"]
                changed += 1
                resource |= report
            if resource["resourceType"] == "Procedure":
                resource |= procedure or {}
    assert changed == 1
    case = advisor.answer(SERVICES[service_of(CASE)], json.dumps(request).encode()).parsed.case
    (study,) = studies(case)
    return {each.item.name.split(" (")[0] for each in documentation_of(study, case) if each.state == "found"}


@pytest.mark.parametrize(
    ("report", "is_of_the_study"),
    [
        ({}, True),
        ({"effectiveDateTime": "2026-03"}, True),
        ({"effectiveDateTime": "2026-03-16"}, True),
        ({"effectiveDateTime": OTHER_DAY}, False),
        ({"effectivePeriod": {"start": "2026-03-16T09:00:00Z", "end": "2026-03-16T10:00:00Z"}}, True),
        ({"effectivePeriod": {"start": OTHER_DAY, "end": OTHER_DAY}}, False),
        ({"effectivePeriod": {"start": OTHER_DAY}}, False),
        ({"effectiveDateTime": OTHER_DAY, "basedOn": [{"reference": "ServiceRequest/none"}]}, False),
    ],
)
def test_a_report_is_of_the_study_by_its_day(advisor: Advisor, report: dict[str, Any], is_of_the_study: bool) -> None:
    items = {"need for contrast", "interpretation and report"}
    assert found(advisor, report) & items == (items if is_of_the_study else set())


def test_a_report_of_another_day_that_refers_to_the_procedure_is_of_the_study(advisor: Advisor) -> None:
    report = {"effectiveDateTime": OTHER_DAY}
    assert "need for contrast" not in found(advisor, report)
    assert "need for contrast" in found(advisor, report | {"basedOn": [{"reference": "Procedure/done-5"}]})


def test_the_report_that_a_procedure_names_is_a_report(advisor: Advisor) -> None:
    named = {"report": [{"reference": "DiagnosticReport/elsewhere"}]}
    report = {"effectiveDateTime": OTHER_DAY}
    assert "interpretation and report" not in found(advisor, report)
    assert "interpretation and report" in found(advisor, report, named)
