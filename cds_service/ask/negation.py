"""The law of negation: `no X`, `without any X`, `did not use X`, `X was not used`, `X ordered but not given`."""

import re
from collections.abc import Iterator

from cds_service.ask.lexicon import plain_words

Phrases = frozenset[tuple[str, ...]]

# A clause ends here, and at the bar before answers; the point of an abbreviated title ends none.
_END = re.compile(r"[,;:()|\n،؛、，；：（）。]|(?<!\bdr)\.(?=\s|$)", re.IGNORECASE)  # noqa: RUF001 # the marks of each script
# An answer in a form: `contrast: none`.
_NONE = re.compile(r"\s*[:=\u2013-]?\s*(?:no|none|not|nil)\s*[,;.)\n]", re.IGNORECASE)
_WITHOUT = re.compile(r"\bw/o\b", re.IGNORECASE)
# Words of our language that may stand between a negation and what it denies.
_BETWEEN = frozenset(
    plain_words(
        "any the a an of in at use used using give given get got need needed for with was is were been be i we "
        "it he she they did do have has had could would can will require required administer administered"
    )
)
_LINKS = _BETWEEN | frozenset(
    plain_words("but and then ordered planned considered available requested prepared drawn up opened actually finally")
)
# Negations that only stand before what they deny.
_BEFORE_ONLY = frozenset({"no", "without", "neither", "nor", "denie", "denies", "deny", "none"})
_JOINS = frozenset({"or", "nor", "and"})


def clause_before(text: str) -> str:
    """The end of a text, from its last clause boundary."""
    ends = list(_END.finditer(text))
    return text[ends[-1].end() :] if ends else text


def clause_behind(text: str) -> str:
    """The beginning of a text, up to its first clause boundary."""
    end = _END.search(text)
    return text[: end.start()] if end else text


def is_negated(before: str, behind: str, negations: frozenset[str]) -> bool:
    """True if the text between the span before and a span denies it, or the text behind it up to the next span.

    At the end of a text, `behind` ends in a line break.
    """
    if _NONE.match(behind):
        return True
    return _is_denied_before(_words(clause_before(before)), negations) or _is_denied_behind(
        _words(clause_behind(behind)), negations
    )


def may_be_negated(before: str, behind: str, phrases: Phrases) -> bool:
    """The same in a language of which only the negations are known, as phrases of words: one anywhere in the clause.

    Whatever is said there, nothing is then taken for done that may have been denied. A negation that stands last before
    the next span belongs to that one.
    """
    if not phrases:
        return False
    if any(True for _ in _ends(plain_words(clause_before(before)), phrases)):
        return True
    clause = clause_behind(behind)
    words = plain_words(clause)
    return any(end < len(words) or clause != behind for end in _ends(words, phrases))


def is_one_clause(between: str) -> bool:
    """True if no clause ends in a text."""
    return clause_behind(between) == between


def _ends(words: tuple[str, ...], phrases: Phrases) -> Iterator[int]:
    """The places behind the phrases in some words."""
    for start in range(len(words)):
        for phrase in phrases:
            if words[start : start + len(phrase)] == phrase:
                yield start + len(phrase)


def is_joined(between: str) -> bool:
    """True if only a conjunction stands between two spans, as in `no X or Y`."""
    words = plain_words(between)
    return (len(words) == 1 and words[0] in _JOINS) or between.strip() == "/"


def _words(text: str) -> tuple[str, ...]:
    return plain_words(_WITHOUT.sub("without", text))


def _is_denied_before(words: tuple[str, ...], negations: frozenset[str]) -> bool:
    for word in reversed(words):
        if word in negations:
            return True
        if word not in _BETWEEN:
            return False
    return False


def _is_denied_behind(words: tuple[str, ...], negations: frozenset[str]) -> bool:
    """`not used`, `was declined`: a negation at the end of the words belongs to what follows, unless it is a verb."""
    for number, word in enumerate(words):
        if word in negations and word not in _BEFORE_ONLY:
            return number + 1 < len(words) or word.endswith(("ed", "ld"))
        if word not in _LINKS:
            return False
    return False
