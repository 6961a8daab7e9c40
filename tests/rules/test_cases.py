"""Runs the cases in `rules/<rule-id>.yaml`: every rule flags, passes and abstains as they state."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import hooks
from cds_service.cdshooks.messages import Card
from cds_service.core.rules import Finding, Undecided
from cds_service.review.advisor import Advisor, Answer
from tests.support.notation import body_of, service_of

FOLDER = Path(__file__).parent
CASES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
SERVICES = {service.id: service for service in hooks.all_services()}


def cases(expectation: str) -> list[Any]:
    return [
        pytest.param(rule_id, case, id=f"{rule_id}: {case['what']}")
        for rule_id, by_expectation in CASES.items()
        for case in by_expectation.get(expectation, [])
    ]


def advise(advisor: Advisor, case: dict[str, Any]) -> Answer:
    advice = advisor.answer(SERVICES[service_of(case)], body_of(case))
    flawed = [each for each in advice.skipped if not each.reason.startswith("not understood")]
    assert not flawed, "the case itself must be readable"
    return advice


def findings(advice: Answer, rule_id: str) -> list[Finding]:
    return [finding for rule, finding in advice.review.findings if rule.id == rule_id]


def not_checked(advice: Answer, rule_id: str) -> list[Undecided]:
    return [each for rule, each in advice.review.not_checked if rule.id == rule_id]


@pytest.mark.parametrize(("rule_id", "case"), cases("flags"))
def test_flags(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    advice = advise(advisor, case)
    found = findings(advice, rule_id)
    assert len(found) == 1
    card = next(card for card in advice.response.cards if card.source.topic and card.source.topic.code == rule_id)
    default = "info" if case.get("hook") == "order" and rule_id.startswith("contrast-") else "warning"
    assert card.indicator == case.get("indicator", default)
    if "remedies" in case:
        assert [str(fix) for fix in found[0].fixes] == case["remedies"]
        assert len(card.suggestions or ()) == len(case["remedies"]), "every remedy can be carried out"
    if "recommended" in case:
        assert [str(each) for each in found[0].fixes if each.recommended] == [case["recommended"]]
    assert case.get("says", "") in card.summary
    assert case.get("notes", "") in (card.detail or "")
    if "cites" in case:
        assert [each in line for each, line in zip(case["cites"], _cited(card), strict=True)] == [True] * len(
            case["cites"]
        )


def _cited(card: Card) -> list[str]:
    """The card's sources, one per line; the first is also the source under its title."""
    lines = (card.detail or "").split("**Source**\n\n")[1].splitlines()
    assert card.source.label in lines[0]
    return lines


@pytest.mark.parametrize(("rule_id", "case"), cases("passes"))
def test_passes(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    advice = advise(advisor, case)
    assert findings(advice, rule_id) == []
    assert not_checked(advice, rule_id) == []
    if case.get("silent"):
        assert advice.response.cards == (), "a correct bill stays silent"


@pytest.mark.parametrize(("rule_id", "case"), cases("not_checked"))
def test_abstains(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    advice = advise(advisor, case)
    assert findings(advice, rule_id) == []
    assert not_checked(advice, rule_id)
    if case.get("silent"):
        assert advice.response.cards == ()
