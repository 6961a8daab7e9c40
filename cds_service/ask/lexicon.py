"""Words and phrases with their meanings, and the spelling of words."""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

# Scripts whose words stand beside codes and names without a space: Chinese is read by characters, the words of Korean
# and of Arabic end where the script does.
_HAN, _HANGUL, _ARABIC = "\u3400-\u9fff", "\u1100-\u11ff\uac00-\ud7af", "\u0621-\u064a\u066e-\u06d3"
_LETTERS = rf"[^\W_{_HAN}{_HANGUL}{_ARABIC}]+"
_WORD = re.compile(rf"[{_HAN}]|[{_HANGUL}]+|[{_ARABIC}]+|{_LETTERS}(?:['\u2019]{_LETTERS})*")
_SHORTEST_CORRECTED = 5  # letters; shorter words are too much alike
_ALIKE = 0.8
MOST_CORRECTED = 8  # words of a question whose spelling is looked up


class Token(NamedTuple):
    """A word of a text: its place, and its plain form (small letters, singular)."""

    start: int
    end: int
    word: str


class Meaning(NamedTuple):
    """The kind and the value of a phrase."""

    kind: str
    value: str


class Match(NamedTuple):
    """A phrase found: the numbers of its first and one past its last token, and its meaning."""

    first: int
    end: int
    meaning: Meaning


def plain_word(word: str) -> str:
    """A word in small letters, in the singular, without a possessive."""
    plain = word.lower().replace("\u2019", "'").removesuffix("'s")
    if len(plain) > 4 and plain.endswith("ies"):
        return f"{plain[:-3]}y"
    if len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is")):
        return plain[:-1]
    return plain


def tokens_of(text: str) -> list[Token]:
    """The words of a text, in order; hyphens divide words."""
    return [Token(each.start(), each.end(), plain_word(each[0])) for each in _WORD.finditer(text)]


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text in their plain form."""
    return tuple(token.word for token in tokens_of(text))


class Lexicon:
    """Phrases with their meanings; of phrases that begin alike the longest counts, of two meanings the first.

    `fillers` are words without a meaning of their own, `others` words that are known without being understood, and
    `spelled` words that are never taken for misspelled ones, and into which none is corrected.
    """

    def __init__(
        self,
        phrases: Iterable[tuple[str, str, str]],
        fillers: Iterable[str],
        others: Iterable[str] = (),
        spelled: Iterable[str] = (),
    ) -> None:
        meanings: dict[tuple[str, ...], Meaning] = {}
        for kind, value, phrase in phrases:
            if words := plain_words(phrase):
                meanings.setdefault(words, Meaning(kind, value))
        self.meanings = meanings
        self.fillers = frozenset(word for each in fillers for word in plain_words(each))
        self._begun: dict[str, list[tuple[tuple[str, ...], Meaning]]] = {}
        for words in sorted(meanings, key=len, reverse=True):
            self._begun.setdefault(words[0], []).append((words, meanings[words]))
        in_phrases = {word for words in meanings for word in words}
        right = in_phrases | self.fillers | {word for each in others for word in plain_words(each)}
        self._vocabulary = right | {word for each in spelled for word in plain_words(each)}
        self._by_length: dict[int, list[str]] = {}
        for word in sorted(right):
            if len(word) >= _SHORTEST_CORRECTED and word.isalpha():
                self._by_length.setdefault(len(word), []).append(word)

    def matches(self, words: list[str]) -> Iterator[Match]:
        """The phrases in a list of words, from left to right; an empty word divides phrases."""
        at = 0
        while at < len(words):
            found = self._longest(words, at)
            if found is None:
                at += 1
                continue
            yield found
            at = found.end

    def _longest(self, words: list[str], at: int) -> Match | None:
        for phrase, meaning in self._begun.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                return Match(at, at + len(phrase), meaning)
        return None

    def knows(self, word: str) -> bool:
        """True for words of phrases, fillers, and other words that are spelled right."""
        return word in self._vocabulary

    def corrected(self, word: str) -> str | None:
        """The known word that an unknown one is most like; None if it is like none. A guess, to be shown as one."""
        if len(word) < _SHORTEST_CORRECTED or not word.isalpha() or not word.isascii():
            return None
        best, ratio = None, _ALIKE
        matcher = SequenceMatcher(b=word, autojunk=False)
        for length in (len(word), len(word) - 1, len(word) + 1, len(word) + 2, len(word) - 2):
            for candidate in self._by_length.get(length, ()):
                if candidate[0] != word[0] and candidate[1:3] != word[1:3]:
                    continue
                matcher.set_seq1(candidate)
                if matcher.real_quick_ratio() > ratio and matcher.quick_ratio() > ratio and matcher.ratio() > ratio:
                    best, ratio = candidate, matcher.ratio()
        return best
