"""Finds codes by words, with synonyms, and what else a query names."""

from typing import NamedTuple

from cds_service.ask.answer import Answer
from cds_service.ask.knowledge import Fact, Knowledge
from cds_service.ask.lexicon import plain_words
from cds_service.ask.question import Question
from cds_service.ask.spans import Reading
from cds_service.review.reference import CodePage, Reference

_OF_CODES = "codes:"
_ENOUGH = 2  # words that a question and a statement have in common


class Found(NamedTuple):
    """The result of a search: pages of codes, modifiers, and an answer that says more than the codes' descriptions.

    `corrected` is the query with its spelling corrected, empty if nothing was; `declined` says why a question has none.
    """

    pages: tuple[CodePage, ...]
    corrected: str = ""
    modifiers: tuple[str, ...] = ()
    answer: Answer | None = None
    declined: str = ""


class CodeSearch:
    """Finds the codes whose descriptions have all the words that a text names or stands for."""

    def __init__(self, reference: Reference, knowledge: Knowledge) -> None:
        self._reference = reference
        self._settings = knowledge.words.settings
        self._known = knowledge.words.modifiers
        self._nothing = knowledge.words.nothing_found
        self._words = [
            (page, frozenset(plain_words(" ".join((page.description, page.kind, *page.others)))))
            for page in reference.pages
        ]

    @property
    def everything(self) -> Found:
        """All codes, in table order."""
        return Found(self._reference.pages)

    def find(self, question: Question, answer: Answer) -> Found:
        """The codes that a query names; else those that it describes; else those whose texts have its words."""
        reading = question.reading
        named = tuple(page for code in question.codes if (page := self._reference.page(code)))
        pages = named or self.described(reading) or self._reference.search(reading.text)
        is_told = answer.declined != self._nothing and (question.codes or not pages)
        says_more = question.asks_more and any(not each.id.startswith(_OF_CODES) for each in answer.answer)
        return Found(
            pages=pages,
            corrected=_corrected(reading, answer),
            modifiers=tuple(each for each in question.modifiers if each in self._known),
            answer=answer if says_more else None,
            declined=answer.declined if is_told else "",
        )

    def told(self, reading: Reading, facts: list[Fact]) -> list[Fact]:
        """The statements that have all things of a reading in their text or in their code's description, each some."""
        wanted = {word for each in reading.of("thing", "word") for word in plain_words(each.value)}
        if len(wanted) < _ENOUGH:
            return []
        described = {page.code: words for page, words in self._words}
        texts = [(fact, frozenset(plain_words(fact.text))) for fact in facts]
        return [
            fact
            for fact, words in texts
            if len(wanted & words) >= _ENOUGH and wanted <= words | described.get(fact.subject, frozenset())
        ]

    def described(self, reading: Reading) -> tuple[CodePage, ...]:
        """The codes that the things and settings of a reading describe, in table order; none without a thing."""
        named = reading.of("thing", "word")
        wanted = {word for each in named if not each.negated for word in plain_words(each.value)}
        if not wanted:
            return ()
        searched = {self._settings[each.value].search for each in reading.of("setting")}
        wanted |= {word for word in searched if word}
        unwanted = {word for each in named if each.negated for word in plain_words(each.value)}
        if searched == {""}:  # none of the settings named is one that descriptions name
            unwanted |= {each.search for each in self._settings.values() if each.search}
        return tuple(page for page, words in self._words if wanted <= words and not words & unwanted)


def _corrected(reading: Reading, answer: Answer) -> str:
    """The query with each corrected part in place of the misspelled one; empty if none was."""
    if not answer.corrections:
        return ""
    text = reading.text
    for each in reversed([span for span in reading.spans if span.corrected]):
        text = f"{text[: each.start]}{each.value}{text[each.end :]}"
    return text
