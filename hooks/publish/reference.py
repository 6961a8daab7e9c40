"""Reference pages of the codes, assembled from all tables.

Every table of `tables.py` is included, so a new table appears on the pages by itself: its own entries for a code, and
the entries of other codes that name it. This module only sets the section and heading of each table.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

import hooks
from cds_service.core.concepts import NDC, RXNORM, Code, Concept
from cds_service.core.rules import Rule
from cds_service.core.tables import Entry, Table
from cds_service.languages.extraction import with_names_apart
from cds_service.languages.messages import english, placeholders
from cds_service.languages.worded import Worded, fact, joined, name, prose, worded
from cds_service.review.patient import PlainWords
from cds_service.review.reference import Change, CodePage, Grid, Reference, Row, Section, Statement, cited
from hooks.codes import tables
from hooks.codes.tables import CODES, GUIDANCE, PATIENT_WORDS, PRODUCTS, CodeEntry
from hooks.coding.products import agent_in, is_supply
from hooks.publish.catalogs import WORDS
from hooks.publish.glance import glance
from hooks.publish.headings import FIELD_NAMES, KINDS, PLACEMENTS, SECTIONS, VALUES, TablePlacement
from hooks.publish.indicators import FIELDS, cited_with_meaning, decoded, indicator_values
from hooks.publish.modifiers import modifier_pages
from hooks.publish.patient import plain_words

_NOT_SHOWN = {CODES.name, GUIDANCE.name, PATIENT_WORDS.name}  # shown as the page's heading and sentences

_YES, _NOTHING = worded("yes"), name("")
_ITSELF = worded("The code itself")

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
        kind=KINDS[entry.kind],
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
        placement = PLACEMENTS.get(table.name, TablePlacement(table.name, prose(table.title), _naming_the_code(table)))
        titles.setdefault(placement.section, prose(table.title))
        grids.setdefault(placement.section, []).extend(_grids(table, placement, code))
    statements = _statements(code)
    for section, title in titles.items():
        sentences, shown = tuple(statements.get(section, ())), tuple(grids.get(section, ()))
        if sentences or shown:
            yield Section(id=section, title=title, statements=sentences, grids=shown)


def _naming_the_code(table: Table[Any]) -> Worded:
    return worded("{table}: entries that name the code", table=prose(table.title))


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
    text = joined(" ", (Worded(english(each), each) for each in words.about))
    first = next(entry for entry in PATIENT_WORDS if code in (entry.code, *entry.also))
    return Statement(text=text, cited=cited(PATIENT_WORDS, first))


def _grids(table: Table[Any], placement: TablePlacement, code: str) -> Iterator[Grid]:
    if table.name in _NOT_SHOWN:
        return
    all_rows = (
        [(entry, {"code": name(entry.code), **_cells(table, entry)}) for entry in table] if code in placement.of else []
    )
    if all_rows:
        yield _grid(table, placement.own, [(entry, _chosen(cells, placement.only)) for entry, cells in all_rows])
    own = [(entry, _cells(table, entry)) for entry in table.history(code)]
    named = [(entry, _naming(table, entry, code)) for entry in _naming_entries(table).get(code, ())]
    if own:
        yield _grid(table, placement.own, own)
    if named:
        yield _grid(table, placement.named or placement.own, named)


def _chosen(cells: dict[str, Worded], only: tuple[str, ...]) -> dict[str, Worded]:
    return {field: cells.get(field, _NOTHING) for field in only} if only else cells


def _grid(table: Table[Any], title: Worded, found: list[tuple[Any, dict[str, Worded]]]) -> Grid:
    columns = tuple(dict.fromkeys(field for _, cells in found for field, value in cells.items() if value))
    return Grid(
        title=title,
        about=_about(type(found[0][0])),
        columns=tuple(_in_words(field) for field in columns),
        rows=tuple(
            Row(cells=tuple(cells.get(field, "") for field in columns), cited=cited_with_meaning(table, entry))
            for entry, cells in found
        ),
    )


def _about(kind: type[Entry]) -> Worded:
    """Meaning of an entry's fields, taken from its docstring, without backticks."""
    text = with_names_apart(kind.__doc__ or "")
    return prose(text, **{field: _in_words(field) for field in placeholders(text)})


