"""Runs the cases in `rules/<rule-id>.yaml`: every rule flags, passes and abstains as they state."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hooks
from cds_service.cdshooks.messages import Card
from cds_service.core.changes import AddLine
from cds_service.core.finding_ids import finding_ids
from cds_service.core.rules import Finding, Undecided
from cds_service.review.advisor import Advisor, Answer
from tests.support import yaml_files
from tests.support.notation import body_of, service_of

FOLDER = Path(__file__).parent
CASES = {path.stem: yaml_files.read(path) for path in sorted(FOLDER.glob("*.yaml"))}
assert CASES
SERVICES = {service.id: service for service in hooks.all_services()}


def cases(expectation: str) -> list[Any]:
    return [
        pytest.param(rule_id, case, id=f"{rule_id}: {case['what']}")
        for rule_id, by_expectation in CASES.items()
        for case in by_expectation.get(expectation, [])
    ]


def advise(advisor: Advisor, case: dict[str, Any]) -> Answer:
    advice = advisor.answer(SERVICES[service_of(case)], body_of(case))
    readable = {each.reason: each.reason.startswith("not understood") for each in advice.skipped}
    assert False not in readable.values(), f"the case itself must be readable: {readable}"
    return advice


def findings(advice: Answer, rule_id: str) -> list[Finding]:
    """The findings of a rule, also those that are folded into another one."""
    return [finding for rule, finding in advice.review.unfolded if rule.id == rule_id]


def not_checked(advice: Answer, rule_id: str) -> list[Undecided]:
    return [each for rule, each in advice.review.not_checked if rule.id == rule_id]


@pytest.mark.parametrize(("rule_id", "case"), cases("flags"))
def test_flags(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    advice = advise(advisor, case)
    found = findings(advice, rule_id)
    assert len(found) == 1
    rule = next(rule for rule in advisor.rules if rule.id == rule_id)
    default = "info" if case.get("hook") == "order" and rule_id.startswith("contrast-") else "warning"
    assert rule.indicator_of(replace(found[0], also=()), advice.stage) == case.get("indicator", default)
    card = _card_with(found[0], advice)
    is_own = card.source.topic is not None and card.source.topic.code == rule_id
    fixes = [str(fix) for fix in found[0].fixes]
    assert case.get("remedies", fixes) == fixes
    carried_out = len(card.suggestions or ())
    assert "remedies" not in case or not is_own or carried_out == len(fixes), "every remedy can be carried out"
    beside = _beside(found[0])
    assert case.get("beside", beside) == beside
    recommended = [str(each) for each in found[0].fixes if each.recommended]
    pinned = case.get("recommended")
    assert pinned is None or ([] if pinned == "nothing" else [pinned]) == recommended
    assert case.get("remedies") or case.get("says"), "a case says what the card asks for"
    assert case.get("says", "") in (card.summary if is_own else card.detail or "")
    notes = case.get("notes", "")
    assert notes in (card.detail or "") if isinstance(notes, str) else notes == [str(each) for each in found[0].notes]
    assert case.get("asks", _asked(found[0])) == _asked(found[0])
    seen = [each.seen for each in found[0].evidence]
    assert case.get("seen", seen) == seen
    cited = _cited(card)
    assert cited
    cites = case.get("cites", cited)
    assert cites
    assert [each for each in cites if not any(each in line for line in cited)] == []
    is_alone = "cites" in case and is_own and not found[0].also
    assert len(cited) == len(case["cites"]) if is_alone else cited, "no other source"


def _beside(finding: Finding) -> list[str]:
    """The charges whose claims the lines that are added join, each once."""
    added = [each.sibling for fix in finding.fixes for each in fix.changes if isinstance(each, AddLine)]
    return list(dict.fromkeys(f"{each.claim_type} {each}" if each else "nothing" for each in added))


def _asked(verdict: Finding | Undecided) -> str:
    return verdict.question.text if verdict.question else ""


def _card_with(finding: Finding, advice: Answer) -> Card:
    """The card of a finding, its own or the one that it shares."""
    shown = advice.review.findings
    ids = finding_ids(shown)
    every = ([each, *(also for _, also in each.also)] for _, each in shown)
    finding_id = next(name for name, held in zip(ids, every, strict=True) if any(each is finding for each in held))
    return next(each for each in advice.response.cards if finding_id in str(each.extension))


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
    assert advice.response.cards == () or not case.get("silent"), "a correct bill stays silent"


@pytest.mark.parametrize(("rule_id", "case"), cases("not_checked"))
def test_abstains(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    advice = advise(advisor, case)
    assert findings(advice, rule_id) == []
    reasons = [each.reason for each in not_checked(advice, rule_id)]
    assert case["why"] in reasons
    of_reason = [each for each in not_checked(advice, rule_id) if each.reason == case["why"]]
    assert case.get("asks", _asked(of_reason[0])) == _asked(of_reason[0])
    assert advice.response.cards == () or not case.get("silent")
