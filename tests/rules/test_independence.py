"""Verdicts hang on what they are about: not on the order of records, on lines of other services, on other days."""

from datetime import timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.core.case import Case, Line, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.review import review
from cds_service.review.advisor import Advisor
from tests.rules.saying import KINDS, moved, records_of, said, together, with_lines
from tests.rules.test_cases import advise, cases

pytestmark = pytest.mark.repeats(12)

CASES = [(each.values[1], each.id) for kind in ("flags", "passes", "not_checked") for each in cases(kind)]
EVERY = [pytest.param(case, id=name) for case, name in CASES]
CLAIMS = [pytest.param(case, id=name) for case, name in CASES if case.get("hook") != "order"]

# A visit is charged beside an echo: in any state, it is nothing to a rule of echoes.
VISIT = {"code": "99213", "concept": Concept(codes=(Code(BILLING, "99213"),)), "modifiers": (), "links": frozenset()}
STATES: tuple[dict[str, Any], ...] = (
    {},
    {"certain": False},
    {"open": False},
    {"day": None},
    {"units": Decimal(0)},
    {"under_review": False, "open": False},
    {"under_review": False, "claim": "", "claim_type": "unknown", "billable": True},
)


def read(advisor: Advisor, case: dict[str, Any]) -> Case:
    return advise(advisor, case).parsed.case


@pytest.mark.parametrize("case", EVERY)
def test_the_order_of_records_does_not_count(advisor: Advisor, case: dict[str, Any]) -> None:
    received = read(advisor, case)
    turned = received.with_records(**{kind: list(reversed(getattr(received, kind))) for kind in KINDS})
    assert said(review(turned, advisor.rules)) == said(review(received, advisor.rules))


def _visit(beside: Line, number: int, state: dict[str, Any]) -> Line:
    origin = Origin(f"unrelated{number}", f"ChargeItem/unrelated-{number}")
    return changed(beside, **(VISIT | {"origin": origin, "identity": origin.reference} | state))


@pytest.mark.parametrize("case", EVERY)
def test_a_line_for_a_visit_changes_nothing(advisor: Advisor, case: dict[str, Any]) -> None:
    """Questions may change: an answer writes the lines of the claim again."""
    received = read(advisor, case)
    lines = list(received.lines)
    visits = [_visit(line, number, state) for line in lines[:1] for number, state in enumerate(STATES)]
    expected = said(review(received, advisor.rules), asking=False)
    for each in (*([visit, *lines] for visit in visits), [*lines, *visits]):
        assert said(review(with_lines(received, each), advisor.rules), asking=False) == expected


def test_a_case_gets_visits_in_each_state(advisor: Advisor) -> None:
    line = read(advisor, {"professional": "93350"}).lines[0]
    assert [_visit(line, 0, state).code for state in STATES] == ["99213"] * 7


# --- other days -----------------------------------------------------------------------------------------------------

APART = timedelta(days=101)  # no two days of a case are so far apart


def _all_dated(received: Case) -> bool:
    """False if a record may be of another day than the others."""
    return all(each.day for each in records_of(received))


@pytest.mark.parametrize("case", CLAIMS)
def test_of_two_days_on_one_claim_each_is_judged_by_itself(advisor: Advisor, case: dict[str, Any]) -> None:
    received = read(advisor, case)
    days = [received, *([moved(received, APART)] if _all_dated(received) else [])]
    alone = {repr(each) for day in days for each in said(review(day, advisor.rules), asking=False)}
    both = reduce(together, days).with_records()
    assert {repr(each) for each in said(review(both, advisor.rules), asking=False)} == alone


@pytest.mark.parametrize("case", CLAIMS)
def test_what_was_billed_months_before_changes_nothing(advisor: Advisor, case: dict[str, Any]) -> None:
    received = read(advisor, case)
    billed = moved(received, -APART, under_review=False, open=False, billable=False)
    joined = together(billed, received) if _all_dated(received) else received
    assert said(review(joined, advisor.rules)) == said(review(received, advisor.rules))


@pytest.mark.exhaustive
def test_most_cases_are_dated(advisor: Advisor) -> None:
    dated = [_all_dated(read(advisor, case)) for case, _ in CASES]
    assert dated.count(True) > 0.9 * len(dated)
