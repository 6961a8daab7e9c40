"""The facts at the top of a code's page, written from the tables: its company, its limits, its place, its payment.

Each fact is one short sentence with its source. A fact that no table knows is a sentence of `guidance.yaml` with the
heading under `glance`.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeVar

from msgspec import structs

from cds_service.core.notation import plain
from cds_service.core.tables import Entry, Table
from cds_service.review.reference import Glance, Statement, Topic, cited
from hooks.codes.tables import (
    ADD_ONS,
    CODES,
    CROSSWALK,
    GUIDANCE,
    MODIFIERS,
    OPPS,
    PC_TC,
    PRODUCTS,
    STRESS_DRUGS,
    STUDIES,
    UNIT_LIMITS,
    WHOLE_SERVICES,
    AddOn,
    ClaimSetting,
    CodeEntry,
    UnitLimit,
)
from hooks.coding.products import is_supply
from hooks.publish import examples
from hooks.publish.indicators import cited_with_meaning, decoded
from hooks.publish.modifiers import modifiers_of
from hooks.publish.neighbors import neighbors
from hooks.publish.pair_facts import pairs_of
from hooks.publish.payment import payment_facts

EntryT = TypeVar("EntryT", bound=Entry)

TOPICS = {
    "with": "Goes with",
    "never": "Never with",
    "once": "How often",
    "who": "Who gives, who reads",
    "need": "Need",
    "setting": "Setting",
    "payment": "Medicare payment",
    "modifiers": "Modifiers",
    "instead": "Another code instead",
}
_WHERE: dict[ClaimSetting, str] = {"professional": "Practitioner", "facility": "Hospital"}


def glance(code: str) -> Glance:
    """The facts about a code by heading, in the order of `TOPICS` without those that have none, and claims to try."""
    topics = (Topic(id=name, title=title, facts=tuple(_facts(name, code))) for name, title in TOPICS.items())
    return Glance(
        topics=tuple(topic for topic in topics if topic.facts),
        examples=examples.of(code),
        modifiers=modifiers_of(code),
    )


def _facts(topic: str, code: str) -> Iterator[Statement]:
    yield from _BUILDERS.get(topic, _nothing)(code)
    for entry in GUIDANCE:
        if entry.glance == topic and (code == entry.code or code in entry.also):
            yield Statement(entry.text, cited(GUIDANCE, entry))


def _nothing(_: str) -> Iterator[Statement]:
    yield from ()


def _said(table: Table[EntryT], entry: EntryT, text: str) -> Statement:
    return Statement(text, cited_with_meaning(table, entry))


def _newest(table: Table[EntryT], code: str) -> EntryT | None:
    """The latest entry of a code; None if the table has none."""
    return next(reversed(table.history(code)), None)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(codes)


# --- goes with ------------------------------------------------------------------------------------------------------


def _with(code: str) -> Iterator[Statement]:
    add_on = _newest(ADD_ONS, code)
    if add_on:
        yield _said(ADD_ONS, add_on, f"Add-on, only with a primary: {_listed(add_on.primaries)}.")
    added = [entry for entry in ADD_ONS if code in entry.primaries and entry.last is None]
    if added:
        yield _said(ADD_ONS, added[0], f"Its add-ons: {_listed(entry.code for entry in added)}.")
    yield from _agents(code)
    yield from _studies_of_the_agent(code)
    yield from _drug(code)


def _agents(code: str) -> Iterator[Statement]:
    """The agent's code by product, for codes whose study includes contrast."""
    if not any(study.contrast for study in STUDIES.history(code)):
        return
    for product in PRODUCTS:
        if product.units_per_vial:
            yield _said(PRODUCTS, product, f"With {product.name}: {product.code}, {_vial(product.units_per_vial)}.")


def _vial(units: Decimal) -> str:
    return f"{plain(units)} units a vial (1 unit is 1 mL)"


def _studies_of_the_agent(code: str) -> Iterator[Statement]:
    if not is_supply(code):
        return
    for product in PRODUCTS.history(code):
        size = f", {plain(product.vial_ml)} mL" if product.vial_ml else ""
        known = product.units_per_vial
        vial = f"{product.name}: {_vial(known)}{size}." if known else f"{product.name}, discontinued."
        source = cited(PRODUCTS, product)
        yield Statement(vial, structs.replace(source, confidence="memory") if product.vial_from_memory else source)
    for add_on in _contrast_add_ons():
        yield _said(ADD_ONS, add_on, f"{add_on.code} and its primary: {_listed(add_on.primaries)}.")
    hospital = [study for study in STUDIES if study.hospital and study.contrast]
    yield _said(
        STUDIES, hospital[0], f"A hospital study with contrast: {_listed(sorted(each.code for each in hospital))}."
    )


