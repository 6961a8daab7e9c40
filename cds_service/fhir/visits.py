"""The encounter under review: its days, and what was done in it."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from cds_service.core.case import Origin, Record, Term, Visit, possible_days
from cds_service.fhir import resources as r
from cds_service.fhir.records import KINDS, OrderKind
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.sources import Item
from cds_service.fhir.terms import term_of

# Charges refer to what they are for; a reference to another resource, such as an earlier report, only supports them.
_DONE = (r.Procedure, r.MedicationAdministration)


def visit_of(encounter: str, items: Iterable[Item], resolver: Resolver) -> Visit:
    """The encounter as told by the resources of a call. Orders may be for another one, so they tell nothing."""
    days: set[date] = set()
    here: set[str] = set()
    elsewhere: set[str] = set()
    term: Term | None = None
    for item in items:
        if type(item.resource) is r.Encounter and item.identity == encounter:
            term = _term(item.resource, resolver)
        if not _tells(item):
            continue
        for named, moment in _moments(item, resolver):
            if named == encounter:
                days |= _days(resolver, moment)
            if isinstance(item.resource, _DONE) and named.startswith("Encounter/"):
                (here if named == encounter else elsewhere).add(item.identity)
    return Visit(encounter, frozenset(days), term, frozenset(here), frozenset(elsewhere) - {""})


def _tells(item: Item) -> bool:
    kind = KINDS.get(type(item.resource))
    return kind is not None and not isinstance(kind, OrderKind) and kind.is_active(item.resource)


def _term(encounter: r.Encounter, resolver: Resolver) -> Term | None:
    """The term of an encounter; None without a start, since all days before its end would be of it."""
    found = term_of(encounter.period, resolver.zone)
    return found if found.first else None


def _moments(item: Item, resolver: Resolver) -> Iterator[tuple[str, tuple[str | None, r.Period | None]]]:
    """The encounters that a resource names, and when something was done or charged there."""
    resource: Any = item.resource
    if isinstance(resource, r.BilledClaim):
        for each in resource.item or ():
            moment = each.serviced_date, each.serviced_period
            yield from ((named, moment) for named in resolver.refs(each.encounter))
        return
    named = getattr(resource, "encounter", None) or getattr(resource, "context", None)
    if named is not None:
        yield resolver.ref(named), KINDS[type(resource)].moment(resource)


def _days(resolver: Resolver, moment: tuple[str | None, r.Period | None]) -> frozenset[date]:
    return possible_days(Record(origin=_NOWHERE, **resolver.days(*moment)))


_NOWHERE = Origin("", "")
