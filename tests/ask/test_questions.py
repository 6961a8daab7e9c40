"""The golden questions: statements that answer them, and the reasons for which others are declined."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.ask.answer import Answer
from cds_service.ask.asker import Asker
from cds_service.ask.knowledge import Words
from cds_service.review.advisor import Advisor
from cds_service.wiring import create_asker
from hooks import all_rules
from hooks.codes.tables import CODES
from hooks.publish.ask import knowledge
from tests.support import yaml_files

pytestmark = pytest.mark.repeats(3)

GOLDEN: dict[str, list[dict[str, Any]]] = yaml_files.read(Path(__file__).with_name("questions.yaml"))
ANSWERED, DECLINED = GOLDEN["answered"], GOLDEN["declined"]
assert DECLINED
assert ANSWERED


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
    assert golden["has"]
    assert [each for each in golden["has"] if each not in ids(answer)] == [], ids(answer)
    assert answer.answer
    assert set(ids(answer)).isdisjoint(golden.get("not", ()))
    assert [each for each in answer.asked if golden.get("asks", "") in each] or "asks" not in golden
    assert all(each.text and each.source and each.link.startswith("/") for each in answer.answer)


@pytest.mark.parametrize("golden", DECLINED, ids=lambda golden: repr(golden["ask"]))
def test_a_question_is_declined_for_its_reason(asker: Asker, golden: dict[str, Any]) -> None:
    answer = asker.ask(golden["ask"])
    assert (answer.answered, answer.answer, answer.asked) == (False, (), ())
    beginning, _, end = reason(asker.knowledge.words, golden["declined"]).partition("{codes}")
    assert answer.declined.startswith(beginning)
    assert answer.declined.endswith(end)
    assert golden.get("says", answer.declined) == answer.declined


# --- the golden file ------------------------------------------------------------------------------------------------


def test_there_are_questions_enough_and_a_quarter_is_declined() -> None:
    questions = [each["ask"] for each in (*ANSWERED, *DECLINED)]
    assert len(questions) == len(set(questions))
    assert len(questions) >= 200
    assert len(DECLINED) * 4 >= len(ANSWERED)
    assert len(DECLINED) >= 50


FACTS = {fact.id: fact for fact in knowledge().facts}
assert FACTS
RULES = {rule.id for rule in all_rules()}


def exists(name: str) -> bool:
    """True if a sentence can have this id: of a statement, of a pair of codes, or of a rule."""
    kind, *parts = name.split(":")
    if kind == "rule":
        return parts[0] in RULES and parts[1:] in ([], ["passed"], ["not-checked"])
    if kind == "pairs":
        one, other = [part for part in parts if part != "none"][:2]
        return name in {fact.id for fact in knowledge().pair(one, other, None)}
    return name in FACTS


@pytest.mark.parametrize("golden", ANSWERED, ids=lambda golden: golden["ask"])
def test_every_id_of_the_golden_file_exists(golden: dict[str, Any]) -> None:
    assert golden["has"]
    assert [each for each in (*golden["has"], *golden.get("not", ())) if not exists(each)] == []


def test_an_id_of_no_statement_is_found() -> None:
    assert not exists("guidance:93352:none")
    assert not exists("rule:none")
    assert not exists("pairs:93350:93352:professional"), "there is no such pair"


# --- changes that leave the answer as it is -------------------------------------------------------------------------


def said(answer: Answer) -> list[tuple[str, str]]:
    return [(each.id, each.text) for each in answer.answer]


CHANGES: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small letters": str.lower,
    "a question mark": lambda text: f"{text.rstrip('?. ')}??",
    "spaces": lambda text: f"  {text.replace(' ', '   ')}\n",
    "politeness": lambda text: f"Hello, could you please help me: {text} Thanks in advance!",
}


@pytest.mark.parametrize("change", CHANGES)
def test_case_marks_and_politeness_do_not_change_an_answer(asker: Asker, change: str) -> None:
    at = list(CHANGES).index(change) % 3
    assert ANSWERED[at::3]
    for golden in ANSWERED[at::3]:
        text = golden["ask"]
        assert said(asker.ask(CHANGES[change](text))) == said(asker.ask(text)), text


def test_declined_questions_stay_declined_in_other_forms(asker: Asker) -> None:
    for change in CHANGES.values():
        for golden in DECLINED:
            assert not asker.ask(change(golden["ask"])).answered, golden["ask"]


ECHO_CODES = [entry.code for entry in CODES if entry.kind in {"primary", "add-on"}]


FORMS = ["{} and {}", "can I bill {} with {} on the same day?", "{} {} hospital", "{}, {} bundled"]


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_two_codes_does_not_change_the_answer(asker: Asker, form: str) -> None:
    pairs = list(zip(ECHO_CODES, ECHO_CODES[3:], strict=False))
    assert len(pairs) > 20
    for one, other in pairs:
        assert said(asker.ask(form.format(one, other))) == said(asker.ask(form.format(other, one))), (one, other)


# --- the knowledge --------------------------------------------------------------------------------------------------


def test_every_statement_has_an_id_of_its_own_and_a_source() -> None:
    assert len(FACTS) == len(knowledge().facts)
    assert all(fact.text and fact.source and fact.subjects for fact in FACTS.values())


def test_topics_name_rules_facts_and_terms_that_exist() -> None:
    words = knowledge().words
    topics = {topic for fact in FACTS.values() for topic in fact.topics}
    terms = {fact.subject for fact in FACTS.values() if "glossary" in fact.topics}
    assert words.topics
    for name, topic in words.topics.items():
        assert set(topic.rules) <= RULES, name
        assert set(topic.passes) <= set(topic.rules), name
        assert set(topic.facts) <= topics, name
        assert set(topic.terms) <= terms, name
    assert set(words.defaults.values()) <= set(words.topics)
    assert set(words.settings_if_none) <= set(words.settings)
    assert {term for each in words.modifiers.values() for term in each.terms} <= terms


def test_every_sentence_of_guidance_is_reached_by_a_topic() -> None:
    """A statement that no topic shows could never be an answer."""
    shown = {name for topic in knowledge().words.topics.values() for name in topic.facts}
    shown |= {"glossary", "pair_modifiers"}  # named by themselves
    left = {fact.id for fact in FACTS.values() if shown.isdisjoint(fact.topics)}
    assert left == set()
