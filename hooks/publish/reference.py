"""Reference pages of the codes, assembled from all tables.

Every table of `tables.py` is included, so a new table appears on the pages by itself: its own entries for a code, and
the entries of other codes that name it. This module only sets the section and heading of each table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

import hooks
from cds_service.core.concepts import NDC, RXNORM, Code, Concept
from cds_service.core.notation import plain
from cds_service.core.rules import Rule
from cds_service.core.tables import Entry, Table
from cds_service.languages.messages import english
from cds_service.review.patient import PlainWords
from cds_service.review.reference import Change, CodePage, Grid, Reference, Row, Section, Statement, cited
from hooks.codes import tables
from hooks.codes.tables import CODES, GUIDANCE, PATIENT_WORDS, PRODUCTS, CodeEntry
from hooks.coding.products import agent_in, is_supply
from hooks.publish.glance import glance
from hooks.publish.indicators import FIELDS, cited_with_meaning, decoded, indicator_values
from hooks.publish.modifiers import modifier_pages
from hooks.publish.patient import plain_words

SECTIONS = {
    "patient": "Patient-friendly description",
    "necessity": "Medical necessity",
    "guidelines": "Guidelines",
    "roles": "Who gives, who reads",
    "modifiers": "Modifiers",
    "units": "Units",
    "pairs": "NCCI pairs (not paid together)",
    "crosswalk": "Crosswalk",
    "compliance": "Compliance notes",
    "coverage": "Medicare status and coverage",
    "documentation": "Documentation",
    "recognition": "Names of the study in records",
}


@dataclass(frozen=True, slots=True)
class _TablePlacement:
    """Section and headings of a table: `own` for a code's entries, `named` for entries of other codes that name it.

    If the entries are not billing codes, the whole table goes on the pages of the codes in `of`, with the columns in
    `only`.
    """

    section: str
    own: str
    named: str = ""
    of: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


# A table that is not listed here gets its own section, under its own title.
_PLACEMENTS = {
    "add_ons": _TablePlacement("guidelines", "Primaries", "Add-ons that may be charged with this code"),
    "whole_services": _TablePlacement("guidelines", "Includes", "Included in"),
    "pc_tc": _TablePlacement("modifiers", "Professional and technical components (PC/TC)"),
    "modifiers": _TablePlacement("modifiers", "Modifiers for single-dose drugs", of=("Q9950", "Q9956", "Q9957")),
    "unit_limits": _TablePlacement("units", "Maximum units per day (MUE)"),
    "pairs": _TablePlacement("pairs", "Not paid with this code", "This code is not paid with"),
    "crosswalk": _TablePlacement("crosswalk", "Medicare hospital code with contrast", "Replaces, with contrast"),
    "products": _TablePlacement("crosswalk", "Product"),
    "opps": _TablePlacement("coverage", "Medicare hospital outpatient payment status (OPPS)"),
    "relative_values": _TablePlacement("coverage", "Medicare fee schedule: relative values (RVU)"),
    "policies": _TablePlacement("coverage", "Policy", "Coverage policies"),
    "documentation": _TablePlacement("documentation", "Items the record should contain", of=("93352",), only=("name",)),
    "studies": _TablePlacement("recognition", "In any resource with the code"),
}
_NOT_SHOWN = {CODES.name, GUIDANCE.name, PATIENT_WORDS.name}  # shown as the page's heading and sentences

_ITSELF = "The code itself"

# Fields of entries as a reader names them; others are named as they are.
_FIELD_NAMES = {
    "conversion_factor": "dollars per RVU",
    "facility": "facility, RVU",
    "facility_na": "not applicable in a facility (NA)",
    "hospital_code": "hospital code",
    "indicator": "PC/TC indicator",
    "instead": "report instead",
    "kind": "study",
    "label_limit_ml": "label's maximum per study, mL",
    "mai": "adjudication (MAI)",
    "mg_per_unit": "mg in one unit",
    "ndc": "NDC (labeler and product)",
    "never": "never (indicator 0)",
    "office": "office, RVU",
    "rate": "national rate, dollars",
    "refused_from": "claims without it returned from",
    "rxnorm": "RxNorm",
    "rxnorm_ingredients": "RxNorm ingredients",
    "shared_words": "names that products share",
    "units": "units a day",
    "units_per_vial": "HCPCS units in a vial",
    "vial_from_memory": "vial size from memory",
    "vial_ml": "vial, mL",
    "with_modifier": "with a modifier (indicator 1)",
}
_VALUES = {("setting", "professional"): "practitioner", ("setting", "facility"): "hospital"}

_COMMON = {"code", "first", "last", "source", "confidence", "verified_through"}


@cache
def reference() -> Reference:
    """The pages of all codes in scope."""
    return Reference(tuple(_page(entry) for entry in _newest()), _named_by, modifier_pages(), indicator_values())


def all_tables() -> tuple[Table[Any], ...]:
    """Every table, in load order."""
    return tuple(value for value in vars(tables).values() if isinstance(value, Table))


def _newest() -> list[CodeEntry]:
    """The latest entry of each code, in table order."""
    return list({entry.code: entry for entry in CODES}.values())


def _page(entry: CodeEntry) -> CodePage:
    code = entry.code
    return CodePage(
        code=code,
        kind=entry.kind,
        description=entry.words,
        cited=cited(CODES, entry),
        glance=glance(code),
        sections=tuple(_sections(code)),
        history=tuple(
            sorted(
                _history(code),
                key=lambda change: (change.day, not change.what.startswith(_ITSELF), change.what),
            )
        ),
        rules=tuple(rule.id for rule in hooks.all_rules() if _concerns(rule, code)),
        others=tuple(_others(code)),
    )


def _others(code: str) -> Iterator[str]:
    for product in PRODUCTS.history(code):
        yield from (product.name, *product.words)
    if is_supply(code):
        yield "echo contrast agent"


def _named_by(query: str) -> frozenset[str]:
    """The supply codes for an NDC or an RxNorm code."""
    agent = agent_in(Concept((Code(NDC, query.strip()), Code(RXNORM, query.strip()))))
    return agent.codes if agent else frozenset()


# --- sections -------------------------------------------------------------------------------------------------------


def _sections(code: str) -> Iterator[Section]:
    grids: dict[str, list[Grid]] = {}
    titles = dict(SECTIONS)
    for table in all_tables():
        placement = _PLACEMENTS.get(
            table.name, _TablePlacement(table.name, table.title, f"{table.title}: entries that name the code")
        )
        titles.setdefault(placement.section, table.title)
        grids.setdefault(placement.section, []).extend(_grids(table, placement, code))
    statements = _statements(code)
    for section, title in titles.items():
        sentences, shown = tuple(statements.get(section, ())), tuple(grids.get(section, ()))
        if sentences or shown:
            yield Section(id=section, title=title, statements=sentences, grids=shown)


def _statements(code: str) -> dict[str, list[Statement]]:
    found: dict[str, list[Statement]] = {}
    words = plain_words(code)
    if words:
        found["patient"] = [_in_plain_words(code, words)]
    for entry in GUIDANCE:
        if code == entry.code or code in entry.also:
            found.setdefault(entry.topic, []).append(Statement(text=entry.text, cited=cited(GUIDANCE, entry)))
    return found


def _in_plain_words(code: str, words: PlainWords) -> Statement:
    """The sentences for a patient as one statement; own words have one source."""
    text = " ".join(english(each) for each in words.about)
    first = next(entry for entry in PATIENT_WORDS if code in (entry.code, *entry.also))
    return Statement(text=text, cited=cited(PATIENT_WORDS, first))


def _grids(table: Table[Any], placement: _TablePlacement, code: str) -> Iterator[Grid]:
    if table.name in _NOT_SHOWN:
        return
    all_rows = (
        [(entry, {"code": entry.code, **_cells(table, entry)}) for entry in table] if code in placement.of else []
    )
    if all_rows:
        yield _grid(table, placement.own, [(entry, _chosen(cells, placement.only)) for entry, cells in all_rows])
    own = [(entry, _cells(table, entry)) for entry in table.history(code)]
    named = [(entry, _naming(table, entry, code)) for entry in _naming_entries(table).get(code, ())]
    if own:
        yield _grid(table, placement.own, own)
    if named:
        yield _grid(table, placement.named or placement.own, named)


def _chosen(cells: dict[str, str], only: tuple[str, ...]) -> dict[str, str]:
    return {name: cells.get(name, "") for name in only} if only else cells


def _grid(table: Table[Any], title: str, found: list[tuple[Any, dict[str, str]]]) -> Grid:
    columns = tuple(dict.fromkeys(name for _, cells in found for name, value in cells.items() if value))
    return Grid(
        title=title,
        about=_about(type(found[0][0])),
        columns=tuple(_in_words(name) for name in columns),
        rows=tuple(
            Row(cells=tuple(cells.get(name, "") for name in columns), cited=cited_with_meaning(table, entry))
            for entry, cells in found
        ),
    )


def _about(kind: type[Entry]) -> str:
    """Meaning of an entry's fields, taken from its docstring, without backticks."""
    words = " ".join((kind.__doc__ or "").split()).split("`")
    return "".join(_in_words(word) if number % 2 else word for number, word in enumerate(words))


