"""Every pass has its reason: one clause about the case, worded only where a report asks for it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import hooks
from cds_service.core.case import Line
from cds_service.core.rules import Because, Passed, Rule, Undecided
from cds_service.review.advisor import Advisor
from cds_service.review.report import PassedRule, report_of
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.conftest import SAMPLES
from tests.rules.test_cases import CASES, SERVICES, advise, cases
from tests.rules.test_scope import EVERY_CASE
from tests.support.every_code import draw_claims
from tests.support.notation import body_of, bundle

pytestmark = pytest.mark.repeats(12)

RULES = {rule.id: rule for rule in hooks.all_rules()}
LIMIT = 200  # characters

CODE = re.compile(r"\b(?:\d{4}[0-9A-Z]|[A-Z]\d{4})\b")
DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
ECHO = re.compile(r"echo|contrast|stress|perfusion|agent|9335[0-2]|0439T", re.IGNORECASE)


def assert_about(passed: PassedRule, sent: str) -> None:
    """The reason is short, and names only codes and days of what was sent, or codes of the rule's tables."""
    rule = RULES[passed.rule]
    assert passed.reason
    assert len(passed.reason) < LIMIT, passed.reason
    own = rule.about.codes.union(CODE.findall(rule.title), *(table.codes for table in rule.tables))
    assert set(CODE.findall(passed.reason)) - own <= set(CODE.findall(sent)), passed.reason
    assert set(DAY.findall(passed.reason)) <= set(DAY.findall(sent)), passed.reason


@pytest.mark.parametrize("case", EVERY_CASE)
def test_a_reason_is_about_the_case(advisor: Advisor, case: dict[str, Any]) -> None:
    report = report_of(advise(advisor, case))
    for passed in report.passed:
        assert_about(passed, body_of(case).decode())


