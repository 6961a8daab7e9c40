"""Lists and maps of codes as the knowledge hands them over, for a terminology server to load."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A code in a list: its kind (billing, NDC, SNOMED…), its value, and what it is, in our own words."""

    kind: str
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list of codes. `name` is the name that a program gives it."""

    id: str
    name: str
    title: str
    description: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One code and what it stands for. `relation` is that of the target to the code, in the terms of FHIR R4."""

    source: Member
    target: Member
    relation: str
    comment: str


@dataclass(frozen=True, slots=True)
class CodeMap:
    """Which code stands for which."""

    id: str
    name: str
    title: str
    description: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Terminology:
    """All lists and maps."""

    lists: tuple[CodeList, ...]
    maps: tuple[CodeMap, ...]
