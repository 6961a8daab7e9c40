"""Which items of documentation the record holds for a study, which it is known not to hold, and which are unknown."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from cds_service.core.case import (
    LOINC,
    RXNORM,
    SNOMED,
    Administration,
    Case,
    Document,
    Observation,
    Record,
    Records,
    cached_fact,
)
from hooks.codes.tables import DOCUMENTATION, DocumentationItem
from hooks.coding.contrast import agents_given
from hooks.coding.studies import Study

State = Literal["found", "not found", "unknown"]

EXERCISE_STRESS_ECHO = "433233004"


@dataclass(frozen=True, slots=True)
class DocumentationCheck:
    """An item, whether it was found, and the records that hold it."""

    item: DocumentationItem
    state: State
    where: tuple[Record, ...]


def is_incomplete(study: Study, case: Case) -> bool:
    """Whether an item in force on the study's day is known not to be on record; what is found first is enough."""
    return any(
        _would_be_seen(item, case) and not any(_SEEKERS[item.code](item, study, case))
        for item in DOCUMENTATION
        if item.in_force(study.day)
    )


def documentation_of(study: Study, case: Case) -> tuple[DocumentationCheck, ...]:
    """All items in force on the study's day, in the order of the table."""
    return tuple(_checked(item, study, case) for item in DOCUMENTATION if item.in_force(study.day))


def _checked(item: DocumentationItem, study: Study, case: Case) -> DocumentationCheck:
    where = tuple(_SEEKERS[item.code](item, study, case))
    if where:
        return DocumentationCheck(item, "found", where)
    return DocumentationCheck(item, "not found" if _would_be_seen(item, case) else "unknown", ())


def _would_be_seen(item: DocumentationItem, case: Case) -> bool:
    """Whether an item that is not there may be said to be missing."""
    return bool(item.absent_where_known) and case.complete.issuperset(item.absent_where_known)


# --- where each item is sought --------------------------------------------------------------------------------------


def _reason(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in study.procedures if each.reasons)
    yield from (each for each in study.orders if each.reasons)
    yield from (each for each in case.documents if each.kind == "condition")


def _agent(_: DocumentationItem, study: Study, __: Case) -> Iterator[Record]:
    for _named, given in agents_given(study):
        if isinstance(given, Administration) and given.ml is not None:
            yield given


def _images(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in _of_study(case.documents, study) if each.kind == "images")


def _report(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in _of_study(case.documents, study) if each.kind == "report")
    yield from (each for each in study.procedures if each.reports)


def _written(item: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    """Observations, reports and documents of the study by code or words, and what is written on the procedure."""
    for seen, codes, texts in _texts_of(study, case):
        if not codes.isdisjoint(item.loinc) or _is_in(item, texts):
            yield seen
    yield from (each for each in study.procedures if _names(item, each.notes))


@cached_fact
def _texts_of(study: Study, case: Case) -> tuple[tuple[Observation | Document, frozenset[str], str], ...]:
    """What is written of a study: the records, their LOINC codes, and their words in lower case."""
    documents = (each for each in _of_study(case.documents, study) if each.kind in {"report", "document"})
    written: tuple[Observation | Document, ...] = (*_of_study(case.observations, study), *documents)
    return tuple(
        (seen, frozenset(seen.concept.values(LOINC)), _lower((*seen.concept.words, *seen.words))) for seen in written
    )


def _protocol(item: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    for done in study.procedures:
        if EXERCISE_STRESS_ECHO in done.concept.values(SNOMED) or _names(item, (*done.concept.words, *done.notes)):
            yield done
    drugs = case.administrations.matching(
        lambda drug: not set(item.rxnorm).isdisjoint(drug.values(RXNORM)) or _names(item, drug.words)
    )
    yield from (each for each in drugs if _is_of(each, study))
    yield from _written(item, study, case)


def _names(item: DocumentationItem, texts: Iterable[str]) -> bool:
    return _is_in(item, _lower(texts))


def _is_in(item: DocumentationItem, text: str) -> bool:
    return bool(item.words and text and _any_of(item.words).search(text))


@lru_cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)))


def _lower(texts: Iterable[str]) -> str:
    """Texts in lower case, each for itself: no word is sought across them."""
    return "\n".join(texts).lower()


RecordT = TypeVar("RecordT", bound=Record)


def _of_study(records: Records[RecordT], study: Study) -> Iterator[RecordT]:
    """What is of the study's day, or points at it; a record without a day is taken for the study's."""
    near = records if study.day is None else records.candidates_on(study.day)
    return (each for each in near if _is_of(each, study))


def _is_of(record: Record, study: Study) -> bool:
    return study.day is None or record.day in (study.day, None) or not record.links.isdisjoint(study.identities)


_SEEKERS: dict[str, Callable[[DocumentationItem, Study, Case], Iterable[Record]]] = {
    "reason": _reason,
    "need": _written,
    "agent": _agent,
    "images": _images,
    "report": _report,
    "ecg": _written,
    "protocol": _protocol,
    "result": _written,
}
