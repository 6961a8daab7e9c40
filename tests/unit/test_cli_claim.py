"""`cds-service claim`, and other inputs of `check`: notation, a claim or charge of its own, and other formats."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from tests.support.notation import request_of

CLAIM = ["--professional", "--place", "11", "--payer", "Medicare", "--day", "2026-11-03"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["claim", *arguments])


def run_check(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


def test_a_claim_is_reviewed_as_it_is_typed() -> None:
    result = run("93351, 93352, Q9957x2", *CLAIM, "--given", "Definity 1.3 mL")
    assert result.exit_code == 1
    assert result.output.startswith(
        "professional: 93351, 93352, Q9957x2\nplace: 11\npayer: Medicare\nday: 2026-11-03\n"
    )
    assert "WARNING: Medicare requires JW or JZ on Q9957: add JZ." in result.output


def test_a_correct_claim_has_no_findings() -> None:
    result = run("93351, 93352, Q9957x2-JZ", *CLAIM, "--given", "Definity 1.3 mL")
    assert result.exit_code == 0
    assert "no findings" in result.output


def test_json_is_the_answer_of_the_service() -> None:
    result = run("C8930, Q9957x2", "--institutional", "--bill", "0131", *CLAIM[3:], "--json")
    answer = json.loads(result.output)
    assert (result.exit_code, answer["empty"]) == (0, False)
    assert answer["case"]["claim_type"] == "institutional"
    assert answer["bundle"]["resourceType"] == "Bundle"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["Q9957x2-J", *CLAIM], "Q9957x2-J: a modifier has two characters\n"),
        (["93351", *CLAIM, "--given", "Definity 1.3"], "--given: 1.3: expected a unit behind the number"),
        (["93351", "--professional", "--place", "1"], "--place: 1: a place of service has two digits"),
        (["93351"], "--day: expected the date of service"),
        (["93351", "--place", "11", "--day", "2026-11-03"], "--place: 11: a place of service belongs to a claim"),
    ],
)
def test_what_cannot_be_read_is_one_line(arguments: list[str], line: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith(line)
    assert len(result.output.splitlines()) == 1


# --- check ----------------------------------------------------------------------------------------------------------

TEXTS = [
    "charged: 93350, 93352x2\nday: 2026-03-02\n",
    "---\n# a claim\nday: 2026-03-02\nprofessional:\n  - 93350\n  - 93352x2\n",
    "\ufeffday: 2026-03-02\r\ncharged: 93350, 93352x2\r\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_check_takes_notation(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claim.txt"
    path.write_text(text, encoding="utf-8")
    result = run_check(str(path))
    assert result.exit_code == 1
    assert "93352 is charged 2 times for one study" in result.output
    assert run_check("-", stdin=text).exit_code == 1


def test_check_names_the_line_of_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text("day: 2026-03-02\ncharged: 93350, Q9957x2-J\n")
    result = run_check(str(path))
    assert result.exit_code == 2
    assert result.output == f"{path}: line 2: Q9957x2-J: a modifier has two characters\n"


def charges() -> list[dict[str, Any]]:
    """A claim, a charge and an explanation of benefits, each with an add-on that is charged twice."""
    (claim,) = request_of({"professional": "93350, 93352x2"})["context"]["draftCharges"]["entry"]
    (charge,) = request_of({"lines": "93352x2"})["context"]["draftCharges"]["entry"]
    billed = claim["resource"] | {"resourceType": "ExplanationOfBenefit", "status": "active", "outcome": "complete"}
    return [claim["resource"], charge["resource"], billed]


@pytest.mark.parametrize("resource", charges(), ids=lambda each: each["resourceType"])
def test_check_takes_a_claim_or_charge_of_its_own(tmp_path: Path, resource: dict[str, Any]) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(resource))
    result = run_check(str(path))
    assert result.exit_code == 1
    assert "WARNING" in result.output


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"resourceType": "Patient", "id": "1"}', "found a single Patient"),
        ('{"resourceType": "Smith"}', "found a resource of an unknown type"),
        ("{}", "found JSON without a `resourceType` or a `hook`"),
        ("<Bundle/>", "found XML"),
        ("<!DOCTYPE html><p>", "found an HTML page"),
        ("MSH|^~\\&|", "found an HL7 version 2 message"),
        ("%PDF-1.7", "found a PDF"),
        ("code;units\n1;2", "found text"),
        ("", "found nothing"),
    ],
)
def test_check_says_what_it_got(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "other"
    path.write_text(content)
    result = run_check(str(path))
    assert result.exit_code == 2
    assert found in result.output
    assert "Smith" not in result.output


def test_check_writes_a_case_in_notation_and_says_what_that_leaves_out() -> None:
    sample = "sample_bundles/contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border.json"
    lines = run_check("--notation", sample).output.splitlines()
    assert "given: Definity 1.3 mL for P1 in E1" in lines
    assert "# no words for: imaging studies" in lines
    text = "\n".join(line for line in lines[lines.index(next(each for each in lines if each.startswith("charged"))) :])
    again = run_check("-", stdin=text)
    assert again.exit_code == 1, "what it wrote is read again, with the things that were left out as comments"
    assert "add 93352 and Q9957 (2 units)" in again.output
