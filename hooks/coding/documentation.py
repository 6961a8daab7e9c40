"""Documentation of a study: items found, known to be missing, or unknown."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from cds_service.core.case import Administration, Case, Document, Observation, Record, cached_fact
from cds_service.core.concepts import LOINC, RXNORM, SNOMED
from cds_service.core.lazy_records import Records
from hooks.codes.tables import DOCUMENTATION, DocumentationItem
from hooks.coding.contrast import ambiguous_agents
from hooks.coding.products import agent_in, agent_ml
from hooks.coding.studies import Study
from hooks.coding.unassigned import unassigned_administrations

State = Literal["found", "not found", "unknown"]

EXERCISE_STRESS_ECHO = "433233004"


@dataclass(frozen=True, slots=True)
class DocumentationCheck:
    """An item, its state and the records that contain it."""

    item: DocumentationItem
    state: State
    records: tuple[Record, ...]


def is_incomplete(study: Study, case: Case) -> bool:
    """True if an item in force on the study's day is known to be missing; stops at the first one."""
    return any(
        _absence_counts(item, study, case) and not any(_FINDERS[item.code](item, study, case))
        for item in DOCUMENTATION
        if item.in_force(study.day)
    )


def documentation_of(study: Study, case: Case) -> tuple[DocumentationCheck, ...]:
    """All items in force on the study's day, in table order."""
    return tuple(_check(item, study, case) for item in DOCUMENTATION if item.in_force(study.day))


def _check(item: DocumentationItem, study: Study, case: Case) -> DocumentationCheck:
    records = tuple(_FINDERS[item.code](item, study, case))
    if records:
        return DocumentationCheck(item, "found", records)
    return DocumentationCheck(item, "not found" if _absence_counts(item, study, case) else "unknown", ())


def _absence_counts(item: DocumentationItem, study: Study, case: Case) -> bool:
    """True if an item not found may be reported as missing."""
    return bool(item.required_parts) and all(case.is_complete(part, study.day) for part in item.required_parts)


# --- search for each item -------------------------------------------------------------------------------------------


def _find_reason(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in study.procedures if each.reasons)
    yield from (each for each in study.orders if each.reasons)
    yield from (each for each in case.documents if each.kind == "condition")


def _find_agent(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    """Administrations of an agent with their amount: a name in words documents too, and the dose of a mixture.

    Those that may be of another study or day count as well: none of them is missing from the record.
    """
    in_doubt = (each for each in ambiguous_agents(study) if isinstance(each, Administration))
    for given in (*study.administrations, *in_doubt, *unassigned_administrations(study, case)):
        if given.status != "not given" and agent_in(given.concept) and (given.parts or agent_ml(given) is not None):
            yield given


def _find_images(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in _of_study(case.documents, study) if each.kind == "images")


def _find_report(_: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    yield from (each for each in _of_study(case.documents, study) if each.kind == "report")
    yield from (each for each in study.procedures if each.reports)


def _find_written(item: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    """Observations, reports and documents of the study by code or words, and notes on the procedure."""
    for seen, codes, texts in _texts_of(study, case):
        if not codes.isdisjoint(item.loinc) or _matches(item, texts):
            yield seen
    yield from (each for each in study.procedures if _mentions(item, each.notes))


@cached_fact
def _texts_of(study: Study, case: Case) -> tuple[tuple[Observation | Document, frozenset[str], str], ...]:
    """Written records of a study with their LOINC codes and their text in lower case."""
    documents = (each for each in _of_study(case.documents, study) if each.kind in {"report", "document"})
    written: tuple[Observation | Document, ...] = (*_of_study(case.observations, study), *documents)
    return tuple(
        (seen, frozenset(seen.concept.values(LOINC)), _lowercase((*seen.concept.words, *seen.words)))
        for seen in written
    )


def _find_protocol(item: DocumentationItem, study: Study, case: Case) -> Iterator[Record]:
    for done in study.procedures:
        if EXERCISE_STRESS_ECHO in done.concept.values(SNOMED) or _mentions(item, (*done.concept.words, *done.notes)):
            yield done
    drugs = case.administrations.matching(
        lambda drug: not set(item.rxnorm).isdisjoint(drug.values(RXNORM)) or _mentions(item, drug.words)
    )
    yield from (each for each in drugs if _belongs_to(each, study))
    yield from _find_written(item, study, case)


def _mentions(item: DocumentationItem, texts: Iterable[str]) -> bool:
    return _matches(item, _lowercase(texts))


def _matches(item: DocumentationItem, text: str) -> bool:
    return bool(item.words and text and _pattern(item.words).search(text))


@lru_cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)))


def _lowercase(texts: Iterable[str]) -> str:
    """Texts in lower case, one per line, so that no word matches across two texts."""
    return "\n".join(texts).lower()


RecordT = TypeVar("RecordT", bound=Record)


def _of_study(records: Records[RecordT], study: Study) -> Iterator[RecordT]:
    """Records of the study's day or linked to the study; a record without a date counts as the study's."""
    near = records if study.day is None else records.candidates_on(frozenset((study.day,)))
    return (each for each in near if _belongs_to(each, study))


def _belongs_to(record: Record, study: Study) -> bool:
    return study.day is None or record.day in (study.day, None) or not record.links.isdisjoint(study.identities)


_FINDERS: dict[str, Callable[[DocumentationItem, Study, Case], Iterable[Record]]] = {
    "reason": _find_reason,
    "need": _find_written,
    "agent": _find_agent,
    "images": _find_images,
    "report": _find_report,
    "ecg": _find_written,
    "protocol": _find_protocol,
    "result": _find_written,
}
