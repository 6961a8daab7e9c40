"""Things that belong together, directly or through others (a disjoint-set forest)."""

from collections.abc import Hashable


class DisjointSet:
    """Which names belong together. All that are tied have one and the same first."""

    def __init__(self) -> None:
        self._leads_to: dict[Hashable, Hashable] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._leads_to

    def first(self, name: Hashable) -> Hashable:
        """The name that stands for all to which a name is tied."""
        leads_to = self._leads_to
        leads_to.setdefault(name, name)
        while leads_to[name] != name:
            leads_to[name] = leads_to[leads_to[name]]
            name = leads_to[name]
        return name

    def tie(self, one: Hashable, other: Hashable) -> None:
        """Let two belong together, and all that are tied to either."""
        self._leads_to[self.first(one)] = self.first(other)
