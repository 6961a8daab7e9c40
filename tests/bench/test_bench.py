"""The benchmark measures what it says: fair calls, answered as they must be, and a fit that tells linear from not."""

import json

import pytest

from cds_service.review.advisor import Advisor
from tests.bench import calls
from tests.bench.measure import exponent
from tests.rules.test_cases import SERVICES

SIZES = (12_000, 200_000)
CALLS = [pytest.param(size, number, id=f"{size}-{number}") for size in SIZES for number in range(5)]


@pytest.mark.parametrize(("size", "number"), CALLS)
def test_each_call_is_answered_with_its_cards_and_nothing_is_left_out(
    plain_advisor: Advisor, size: int, number: int
) -> None:
    call = calls.measured(size)[number]
    advice = plain_advisor.answer(SERVICES[call.path.rsplit("/", 1)[-1]], call.body)
    assert [bool(card.suggestions) for card in advice.response.cards] == [True] * call.cards
    assert not advice.skipped


@pytest.mark.parametrize("number", range(5))
def test_half_of_the_requests_name_a_fhir_server_that_need_not_be_asked(plain_advisor: Advisor, number: int) -> None:
    call = calls.measured(SIZES[0])[number]
    plain, named = (json.loads(body) for body in call.bodies)
    assert named == plain | {"fhirServer": "http://127.0.0.1:9/fhir"}
    advice = plain_advisor.answer(SERVICES[call.path.rsplit("/", 1)[-1]], call.bodies[1])
    assert (advice.fetched, advice.skipped, len(advice.response.cards)) == ((), (), call.cards)


@pytest.mark.parametrize(("size", "number"), CALLS)
def test_prefetch_has_the_size_that_is_said(size: int, number: int) -> None:
    prefetch = json.loads(calls.measured(size)[number].body)["prefetch"]
    assert len(json.dumps(prefetch, separators=(",", ":"))) == pytest.approx(size, rel=0.25)


def test_the_calls_are_the_same_on_every_run() -> None:
    assert calls.measured(12_000) == calls.measured(12_000)


@pytest.mark.parametrize("make", [calls.other_lines, calls.echo_lines, calls.supply_lines])
def test_lines_are_of_the_number_that_is_said(plain_advisor: Advisor, make: calls.MakeLine) -> None:
    call = calls.of_lines(40, make)
    advice = plain_advisor.answer(SERVICES["contrast-echo-claim-review"], call.body)
    assert len(advice.parsed.case.lines) == 40


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_fit_finds_the_power(power: float) -> None:
    points = [(size, 0.01 * size**power) for size in (10, 100, 1000)]
    assert exponent(points) == pytest.approx(power)
