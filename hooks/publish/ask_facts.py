"""Statements of `ask`: each entry of a table as a sentence with its source."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from cds_service.ask.knowledge import Fact
from cds_service.ask.tabled import CLAIMS, no_pair, not_paid
from cds_service.core.tables import Entry, Table
from cds_service.languages.messages import Money, Quantity, Value
from cds_service.languages.worded import Worded, counted, joined, listed, prose, worded
from hooks.codes.tables import (
    ADD_ONS,
    CODES,
    CROSSWALK,
    DOCUMENTATION,
    GUIDANCE,
    KNOWN_CODES,
    MODIFIER_MEANINGS,
    MODIFIER_NOTES,
    MODIFIERS,
    OPPS,
    PAIR_MODIFIERS,
    PAIRS,
    PC_TC,
    POLICIES,
    PRODUCTS,
    RELATIVE_VALUES,
    STRESS_DRUGS,
    UNIT_LIMITS,
    WHOLE_SERVICES,
    AddOn,
    ClaimSetting,
    CodeEntry,
    Crosswalk,
    DocumentationItem,
    Modifier,
    ModifierMeaning,
    PairModifier,
    PairRow,
    PaymentStatus,
    PcTc,
    Policy,
    Product,
    RelativeValue,
    StressDrug,
    UnitLimit,
    WholeService,
)
from hooks.coding.pairs import edit_in_table
from hooks.publish.glossary import glossary
from hooks.publish.headings import KINDS
from hooks.publish.indicators import cited_with_meaning, decoded
from hooks.publish.payment import by_fee_schedule
from hooks.publish.reference import reference

EntryT = TypeVar("EntryT", bound=Entry)

# Sections of guidance that answer further topics, by section and source.
_ALSO = {
    ("documentation", "bracco-2016"): "need",
    ("guidelines", "mue"): "once",
    ("modifiers", "noridian-2024"): "waste",
    ("coverage", "ptp"): "changes",
    ("compliance", "mue"): "changes",
    ("compliance", "fee-schedule"): "payment",
    ("compliance", "opps"): "payment",
}
# The topic of a table, where it has another name than the table.
_TOPICS = {"modifiers": "drug-modifiers"}
_ANY_CODE = re.compile(rf"\b(?:{'|'.join(sorted(KNOWN_CODES))})\b")
# The code whose documentation the items are about.
_DOCUMENTED = "93352"

_ONE_ML = Quantity(Decimal(1), "mL")
_GROUPS = {
    "distinct": worded("a distinct service"),
    "repeated": worded("another encounter or a repeated test"),
    "anatomic": worded("another site of the body"),
    "global": worded("a visit or surgery outside of a global period"),
}


def facts() -> Iterator[Fact]:
    """The statements of all tables, of the codes' history and of the glossary."""
    yield from _of(CODES, _code)
    yield from _guidance()
    yield from (msgspec.structs.replace(each, mentioned=frozenset()) for each in _of(ADD_ONS, _add_on))
    yield from _of(WHOLE_SERVICES, _whole_service)
    yield from _of(PC_TC, _components)
    yield from _of(UNIT_LIMITS, _unit_limit)
    yield from _of(OPPS, _status)
    yield from _of(RELATIVE_VALUES, _relative_value)
    yield from _of(CROSSWALK, _crosswalk)
    yield from _of(PRODUCTS, _product)
    yield from _of(STRESS_DRUGS, _stress_drug)
    yield from _of(MODIFIERS, _modifier)
    yield from _of(PAIR_MODIFIERS, _pair_modifier)
    yield from _of(MODIFIER_MEANINGS, _modifier_meaning)
    yield from _notes()
    yield from _of(DOCUMENTATION, _documentation)
    yield from _of(POLICIES, _policy)
    yield from _history()
    yield from _terms()


class Told(NamedTuple):
    """The parts of a fact that a table has of its own: the entry's key, text, codes, claim type and subjects."""

    key: str
    text: str
    codes: tuple[str, ...] = ()
    claim_type: str = ""
    subjects: tuple[str, ...] = ()


def _of(table: Table[EntryT], tell: Callable[[EntryT], Told]) -> Iterator[Fact]:
    """The facts of a table. An entry that shares its key with others has its first day in its id."""
    told = [(entry, tell(entry)) for entry in table]
    keys = [each.key for _, each in told]
    for entry, each in told:
        name = f"{table.name}:{each.key}" + (f":{entry.start}" if keys.count(each.key) > 1 else "")
        yield _fact(table, entry, name, each, (_TOPICS.get(table.name, table.name),))


def _fact(table: Table[Any], entry: Entry, name: str, told: Told, topics: tuple[str, ...]) -> Fact:
    source = table.source(entry)
    return Fact(
        id=name,
        text=told.text,
        source=source.label,
        link=f"/codes/{told.codes[0]}" if told.codes else f"/modifiers/{entry.code}",
        topics=topics,
        subjects=told.subjects or (entry.code,),
        codes=frozenset(told.codes),
        mentioned=frozenset(_ANY_CODE.findall(told.text)),
        claim_type=told.claim_type,
        verified_through=entry.verified_through,
        confidence=cited_with_meaning(table, entry).confidence,
        first=entry.first,
        last=entry.last,
    )