def _in_words(name: str) -> str:
    return _FIELD_NAMES.get(name, name.replace("_", " "))


def _cells(table: Table[Any], entry: Entry) -> dict[str, str]:
    """An entry's own fields as text, with the meaning of indicators."""
    values = {name: value for name, value in msgspec.structs.asdict(entry).items() if name not in _COMMON}
    return {name: _explained(table, name, value) for name, value in values.items()}


def _explained(table: Table[Any], name: str, value: Any) -> str:
    indicator = FIELDS.get((table.name, name))
    if indicator:
        return decoded(indicator, value)
    return _VALUES.get((name, value), "") if isinstance(value, str) and (name, value) in _VALUES else _text(value)


def _naming(table: Table[Any], entry: Entry, code: str) -> dict[str, str]:
    """Cells of another code's entry that names this one: its code, the field that names it, and its short facts."""
    values = {name: value for name, value in msgspec.structs.asdict(entry).items() if name not in _COMMON}
    lists = [name for name, value in values.items() if isinstance(value, tuple | list | dict)]
    as_what = [_in_words(name) for name, value in values.items() if _holds(value, code)] if len(lists) > 1 else []
    short = {
        name: _explained(table, name, value) for name, value in values.items() if name not in lists and value != code
    }
    return {"code": entry.code, "as": ", ".join(as_what), **short}


