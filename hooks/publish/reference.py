"""What there is to say of each code, put together from all tables.

Every table of `tables.py` is walked, so that a new one appears on the pages by itself: its own entries for a code, and
the entries of other codes that name it. What is said here is only where it stands, and under which heading.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

import hooks
from cds_service.core.case import NDC, RXNORM, Code, Concept
from cds_service.core.notation import plain
from cds_service.core.rules import Rule
from cds_service.core.tables import Entry, Table
from cds_service.review.reference import Change, CodePage, Grid, Reference, Row, Section, Statement, cited
from hooks.codes import tables
from hooks.codes.tables import CODES, GUIDANCE, PRODUCTS, CodeEntry
from hooks.coding.products import agent_in, is_supply

SECTIONS = {
    "patient": "In simple words, for a patient",
    "guidelines": "Guidelines",
    "modifiers": "Modifiers",
    "units": "Units",
    "pairs": "Pairs that are not paid together",
    "crosswalk": "Crosswalk",
    "compliance": "Compliance notes",
    "coverage": "Medicare status and coverage",
    "documentation": "Documentation",
    "recognition": "How it is recognised",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table stands: the section, the heading over a code's own entries, and over those that name the code.

    Where the entries are not of billing codes, the whole table stands on the pages of `of`, with the columns in `only`.
    """

    section: str
    own: str
    named: str = ""
    of: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


# A table that is not listed here stands in a section of its own, under its own title.
_PLACES = {
    "add_ons": _Place("guidelines", "Its primaries", "Add-ons that may be charged with it"),
    "whole_services": _Place("guidelines", "Stands for", "Is part of"),
    "pc_tc": _Place("modifiers", "Professional and technical component"),
    "modifiers": _Place("modifiers", "Modifiers of single-dose drugs", of=("Q9950", "Q9956", "Q9957")),
    "unit_limits": _Place("units", "The most that is paid for a day (MUE)"),
    "pairs": _Place("pairs", "Not paid beside it", "Beside these it is not paid"),
    "crosswalk": _Place("crosswalk", "Medicare hospital code where contrast was used", "Stands for, with contrast"),
    "products": _Place("crosswalk", "Product"),
    "opps": _Place("coverage", "Medicare hospital outpatient payment status"),
    "policies": _Place("coverage", "Policy", "Policies"),
    "documentation": _Place("documentation", "What the record should hold", of=("93352",), only=("name",)),
    "studies": _Place("recognition", "In any resource that carries it"),
}
_NOT_SHOWN = {CODES.name, GUIDANCE.name}  # they are the page's head and its sentences

_ITSELF = "The code itself"

_COMMON = {"code", "first", "last", "source", "confidence", "verified_through"}


@cache
def reference() -> Reference:
    """The pages of all codes in scope."""
    return Reference(tuple(_page(entry) for entry in _newest()), _named_by)


def all_tables() -> tuple[Table[Any], ...]:
    """Every table, in the order in which they are loaded."""
    return tuple(value for value in vars(tables).values() if isinstance(value, Table))


def _newest() -> list[CodeEntry]:
    """The last entry of each code, in the order of the table."""
    return list({entry.code: entry for entry in CODES}.values())


def _page(entry: CodeEntry) -> CodePage:
    code = entry.code
    return CodePage(
        code=code,
        kind=entry.kind,
        description=entry.words,
        cited=cited(CODES, entry),
        sections=tuple(_sections(code)),
        history=tuple(
            sorted(
                _history(code),
                key=lambda change: (change.day, not change.what.startswith("The code itself"), change.what),
            )
        ),
        rules=tuple(rule.id for rule in hooks.all_rules() if _looks_at(rule, code)),
        others=tuple(_others(code)),
    )


def _others(code: str) -> Iterator[str]:
    for product in PRODUCTS.history(code):
        yield from (product.name, *product.words)
    if is_supply(code):
        yield "echo contrast agent"


def _named_by(query: str) -> frozenset[str]:
    """The supply codes that an NDC or an RxNorm code stands for."""
    agent = agent_in(Concept((Code(NDC, query.strip()), Code(RXNORM, query.strip()))))
    return agent.codes if agent else frozenset()


# --- sections -------------------------------------------------------------------------------------------------------


def _sections(code: str) -> Iterator[Section]:
    grids: dict[str, list[Grid]] = {}
    titles = dict(SECTIONS)
    for table in all_tables():
        place = _PLACES.get(table.name, _Place(table.name, table.title, f"{table.title}: where it is named"))
        titles.setdefault(place.section, table.title)
        grids.setdefault(place.section, []).extend(_grids(table, place, code))
    statements = _statements(code)
    for section, title in titles.items():
        said, shown = tuple(statements.get(section, ())), tuple(grids.get(section, ()))
        if said or shown:
            yield Section(id=section, title=title, statements=said, grids=shown)


