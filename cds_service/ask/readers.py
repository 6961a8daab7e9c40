"""Reads a text in any language: in English first, then with the words of the language that its words are most like.

Codes, products, numbers and modifiers are understood in every sentence. The words of a language for topics and settings
are messages of its catalog: alternatives with commas between them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from msgspec import structs

from cds_service.ask.kinds import NAMED_IN_WORDS
from cds_service.ask.knowledge import Knowledge, Words
from cds_service.ask.lexicon import plain_words
from cds_service.ask.spans import Reading, Recognizer, cleaned
from cds_service.languages.known import ENGLISH, LANGUAGES, Language

_COMMA = re.compile("[,\N{ARABIC COMMA}\N{IDEOGRAPHIC COMMA}\N{FULLWIDTH COMMA}]")

# The translation of a message in a language; empty if there is none.
Translate = Callable[[str, Language], str]


def untranslated(_text: str, _language: Language) -> str:
    """No translation: texts are read in English only."""
    return ""


class Reader:
    """Reads texts; made once, and shared by threads. The words of a language are looked up at their first use."""

    def __init__(
        self, knowledge: Knowledge, described: Iterable[str], translate: Translate, tells: bool = False
    ) -> None:
        """`described` are the descriptions of codes, whose words are understood in a search. A text that `tells` what
        was done may deny it in any language; a question is about what it names, whether it denies it or not.
        """
        self._knowledge = knowledge
        self._described = tuple(described)
        self._translate = translate
        self._tells = tells
        self.english = Recognizer(knowledge, self._described)
        self._recognizer = cache(self._made)
        self._vocabulary = cache(self._words_of)

    def read(self, text: str, language: Language = ENGLISH) -> Reading:
        """The reading in which the fewest words are not understood; English if as many are, then `language`."""
        plain = cleaned(text)
        reading = self.english.read(plain)
        words = Counter(word for each in reading.not_understood for word in plain_words(each))
        other = self._most_like(words, language) if words else None
        if other is None:
            return reading
        better = self._recognizer(other).read(plain)
        return min(reading, better, key=lambda each: sum(len(plain_words(part)) for part in each.not_understood))

    def _most_like(self, words: Counter[str], language: Language) -> Language | None:
        """The language that knows the most of some words; None if none knows any."""
        every = sorted(LANGUAGES[1:], key=lambda each: each != language)
        known = {each: sum(count for word, count in words.items() if word in self._vocabulary(each)) for each in every}
        best = max(every, key=lambda each: known[each])
        return best if known[best] else None

    def _made(self, language: Language) -> Recognizer:
        known = self._knowledge
        words = in_language(known.words, language, self._translate)
        names = [
            (kind, value, phrase)
            for kind, value in self._named_in_words
            for phrase in _alternatives(self._translate(value, language))
        ]
        denied = known.words.negations_asked if self._tells else ""
        negations = _alternatives(self._translate(denied, language)) if denied else ()
        return Recognizer(replace(known, words=words, names=(*known.names, *names)), self._described, negations)

    @property
    def _named_in_words(self) -> dict[tuple[str, str], None]:
        """Kind and value of what is named with words of ours, not of the tables."""
        return {(kind, value): None for kind, value, _ in self._knowledge.names if kind in NAMED_IN_WORDS}

    def _words_of(self, language: Language) -> frozenset[str]:
        """The words that a language adds to the English ones."""
        words = self._knowledge.words
        messages = (*_messages(words), *(value for _, value in self._named_in_words))
        texts = [self._translate(each, language) for each in messages if each]
        return frozenset(word for text in texts for word in plain_words(text))


def _messages(words: Words) -> Iterable[str]:
    yield from (each.asked for each in words.topics.values())
    yield from (each.asked for each in words.settings.values())
    yield from (words.fillers_asked, words.negations_asked, *words.performed, *words.things)


def _alternatives(text: str) -> tuple[str, ...]:
    """The alternatives of a translated message, between the commas of any script."""
    return tuple(each for part in _COMMA.split(text) if (each := part.strip()))


def in_language(words: Words, language: Language, translate: Translate) -> Words:
    """The words with those of a language."""

    def alternatives(message: str) -> tuple[str, ...]:
        return _alternatives(translate(message, language)) if message else ()

    return structs.replace(
        words,
        topics={
            name: structs.replace(each, words=(*each.words, *alternatives(each.asked)))
            for name, each in words.topics.items()
        },
        settings={
            name: structs.replace(each, words=(*each.words, *alternatives(each.asked)))
            for name, each in words.settings.items()
        },
        performed={
            name: structs.replace(each, words=(*each.words, *alternatives(name)))
            for name, each in words.performed.items()
        },
        things={
            name: structs.replace(each, words=(*each.words, *alternatives(name))) for name, each in words.things.items()
        },
        fillers=" ".join((words.fillers, *alternatives(words.fillers_asked), *alternatives(words.negations_asked))),
    )
