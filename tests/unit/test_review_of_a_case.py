"""A review as a site wants it, the evidence that its findings cite, and the days on which a record is complete."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cds_service.core.case import Case, Days
from cds_service.core.review import Review, review
from cds_service.core.rules import INFO
from cds_service.core.site import Site, SiteSource, SiteStatement
from cds_service.core.statements import names_no_payer_or_setting
from cds_service.review.advisor import Advisor
from tests.rules.test_cases import advise

FAULTS = {"professional": "93352-26, Q9957", "given": ["Definity 1.3 mL"]}
RULES = frozenset({"add-on-without-primary", "supply-units-mismatch"})


def reviewed(advisor: Advisor, **site: Any) -> Review:
    case = advise(advisor, FAULTS).parsed.case
    return review(replace(case, facts={}, site=Site(**site)), advisor.rules)


def indicators(found: Review) -> dict[str, str | None]:
    return {rule.id: finding.indicator for rule, finding in found.unfolded}


def test_a_rule_that_a_site_lowers_informs_and_the_others_stay(plain_advisor: Advisor) -> None:
    before = indicators(reviewed(plain_advisor))
    assert before.keys() >= RULES
    for lowered in RULES:
        after = indicators(reviewed(plain_advisor, rules_lowered=frozenset({lowered})))
        assert after == before | {lowered: INFO}


def test_a_finding_cites_its_evidence_and_that_of_the_findings_folded_into_it(plain_advisor: Advisor) -> None:
    of_hospital = {"institutional": "93351, 93352, 0439T, Q9957x2", "payer": "Medicare"}
    ((rule, finding),) = advise(plain_advisor, of_hospital).review.findings
    ((folded_rule, folded),) = finding.also
    assert (rule.id, folded_rule.id) == ("hospital-contrast-code", "pair-conflict")
    assert {*finding.cited} == {*finding.evidence, *folded.evidence} > {*finding.evidence}
    ((_, alone),) = reviewed(plain_advisor, rules_off=RULES).findings
    assert alone.cited == alone.evidence != ()


MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
ON_MONDAY = Days(MONDAY, MONDAY)


@pytest.mark.parametrize(("days", "day", "expected"), [
    (None, MONDAY, True), (None, None, True), (ON_MONDAY, MONDAY, True), (ON_MONDAY, TUESDAY, False),
    (ON_MONDAY, None, False),
])  # fmt: skip
def test_a_part_of_the_record_is_complete_on_its_days(days: Days | None, day: date | None, expected: bool) -> None:
    of_days = {"procedures": days} if days else {}
    case = Case(stage="claim", complete=frozenset({"procedures"}), complete_days=of_days)
    assert case.is_complete("procedures", day) is expected
    assert not case.is_complete("observations", day)


@pytest.mark.parametrize(("about", "expected"), [
    ({}, True), ({"payers": frozenset({"aetna"})}, False), ({"settings": frozenset({"office"})}, False),
    ({"payers": frozenset({"aetna"}), "settings": frozenset({"office"})}, False),
])  # fmt: skip
def test_where_nothing_tells_payers_and_settings_only_a_statement_on_all_of_them_fits(
    about: dict[str, Any], expected: bool
) -> None:
    source = SiteSource(publisher="House", document="Policy", date=MONDAY)
    statement = SiteStatement(id="s", text="t", codes=("93352",), source=source, first=MONDAY, **about)
    assert names_no_payer_or_setting(statement, Case(stage="claim"), ()) is expected
