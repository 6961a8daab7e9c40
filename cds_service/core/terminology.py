"""Code lists and code maps, exported for terminology servers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Designation:
    """Words for a code in a language (a BCP 47 tag). `is_checked`: a person who knows the field has checked them."""

    language: str
    words: str
    is_checked: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A code in a list: its kind (billing, NDC, SNOMED…), its value, and a description in our own words.

    `designations` are short names for patients, in several languages.
    """

    kind: str
    value: str
    words: str
    designations: tuple[Designation, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list of codes. `name` is its computable name."""

    id: str
    name: str
    title: str
    description: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A mapping of one code to another. `relation` is FHIR R4's equivalence of the target."""

    source: Member
    target: Member
    relation: str
    comment: str


@dataclass(frozen=True, slots=True)
class CodeMap:
    """A map from codes to codes."""

    id: str
    name: str
    title: str
    description: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Terminology:
    """All code lists and code maps."""

    lists: tuple[CodeList, ...]
    maps: tuple[CodeMap, ...]
