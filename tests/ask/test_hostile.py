"""Hostile questions: a clean refusal or a decline, in little time."""

import time

import pytest

from cds_service.ask.asker import LONGEST_QUESTION, MOST_SENTENCES, Asker
from cds_service.errors import BadRequest
from cds_service.review.advisor import Advisor
from cds_service.wiring import create_asker
from tests.ask.test_questions import ANSWERED


@pytest.fixture(scope="module")
def asker(plain_advisor: Advisor) -> Asker:
    return create_asker(plain_advisor)


def test_a_question_over_the_limit_names_it(asker: Asker) -> None:
    for length in (LONGEST_QUESTION + 1, 100_000):
        with pytest.raises(BadRequest, match=f"`q`: expected at most {LONGEST_QUESTION} characters") as refused:
            asker.ask("a" * length)
        assert refused.value.expression == "q"
        with pytest.raises(BadRequest):
            asker.find(" " * length + "x")


SHAPES = {
    "codes": "93350 93351 93352 93306 ",
    "misspelled words": "definty lumasan optisen modifer documentatoin ",
    "unknown words": "abcdefgh qrstuvwx ",
    "brackets": "(((((",
    "one letter": "a",
    "digits": "9",
    "amounts": "1.3 mL ",
    "modifiers": "modifier 26 and 59 ",
    "hyphens": "-26-26-26",
    "one letter that is many": "\ufdfa",
    "combining marks": "e\u0301",
    "surrogates": "\ud800",
    "zero width": "9\u200b3352 ",
    "template": "{{7*7}}${jndi:ldap://x}",
    "discarded": "discarded of ",
    "dates": "2026-11-03 11/3/26 ",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_a_question_takes_long(asker: Asker, shape: str) -> None:
    text = (SHAPES[shape] * LONGEST_QUESTION)[:LONGEST_QUESTION]
    asker.ask(text)
    started = time.process_time()
    answer = asker.ask(text)
    assert time.process_time() - started < 0.5, "many times the time of a question"
    assert len(answer.answer) <= MOST_SENTENCES
    assert "\n" not in answer.question


def test_many_codes_are_answered_for_the_first(asker: Asker) -> None:
    answer = asker.ask(" ".join(["93350", "93351", "93352", "93306", "93307", "93308", "93320", "93321"]))
    assert answer.answered
    assert 0 < len(answer.answer) <= MOST_SENTENCES


def test_sentences_repeat_no_markup_of_a_question(asker: Asker) -> None:
    answer = asker.ask("93352 <b>alone</b>")
    assert answer.answered
    assert answer.answer
    assert all("<" not in each.text for each in answer.answer)


def test_the_same_question_has_the_same_answer(asker: Asker) -> None:
    for golden in ANSWERED[::20]:
        assert asker.ask(golden["ask"]) == asker.ask(golden["ask"])
