"""The people who did the work that a description tells of, and parts of it that may not have happened."""

from collections.abc import Iterator

import msgspec

from cds_service.ask.case_knowledge import CaseWords
from cds_service.ask.lexicon import plain_words
from cds_service.ask.negation import clause_before, clause_behind, is_joined
from cds_service.ask.spans import Reading, Span

# Kinds of spans that state nothing by themselves.
_PARTS = {"age", "year", "amount", "discarded", "units", "modifier"}


def with_people(reading: Reading, words: CaseWords) -> tuple[tuple[Span, ...], frozenset[Span]]:
    """The spans, with work of others under its own value, and those that the text does not say to have happened.

    A word that is not understood, beside a span in its clause, may change what it says: `allergic to X`, `Dr. Y
    supervised`. So may a word such as `ordered`, unless one such as `given` stands there too.
    """
    another = _plain(words.another)
    found, unsure = list(reading.spans), set[Span]()
    for run in _runs(reading):
        before = plain_words(clause_before(reading.text[_end_before(reading, run[0]) : reading.spans[run[0]].start]))
        behind = plain_words(clause_behind(reading.text[reading.spans[run[-1]].end : _start_behind(reading, run[-1])]))
        doer = behind[behind.index("by") + 1 :] if "by" in behind else ()
        for number in run:
            span = found[number]
            if span.value in words.by_another and not another.isdisjoint((*before, *doer)):
                found[number] = msgspec.structs.replace(span, value=words.by_another[span.value])
            if _is_doubtful(span, {*before, *behind}, reading, words):
                unsure.add(found[number])
    return tuple(found), frozenset(unsure)


def _is_doubtful(span: Span, beside: set[str], reading: Reading, words: CaseWords) -> bool:
    """True if a word beside a span leaves open that it happened. Products have their own law on `ordered`."""
    if span.kind in _PARTS or span.negated:
        return False
    if any(word in beside and not word.isdigit() for each in reading.not_understood for word in plain_words(each)):
        return True
    happens = span.kind in {"study", "performed"}
    return happens and not beside.isdisjoint(_plain(words.unsure)) and beside.isdisjoint(_plain(words.given))


def _plain(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for each in words for word in plain_words(each))


def _runs(reading: Reading) -> Iterator[list[int]]:
    """The numbers of the spans, those of one kind with only a conjunction between them together."""
    run: list[int] = []
    for number, span in enumerate(reading.spans):
        is_next = bool(run) and reading.spans[run[-1]].kind == span.kind
        if is_next and is_joined(reading.text[reading.spans[run[-1]].end : span.start]):
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
