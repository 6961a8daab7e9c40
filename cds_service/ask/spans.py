"""Recognizes the parts of a text: codes, products, amounts, modifiers, settings, payers, dates, topics.

`Recognizer.read` takes any text, a question or the description of a case, and returns its spans with their places.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

import msgspec

from cds_service.ask.knowledge import Knowledge
from cds_service.ask.lexicon import MOST_CORRECTED, Lexicon, Token, plain_words, tokens_of
from cds_service.ask.negation import is_joined, is_negated, is_one_clause, may_be_negated
from cds_service.ask.patterns import Patterns


class Span(msgspec.Struct, frozen=True):
    """A recognized part of a text: `text[start:end]`, its kind and its value.

    Kinds: `code` (in billers' notation), `product`, `drug`, `ndc`, `amount` and `discarded` (`1.3 mL`), `units`,
    `modifier`, `setting`, `place`, `bill`, `payer`, `age`, `day`, `year`, `diagnosis`, `performed`, `topic`, `thing`
    and `word` (of the codes' descriptions), `term` (of the glossary). `negated`: the text says that it is not so.
    `corrected`: its spelling was corrected.
    """

    start: int
    end: int
    kind: str
    value: str
    negated: bool = False
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its spans in order, and the words that were not understood.

    `words` are all words outside of codes and numbers in their plain form, with their corrections.
    """

    text: str
    spans: tuple[Span, ...]
    not_understood: tuple[str, ...]
    words: tuple[str, ...]

    def of(self, *kinds: str) -> list[Span]:
        """The spans of some kinds, in order."""
        return [span for span in self.spans if span.kind in kinds]


def cleaned(text: str) -> str:
    """A text in one line, with compatible letters as plain ones, ASCII digits and without control characters."""
    normal = unicodedata.normalize("NFKC", text)
    if not normal.isascii():
        normal = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in normal)
    return " ".join("".join(" " if unicodedata.category(each)[0] == "C" else each for each in normal).split())


class Recognizer:
    """Recognizes what the lexicon and the patterns know."""

    def __init__(self, knowledge: Knowledge, described: Iterable[str], negations: Iterable[str] = ()) -> None:
        """`described` are the descriptions of codes, whose words are understood in a search, and `negations` those of
        another language, whose grammar is not known.
        """
        words = knowledge.words
        self.patterns = Patterns(knowledge.modifiers, knowledge.named_by)
        declines = (part for each in words.declines.values() for pattern in each.words for part in pattern)
        self.lexicon = Lexicon(
            _phrases(knowledge, described),
            (words.fillers, *words.negations),
            [part for part in declines if not part.startswith("@")],
            (words.spelled,),
        )
        self._negations = frozenset(word for each in words.negations for word in plain_words(each))
        self._phrases = frozenset(filter(None, map(plain_words, negations)))

    def read(self, text: str) -> Reading:
        """The spans of a text that `cleaned` made."""
        found = [Span(each.start, each.end, each.kind, each.value) for each in self.patterns.found(text)]
        tokens = [
            each for each in tokens_of(text) if all(each.end <= one.start or one.end <= each.start for one in found)
        ]
        words, corrected = self._spelled(tokens)
        spans = sorted([*found, *self._matched(text, tokens, words, corrected)], key=attrgetter("start"))
        return Reading(
            text=text,
            spans=tuple(self._with_negations(text, spans)),
            not_understood=tuple(self._not_understood(text, tokens, words, spans)),
            words=tuple(words),
        )

    def _spelled(self, tokens: list[Token]) -> tuple[list[str], set[int]]:
        """The words of tokens, misspelled ones corrected, and the numbers of these."""
        words, corrected = [token.word for token in tokens], set[int]()
        unknown = [number for number, word in enumerate(words) if not self.lexicon.knows(word)]
        for number in unknown[:MOST_CORRECTED]:
            if better := self.lexicon.corrected(words[number]):
                words[number] = better
                corrected.add(number)
        return words, corrected

    def _matched(self, text: str, tokens: list[Token], words: list[str], corrected: set[int]) -> Iterator[Span]:
        """The phrases of the lexicon; no phrase reaches over another span, or the end of a sentence."""
        parts: list[tuple[int, list[str]]] = []
        for number, token in enumerate(tokens):
            between = text[tokens[number - 1].end : token.start] if number else ";"
            if not number or any(each.isalnum() or each in ".;:?!()" for each in between):
                parts.append((number, []))
            parts[-1][1].append(words[number])
        for offset, part in parts:
            for first, end, meaning in self.lexicon.matches(part):
                numbers = range(offset + first, offset + end)
                is_corrected = not corrected.isdisjoint(numbers)
                start, stop = tokens[numbers[0]].start, tokens[numbers[-1]].end
                yield Span(start, stop, meaning.kind, meaning.value, corrected=is_corrected)

    def _not_understood(self, text: str, tokens: list[Token], words: list[str], spans: list[Span]) -> Iterator[str]:
        """The words that belong to no span and mean something, those in a row together."""
        run: list[Token] = []
        for number, token in enumerate(tokens):
            is_known = words[number] in self.lexicon.fillers or any(
                each.start <= token.start < each.end for each in spans
            )
            is_next = bool(run) and not any(run[-1].end <= each.start < token.start for each in spans)
            if run and (is_known or not is_next):
                yield _as_written(text, run)
                run = []
            if not is_known:
                run.append(token)
        if run:
            yield _as_written(text, run)

    def _with_negations(self, text: str, spans: list[Span]) -> Iterator[Span]:
        was_negated = may_be = False
        for number, span in enumerate(spans):
            before = text[spans[number - 1].end if number else 0 : span.start]
            behind = text[span.end : spans[number + 1].start] if number + 1 < len(spans) else f"{text[span.end :]}\n"
            is_carried = was_negated and is_joined(before) and span.kind == spans[number - 1].kind
            was_negated = is_carried or is_negated(before, behind, self._negations)
            may_be = (may_be and is_one_clause(before)) or may_be_negated(before, behind, self._phrases)
            yield msgspec.structs.replace(span, negated=True) if was_negated or may_be else span


def _as_written(text: str, tokens: list[Token]) -> str:
    """The words of tokens, as they were written: those of Chinese without spaces."""
    parts = [text[token.start : token.end] for token in tokens]
    return "".join(
        f" {part}" if number and token.start > tokens[number - 1].end else part
        for number, (token, part) in enumerate(zip(tokens, parts, strict=True))
    )


def _phrases(knowledge: Knowledge, described: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Kind, value and phrase of all that is recognized; of one phrase with two meanings, the first counts."""
    words = knowledge.words
    yield from (each for each in knowledge.names if each[0] != "term")
    for setting, each in words.settings.items():
        yield from (("setting", setting, phrase) for phrase in each.words)
    for kind, named in (
        ("payer", words.payers),
        ("modifier", words.modifiers),
        ("performed", words.performed),
        ("thing", words.things),
    ):
        for value, each_named in named.items():
            yield from ((kind, value, phrase) for phrase in each_named.words)
    for topic, each_topic in words.topics.items():
        yield from (("topic", topic, phrase) for phrase in each_topic.words)
    fillers = set(plain_words(words.fillers))
    yield from (each for each in knowledge.names if each[0] == "term")
    for text in described:
        yield from (("word", word, word) for word in plain_words(text) if word not in fillers and not word.isdigit())