def _contrast_add_ons() -> list[AddOn]:
    """The add-ons for contrast in a stress echo."""
    codes = [study.code for study in STUDIES if study.add_on and study.contrast and study.kind == "stress"]
    return [entry for code in codes if (entry := _newest(ADD_ONS, code))]


def _drug(code: str) -> Iterator[Statement]:
    for drug in STRESS_DRUGS.history(code):
        yield _said(STRESS_DRUGS, drug, f"{drug.name.capitalize()}: one unit is {plain(drug.mg_per_unit)} mg.")


# --- never with -----------------------------------------------------------------------------------------------------


def _never(code: str) -> Iterator[Statement]:
    add_on = _newest(ADD_ONS, code)
    if add_on and add_on.once_per_study:
        others = [
            study.code
            for study in STUDIES
            if study.system == "billing" and not study.add_on and study.code not in add_on.primaries
        ]
        yield _said(ADD_ONS, add_on, f"Not beside, since none is a primary of it: {_listed(sorted(others))}.")
    yield from pairs_of(code)


# --- how often ------------------------------------------------------------------------------------------------------


def _once(code: str) -> Iterator[Statement]:
    for product in PRODUCTS.history(code):
        if product.label_limit_ml:
            yield _said(PRODUCTS, product, f"The label allows {plain(product.label_limit_ml)} mL per study.")
    limits = {entry.setting: entry for entry in UNIT_LIMITS.history(code)}
    both = {(entry.units, entry.mai) for entry in limits.values()}
    if len(limits) > 1 and len(both) == 1:
        yield _limit("Practitioner and hospital", limits["professional"])
    else:
        yield from (_limit(_WHERE[setting], entry) for setting, entry in limits.items())


def _limit(who: str, entry: UnitLimit) -> Statement:
    unit = "unit" if entry.units == 1 else "units"
    return _said(UNIT_LIMITS, entry, f"{who}: {plain(entry.units)} {unit} a day (MUE), {decoded('MAI', entry.mai)}.")


# --- setting --------------------------------------------------------------------------------------------------------


def _setting(code: str) -> Iterator[Statement]:
    entry = _newest(CODES, code)
    if entry and entry.hospital:
        yield _said(CODES, entry, "Hospital outpatient claims only.")
    for own in CROSSWALK.history(code):
        yield _said(CROSSWALK, own, f"Medicare hospital, with contrast: {own.hospital_code} in its place.")
    for other in CROSSWALK:
        if other.hospital_code == code:
            yield _said(CROSSWALK, other, f"Stands for {other.code} with contrast.")
    yield from _hospital_codes(code)
    for status in OPPS.history(code):
        instead = f"; report {status.instead}" if status.instead else ""
        yield _said(OPPS, status, f"Medicare hospital outpatient {decoded('OPPS', status.status)}{instead}.")


def _hospital_codes(code: str) -> Iterator[Statement]:
    """The codes that stand for an add-on and its primaries on a hospital's claim, where that never reports it."""
    add_on, status = _newest(ADD_ONS, code), _newest(OPPS, code)
    if add_on and status and status.belongs_elsewhere:
        rows = [row for primary in add_on.primaries for row in CROSSWALK.history(primary)]
        pairs = _listed(f"{row.hospital_code} for {row.code}" for row in rows)
        yield _said(CROSSWALK, rows[0], f"Medicare hospital, with contrast: {pairs}, and not {code}.")


# --- modifiers ------------------------------------------------------------------------------------------------------


def _modifiers(code: str) -> Iterator[Statement]:
    for entry in PC_TC.history(code):
        yield _said(PC_TC, entry, f"{decoded('PC/TC', entry.indicator)}.")
    if any(product.units_per_vial for product in PRODUCTS.history(code)):
        for modifier in MODIFIERS:
            yield _said(MODIFIERS, modifier, f"{modifier.code}: {modifier.words}.")


# --- another code instead -------------------------------------------------------------------------------------------


def _instead(code: str) -> Iterator[Statement]:
    for whole in WHOLE_SERVICES:
        parts = (whole.echo, *whole.parts)
        if code in parts:
            text = f"{whole.code} if one practitioner does all of {_listed(parts)}."
            yield _said(WHOLE_SERVICES, whole, text)
        elif code == whole.code:
            yield _said(WHOLE_SERVICES, whole, f"Its parts, if several practitioners share them: {_listed(parts)}.")
    entry = _newest(CODES, code)
    if entry and entry.before and entry.first:
        yield _said(CODES, entry, f"{entry.before} before {entry.first}.")
    yield from (_neighbor(each) for each in neighbors(code))


def _neighbor(entry: CodeEntry) -> Statement:
    return _said(CODES, entry, f"{entry.code} for {entry.words}.")


_BUILDERS: dict[str, Callable[[str], Iterator[Statement]]] = {
    "with": _with,
    "never": _never,
    "once": _once,
    "setting": _setting,
    "payment": payment_facts,
    "modifiers": _modifiers,
    "instead": _instead,
}
