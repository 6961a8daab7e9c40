"""A fix changes only charges that can still be changed, and whose code is one for certain; it mends what it is for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.cms.lookup import Tables
from cds_service.core.case import Case, Line, Origin
from cds_service.core.changes import AddLine, RemoveOrder, made
from cds_service.core.review import Review, review
from cds_service.review.advisor import Advisor
from tests.rules.saying import without
from tests.rules.test_cases import advise, cases
from tests.rules.test_loaded_tables import FLAGS, IN_Q4, Q2, Q4
from tests.support.cms_release import load

pytestmark = pytest.mark.repeats(12)

OF_ANY_CODE = [pytest.param({"day": IN_Q4} | case, id=name) for name, (_, case, *_) in FLAGS.items()]
FLAGGED = [pytest.param(each.values[1], id=each.id) for each in cases("flags")] + OF_ANY_CODE


@pytest.fixture(scope="module")
def every_code(advisor: Advisor, tmp_path_factory: pytest.TempPathFactory) -> Advisor:
    """An advisor with `scope: all` and loaded tables."""
    tables = Tables(load(tmp_path_factory.mktemp("tables"), Q2, Q4))
    return replace(advisor, tables=tables, site=replace(advisor.site, scope="all"))


@pytest.fixture(params=FLAGGED)
def flagged(request: pytest.FixtureRequest, advisor: Advisor, every_code: Advisor) -> tuple[Advisor, dict[str, Any]]:
    """A case that some rule flags, and the advisor whose rule it is."""
    return (advisor if "what" in request.param else every_code), request.param


def reviewed(advisor: Advisor, case: dict[str, Any], **members: bool) -> Review:
    """The review of a case in which all lines have some members in common."""
    read = advise(advisor, case).parsed.case
    return review(read.with_records(lines=[changed(line, **members) for line in read.lines]), advisor.rules)


def changed_lines(result: Review) -> Iterator[tuple[str, str]]:
    """The changes of lines by all fixes, each with its rule."""
    for rule, finding in result.unfolded:
        for fix in finding.fixes:
            yield from ((rule.id, str(each)) for each in fix.changes if not isinstance(each, AddLine | RemoveOrder))


def test_the_cases_have_fixes(advisor: Advisor) -> None:
    case = {"lines": "93350, 93352x2, Q9957x2"}
    assert list(changed_lines(reviewed(advisor, case, open=True))) == [("add-on-repeated", "set 93352 to 1 unit")]


def test_a_charge_that_was_billed_is_changed_by_no_fix(flagged: tuple[Advisor, dict[str, Any]]) -> None:
    assert list(changed_lines(reviewed(*flagged, open=False))) == []


def test_a_code_without_its_code_system_is_changed_by_no_fix_and_is_worth_no_warning(
    flagged: tuple[Advisor, dict[str, Any]],
) -> None:
    advisor, case = flagged
    stage, result = advise(advisor, case).stage, reviewed(advisor, case, certain=False)
    assert list(changed_lines(result)) == []
    rests_on_lines = [
        (rule, finding)
        for rule, finding in result.unfolded
        if all(isinstance(each.record, Line) for each in finding.evidence)
    ]
    indicators = {(rule.id, rule.indicator_of(replace(each, also=()), stage)) for rule, each in rests_on_lines}
    assert {indicator for _, indicator in indicators} <= {"info"}, indicators


# --- one line at a time ---------------------------------------------------------------------------------------------


def _with_one_changed(received: Case, line: Line, **members: bool) -> Case:
    lines = [changed(each, **members) if each is line else each for each in received.lines]
    return received.with_records(lines=lines)


def _origins_changed(found: Review) -> set[Origin]:
    fixes = [fix for _, finding in found.unfolded for fix in finding.fixes]
    changes = [change for fix in fixes for change in fix.changes]
    return {each.line.origin for each in changes if not isinstance(each, AddLine | RemoveOrder)}


@pytest.mark.parametrize("members", [{"open": False}, {"certain": False}], ids=["billed", "without its code system"])
def test_among_others_a_line_that_may_not_be_changed_is_not(
    flagged: tuple[Advisor, dict[str, Any]], members: dict[str, bool]
) -> None:
    advisor, case = flagged
    received = advise(advisor, case).parsed.case
    assert received.lines or received.stage == "order" or "done" in case
    wrong = [
        str(line)
        for line in received.lines
        if line.origin in _origins_changed(review(_with_one_changed(received, line, **members), advisor.rules))
    ]
    assert wrong == []


# --- what a fix and its evidence are good for -----------------------------------------------------------------------


def _found(received: Case, advisor: Advisor) -> Counter[tuple[str, str]]:
    return Counter((rule.id, each.summary) for rule, each in review(received, advisor.rules).unfolded)


def test_each_fix_takes_its_finding_away(flagged: tuple[Advisor, dict[str, Any]]) -> None:
    advisor, case = flagged
    received = advise(advisor, case).parsed.case
    before = _found(received, advisor)
    in_vain = [
        (rule.id, str(fix))
        for rule, finding in review(received, advisor.rules).unfolded
        for fix in finding.fixes
        if _found(made(received, fix.changes), advisor)[rule.id, finding.summary] >= before[rule.id, finding.summary]
    ]
    assert in_vain == []


def test_without_its_evidence_there_is_no_finding(flagged: tuple[Advisor, dict[str, Any]]) -> None:
    advisor, case = flagged
    received = advise(advisor, case).parsed.case
    before = _found(received, advisor)
    found = review(received, advisor.rules).unfolded
    assert found
    groundless = [
        rule.id
        for rule, finding in found
        if _found(without(received, [each.record for each in finding.evidence]), advisor)[rule.id, finding.summary]
        >= before[rule.id, finding.summary]
    ]
    assert groundless == []
