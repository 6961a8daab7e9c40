"""Comparison of the practitioners named on two records."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


def may_be_same_practitioner(one: frozenset[str], other: frozenset[str]) -> bool:
    """True if two records may name one practitioner: a set is empty, both share one, or the two cannot be compared.

    Practitioners can be compared with each other, and so can identifiers of one system. A person may have several
    roles, so a PractitionerRole can be compared with nothing.
    """
    if not one or not other or one & other:
        return True
    return not {_kind(each) for each in one} & {_kind(each) for each in other} - {"PractitionerRole"}


class ByPractitioner(Generic[ItemT]):
    """Items by the practitioners that they name; finds those of one practitioner without comparing all pairs."""

    def __init__(self, items: Iterable[ItemT], performers: Callable[[ItemT], frozenset[str]]) -> None:
        self._unnamed: list[ItemT] = []
        self._by_name: dict[str, list[ItemT]] = {}
        self._by_kinds: dict[frozenset[str], list[ItemT]] = {}
        for item in items:
            self.add(item, performers(item))

    def add(self, item: ItemT, names: frozenset[str]) -> None:
        """Add an item that names these practitioners; again, if it has come to name others."""
        if not names:
            self._unnamed.append(item)
            return
        for found in (*(self._by_name.setdefault(name, []) for name in names), self._of_kinds(names)):
            if not found or found[-1] is not item:
                found.append(item)

    def _of_kinds(self, names: frozenset[str]) -> list[ItemT]:
        return self._by_kinds.setdefault(frozenset(map(_kind, names)), [])

    def __iter__(self) -> Iterator[ItemT]:
        yield from self._unnamed
        for items in self._by_kinds.values():
            yield from items

    def may_be_of(self, performers: frozenset[str]) -> Iterator[ItemT]:
        """The items that may name one of these practitioners, as `may_be_same_practitioner` says; some come twice."""
        yield from self._unnamed
        for name in performers:
            yield from self._by_name.get(name, ())
        comparable = {_kind(each) for each in performers} - {"PractitionerRole"}
        for kinds, items in self._by_kinds.items():
            if not performers or not kinds & comparable:
                yield from items


def _kind(reference: str) -> str:
    """The part of a reference or identifier that two must share to be comparable."""
    kind, _, _ = reference.partition("/")
    return kind if kind in {"Practitioner", "PractitionerRole"} else reference.rpartition("|")[0] or kind