def _in_words(field: str) -> Worded:
    return FIELD_NAMES.get(field) or name(field.replace("_", " "))


def _cells(table: Table[Any], entry: Entry) -> dict[str, Worded]:
    """An entry's own fields as text, with the meaning of indicators."""
    return {field: _explained(table, field, value) for field, value in _values(entry).items()}


def _explained(table: Table[Any], field: str, value: Any) -> Worded:
    indicator = FIELDS.get((table.name, field))
    if indicator:
        return decoded(indicator, value)
    if field in WORDS.get(table.name, ()):
        return _text(value, prose)
    known = VALUES.get(field, {}).get(value) if isinstance(value, str) else None
    return known or _text(value, name)


def _naming(table: Table[Any], entry: Entry, code: str) -> dict[str, Worded]:
    """Cells of another code's entry that names this one: its code, the field that names it, and its short facts."""
    values = _values(entry)
    lists = [field for field, value in values.items() if isinstance(value, tuple | list | dict)]
    as_what = [_in_words(field) for field, value in values.items() if _holds(value, code)] if len(lists) > 1 else []
    short = {
        field: _explained(table, field, value)
        for field, value in values.items()
        if field not in lists and value != code
    }
    return {"code": name(entry.code), "as": joined(", ", as_what), **short}


def _values(entry: Entry) -> dict[str, Any]:
    """An entry's own fields."""
    return {field: value for field, value in msgspec.structs.asdict(entry).items() if field not in _COMMON}


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
    for field, value in msgspec.structs.asdict(entry).items():
        if field not in _COMMON:
            several = value if isinstance(value, tuple | list | dict) else (value,)
            yield from (each for each in several if isinstance(each, str))


def _holds(value: Any, code: str) -> bool:
    return code in value if isinstance(value, tuple | list | dict) else value == code


def _text(value: Any, of_text: Callable[[str], Worded]) -> Worded:
    """A value in words; a text is `of_text`: prose or a name."""
    if isinstance(value, bool):
        return _YES if value else _NOTHING
    if isinstance(value, Decimal | date):
        return fact(value)
    if isinstance(value, dict):
        return joined("; ", (joined(": ", (name(key), _text(each, of_text))) for key, each in value.items()))
    if isinstance(value, tuple | list):
        return joined(", ", (_text(each, of_text) for each in value))
    return _NOTHING if value is None else of_text(str(value))


# --- history and rules of a code ------------------------------------------------------------------------------------


def _history(code: str) -> Iterator[Change]:
    """Start and end dates from every table of facts."""
    for table in all_tables():
        if table in (GUIDANCE, PATIENT_WORDS):
            continue
        placement = PLACEMENTS.get(table.name, TablePlacement(table.name, prose(table.title)))
        for entry in table.history(code):
            what = joined(": ", (placement.own, _summary(_cells(table, entry))))
            yield from _events(table, entry, _ITSELF if table is CODES else what)
        for entry in _naming_entries(table).get(code, ()):
            yield from _events(table, entry, joined(": ", (placement.named or placement.own, name(entry.code))))


def _events(table: Table[Any], entry: Entry, what: Worded) -> Iterator[Change]:
    source = table.source(entry).label
    if entry.first:
        yield Change(day=entry.first, what=worded("{what}, from this day", what=what), source=source)
    if entry.last:
        yield Change(day=entry.last, what=worded("{what}, through this day", what=what), source=source)


def _summary(cells: dict[str, Worded]) -> Worded:
    """A row in one line; lists and words as they are, short values with their field names."""
    return joined("; ", (_in_summary(field, value) for field, value in cells.items() if value))


def _in_summary(field: str, value: Worded) -> Worded:
    if value == _YES:
        return _in_words(field)
    return value if len(value) > 4 else joined(" ", (_in_words(field), value))


def _concerns(rule: Rule, code: str) -> bool:
    """True if a rule's text names the code or one of its tables of facts lists it."""
    if any(code in text for text in (rule.title, rule.why, rule.flags, rule.passes)):
        return True
    facts = [table for table in rule.tables if table is not CODES]
    return any(code in table or code in _naming_entries(table) for table in facts)
