"""A study of another day, of which nothing is under review, changes nothing that is said of a claim.

At order time, a study on record may be the one that an add-on is ordered for.
"""

from datetime import timedelta
from typing import Any

import pytest

from cds_service.core.case import Case, Origin, Procedure
from cds_service.core.concepts import SNOMED, Code, Concept
from cds_service.core.review import Review, review
from cds_service.review.advisor import Advisor
from tests.rules.test_cases import advise, cases

STRESS_ECHO = Concept(codes=(Code(SNOMED, "433233004"),))
YEAR = timedelta(days=364)
EVERY = [*cases("flags"), *cases("not_checked")]
CLAIMS = [pytest.param(each.values[1], id=each.id) for each in EVERY if each.values[1].get("hook") != "order"]


def studies_around(case: Case) -> list[Procedure]:
    """A stress echo of the year before the days of a case, and one of the year after."""
    days = [line.day for line in case.lines if line.day]
    return [
        Procedure(
            origin=Origin(f"prefetch.distant-{number}", f"Procedure/distant-{number}"),
            identity=f"Procedure/distant-{number}",
            status="done",
            concept=STRESS_ECHO,
            day=day,
        )
        for number, day in enumerate((min(days) - YEAR, max(days) + YEAR) if days else ())
    ]


def said(found: Review) -> set[tuple[str, ...]]:
    findings = {(rule.id, each.summary, *map(str, each.fixes), *each.notes) for rule, each in found.unfolded}
    return findings | {(rule.id, each.reason) for rule, each in found.not_checked}


def test_a_dated_claim_gets_a_study_on_either_side(advisor: Advisor) -> None:
    case = advise(advisor, {"professional": "93350", "day": "2026-03-02"}).parsed.case
    assert [str(each.day) for each in studies_around(case)] == ["2025-03-03", "2027-03-01"]


@pytest.mark.repeats(5)
@pytest.mark.parametrize("case", CLAIMS)
def test_a_distant_study_changes_nothing(advisor: Advisor, case: dict[str, Any]) -> None:
    read = advise(advisor, case).parsed.case
    around = studies_around(read)
    with_others = read.with_records(procedures=[*around[:1], *read.procedures, *around[1:]])
    assert said(review(with_others, advisor.rules)) == said(review(read, advisor.rules))