@pytest.mark.parametrize(("rule_id", "case"), cases("passes"))
def test_a_case_passes_because(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    answer = advise(advisor, case)
    if answer.review.empty:
        assert "because" not in case, "no rule runs"
        return
    (passed,) = [each for each in report_of(answer).passed if each.rule == rule_id]
    assert case.get("because", "") in passed.reason


@pytest.mark.parametrize("rule_id", RULES)
def test_a_reason_of_each_rule_is_pinned(rule_id: str) -> None:
    """At least one that speaks of the case, beside the sentence for "nothing to look at"."""
    pinned = [case["because"] for case in CASES[rule_id]["passes"] if "because" in case]
    assert any(because not in RULES[rule_id].if_none for because in pinned)


@pytest.mark.parametrize("case", EVERY_CASE)
def test_an_open_question_about_a_supply_cites_its_charges(advisor: Advisor, case: dict[str, Any]) -> None:
    """A reason that begins with the code of a supply is about this code alone."""
    cited = {(each.reason, cites_its_code(each)) for _, each in advise(advisor, case).review.not_checked}
    assert {cites for _, cites in cited} <= {True}, cited


def cites_its_code(undecided: Undecided) -> bool:
    about = re.match(r"([A-Z]\d{4}): ", undecided.reason)
    charged = {each.record.code for each in undecided.evidence if isinstance(each.record, Line)}
    return about is None or not charged or about[1] in charged


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_reason_is_about_the_sample(advisor: Advisor, path: Path) -> None:
    service = next(each for each in SERVICES.values() if each.hook.endswith(_hook_of(path)))
    for passed in report_of(advisor.answer(service, path.read_bytes())).passed:
        assert_about(passed, path.read_text())


def _hook_of(path: Path) -> str:
    return str(json.loads(path.read_bytes())["hook"]).rpartition(".")[2]


def test_where_a_rule_finds_nothing_to_look_at_it_says_so(advisor: Advisor) -> None:
    report = report_of(advise(advisor, {"professional": "93306", "place": 11, "payer": "Medicare"}))
    said = {each.rule: each.reason for each in report.passed}
    assert said["add-on-repeated"] == RULES["add-on-repeated"].if_none
    assert said["supply-unspecified"] == "no charge for A9700 is under review"
    assert said["contrast-add-on-missing"] == "no stress echo is under review"


# Of a rest echo, these rules have something to say; the first one only where it is on a claim.
LOOK_AT_ANY_ECHO = ["code-for-other-setting", "code-not-active", "performed-not-charged", "units-over-limit"]


@pytest.mark.parametrize(
    ("case", "looking"),
    [
        ({"professional": "93306", "place": 11, "payer": "Medicare"}, LOOK_AT_ANY_ECHO),
        ({"institutional": "93306", "payer": "Medicare"}, [*LOOK_AT_ANY_ECHO, "hospital-contrast-code"]),
        ({"lines": "93306"}, LOOK_AT_ANY_ECHO[1:]),
        ({"lines": "93015"}, ["code-not-active", "units-over-limit"]),
    ],
)
def test_rules_that_look_at_nothing_of_a_case_say_so(
    plain_advisor: Advisor, case: dict[str, Any], looking: list[str]
) -> None:
    passed = report_of(advise(plain_advisor, case)).passed
    assert len(passed) == len(RULES) - 1, "all but one, which is not set up"
    assert [each.rule for each in passed if each.reason != RULES[each.rule].if_none] == sorted(looking)


def test_a_pass_comes_with_its_evidence(advisor: Advisor) -> None:
    report = report_of(advise(advisor, {"professional": "93351, 93352, Q9957x2-JZ", "place": 11, "payer": "Medicare"}))
    (passed,) = [each for each in report.passed if each.rule == "add-on-without-primary"]
    assert passed.reason == "93352 stands beside 93351 on 2026-03-02"
    assert [each.seen for each in passed.evidence] == ["93352 is charged", "93351 is charged"]


def test_cards_do_without_reasons(advisor: Advisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent call words nothing: a reason is made where a report asks."""
    worded: list[str] = []

    def counted(self: Because, text: str, evidence: Any = ()) -> None:
        worded.append(text)
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "evidence", evidence)

    monkeypatch.setattr(Because, "__init__", counted)
    answer = advise(advisor, {"lines": "93350, 93352, Q9957x2", "given": ["Definity 1.3 mL"]})
    assert (answer.response.cards, worded) == ((), [])
    assert report_of(answer).passed
    assert worded


# --- many reasons ---------------------------------------------------------------------------------------------------


def _rule() -> Rule:
    return RULES["units-over-limit"]


def _passes(number: int) -> tuple[Passed, ...]:
    return tuple(Passed(Because, f"reason {at} of them") for at in range(number))


def test_many_reasons_stay_one_short_sentence() -> None:
    text = _rule().reason_of(_passes(40)).text
    assert text.startswith("reason 0 of them; reason 1 of them; ")
    assert text.endswith(" more")
    told, left = text.count("reason"), int(text.rsplit(" ", 2)[1])
    assert told + left == 40
    assert len(text) < LIMIT


def test_equal_reasons_are_given_once() -> None:
    passes = (Passed(Because, "93352 is charged once"), Passed(Because, "93352 is charged once"))
    assert _rule().reason_of(passes).text == "93352 is charged once"


# --- other specialties ----------------------------------------------------------------------------------------------


def test_reasons_on_claims_of_other_specialties_speak_of_no_echo(tmp_path: Path) -> None:
    drawn = draw_claims(tmp_path)
    every = create_advisor(Settings(tables_dir=drawn.tables, site_file=drawn.site_file))
    said: list[PassedRule] = []
    for claim in list(drawn.claims["sound"].values())[:60]:
        answer = every.review_bundle(json.dumps(bundle(list(claim.resources("p")))).encode())
        own = {line.code for line in answer.parsed.case.lines}
        for passed in report_of(answer).passed if not own & RULES["performed-not-charged"].tables[0].codes else ():
            said.append(passed)
    assert said
    for passed in said:
        assert not ECHO.search(passed.reason), passed
        assert len(passed.reason) < LIMIT
    assert {each.rule for each in said} == {rule.id for rule in RULES.values() if rule.every_code}
