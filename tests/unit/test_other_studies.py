"""Procedures that were not understood and are of another study: no reading of theirs can matter."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cds_service.core.alternatives import Asked
from cds_service.core.case import Case, Document, Line, Observation, Order, Origin, Procedure
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.review.advisor import Advisor
from hooks.coding.alternatives import alternatives
from hooks.coding.unclear import unclear_procedures, without_other_studies
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of

REVIEW = SERVICES["contrast-echo-claim-review"]
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DAY = date(2026, 3, 2)
LOCAL = Concept((Code("urn:local", "PT97110"),))
FAR = Procedure(
    origin=Origin("prefetch", "Procedure/far"),
    identity="Procedure/far",
    status="done",
    concept=LOCAL,
    day=date(2024, 5, 6),
    encounter="Encounter/far",
    links=frozenset({"ServiceRequest/far"}),
)
LINE = Line(
    origin=Origin("draft", "ChargeItem/1"),
    identity="ChargeItem/1",
    code="93350",
    concept=Concept((Code(BILLING, "93350"),)),
    day=DAY,
    encounter="Encounter/echo",
    under_review=True,
)
REPORT = Document(origin=Origin("prefetch", "DiagnosticReport/1"), kind="report", concept=Concept(), day=DAY)


def case(procedure: Procedure, line: Line = LINE, **others: Any) -> Case:
    return Case(stage="claim", lines=Records([line]), procedures=Records([procedure]), **others)


def test_a_procedure_of_another_day_and_encounter_that_nothing_links_is_of_another_study() -> None:
    read = case(FAR)
    assert unclear_procedures(read) == (FAR,)
    assert without_other_studies([FAR], read) == ()
    assert list(alternatives(read, Asked(("93352",)))) == []


KEPT = {
    "same day": case(replace(FAR, day=DAY)),
    "day before": case(replace(FAR, day=DAY - timedelta(days=1))),
    "day after": case(replace(FAR, day=DAY + timedelta(days=1))),
    "no day": case(replace(FAR, day=None)),
    "a period": case(replace(FAR, last_day=DAY)),
    "under review": case(replace(FAR, under_review=True)),
    "the encounter": case(replace(FAR, encounter="Encounter/echo")),
    "refers to the charge": case(replace(FAR, links=frozenset({"ChargeItem/1"}))),
    "the charge refers to it": case(FAR, replace(LINE, links=frozenset({"Procedure/far"}))),
    "both refer to an order": case(FAR, replace(LINE, links=frozenset({"ServiceRequest/far"}))),
    "a report of the day refers to it": case(
        FAR, documents=Records([replace(REPORT, links=frozenset({"Procedure/far"}))])
    ),
    "a charge without a day": case(FAR, replace(LINE, day=None)),
    "a report without a day": case(FAR, documents=Records([replace(REPORT, day=None)])),
    "an observation without a day": case(
        FAR, observations=Records([Observation(origin=Origin("prefetch", "Observation/1"), concept=Concept())])
    ),
    "an order under review without a day": case(
        FAR,
        orders=Records(
            [Order(origin=Origin("draft", "ServiceRequest/1"), kind="service", concept=LOCAL, under_review=True)]
        ),
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_may_tie_it_to_the_study_keeps_its_readings(name: str) -> None:
    read = KEPT[name]
    kept = without_other_studies(unclear_procedures(read), read)
    assert [each.identity for each in kept] == ["Procedure/far"]
    assert any("PT97110" in each.reason for each in alternatives(read, Asked(("93352",))))


def test_conditions_document_any_study_and_tie_nothing() -> None:
    condition = replace(REPORT, kind="condition", day=None)
    assert without_other_studies([FAR], case(FAR, documents=Records([condition]))) == ()


@pytest.mark.parametrize("day", ["2026-03-01", "2026-03-03"])
def test_a_procedure_beside_the_day_of_the_study_may_be_the_giving_of_its_agent(
    plain_advisor: Advisor, day: str
) -> None:
    """It is recorded as a procedure and by a local code, so that nothing else shows that contrast was given."""
    given = {"lines": "93350, 93352, Q9957x2", "done": ["93350", f"RxNorm 283753 on {day}"]}
    body = json.dumps(request_of(given | {"known": ["medicationAdministrations"]}))
    assert f'"{RXNORM}"' in body
    review = plain_advisor.answer(REVIEW, body.replace(f'"{RXNORM}"', '"urn:local"').encode()).review
    assert review.findings == ()
    (reason,) = [undecided.reason for rule, undecided in review.not_checked if rule.id == "contrast-not-supported"]
    assert "of urn:local, which is not mapped: it may be the giving of" in reason
