"""The golden questions: statements that answer them, and the reasons for which others are declined."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.ask.answer import Answer
from cds_service.ask.asker import Asker
from cds_service.ask.knowledge import Words
from cds_service.review.advisor import Advisor
from cds_service.wiring import create_asker

GOLDEN: dict[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text())
ANSWERED, DECLINED = GOLDEN["answered"], GOLDEN["declined"]


@pytest.fixture(scope="module")
def asker(plain_advisor: Advisor) -> Asker:
    return create_asker(plain_advisor)


def ids(answer: Answer) -> list[str]:
    return [each.id for each in answer.answer]


def reason(words: Words, name: str) -> str:
    """The sentence of a reason to decline."""
    return words.declines[name].text if name in words.declines else str(getattr(words, name))


@pytest.mark.parametrize("golden", ANSWERED, ids=lambda golden: golden["ask"])
def test_a_question_is_answered_by_its_statements(asker: Asker, golden: dict[str, Any]) -> None:
    answer = asker.ask(golden["ask"])
    assert answer.answered, answer.declined
    assert [each for each in golden["has"] if each not in ids(answer)] == [], ids(answer)
    assert [each for each in ids(answer) if each in golden.get("not", ())] == []
    assert all(each.text and each.source and each.link.startswith("/") for each in answer.answer)


@pytest.mark.parametrize("golden", DECLINED, ids=lambda golden: repr(golden["ask"]))
def test_a_question_is_declined_for_its_reason(asker: Asker, golden: dict[str, Any]) -> None:
    answer = asker.ask(golden["ask"])
    assert (answer.answered, answer.answer, answer.asked) == (False, (), ())
    beginning, _, end = reason(asker.knowledge.words, golden["declined"]).partition("{codes}")
    assert answer.declined.startswith(beginning)
    assert answer.declined.endswith(end)
    assert golden.get("says", answer.declined) == answer.declined
