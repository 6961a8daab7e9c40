"""A question decides: with each of its answers, what it was asked for is decided, or another question is left.

Every case as it is, and every eighth of those from which something is left out; with `BLUR=all` (`make blur`) all.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from cds_service.review.advisor import Advisor
from cds_service.review.report import AnswerView, FindingView, Report, UndecidedRule, report_of
from hooks.codes.tables import STRESS_DRUGS
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import request_of, service_of

pytestmark = pytest.mark.repeats(12)

Json = dict[str, Any]
Asked = FindingView | UndecidedRule

DATES = ("servicedDate", "occurrenceDateTime", "created")
CLAIMS = ("professional", "institutional", "lines")


def _without(*keys: str) -> Any:
    return lambda case: {name: value for name, value in case.items() if name not in keys}


def _on_no_claim(case: Json) -> Json:
    kept: Json = _without(*CLAIMS, "place", "bill")(case)  # they belong to a claim
    return kept | {"lines": ", ".join(str(case[name]) for name in CLAIMS if name in case)}


def _undated(case: Json) -> Json:
    return case | {"day": None}


# What a person may have left out.
VARIANTS = {
    "no payer": _without("payer"),
    "no place": _without("place"),
    "no payer and no place": _without("payer", "place"),
    "on no claim": _on_no_claim,
    "no day": _undated,
    "nothing given": _without("given"),
    "no diagnoses": _without("diagnoses"),
}
SHARE = 1 if os.environ.get("BLUR") == "all" else 8
VARIED = [
    pytest.param(variant(case), id=f"{rule_id}: {case['what']}: {name}")
    for rule_id, by_expectation in CASES.items()
    for every in by_expectation.values()
    for case in every
    for name, variant in VARIANTS.items()
    if any(each in case for each in CLAIMS) and variant(case) != case
]
AS_THEY_ARE = [
    pytest.param(case, id=f"{rule_id}: {case['what']}")
    for rule_id, by_expectation in CASES.items()
    for every in by_expectation.values()
    for case in every
    if any(each in case for each in CLAIMS)
]
EVERY_CASE = [*AS_THEY_ARE, *VARIED[::SHARE]]
assert EVERY_CASE


def reported(advisor: Advisor, case: Json) -> Report:
    request = request_of({**case, "day": case.get("day") or "2026-03-02"})
    if "day" in case and case["day"] is None:
        request = _without_dates(request)
    return report_of(advisor.answer(SERVICES[service_of(case)], json.dumps(request).encode()))


def _without_dates(value: Any) -> Any:
    """A request whose charges state no date of service."""
    if isinstance(value, dict):
        is_charge = value.get("resourceType") in {"ChargeItem", "Claim"} or "productOrService" in value
        kept = {name: each for name, each in value.items() if not (is_charge and name in DATES)}
        return {name: _without_dates(each) for name, each in kept.items()}
    return [_without_dates(each) for each in value] if isinstance(value, list) else value


def answered(case: Json, answer: AnswerView, question: str) -> Json:
    """The case with the keys of an answer set; a person enters what it leaves open."""
    chosen = {key: _entered(key, question) if value is None else value for key, value in answer.set.items()}
    claim_type = chosen.pop("claim_type", None)
    lines = chosen.pop("lines", None)
    held = next(name for name in CLAIMS if name in case)
    if lines is not None:
        case = case | {held: ", ".join(lines)}
    if claim_type:
        lines = ", ".join(str(case[name]) for name in CLAIMS if name in case)
        case = _without(*CLAIMS)(case) | {
            claim_type: re.sub(r" (status|as) [^\s,]+", "", lines)
        }  # words of charges only
    return case | chosen


def _entered(key: str, question: str) -> Any:
    if key == "day":
        return "2026-03-02"
    if key == "diagnoses":
        return ["I25.10"]
    if key == "given":
        (unit, what) = re.findall(r"How many (m[Lg]) of (.+) were given", question)[0]
        codes = {drug.name: drug.code for drug in STRESS_DRUGS}
        return [f"{codes.get(what, what)} 1 {unit}"]
    pytest.fail(f"{key}: an answer leaves open what nobody can enter")


def _every(report: Report) -> list[Asked]:
    return [*report.not_checked, *report.findings]


def _asked(report: Report) -> list[Asked]:
    return [each for each in _every(report) if each.question]


def _sentence(asked: Asked) -> tuple[str, str]:
    return asked.rule, asked.reason if isinstance(asked, UndecidedRule) else asked.summary


@pytest.mark.parametrize("case", EVERY_CASE)
def test_each_answer_decides(advisor: Advisor, case: Json) -> None:
    assert list(_undecided(advisor, case)) == []


def _undecided(advisor: Advisor, case: Json) -> Iterator[tuple[str, str]]:
    """The questions of a case that an answer leaves open, each with that answer; most cases have no question."""
    for asked in _asked(reported(advisor, case)):
        answers = asked.question.answers if asked.question else ()
        text = asked.question.text if asked.question else ""
        if len({each.label for each in answers}) != len(answers):
            yield text, "two answers have one label"
        for answer in answers:
            if answer.set.get("lines", ()) is None:
                continue  # a line that only the person knows
            after = reported(advisor, answered(case, answer, text))
            if _sentence(asked) in {*map(_sentence, after.not_checked), *map(_sentence, after.findings)}:
                yield text, answer.label


LUMASON: Json = {"professional": "93351, 93352, Q9950x2", "payer": "Medicare", "place": 11}
NOTHING_LEFT, LEFT = ("93351", "93352", "Q9950x2-JZ"), ("93351", "93352", "Q9950x2", "Q9950x3-JW")
AGENTS = ("Definity", "Optison", "Lumason")
# What the answers to a question set in the notation.
ANSWERS: dict[str, tuple[Json, str, list[tuple[str, Any]]]] = {
    "was contrast given": (
        {"lines": "93350"},
        "contrast-add-on-missing",
        [*(("given", (each,)) for each in AGENTS), ("given", ("Definity status not-done",))],
    ),
    "was contrast given, of claims of two days": (
        {"lines": "93350, 99213 on 2026-03-04"},
        "contrast-add-on-missing",
        [
            *(("given", (f"{each} on 2026-03-02",)) for each in AGENTS),
            ("given", ("Definity status not-done on 2026-03-02",)),
        ],
    ),
    "was the rest discarded": (
        LUMASON | {"given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [("lines", NOTHING_LEFT), ("lines", LEFT)],
    ),
    "was the rest discarded, of a dose that is not known": (
        LUMASON,
        "supply-waste-modifier",
        [("lines", NOTHING_LEFT), ("lines", None)],
    ),
    "was the rest discarded, beside a line that says so": (
        LUMASON | {"professional": "93351, 93352, Q9950-JZ, Q9950", "given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [
            ("lines", ("93351", "93352", "Q9950-JZ", "Q9950-JZ")),
            ("lines", ("93351", "93352", "Q9950-JZ", "Q9950", "Q9950x3-JW")),
        ],
    ),
    "was the rest discarded, of a line with a modifier": (
        LUMASON | {"professional": "93351, 93352, Q9950x2-59", "given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [
            ("lines", ("93351", "93352", "Q9950x2-59-JZ")),
            ("lines", ("93351", "93352", "Q9950x2-59", "Q9950x3-59-JW")),
        ],
    ),
    "a claim that is more than codes, modifiers and units": (
        LUMASON | {"professional": "93351 by A, 93352, Q9950x2", "given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [],
    ),
    "a claim of two days": (
        LUMASON | {"professional": "93351, 93352, Q9950x2, 99213 on 2026-03-04", "given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [],
    ),
    "the claim, beside another claim": (
        LUMASON | {"institutional": "99213 by A", "given": ["Lumason 2 mL"]},
        "supply-waste-modifier",
        [("lines", NOTHING_LEFT), ("lines", LEFT)],
    ),
}


@pytest.mark.parametrize(("case", "rule", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_the_answers_are(advisor: Advisor, case: Json, rule: str, expected: list[tuple[str, Any]]) -> None:
    (asked,) = (each for each in _every(reported(advisor, case)) if each.rule == rule)
    answers = asked.question.answers if asked.question else ()
    assert [item for each in answers for item in each.set.items()] == expected


def test_an_answer_that_decides_nothing_is_found(advisor: Advisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above looks at answers: one that changes nothing leaves its question open."""
    monkeypatch.setattr("tests.rules.test_questions.answered", lambda case, *_: case)
    case = {"professional": "93351, 93352, Q9957x2", "payer": "Medicare", "place": 11}
    assert "Was anything discarded?" in dict(_undecided(advisor, case))


