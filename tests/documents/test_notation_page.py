"""Every example of the page on billers' notation is run, and every error is the one that the page shows."""

import json
import re

import pytest

from cds_service.errors import UnreadableCase
from cds_service.fhir.validate import faults_in
from cds_service.intake.fields import KEYS
from cds_service.intake.items import ALLOWED
from cds_service.intake.typed import TypedCase
from cds_service.review.advisor import Advisor
from cds_service.review.typed_cases import review_case
from cds_service.wiring import create_case_writer
from tests.support.running import ROOT

PAGE = (ROOT / "hooks" / "NOTATION.md").read_text(encoding="utf-8")
CASES = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
BODIES = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
WRITER = create_case_writer()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("text", CASES)
def test_an_example_is_read_and_reviewed(text: str, advisor: Advisor) -> None:
    reviewed = review_case(advisor, WRITER, WRITER.parsed_text(text))
    assert faults_in(json.dumps(reviewed.written.bundle).encode()) == ()
    assert not reviewed.report.empty
    assert WRITER.parsed_text(reviewed.report.notation) == reviewed.case


def test_there_are_examples() -> None:
    assert (len(CASES), len(BODIES)) == (5, 1)


@pytest.mark.parametrize("body", BODIES)
def test_the_json_is_read(body: str) -> None:
    assert WRITER.parsed(json.loads(body)).professional


def test_every_key_is_explained_with_an_example() -> None:
    found = {key for first, *_ in rows("The keys") for key in re.findall(r"`(\w+)`", first)}
    assert found == set(KEYS)
    assert rows("The keys")
    for *_, example in rows("The keys"):
        assert WRITER.parsed_text(f"day: 2026-11-03\n{example.strip('`')}".replace("day: 2026-11-03\nday", "day"))


def test_every_word_is_explained_with_an_example() -> None:
    found = {word for first, *_ in rows("Words behind an item") for word in re.findall(r"`(\w+)`", first)}
    assert found == {word for words in ALLOWED.values() for word in words}
    assert rows("Words behind an item")
    for *_, example in rows("Words behind an item"):
        item = example.strip("`")
        key = "given" if item.startswith("Definity") else "ordered" if "planned" in item else "charged"
        assert WRITER.parsed_text(f"{key}: {item}") != TypedCase()


def test_lines_are_read_as_the_page_says() -> None:
    written = re.findall(r"`([0-9A-Z]{5}[^`]*)`", section("A line"))
    assert len(written) > 4
    case = WRITER.parsed_text(f"charged: {', '.join(written)}")
    assert [str(each) for each in case.lines][:4] == written[:4]
    assert WRITER.parsed_text("charged: q9957x2-jz") == WRITER.parsed_text("charged: Q9957x2-JZ")


@pytest.mark.parametrize(("typed", "answer"), rows("Errors"))
def test_an_error_is_the_one_shown(typed: str, answer: str) -> None:
    with pytest.raises(UnreadableCase) as raised:
        WRITER.parsed_text(typed.strip("`"))
    assert str(raised.value) == answer
