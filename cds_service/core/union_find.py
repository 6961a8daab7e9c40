"""Disjoint sets (union-find)."""

from collections.abc import Hashable


class DisjointSet:
    """Disjoint sets of names; all names of a set share one root."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._parents

    def find(self, name: Hashable) -> Hashable:
        """The root of a name's set; an unknown name becomes a set of its own."""
        parents = self._parents
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    def union(self, one: Hashable, other: Hashable) -> None:
        """Merge the sets of two names."""
        self._parents[self.find(one)] = self.find(other)