def questions_of(advisor: Advisor, rule_id: str, case: Json) -> list[str]:
    return [each.question.text for each in _asked(reported(advisor, case)) if each.question and each.rule == rule_id]


@pytest.mark.parametrize(
    ("rule_id", "case", "question"),
    [
        ("supply-waste-modifier", {"professional": "93351, 93352, Q9957x2", "place": 11}, "Who pays?"),
        ("supply-waste-modifier", {"professional": "93351, 93352, Q9957x2", "payer": "Medicare"}, "Where was it done?"),
        ("supply-waste-modifier", {"lines": "93351, 93352, Q9957x2"}, "Where was it done?"),
        (
            "supply-waste-modifier",
            {"professional": "93351, 93352, Q9957", "payer": "Medicare", "place": 11},
            "How many mL of Definity were given?",
        ),
        (
            "supply-waste-modifier",
            {"professional": "93351, 93352, Q9957x2", "payer": "Medicare", "place": 11},
            "Was anything discarded?",
        ),
        (
            "supply-waste-modifier",
            {"professional": "93351, 93352, Q9950x2", "payer": "Medicare", "place": 11, "given": ["Lumason 2 mL"]},
            "Was anything discarded?",
        ),
        ("hospital-contrast-code", {"institutional": "93351, 93352, Q9957x2"}, "Who pays?"),
        ("contrast-add-on-missing", {"professional": "93351", "place": 11}, "Was contrast given?"),
        ("supply-duplicate", {"lines": "93350, 93352, Q9957x2, Q9956x3"}, "Which agent was given?"),
        ("supply-units-mismatch", {"lines": "93350, 93352, Q9957x2"}, "How many mL of Definity were given?"),
        ("pair-conflict", {"lines": "93350, 93351", "day": None}, "When was it done?"),
    ],
)
def test_the_question_is(advisor: Advisor, rule_id: str, case: Json, question: str) -> None:
    assert question in questions_of(advisor, rule_id, case)