def _guidance() -> Iterator[Fact]:
    """The sentences of guidance, numbered within a code and section in file order."""
    numbers: dict[tuple[str, str], int] = {}
    for entry in GUIDANCE:
        key = (entry.code, entry.topic)
        numbers[key] = numbers.get(key, 0) + 1
        name = f"guidance:{entry.code}:{entry.topic}" + (f":{numbers[key]}" if numbers[key] > 1 else "")
        also = _ALSO.get((entry.topic, entry.source))
        topics = (entry.topic, also) if also else (entry.topic,)
        codes = (entry.code, *entry.also)
        yield _fact(GUIDANCE, entry, name, Told(entry.code, entry.text, codes, subjects=codes), topics)


def _notes() -> Iterator[Fact]:
    """The sentences on modifiers, numbered within a modifier in file order."""
    numbers: dict[str, int] = {}
    for entry in MODIFIER_NOTES:
        numbers[entry.code] = number = numbers.get(entry.code, 0) + 1
        name = f"{MODIFIER_NOTES.name}:{entry.code}" + (f":{number}" if number > 1 else "")
        told = Told(entry.code, entry.text, subjects=(entry.code, *entry.also))
        yield _fact(MODIFIER_NOTES, entry, name, told, (MODIFIER_NOTES.name,))


def _dated(text: Worded, entry: Entry) -> Worded:
    """A text as a sentence, with the dates of service of its entry."""
    if entry.first and entry.last:
        text = worded(
            "{text} (dates of service from {first} through {last})", text=text, first=entry.first, last=entry.last
        )
    elif entry.first:
        text = worded("{text} (dates of service from {first})", text=text, first=entry.first)
    elif entry.last:
        text = worded("{text} (dates of service through {last})", text=text, last=entry.last)
    return worded("{text}.", text=text)


def _code(entry: CodeEntry) -> Told:
    text = worded("{code} ({kind}): {words}", code=entry.code, kind=KINDS[entry.kind], words=prose(entry.words))
    return Told(entry.code, _dated(text, entry), (entry.code,))


def _add_on(entry: AddOn) -> Told:
    values: dict[str, Value] = {"code": entry.code, "primaries": listed(entry.primaries, "or")}
    text = (
        worded("{code} is an add-on: report it only with {primaries}, once per study", **values)
        if entry.once_per_study
        else worded("{code} is an add-on: report it only with {primaries}", **values)
    )
    return Told(entry.code, _dated(text, entry), (entry.code, *entry.primaries))


def _whole_service(entry: WholeService) -> Told:
    parts = (entry.echo, *entry.parts)
    text = worded("{code} covers {parts} if one practitioner does all of them", code=entry.code, parts=listed(parts))
    return Told(entry.code, _dated(text, entry), (entry.code, *parts))


def _components(entry: PcTc) -> Told:
    text = worded("{code} has {indicator}.", code=entry.code, indicator=decoded("PC/TC", entry.indicator))
    return Told(entry.code, text, (entry.code,))


def _unit_limit(entry: UnitLimit) -> Told:
    values: dict[str, Value] = {
        "code": entry.code,
        "where": CLAIMS[entry.setting],
        "indicator": decoded("MAI", entry.mai),
    }
    text = (
        worded("{code}: no units for one patient and day on {where} (MUE); {indicator}.", **values)
        if entry.units == 0
        else counted(
            "{code}: at most {count} unit for one patient and day on {where} (MUE); {indicator}.",
            "{code}: at most {count} units for one patient and day on {where} (MUE); {indicator}.",
            entry.units,
            **values,
        )
    )
    return Told(f"{entry.code}:{entry.setting}", text, (entry.code,), entry.setting)


def _status(entry: PaymentStatus) -> Told:
    status = decoded("OPPS", entry.status)
    if entry.instead:
        status = joined(": ", (status, entry.instead))
    if entry.rate is not None:
        status = joined("; ", (status, Money(entry.rate)))
    text = worded("{code} has OPPS {status}.", code=entry.code, status=status)
    return Told(entry.code, text, (entry.code,), "facility")


def _relative_value(entry: RelativeValue) -> Told:
    text = joined(": ", (entry.code, by_fee_schedule(entry)))
    return Told(entry.key.rstrip("-"), text, (entry.code,), "professional")


def _crosswalk(entry: Crosswalk) -> Told:
    text = worded(
        "On a Medicare hospital outpatient claim, {hospital_code} replaces {code} if contrast was used.",
        hospital_code=entry.hospital_code,
        code=entry.code,
    )
    return Told(entry.code, text, (entry.code, entry.hospital_code))


def _product(entry: Product) -> Told:
    text = worded(
        "{name} is charged with {code}, one unit for {amount}", name=entry.name, code=entry.code, amount=_ONE_ML
    )
    return Told(entry.name.lower(), worded("{text}.", text=joined("", (text, *_about_product(entry)))), (entry.code,))