def _statements(code: str) -> dict[str, list[Statement]]:
    found: dict[str, list[Statement]] = {}
    for entry in GUIDANCE:
        if code == entry.code or code in entry.also:
            found.setdefault(entry.topic, []).append(Statement(text=entry.text, cited=cited(GUIDANCE, entry)))
    return found


def _grids(table: Table[Any], place: _Place, code: str) -> Iterator[Grid]:
    if table.name in _NOT_SHOWN:
        return
    whole = [(entry, {"code": entry.code, **_cells(entry)}) for entry in table] if code in place.of else []
    if whole:
        yield _grid(table, place.own, [(entry, _chosen(cells, place.only)) for entry, cells in whole])
    own = [(entry, _cells(entry)) for entry in table.history(code)]
    named = [(entry, _naming(entry, code)) for entry in table if _names(entry, code)]
    if own:
        yield _grid(table, place.own, own)
    if named:
        yield _grid(table, place.named or place.own, named)


def _chosen(cells: dict[str, str], only: tuple[str, ...]) -> dict[str, str]:
    return {name: cells.get(name, "") for name in only} if only else cells


def _grid(table: Table[Any], title: str, found: list[tuple[Any, dict[str, str]]]) -> Grid:
    columns = tuple(dict.fromkeys(name for _, cells in found for name, value in cells.items() if value))
    return Grid(
        title=title,
        about=_about(type(found[0][0])),
        columns=tuple(_in_words(name) for name in columns),
        rows=tuple(
            Row(cells=tuple(cells.get(name, "") for name in columns), cited=cited(table, entry))
            for entry, cells in found
        ),
    )


def _about(kind: type[Entry]) -> str:
    """What the fields of a kind of entry mean, as its docstring says, in words."""
    words = " ".join((kind.__doc__ or "").split()).split("`")
    return "".join(_in_words(word) if number % 2 else word for number, word in enumerate(words))


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _cells(entry: Entry) -> dict[str, str]:
    """An entry's own fields as text."""
    return {name: _text(value) for name, value in msgspec.structs.asdict(entry).items() if name not in _COMMON}


def _naming(entry: Entry, code: str) -> dict[str, str]:
    """An entry of another code that names this one: which code, as what, and the short facts beside it."""
    values = {name: value for name, value in msgspec.structs.asdict(entry).items() if name not in _COMMON}
    lists = [name for name, value in values.items() if isinstance(value, tuple | list | dict)]
    as_what = [_in_words(name) for name, value in values.items() if _holds(value, code)] if len(lists) > 1 else []
    short = {name: _text(value) for name, value in values.items() if name not in lists and value != code}
    return {"code": entry.code, "as": ", ".join(as_what), **short}


def _names(entry: Entry, code: str) -> bool:
    if entry.code == code:
        return False
    return any(_holds(value, code) for name, value in msgspec.structs.asdict(entry).items() if name not in _COMMON)


def _holds(value: Any, code: str) -> bool:
    return code in value if isinstance(value, tuple | list | dict) else value == code


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(each)}" for key, each in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(_text(each) for each in value)
    return "" if value is None else str(value)


# --- what changed, and which rules look at a code -------------------------------------------------------------------


def _history(code: str) -> Iterator[Change]:
    """What began and what ended on a day, in every table of facts."""
    for table in all_tables():
        if table is GUIDANCE:
            continue
        place = _PLACES.get(table.name, _Place(table.name, table.title))
        for entry in table.history(code):
            what = f"{place.own}: {_summary(_cells(entry))}"
            yield from _events(table, entry, _ITSELF if table is CODES else what)
        for entry in table:
            if _names(entry, code):
                yield from _events(table, entry, f"{place.named or place.own}: {entry.code}")


def _events(table: Table[Any], entry: Entry, what: str) -> Iterator[Change]:
    source = table.source(entry).label
    if entry.first:
        yield Change(day=entry.first, what=f"{what}, from this day", source=source)
    if entry.last:
        yield Change(day=entry.last, what=f"{what}, through this day", source=source)


def _summary(cells: dict[str, str]) -> str:
    """A row in one line; lists and words stand for themselves, short values beside their names."""
    written = {name: value for name, value in cells.items() if value}
    parts = [
        _in_words(name) if value == "yes" else value if len(value) > 4 else f"{_in_words(name)} {value}"
        for name, value in written.items()
    ]
    return "; ".join(parts)


def _looks_at(rule: Rule, code: str) -> bool:
    """Whether a rule speaks of a code, or rests on a table of facts that does."""
    if any(code in text for text in (rule.title, rule.why, rule.flags, rule.passes)):
        return True
    facts = [table for table in rule.tables if table is not CODES]
    return any(code in table or any(_names(entry, code) for entry in table) for table in facts)
