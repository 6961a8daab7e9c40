"""Cards: each carries the stable id of its finding."""

from dataclasses import replace
from typing import Any

import pytest

from cds_service.core.finding_ids import finding_ids
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.report import report_of
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, service_of

FLAGGED = [pytest.param(case, id=f"{rule_id}: {case['what']}") for rule_id, by in CASES.items() for case in by["flags"]]


def answer(advisor: Advisor, case: dict[str, Any]) -> Answer:
    return advisor.answer(SERVICES[service_of(case)], body_of(case))


@pytest.mark.parametrize("case", FLAGGED)
def test_a_card_carries_the_id_of_its_finding(advisor: Advisor, case: dict[str, Any]) -> None:
    advice = answer(advisor, case)
    views = {each.id: each for each in report_of(advice).findings}
    assert len(views) == len(advice.response.cards) > 0
    for card in advice.response.cards:
        assert card.extension
        view = views[card.extension["org.example.contrast-echo"]["finding"]]
        assert (card.detail, card.source.topic and card.source.topic.code) == (view.detail, view.rule)


def test_equal_findings_are_numbered_and_the_order_of_evidence_does_not_matter(advisor: Advisor) -> None:
    ((rule, finding), *_) = answer(advisor, {"lines": "93352, 93352"}).review.findings
    turned = replace(finding, evidence=tuple(reversed(finding.evidence)))
    one, other, third = finding_ids([(rule, finding), (rule, turned), (rule, replace(finding, evidence=()))])
    assert other == f"{one}-2"
    assert third != one
