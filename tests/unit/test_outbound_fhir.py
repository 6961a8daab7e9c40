"""FHIR sent by the service is valid, for every case of the rules and any names in the data."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.claim import ClaimItem
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.cdshooks.actions import charge_item, service_request
from cds_service.core.case import Case, Stage
from cds_service.core.changes import AddLine
from cds_service.fhir.validate import validate
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, service_of
from tests.unit.test_actions import cards_of

FLAGGED = [(rule, case) for rule, by_expectation in CASES.items() for case in by_expectation["flags"]]


def resources_of(advisor: Advisor, case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    response = advisor.answer(SERVICES[service_of(case)], body_of(case)).response
    for card in cards_of(response):
        for suggestion in card.get("suggestions", []):
            yield from (action["resource"] for action in suggestion["actions"] if "resource" in action)


@pytest.mark.parametrize(("rule", "case"), FLAGGED, ids=[f"{rule}: {case['what']}" for rule, case in FLAGGED])
@pytest.mark.parametrize("instead", ["ChargeItem", "ServiceRequest"])
def test_every_resource_of_a_suggestion_is_valid(rule: str, case: dict[str, Any], instead: Any) -> None:
    assert rule
    for resource in resources_of(create_advisor(Settings(order_suggestions=instead)), case):
        validate(resource)
        for item in resource.get("item", []):
            ClaimItem.model_validate(item)


# Ids and references as senders write them: any text that is no blank, as the reader takes them over.
NAMES = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()) and "\0" not in text)
REFERENCES = st.one_of(NAMES, NAMES.map(lambda name: f"Procedure/{name}"), NAMES.map(lambda name: f"urn:uuid:{name}"))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    code=st.sampled_from(["93352", "Q9957", "C8930", "0439T"]),
    units=st.none() | st.decimals(min_value=0, max_value=100_000, allow_nan=False, places=3),
    modifiers=st.lists(st.sampled_from(["26", "TC", "JW", "JZ", "59"]), max_size=2, unique=True).map(tuple),
    references=st.lists(REFERENCES, max_size=3).map(tuple),
    performers=st.frozensets(REFERENCES, max_size=3),
    encounter=st.none() | REFERENCES,
    day=st.none() | st.dates(),
    patient=st.just("") | REFERENCES,
    stage=st.sampled_from(["order", "claim"]),
)
def test_a_new_resource_is_valid_whatever_things_are_named(  # noqa: PLR0917
    code: str,
    units: Decimal | None,
    modifiers: tuple[str, ...],
    references: tuple[str, ...],
    performers: frozenset[str],
    encounter: str | None,
    day: date | None,
    patient: str,
    stage: Stage,
) -> None:
    line = AddLine(
        code=code,
        units=units,
        modifiers=modifiers,
        references=references,
        performers=performers,
        encounter=encounter,
        day=day,
    )
    case = Case(stage=stage, patient=patient)
    validate(charge_item(line, case))
    validate(service_request(line, case))


def test_what_is_not_valid_is_found() -> None:
    with pytest.raises(ValueError, match="required"):
        validate({"resourceType": "ChargeItem"})