def _about_product(entry: Product) -> Iterator[Worded]:
    """Further parts of a product's sentence, each with the sign before it."""
    if entry.units_per_vial and entry.vial_from_memory:
        yield worded(", {units} units in a vial (from memory: verify)", units=entry.units_per_vial)
    elif entry.units_per_vial:
        yield worded(", {units} units in a vial", units=entry.units_per_vial)
    elif entry.vial_from_memory:
        yield worded(" (from memory: verify)")
    if entry.label_limit_ml:
        yield worded(", at most {amount} in a study by its label", amount=Quantity(entry.label_limit_ml, "mL"))
    if entry.ndc:
        yield joined(" ", ("; NDC", listed(entry.ndc)))
    if entry.discontinued:
        yield worded("; the product is discontinued")


def _stress_drug(entry: StressDrug) -> Told:
    text = worded(
        "{name} is charged with {code}, one unit for {amount}",
        name=entry.name.capitalize(),
        code=entry.code,
        amount=Quantity(entry.mg_per_unit, "mg"),
    )
    return Told(entry.code, _dated(text, entry))._replace(codes=(entry.code,))


def _modifier(entry: Modifier) -> Told:
    text = worded(
        "Modifier {code}: {words}. Required from {first} under Medicare Part B; from {refused}, claims with neither JW "
        "nor JZ are returned.",
        code=entry.code,
        words=prose(entry.words),
        first=entry.first or "",
        refused=entry.refused_from,
    )
    return Told(entry.code, text)


def _pair_modifier(entry: PairModifier) -> Told:
    text = worded(
        "Modifier {code} tells of {group}: with it, Medicare pays both codes of a pair of indicator 1.",
        code=entry.code,
        group=_GROUPS[entry.group],
    )
    return Told(entry.code, text)


def _modifier_meaning(entry: ModifierMeaning) -> Told:
    text = worded("Modifier {code}: {words}", code=entry.code, words=prose(entry.words))
    return Told(entry.code, _dated(text, entry))


def _documentation(entry: DocumentationItem) -> Told:
    text = worded("The record of a stress echo with contrast should hold: {item}.", item=prose(entry.name))
    return Told(entry.code, text, (_DOCUMENTED,))


def _policy(entry: Policy) -> Told:
    text = worded("{policy}: {about}.", policy=entry.code, about=prose(entry.about))
    return Told(entry.code, text, entry.codes)


def _text(text: str) -> Worded:
    """A text of a page, which may be a sentence of a table."""
    return text if isinstance(text, Worded) else prose(text)


def _history() -> Iterator[Fact]:
    """The changes on the pages of the codes, by their days."""
    for page in reference().pages:
        days: dict[date, int] = {}
        for change in page.history:
            days[change.day] = days.get(change.day, 0) + 1
            number = f":{days[change.day]}" if days[change.day] > 1 else ""
            yield Fact(
                id=f"history:{page.code}:{change.day}{number}",
                text=worded("{code}, {day}: {what}.", code=page.code, day=change.day, what=_text(change.what)),
                source=change.source,
                link=f"/codes/{page.code}",
                topics=("history",),
                subjects=(page.code,),
                codes=frozenset({page.code}),
            )


def _terms() -> Iterator[Fact]:
    for term in glossary():
        yield Fact(
            id=f"glossary:{term.id}",
            text=joined(": ", (_text(term.name), _text(term.text))),
            source=term.cited.source,
            link=f"/glossary#{term.id}",
            topics=("glossary",),
            subjects=(term.id,),
            verified_through=term.cited.verified_through,
            confidence=term.cited.confidence,
        )


# --- pairs ----------------------------------------------------------------------------------------------------------


def pair(one: str, other: str, day: date | None) -> tuple[Fact, ...]:
    """The statements on two codes of the tables, by claim type; nothing for days that they do not reach."""
    settings: tuple[ClaimSetting, ...] = ("professional", "facility")
    first, second = sorted((one, other))
    found = (_pair_in(first, second, setting, day) for setting in settings)
    return tuple(each for each in found if each)


def _pair_in(one: str, other: str, setting: ClaimSetting, day: date | None) -> Fact | None:
    edits = [(codes, edit_in_table(*codes, day, setting)) for codes in ((one, other), (other, one))]
    for (first, second), (edit, row) in edits:
        if row is not None:
            text = not_paid(setting, second, first, by_modifier=edit != "never")
            told = Told(f"{first}:{second}:{setting}", text, (first, second), setting)
            return _fact(PAIRS, row, f"pairs:{told.key}", told, ("pairs",))
    rows = [each for each in PAIRS if each.setting == setting]
    newest = max(rows, key=_end)
    is_reached = day is None or min(each.start or date.max for each in rows) <= day <= _end(newest)
    if not is_reached or any(edit == "not known" for _, (edit, _) in edits):
        return None
    text = no_pair(setting, one, other)
    told = Told(f"none:{one}:{other}:{setting}", text, (one, other), setting)
    fact = _fact(PAIRS, newest, f"pairs:{told.key}", told, ("pairs",))
    return msgspec.structs.replace(fact, first=None, last=None, is_listed=False)


def _end(row: PairRow) -> date:
    """The last day through which a row was verified."""
    return row.verified_through or date.min