@cache
def _naming_entries(table: Table[Any]) -> dict[str, list[Entry]]:
    """The entries of other codes that name a code, by that code. Made once a table: the pages ask for each code."""
    found: dict[str, list[Entry]] = {}
    for entry in table:
        for code in dict.fromkeys(_named_in(entry)):
            if code != entry.code:
                found.setdefault(code, []).append(entry)
    return found


def _named_in(entry: Entry) -> Iterator[str]:
    """The texts that an entry holds, of which some are codes."""
    for name, value in msgspec.structs.asdict(entry).items():
        if name not in _COMMON:
            several = value if isinstance(value, tuple | list | dict) else (value,)
            yield from (each for each in several if isinstance(each, str))


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


# --- history and rules of a code ------------------------------------------------------------------------------------


def _history(code: str) -> Iterator[Change]:
    """Start and end dates from every table of facts."""
    for table in all_tables():
        if table in (GUIDANCE, PATIENT_WORDS):
            continue
        placement = _PLACEMENTS.get(table.name, _TablePlacement(table.name, table.title))
        for entry in table.history(code):
            what = f"{placement.own}: {_summary(_cells(table, entry))}"
            yield from _events(table, entry, _ITSELF if table is CODES else what)
        for entry in _naming_entries(table).get(code, ()):
            yield from _events(table, entry, f"{placement.named or placement.own}: {entry.code}")


def _events(table: Table[Any], entry: Entry, what: str) -> Iterator[Change]:
    source = table.source(entry).label
    if entry.first:
        yield Change(day=entry.first, what=f"{what}, from this day", source=source)
    if entry.last:
        yield Change(day=entry.last, what=f"{what}, through this day", source=source)


def _summary(cells: dict[str, str]) -> str:
    """A row in one line; lists and words as they are, short values with their field names."""
    written = {name: value for name, value in cells.items() if value}
    parts = [
        _in_words(name) if value == "yes" else value if len(value) > 4 else f"{_in_words(name)} {value}"
        for name, value in written.items()
    ]
    return "; ".join(parts)


def _concerns(rule: Rule, code: str) -> bool:
    """True if a rule's text names the code or one of its tables of facts lists it."""
    if any(code in text for text in (rule.title, rule.why, rule.flags, rule.passes)):
        return True
    facts = [table for table in rule.tables if table is not CODES]
    return any(code in table or code in _naming_entries(table) for table in facts)
