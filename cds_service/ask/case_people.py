"""The people who did the work that a description tells of: the practitioner of the claim, or another."""

from collections.abc import Iterator

import msgspec

from cds_service.ask.case_knowledge import CaseWords
from cds_service.ask.lexicon import plain_words
from cds_service.ask.negation import clause_before, clause_behind, is_joined
from cds_service.ask.spans import Reading, Span


def with_people(reading: Reading, words: CaseWords, known: frozenset[str]) -> tuple[tuple[Span, ...], frozenset[Span]]:
    """The spans, with work of others under its own value, and those of work by a person who is not understood.

    `known` are words without a meaning of their own: a person is named by any other, such as a family name.
    """
    another, own = _plain(words.another), _plain(words.own)
    found, unsure = list(reading.spans), set[Span]()
    for run in _runs(reading, words):
        subject = _words(clause_before(reading.text[_end_before(reading, run[0]) : reading.spans[run[0]].start]))
        doer = _behind_by(reading.text[reading.spans[run[-1]].end : _start_behind(reading, run[-1])])
        people = [each for each in (*subject, *doer) if not each.isdigit()]
        for number in run:
            span = found[number]
            if not another.isdisjoint(people):
                found[number] = msgspec.structs.replace(span, value=words.by_another[span.value])
            elif not span.negated and any(each not in known and each not in own for each in people):
                unsure.add(span)
    return tuple(found), frozenset(unsure)


def _plain(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for each in words for word in plain_words(each))


def _words(text: str) -> tuple[str, ...]:
    return plain_words(text)


def _runs(reading: Reading, words: CaseWords) -> Iterator[list[int]]:
    """The numbers of spans of work, those with only a conjunction between them together."""
    run: list[int] = []
    for number, span in enumerate(reading.spans):
        if span.value not in words.by_another:
            continue
        is_next = bool(run) and run[-1] == number - 1
        if is_next and is_joined(reading.text[reading.spans[number - 1].end : span.start]):
            run.append(number)
            continue
        if run:
            yield run
        run = [number]
    if run:
        yield run


def _end_before(reading: Reading, number: int) -> int:
    return reading.spans[number - 1].end if number else 0


def _start_behind(reading: Reading, number: int) -> int:
    return reading.spans[number + 1].start if number + 1 < len(reading.spans) else len(reading.text)


def _behind_by(text: str) -> tuple[str, ...]:
    """The words behind `by` in the clause."""
    words = plain_words(clause_behind(text))
    return words[words.index("by") + 1 :] if "by" in words else ()
