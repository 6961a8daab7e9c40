"""Calls of any length: the work grows with the lines, whatever their shape, and answers and work have limits."""

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from cds_service.cdshooks.actions import MOST_ACTIONS, MOST_BYTES
from cds_service.cdshooks.cards import MOST_CARDS
from cds_service.errors import TooLarge, TooMuchWork
from cds_service.review.advisor import Advisor, Answer
from cds_service.wiring import service_directory
from tests.bench.measure import exponent
from tests.bench.shapes import SHAPES, body_of
from tests.support.notation import request_of

FEW, MANY = 50, 200


def answer(advisor: Advisor, name: str, count: int) -> Answer:
    service, body = body_of(SHAPES[name], count)
    return advisor.answer(service_directory(advisor.hook_namespace).with_id(service), body)


def steps(advisor: Advisor, name: str, count: int) -> int:
    """The number of functions that an answer calls."""
    made = 0

    def count_calls(_: Any, event: str, __: Any) -> None:
        nonlocal made
        made += event == "call"

    sys.setprofile(count_calls)
    try:
        answer(advisor, name, count)
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.repeats(3)
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_the_work_grows_with_the_lines(plain_advisor: Advisor, name: str) -> None:
    answer(plain_advisor, name, FEW)  # caches of the process
    points = [(count, steps(plain_advisor, name, count)) for count in (FEW, MANY)]
    assert exponent(points) < 1.15


def test_a_call_that_takes_too_much_work_ends(plain_advisor: Advisor) -> None:
    limited = replace(plain_advisor, max_cpu_seconds=0.02)
    with pytest.raises(TooMuchWork, match="take more time to compare than this service gives to one call"):
        answer(limited, "practitioners", 1000)
    assert answer(limited, "components", 3).response.cards == ()


def test_a_call_has_a_maximum_of_lines(plain_advisor: Advisor) -> None:
    limited = replace(plain_advisor, max_lines=100)
    assert answer(limited, "pair, on a claim", 100).response.cards
    with pytest.raises(TooLarge, match="expected at most 100 charges and claim lines in one call"):
        answer(limited, "pair, on a claim", 101)
    with pytest.raises(TooLarge):
        answer(limited, "add-ons alone", 101)


def warnings_of(found: Answer) -> list[str]:
    (extension,) = (found.response.extension or {}).values()
    return [each["message"] for each in extension["warnings"]]


def test_of_many_findings_the_first_have_cards_and_the_others_are_counted(plain_advisor: Advisor) -> None:
    found = answer(plain_advisor, "days", 400)
    findings = len(found.review.findings)
    assert findings > MOST_CARDS
    assert len(found.response.cards) == MOST_CARDS
    assert f"{findings - MOST_CARDS} more findings have no card: an answer has {MOST_CARDS}" in warnings_of(found)


def test_a_fix_of_many_resources_has_no_actions(plain_advisor: Advisor) -> None:
    few, many = (answer(plain_advisor, "add-ons alone", 1 + MOST_ACTIONS + each) for each in (0, 1))
    labels = [[each.label for each in found.response.cards[0].suggestions or ()] for found in (few, many)]
    assert labels[0] == ["Keep one unit of 93352"]
    assert labels[1] == []
    holds = "an answer holds 50 actions of a fix, and 4,000,000 bytes of changed resources"
    assert any(f"fixes have no actions: {holds}" in each for each in warnings_of(many))


def test_a_long_claim_is_returned_corrected_and_repeated_only_as_far_as_an_answer_goes(plain_advisor: Advisor) -> None:
    request = request_of({"professional": "93352, 93352-26", "place": 11})
    claim = request["context"]["draftCharges"]["entry"][0]["resource"]
    claim["text"] = {"status": "generated", "div": "x" * MOST_BYTES}
    service = service_directory(plain_advisor.hook_namespace).with_id("contrast-echo-claim-review")
    found = plain_advisor.answer(service, json.dumps(request).encode())
    fixes = [each for card in found.response.cards for each in card.suggestions or ()]
    assert len(fixes) == 1
    assert any("fixes have no actions" in each for each in warnings_of(found))
