"""The records of one kind of a case, built from decoded resources when a rule uses them.

A call may bring hundreds of resources, of which rules use few. The concept, the day and the identity of each are looked
at without building its record.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar, overload

from cds_service.core.concepts import Concept

ConceptTest = Callable[[Concept], object]
SomeDays = frozenset[date]


class Dated(Protocol):
    """A record, as far as it is looked at here."""

    @property
    def day(self) -> date | None:
        """The local day, None if not known to the day."""

    @property
    def within(self) -> object:
        """The days that it may be of, None if any."""

    def may_be_of(self, day: date) -> bool:
        """True if it is, or may be, of a day."""

    @property
    def links(self) -> frozenset[str]:
        """The references to other records."""

    @property
    def under_review(self) -> bool:
        """True if it is what the call is about."""


T = TypeVar("T", bound=Dated)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at items without building their records.

    `near` gives the numbers of the items that may be of one of some days, or of no day; it may give too many.
    """

    concept: Callable[[Any], Concept]
    is_under_review: Callable[[Any], bool]
    identity: Callable[[Any], str]
    is_linked: Callable[[Any], object]
    near: Callable[[Sequence[Any], SomeDays], list[int]]


def _is_of(record: Dated, days: SomeDays) -> bool:
    if record.day:
        return record.day in days
    return record.within is None or any(map(record.may_be_of, days))


def _near(records: Sequence[Dated], days: SomeDays) -> list[int]:
    return [number for number, record in enumerate(records) if _is_of(record, days)]


# The items are records already.
AT_RECORDS = Look(
    concept=attrgetter("concept"),
    is_under_review=attrgetter("under_review"),
    identity=attrgetter("identity"),
    is_linked=attrgetter("links"),
    near=_near,
)


def _as_it_is(record: Any) -> Any:
    return record


class Records(Sequence[T], Generic[T]):
    """Records of one kind, in order; each is built when it is asked for, and kept."""

    def __init__(
        self, items: Sequence[Any] = (), make: Callable[[Any], T] = _as_it_is, look: Look = AT_RECORDS
    ) -> None:
        self._items = items
        self._make = make
        self._look = look
        self._made: dict[int, T] = {}
        self._near_days: dict[SomeDays, set[int]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return map(self._at, range(len(self._items)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...
    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        chosen = range(len(self._items))[number]
        return self._at(chosen) if isinstance(chosen, int) else tuple(map(self._at, chosen))

    def matching(self, test: ConceptTest) -> Iterator[T]:
        """The records whose concept passes a test."""
        return (self._at(number) for number, concept in enumerate(self._concepts) if test(concept))

    def near(self, days: SomeDays) -> Iterator[T]:
        """The records of one of some days, and those without a day."""
        return (record for record in map(self._at, sorted(self._near(days))) if _is_of(record, days))

    def matching_near(self, days: SomeDays, test: ConceptTest) -> Iterator[T]:
        """Of the records under review, of one of some days or without a day, those whose concept passes a test."""
        concept, items = self._look.concept, self._items
        numbers = self._near(days) | self._reviewed
        found = (self._at(number) for number in sorted(numbers) if test(concept(items[number])))
        return (record for record in found if record.under_review or _is_of(record, days))

    def candidates_on(self, days: SomeDays) -> Iterator[T]:
        """The records of one of some days, records without a day, and records linked to others."""
        found = map(self._at, sorted(self._near(days) | self._linked))
        return (record for record in found if record.links or _is_of(record, days))

    def identified_by(self, names: frozenset[str]) -> Iterator[T]:
        """The records with one of some identities."""
        identity = self._look.identity
        return (self._at(number) for number, item in enumerate(self._items) if identity(item) in names)

    def under_review(self) -> Iterator[T]:
        """The records under review."""
        return map(self._at, sorted(self._reviewed))

    def has_match_under_review(self, test: ConceptTest) -> bool:
        """True if the concept of a record under review passes a test."""
        concept = self._look.concept
        return any(test(concept(self._items[number])) for number in self._reviewed)

    def under_review_or_matching(self, test: ConceptTest) -> Iterator[T]:
        """The records under review and those whose concept passes a test, in order."""
        reviewed = self._reviewed
        return (
            self._at(number) for number, concept in enumerate(self._concepts) if number in reviewed or test(concept)
        )

    @cached_property
    def _concepts(self) -> list[Concept]:
        return list(map(self._look.concept, self._items))

    def _near(self, days: SomeDays) -> set[int]:
        if days not in self._near_days:
            self._near_days[days] = set(self._look.near(self._items, days))
        return self._near_days[days]

    @cached_property
    def _reviewed(self) -> set[int]:
        return self._numbers(self._look.is_under_review)

    @cached_property
    def _linked(self) -> set[int]:
        return self._numbers(self._look.is_linked)

    def _numbers(self, test: Callable[[Any], object]) -> set[int]:
        """The numbers of the items that pass a test."""
        return {number for number, item in enumerate(self._items) if test(item)}

    def _at(self, number: int) -> T:
        if number not in self._made:
            self._made[number] = self._make(self._items[number])
        return self._made[number]
