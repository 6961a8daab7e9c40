"""The scope filter: rules run only for cases that hold their subject, and the filter changes no verdict."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cds_service.core.case import Case
from cds_service.core.review import Review
from cds_service.core.rules import INFO, Evidence, Finding, Scope, Undecided, rule, scope_of
from cds_service.review.advisor import Advisor, Answer
from hooks.codes.sources import NORIDIAN_JZ_2024
from hooks.coding.override_reasons import WRONG_CHARGE
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, service_of

pytestmark = pytest.mark.repeats(12)

EVERY_CASE = [
    pytest.param(case, id=f"{rule_id}: {case['what']}")
    for rule_id, by_expectation in CASES.items()
    for cases in by_expectation.values()
    for case in cases
]
OFFICE_VISIT = {"lines": "99213", "day": "2026-03-02"}


@rule(order=INFO, claim=INFO, tables=(), sources=(NORIDIAN_JZ_2024,), override_reasons=WRONG_CHARGE, about=("99213",))
def office_visit(case: Case) -> Iterator[Finding | Undecided]:
    """An office visit is charged.

    Why:
        Its code is in none of the tables.

    Flags:
        99213.

    Passes:
        Any other code.
    """
    for line in case.lines:
        if line.code == "99213":
            yield Finding(summary="99213 is charged.", evidence=(Evidence("charged", line),))


def answer(advisor: Advisor, case: dict[str, Any]) -> Answer:
    return advisor.answer(SERVICES[service_of(case)], body_of(case))


def verdicts(review: Review) -> tuple[Any, ...]:
    return (
        [(each.id, finding.summary, [str(fix) for fix in finding.fixes]) for each, finding in review.findings],
        [(each.id, undecided.reason) for each, undecided in review.not_checked],
        [each.id for each, _ in review.passed],
    )


@pytest.mark.parametrize("case", EVERY_CASE)
def test_the_filter_changes_no_verdict(advisor: Advisor, case: dict[str, Any]) -> None:
    filtered, unfiltered = answer(advisor, case), answer(replace(advisor, scope=None), case)
    assert not unfiltered.review.empty
    if filtered.review.empty:
        assert verdicts(filtered.review) == ([], [], [])
        assert verdicts(unfiltered.review) == ([], [], [rule.id for rule in advisor.rules]), "no rule has a verdict"
    else:
        assert verdicts(filtered.review) == verdicts(unfiltered.review)


def test_a_case_outside_the_scope_runs_no_rule(advisor: Advisor) -> None:
    asked: list[str] = []

    def spy(_: Case) -> Iterator[Finding | Undecided]:
        asked.append("asked")
        yield from ()

    spied = tuple(replace(each, check=spy) for each in advisor.rules)
    outcome = answer(replace(advisor, rules=spied), OFFICE_VISIT).review
    assert (outcome.empty, outcome.findings, outcome.passed) == (True, (), ())
    assert asked == []
    answer(replace(advisor, rules=spied), {"lines": "93350"})
    assert len(asked) == len(advisor.rules)


def test_a_rule_about_a_code_in_no_table_runs(advisor: Advisor) -> None:
    rules = (*advisor.rules, office_visit)
    mine = replace(advisor, rules=rules, scope=scope_of(rules))
    (finding,) = answer(mine, OFFICE_VISIT).review.findings
    assert finding[0] is office_visit


def test_without_about_a_rule_is_about_the_codes_of_its_tables(advisor: Advisor) -> None:
    by_id = {each.id: each for each in advisor.rules}
    limits = by_id["units-over-limit"]
    assert limits.about == Scope(codes=limits.tables[0].codes)
    assert "Q9957" in limits.about.codes
    assert by_id["add-on-repeated"].about.codes == frozenset()
