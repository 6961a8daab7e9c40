"""The stored form of PTP edits, made for claims: one group for each column 1 code.

The index of a group has one character for each column 2 code, a hash of it, so that a claim's codes are sought by
Python's own search in a text, some microseconds for each code. Only groups with a character of the claim are read.
These have the sorted column 2 codes as numbers, then the other columns in this order.
"""

from array import array
from bisect import bisect_left, bisect_right
from codecs import utf_16_le_decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import accumulate
from struct import Struct
from typing import NamedTuple

import msgspec

from cds_service.cms.layouts.base import Group

NEVER_IN_FORCE = 9  # the indicator of an edit whose deletion date is its effective date
EPOCH = date(1990, 1, 1).toordinal()
NO_END = 0xFFFF
BEFORE_1996 = 0x10

_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHARACTERS = 55_291  # the largest prime below the surrogates, which UTF-16 keeps for itself
_CODE_BYTES = 4
_CHARACTER_BYTES = 2
_DETAILS = Struct("=HHBH")  # days of service since 1990 (first, last), flags, index of the rationale


class PairRow(msgspec.Struct, frozen=True, array_like=True):
    """An edit of one period. `last` is its last day of service, None if there is no end."""

    column_1: str
    column_2: str
    first: date
    last: date | None
    indicator: int
    rationale: str
    before_1996: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """The pair and the first day of the period."""
        return (self.column_1, self.column_2, self.first.isoformat())

    def in_force(self, day: date) -> bool:
        """True on the days of its period; an edit with indicator 9 was never in force."""
        within = self.first <= day and (self.last is None or day <= self.last)
        return within and self.indicator != NEVER_IN_FORCE


class Edit(NamedTuple):
    """An edit in its stored form; sorts by column 2 and first day, both as numbers."""

    column_2: int
    first: int
    last: int
    flags: int
    rationale: int


def number_of(code: str) -> int:
    """A code as a number, in the order of the texts."""
    return int(code, 36)


def code_of(number: int) -> str:
    """The code of a number."""
    digits = []
    for _ in range(5):
        number, digit = divmod(number, 36)
        digits.append(_BASE_36[digit])
    return "".join(reversed(digits))


def group_of(column_1: str, edits: Sequence[Edit]) -> Group:
    """The group of a column 1 code, from its sorted edits."""
    codes = array("I", [edit.column_2 for edit in edits])
    details = b"".join(_DETAILS.pack(*edit[1:]) for edit in edits)
    index = "".join(map(_character, dict.fromkeys(codes))).encode("utf-16-le")
    return Group(column_1, codes.tobytes() + details, len(edits), index)


def rows(group: Group, texts: Sequence[str]) -> list[PairRow]:
    """All edits of a group."""
    codes, details = _parts(group.blob)
    return [
        _row(group.key, number, detail, texts)
        for number, detail in zip(codes, _DETAILS.iter_unpack(details), strict=True)
    ]


class Sought:
    """The column 2 codes that a claim may have, prepared once for all of its groups."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.codes = {number_of(code): code for code in codes}
        self._numbers: dict[str, list[int]] = {}
        for number in self.codes:
            self._numbers.setdefault(_character(number), []).append(number)

    def maybe_in(self, indexes: Mapping[str, bytes]) -> dict[str, list[int]]:
        """The groups with a character of these codes, and the numbers of the codes; few of them are not in their group.

        The indexes are searched as one text, which costs each code one search in place of one for each group.
        """
        keys, ends = list(indexes), list(accumulate(len(index) // _CHARACTER_BYTES for index in indexes.values()))
        text, _ = utf_16_le_decode(b"".join(indexes.values()))
        found: dict[str, list[int]] = {}
        for character, numbers in self._numbers.items():
            position = text.find(character)
            while position >= 0:
                group = bisect_right(ends, position)
                found.setdefault(keys[group], []).extend(numbers)
                position = text.find(character, ends[group])  # once a group: two of its codes may share a character
        return found


class Hit(NamedTuple):
    """An edit in force: its values but for column 1, and the index of its rationale."""

    column_2: str
    indicator: int
    first: date
    last: date | None
    rationale: int


def in_force(blob: bytes, numbers: Iterable[int], sought: Sought, day: date) -> Iterator[Hit]:
    """The edits of a group with some of the sought codes that are in force on a day."""
    codes, details = _parts(blob)
    wanted = day.toordinal() - EPOCH
    count = len(codes)
    for number in numbers:
        position = bisect_left(codes, number)
        while position < count and codes[position] == number:
            first, last, flags, rationale = _DETAILS.unpack_from(details, _DETAILS.size * position)
            if first <= wanted <= last and flags & 0xF != NEVER_IN_FORCE:
                yield Hit(sought.codes[number], flags & 0xF, _day(first), _end(last), rationale)
            position += 1


def _day(days: int) -> date:
    return date.fromordinal(EPOCH + days)


def _end(days: int) -> date | None:
    return None if days == NO_END else date.fromordinal(EPOCH + days)


def _character(number: int) -> str:
    return chr(number % _CHARACTERS)


def _parts(blob: bytes) -> tuple[memoryview, memoryview]:
    """The codes and the details of a group."""
    size = len(blob) // (_CODE_BYTES + _DETAILS.size) * _CODE_BYTES
    view = memoryview(blob)
    return view[:size].cast("I"), view[size:]


def _row(column_1: str, number: int, detail: tuple[int, ...], texts: Sequence[str]) -> PairRow:
    first, last, flags, rationale = detail
    return PairRow(
        column_1,
        code_of(number),
        _day(first),
        _end(last),
        flags & 0xF,
        texts[rationale],
        bool(flags & BEFORE_1996),
    )