def test_an_answer_on_the_discarded_amount_writes_the_claim(advisor: Advisor) -> None:
    case = {"professional": "93351, 93352, Q9950x2", "payer": "Medicare", "place": 11, "given": ["Lumason 2 mL"]}
    (asked,) = [each for each in reported(advisor, case).findings if each.question]
    assert asked.question
    assert {each.label: each.set for each in asked.question.answers} == {
        "Nothing was discarded": {"lines": ("93351", "93352", "Q9950x2-JZ")},
        "Some was: 3 units": {"lines": ("93351", "93352", "Q9950x2", "Q9950x3-JW")},
    }


def test_where_words_stand_behind_a_line_the_claim_is_not_rewritten(advisor: Advisor) -> None:
    """The answer would lose them: `by P1` of a practitioner."""
    case = {"professional": "93351 by P1, 93352, Q9957x2", "payer": "Medicare", "place": 11}
    assert "Was anything discarded?" not in questions_of(advisor, "supply-waste-modifier", case)


def test_where_a_claim_is_of_two_days_it_is_not_rewritten(advisor: Advisor) -> None:
    """The answer would lose the second day."""
    case = {"professional": "93351, 93352, Q9957x2", "payer": "Medicare", "place": 11}
    assert "Was anything discarded?" in questions_of(advisor, "supply-waste-modifier", case)
    two_days = case | {"professional": "93351, 93352, Q9957x2, 93306 on 2026-03-09"}
    assert "Was anything discarded?" not in questions_of(advisor, "supply-waste-modifier", two_days)


def test_each_answer_has_a_label_and_sets_keys_of_the_notation(advisor: Advisor) -> None:
    known = {"payer", "place", "claim_type", "day", "given", "lines", "diagnoses"}
    reports = [reported(advisor, cast(Json, parameter.values[0])) for parameter in EVERY_CASE[::7]]
    questions = [asked.question for report in reports for asked in _asked(report)]
    answers = [answer for question in questions if question for answer in question.answers]
    assert answers
    for answer in answers:
        assert answer.label
        assert answer.set.keys() <= known
