"""Override reasons: few per rule, coded, each limited to the stages at which it makes sense."""

import re

import pytest

import hooks
from cds_service.core.case import Stage
from cds_service.core.rules import OverrideReason, Rule
from hooks.coding import override_reasons

# Codes of http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes, as CDS Hooks 3.0.0-ballot suggests them.
STANDARD = {
    "cds-not-applicable", "cds-suboptimal-context", "recipient-disagrees-evidence", "recipient-concerns-outcomes",
    "does-not-align-preferences", "not-convenient-feasible", "patient-ineligible", "indication-order-exists",
    "action-completed", "wrong-time-workflow", "inappropriate-recipient", "need-more-info",
    "does-not-align-latest-evidence", "policy-contradicts", "too-costly-uncovered",
}  # fmt: skip
MOST = 7
STAGES: tuple[Stage, ...] = ("order", "claim")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rule", hooks.all_rules(), ids=lambda rule: rule.id)
def test_a_rule_offers_few_reasons_and_no_two_alike(rule: Rule, stage: Stage) -> None:
    reasons = rule.reasons_at(stage)
    assert 2 <= len(reasons) <= MOST
    assert len({reason.code for reason in reasons}) == len(reasons)
    assert len({reason.display for reason in reasons}) == len(reasons)
    assert set(reasons) <= set(override_reasons.ALL), "every reason is one of the code system"


@pytest.mark.parametrize("reason", override_reasons.ALL, ids=lambda reason: reason.code)
def test_a_reason_is_coded_has_words_and_a_standard_code(reason: OverrideReason) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.code)
    assert 10 <= len(reason.display) <= 70
    assert reason.standard in STANDARD


def test_codes_are_unique() -> None:
    codes = [reason.code for reason in override_reasons.ALL]
    assert len(set(codes)) == len(codes)


def test_what_was_done_is_no_reason_before_it_and_what_is_planned_none_after_it() -> None:
    assert hooks.all_rules()
    for rule in hooks.all_rules():
        assert not {"not-performed", "performed", "charged-elsewhere"} & {
            each.code for each in rule.reasons_at("order")
        }
        assert not {"not-planned", "later", "ordered-elsewhere"} & {each.code for each in rule.reasons_at("claim")}
