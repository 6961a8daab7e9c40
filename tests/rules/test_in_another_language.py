"""Every case of every rule in a made-up language: no English sentence is left, and no fact differs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from cds_service.cdshooks.cards import MOST_CARDS
from cds_service.cdshooks.messages import Card
from cds_service.core.rules import Question
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, LANGUAGES, Language, language_of
from cds_service.languages.worded import SUMMARY_LIMIT
from cds_service.review.advisor import Advisor, Answer
from cds_service.wiring import create_catalogs
from tests.http.test_patient import LETTERS, pseudo_catalogs
from tests.http.test_reference_languages import ABBREVIATION, FACTS
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, service_of

pytestmark = pytest.mark.repeats(12)

KINDS = ("flags", "passes", "not_checked")
EVERY = {rule_id: [case for kind in KINDS for case in by.get(kind, ())] for rule_id, by in CASES.items()}

# Not translated by design: references of records and their places, ids of rules, addresses of code systems, files, and
# lines in billers' notation.
NAMES = re.compile(
    r"`[^`]*`|\b[A-Z][A-Za-z]+/[\w.-]+(?: (?:item|diagnosis|detail) \d+)*|\b(?:urn|https?):\S+"
    r"|\b[A-Z]\w+ in [a-zA-Z.\[\]0-9_]+|\b\d{4}[0-9A-Z]x\d+|\w+\.zip|" + "|".join(CASES)
)


# The words between the last two of a list, as the language writes them that stands for the made-up one.
JOINING = {"và", "hoặc"}


@pytest.fixture(scope="module")
def made_up() -> Language:
    found = language_of("vi")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Catalogs:
    return pseudo_catalogs(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture(scope="module")
def speaking(advisor: Advisor, catalogs: Catalogs) -> Advisor:
    return replace(advisor, catalogs=catalogs)


def answered(advisor: Advisor, case: dict[str, Any], language: Language) -> Answer:
    return advisor.answer(SERVICES[service_of(case)], body_of(case), "https://cds.example.org", language=language)


def texts_of(answer: Answer) -> Iterator[str]:
    """All that a report says of a review, as its pages do."""
    for rule, finding in answer.review.unfolded:
        yield from (rule.title, finding.summary, *finding.notes, *(each.label for each in finding.fixes))
        yield from (each.seen for each in finding.cited)
        yield from (change.words for fix in finding.fixes for change in fix.changes)
        yield from (text for item, state, _ in finding.checklist for text in (item, state))
        yield from _asked(finding.question)
    for _, undecided in answer.review.not_checked:
        yield undecided.reason
        yield from (each.seen for each in undecided.evidence)
        yield from _asked(undecided.question)
    for rule, passes in answer.review.passed:
        because = rule.reason_of(passes)
        yield from (because.text, *(each.seen for each in because.evidence))


def _asked(question: Question | None) -> Iterator[str]:
    if question is not None:
        yield from (question.text, *(each.label for each in question.answers))


def words_of(card: Card) -> Iterator[str]:
    """All sentences of a card, without its sources."""
    *detail, _sources, _notice, _english = (card.detail or "").replace("\\", "").split("\n\n")
    suggestions = card.suggestions or ()
    yield from (card.summary, *detail, *(each.label for each in suggestions))
    yield from (action.description for each in suggestions for action in each.actions or ())
    yield from (each.display or "" for each in card.override_reasons or ())
    yield from (each.label for each in card.links or ())
    yield card.source.topic.display or "" if card.source.topic else ""


def english_in(texts: Iterable[str]) -> set[str]:
    """The words in English letters, without names and abbreviations."""
    words = {word for text in texts for word in re.findall(r"[^\W_]+", NAMES.sub("", text))}
    plain = {word for word in words if any(letter in LETTERS for letter in word)}
    return {word for word in plain if word.lower() not in FACTS | JOINING and not ABBREVIATION.fullmatch(word)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("rule_id", sorted(EVERY))
def test_no_english_sentence_is_left(speaking: Advisor, catalogs: Catalogs, made_up: Language, rule_id: str) -> None:
    say = catalogs.speaker(made_up)
    answers = [answered(speaking, case, made_up) for case in EVERY[rule_id]]
    said = [say(text) for answer in answers for text in texts_of(answer)]
    assert len(said) > 20
    assert english_in(said) == set()
    cards = [card for answer in answers for card in answer.response.cards]
    assert cards
    assert english_in(text for card in cards for text in words_of(card)) == set()
    assert max(len(card.summary) for card in cards) < 140


def facts_of(card: Card) -> Any:
    """The parts of a card that are the same in every language: all but its words and what is made anew."""
    built = msgspec.to_builtins(card)
    for member in ("uuid", "summary", "detail"):
        del built[member]
    for each in built.get("suggestions", ()):
        del each["uuid"], each["label"]
        for action in each.get("actions", ()):
            del action["description"]
    for each in (*built.get("overrideReasons", ()), *built.get("links", ()), built["source"]["topic"]):
        each.pop("display", each.pop("label", None))
    return built


@pytest.mark.parametrize("rule_id", sorted(EVERY))
def test_codes_numbers_and_resources_are_the_same_in_every_language(
    speaking: Advisor, made_up: Language, rule_id: str
) -> None:
    english = language_of("en")
    assert english is not None
    cases = [case for case in CASES[rule_id]["flags"] if not case.get("silent")]
    assert cases
    for case in cases:
        own, other = (answered(speaking, case, language).response for language in (english, made_up))
        assert own.cards
        assert len(own.cards) <= MOST_CARDS
        assert list(map(facts_of, own.cards)) == list(map(facts_of, other.cards))
        assert own.extension == other.extension
        for one, translated in zip(own.cards, other.cards, strict=True):
            assert one.summary != translated.summary
            assert codes_in(one.summary) == codes_in(translated.summary)


def codes_in(text: str) -> list[str]:
    return sorted(re.findall(r"\b[A-Z0-9]\d{3}[A-Z0-9]\b", text))


@pytest.fixture(scope="module")
def said_on_cards(advisor: Advisor) -> list[str]:
    """The summaries and labels of all findings of the cases."""
    reviews = [answered(advisor, case, ENGLISH).review for by in CASES.values() for case in by["flags"]]
    findings = [finding for each in reviews for _, finding in each.unfolded]
    labels = [fix.label for each in findings for fix in each.fixes]
    return list({str(each): each for each in [*(each.summary for each in findings), *labels]}.values())


@pytest.mark.parametrize("language", LANGUAGES[1:], ids=lambda each: each.tag)
def test_no_summary_or_label_is_cut_in_any_language(said_on_cards: list[str], language: Language) -> None:
    """With the catalogs as they are: a card's summary and its buttons have room for fewer than 140 characters."""
    say = create_catalogs().speaker(language)
    assert len(said_on_cards) > 200
    assert max(len(say(text)) for text in said_on_cards) <= SUMMARY_LIMIT
