"""Looks at resources whose records have not been made: their concept, their day, and what they refer to."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from functools import partial
from operator import attrgetter

from cds_service.core.case import Line
from cds_service.core.concepts import Concept
from cds_service.core.lazy_records import Look
from cds_service.fhir.charges import charged_concept
from cds_service.fhir.checks import is_date
from cds_service.fhir.elements import written_near
from cds_service.fhir.records import KINDS, record_kind
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item


def look_at_records(resolver: Resolver, faulty_types: AbstractSet[type]) -> Look:
    """The look at resources other than charges; `faulty_types` are those of which some have a faulty element."""
    near = partial(_near, faulty_types)
    return Look(partial(_concept, resolver), _is_under_review, _IDENTITY, _is_linked, near)


def look_at_lines(resolver: Resolver, faulty_types: AbstractSet[type]) -> Look:
    """The look at the lines of claims, which are made, and at charges, which are not."""
    near = partial(_near, faulty_types)
    return Look(partial(_concept_of_line, resolver), _is_line_under_review, _IDENTITY, _is_line_linked, near)


_IDENTITY: Callable[[Line | Item], str] = attrgetter("identity")


def _concept(resolver: Resolver, item: Item) -> Concept:
    return record_kind(item).concept(resolver, item.resource)


def _is_under_review(item: Item) -> bool:
    return item.source.under_review


def _is_linked(item: Item) -> object:
    return record_kind(item).is_linked(item.resource)


def _concept_of_line(resolver: Resolver, item: Line | Item) -> Concept:
    return charged_concept(resolver, item.resource) if isinstance(item, Item) else item.concept


def _is_line_under_review(item: Line | Item) -> bool:
    return item.source.under_review if isinstance(item, Item) else item.under_review


def _is_line_linked(item: Line | Item) -> object:
    return isinstance(item, Item) or item.links


def _near(faulty_types: AbstractSet[type], items: Sequence[Line | Item], days: frozenset[date]) -> list[int]:
    """The numbers of the items that may be of one of some days, or of no day; found by what is written."""
    written, near = written_near(days), []
    for number, item in enumerate(items):
        if not isinstance(item, Item):
            near.append(number)
            continue
        kind = type(item.resource)
        moment, period = KINDS[kind].moment(item.resource)
        text = moment or (period and (period.start or period.end)) or ""
        if text[:10] in written or not _is_dated(text, may_be_faulty=kind in faulty_types):
            near.append(number)
    return near


def _is_dated(text: str, may_be_faulty: bool) -> bool:
    """True if a text is a date known to the day."""
    return len(text) >= len("2026-03-17") and (not may_be_faulty or is_date(text))
