"""Statements of `ask`: each entry of a table as a sentence with its source."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple, TypeVar

import msgspec

from cds_service.ask.knowledge import Fact
from cds_service.core.notation import joined, plain
from cds_service.core.tables import Entry, Table
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

_CLAIMS = {"professional": "a practitioner's claim", "facility": "a hospital outpatient claim"}
_GROUPS = {
    "distinct": "a distinct service",
    "repeated": "another encounter or a repeated test",
    "anatomic": "another site of the body",
    "global": "a visit or surgery outside of a global period",
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


def _dates(entry: Entry) -> str:
    """The dates of service of an entry, to stand behind its text."""
    first = f" from {entry.first}" if entry.first else ""
    last = f" through {entry.last}" if entry.last else ""
    return f" (dates of service{first}{last})" if first or last else ""


def _code(entry: CodeEntry) -> Told:
    return Told(entry.code, f"{entry.code} ({entry.kind}): {entry.words}{_dates(entry)}.", (entry.code,))


def _add_on(entry: AddOn) -> Told:
    once = ", once per study" if entry.once_per_study else ""
    text = f"{entry.code} is an add-on: report it only with {joined(entry.primaries, 'or')}{once}{_dates(entry)}."
    return Told(entry.code, text, (entry.code, *entry.primaries))


def _whole_service(entry: WholeService) -> Told:
    parts = (entry.echo, *entry.parts)
    text = f"{entry.code} covers {joined(parts)} if one practitioner does all of them{_dates(entry)}."
    return Told(entry.code, text, (entry.code, *parts))


def _components(entry: PcTc) -> Told:
    return Told(entry.code, f"{entry.code} has {decoded('PC/TC', entry.indicator)}.", (entry.code,))


def _unit_limit(entry: UnitLimit) -> Told:
    units = (
        "no units" if entry.units == 0 else f"at most {plain(entry.units)} {'unit' if entry.units == 1 else 'units'}"
    )
    where = _CLAIMS[entry.setting]
    text = f"{entry.code}: {units} for one patient and day on {where} (MUE); {decoded('MAI', entry.mai)}."
    return Told(f"{entry.code}:{entry.setting}", text, (entry.code,), entry.setting)


def _status(entry: PaymentStatus) -> Told:
    instead = f": {entry.instead}" if entry.instead else ""
    rate = "" if entry.rate is None else f"; ${entry.rate:,.2f}"
    text = f"{entry.code} has OPPS {decoded('OPPS', entry.status)}{instead}{rate}."
    return Told(entry.code, text, (entry.code,), "facility")


def _relative_value(entry: RelativeValue) -> Told:
    return Told(entry.key.rstrip("-"), f"{entry.code}: {by_fee_schedule(entry)}", (entry.code,), "professional")


def _crosswalk(entry: Crosswalk) -> Told:
    text = f"On a Medicare hospital outpatient claim, {entry.hospital_code} replaces {entry.code} if contrast was used."
    return Told(entry.code, text, (entry.code, entry.hospital_code))


def _product(entry: Product) -> Told:
    vial = f", {plain(entry.units_per_vial)} units in a vial" if entry.units_per_vial else ""
    vial += " (from memory: verify)" if entry.vial_from_memory else ""
    limit = f", at most {plain(entry.label_limit_ml)} mL in a study by its label" if entry.label_limit_ml else ""
    ended = "; the product is discontinued" if entry.discontinued else ""
    ndc = f"; NDC {joined(entry.ndc)}" if entry.ndc else ""
    text = f"{entry.name} is charged with {entry.code}, one unit for 1 mL{vial}{limit}{ndc}{ended}."
    return Told(entry.name.lower(), text, (entry.code,))


def _stress_drug(entry: StressDrug) -> Told:
    per_unit = f"one unit for {plain(entry.mg_per_unit)} mg"
    text = f"{entry.name.capitalize()} is charged with {entry.code}, {per_unit}{_dates(entry)}."
    return Told(entry.code, text, (entry.code,))


def _modifier(entry: Modifier) -> Told:
    text = (
        f"Modifier {entry.code}: {entry.words}. Required from {entry.first} under Medicare Part B; from "
        f"{entry.refused_from}, claims with neither JW nor JZ are returned."
    )
    return Told(entry.code, text)


def _pair_modifier(entry: PairModifier) -> Told:
    pays = "with it, Medicare pays both codes of a pair of indicator 1"
    text = f"Modifier {entry.code} tells of {_GROUPS[entry.group]}: {pays}."
    return Told(entry.code, text)


def _modifier_meaning(entry: ModifierMeaning) -> Told:
    return Told(entry.code, f"Modifier {entry.code}: {entry.words}{_dates(entry)}.")


def _documentation(entry: DocumentationItem) -> Told:
    return Told(entry.code, f"The record of a stress echo with contrast should hold: {entry.name}.", (_DOCUMENTED,))


def _policy(entry: Policy) -> Told:
    return Told(entry.code, f"{entry.code}: {entry.about}.", entry.codes)


def _history() -> Iterator[Fact]:
    """The changes on the pages of the codes, by their days."""
    for page in reference().pages:
        days: dict[date, int] = {}
        for change in page.history:
            days[change.day] = days.get(change.day, 0) + 1
            number = f":{days[change.day]}" if days[change.day] > 1 else ""
            yield Fact(
                id=f"history:{page.code}:{change.day}{number}",
                text=f"{page.code}, {change.day}: {change.what}.",
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
            text=f"{term.name}: {term.text}",
            source=term.cited.source,
            link=f"/glossary#{term.id}",
            topics=("glossary",),
            subjects=(term.id,),
            verified_through=term.cited.verified_through,
            confidence=term.cited.confidence,
        )


# --- pairs ----------------------------------------------------------------------------------------------------------

_UNLESS = "unless a modifier tells of a distinct service (indicator 1)"
_NEVER = "with any modifier (indicator 0)"


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
            how = _NEVER if edit == "never" else _UNLESS
            text = f"On {_CLAIMS[setting]}, {second} is not paid with {first} {how}."
            told = Told(f"{first}:{second}:{setting}", text, (first, second), setting)
            return _fact(PAIRS, row, f"pairs:{told.key}", told, ("pairs",))
    rows = [each for each in PAIRS if each.setting == setting]
    newest = max(rows, key=_end)
    is_reached = day is None or min(each.start or date.max for each in rows) <= day <= _end(newest)
    if not is_reached or any(edit == "not known" for _, (edit, _) in edits):
        return None
    text = f"On {_CLAIMS[setting]}, no NCCI pair of {one} and {other} is listed."
    told = Told(f"none:{one}:{other}:{setting}", text, (one, other), setting)
    fact = _fact(PAIRS, newest, f"pairs:{told.key}", told, ("pairs",))
    return msgspec.structs.replace(fact, first=None, last=None, is_listed=False)


def _end(row: PairRow) -> date:
    """The last day through which a row was verified."""
    return row.verified_through or date.min
