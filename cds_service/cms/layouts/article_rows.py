"""The rows of the contractors' articles: versions with their lists, what names them, and the age of diagnoses."""

import re
from datetime import date

import msgspec

COVERED, NOT_COVERED = "covered", "not covered"
DIAGNOSIS = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_IN_FORCE = frozenset({"A", "R"})  # active, retired; anything else is a draft


class DiagnosisGroup(msgspec.Struct, frozen=True, array_like=True):
    """A list of diagnoses (ICD-10-CM, with the dot), and the procedure codes that its paragraph names.

    `asterisked` are codes of the list that the article marks. With `prose`, the list alone does not tell whom it is
    for: the paragraph states conditions or names no code, or the list has a placeholder for all other codes.
    """

    number: int
    kind: str
    codes: tuple[str, ...]
    asterisked: tuple[str, ...]
    names: tuple[str, ...]
    prose: bool


class ArticleRow(msgspec.Struct, frozen=True, array_like=True):
    """A version of an article, in force from `first` to `last`; None for a day that is not stated.

    `procedures` are its groups of billing codes by number, `contractors` the part (A, B or empty) and number of each,
    `lcds` the numbers of related LCDs.
    """

    id: int
    version: int
    name: str
    status: str
    first: date | None
    last: date | None
    procedures: tuple[tuple[int, tuple[str, ...]], ...]
    groups: tuple[DiagnosisGroup, ...]
    contractors: tuple[tuple[str, str], ...]
    states: tuple[str, ...]
    lcds: tuple[int, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """The name of the article: A12345."""
        return (self.name, str(self.version))

    def in_force(self, day: date) -> bool:
        """True from its first to its last day; False for drafts."""
        return (
            self.status in _IN_FORCE
            and self.first is not None
            and self.first <= day
            and (self.last is None or day <= self.last)
        )

    def lists(self, code: str) -> bool:
        """True if one of its groups of billing codes has a code."""
        return any(code in codes for _, codes in self.procedures)


class NamedRow(msgspec.Struct, frozen=True, array_like=True):
    """The numbers of the articles that name a code or a contractor."""

    name: str
    articles: tuple[int, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """The code or contractor."""
        return (self.name,)


class DiagnosisRow(msgspec.Struct, frozen=True, array_like=True):
    """A diagnosis, and the first day of the oldest version that lists it: its code is at least as old."""

    code: str
    first: date

    @property
    def identity(self) -> tuple[str, ...]:
        """The code."""
        return (self.code,)
