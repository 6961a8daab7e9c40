"""`cds-service sample`: valid requests from billers' notation, that flag and pass as their lines say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.fhir.validate import faults_in
from cds_service.review.advisor import Advisor
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import service_of


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sample", *arguments])


def topics(advisor: Advisor, text: str, service: str = "contrast-echo-claim-review") -> set[str]:
    answer = advisor.answer(SERVICES[service], text.encode())
    assert answer.skipped == ()
    return {card.source.topic.code for card in answer.response.cards if card.source.topic}


@pytest.mark.parametrize(
    ("arguments", "flagged"),
    [
        (["93351, 93352, Q9957x2", "--given", "Definity 1.3 mL"], set()),
        (["93351", "--given", "Definity 1.3 mL"], {"contrast-add-on-missing"}),
        (["93352, Q9957x2", "--claim", "professional", "--place", "11"], {"add-on-without-primary"}),
        (["93351, 93352", "--claim", "professional", "--earlier", "Q9957x2"], {"performed-not-charged"}),
        (["93351-26, 93352-26", "--claim", "professional"], {"add-on-modifier"}),
    ],
    ids=str,
)
def test_a_sample_is_valid_and_judged_by_its_lines(advisor: Advisor, arguments: list[str], flagged: set[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    assert faults_in(result.output.encode()) == ()
    assert flagged <= topics(advisor, result.output)
    assert bool(flagged) == bool(topics(advisor, result.output))


def test_an_order_makes_a_call_at_order_time(advisor: Advisor, tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert run("--ordered", "93350", "--ordered", "Definity", "--out", str(path)).output == ""
    request = json.loads(path.read_text())
    assert (request["hook"], len(request["context"]["draftOrders"]["entry"])) == ("order-sign", 2)
    assert topics(advisor, path.read_text(), "contrast-echo-order-sign") == {"contrast-add-on-missing"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["9335"], "9335: a code has five characters"),
        (["93350xx"], "93350xx: units are a number"),
        (
            ["93350", "--claim", "professional", "--day", "2026-13-01"],
            "2026-13-01: expected a date such as 2026-11-03",
        ),
    ],
)
def test_what_is_not_billers_notation_is_one_plain_line(arguments: list[str], expected: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {expected}")
    assert len(result.output.splitlines()) == 1


def test_modifiers_stand_before_or_after_the_units() -> None:
    one, other = run("Q9957-JZx2").output, run("Q9957x2-JZ").output
    assert json.loads(one) == json.loads(other)


def test_the_services_of_the_tests_cases_are_those_of_the_notation() -> None:
    assert {service_of(case) for by in CASES.values() for case in by["flags"]} <= set(SERVICES)
