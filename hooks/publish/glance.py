"""The facts at the top of a code's page, written from the tables: its company, its limits, its place, its payment.

Each fact is one short sentence with its source. A fact that no table knows is a sentence of `guidance.yaml` with the
heading under `glance`.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeVar

from msgspec import structs

from cds_service.core.tables import Entry, Table
from cds_service.languages.messages import Quantity, Value
from cds_service.languages.worded import Worded, counted, joined, name, prose, worded
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
    PaymentStatus,
    Product,
    StressDrug,
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
    "with": worded("Goes with"),
    "never": worded("Never with"),
    "once": worded("How often"),
    "who": worded("Who gives, who reads"),
    "need": worded("Need"),
    "setting": worded("Setting"),
    "payment": worded("Medicare payment"),
    "modifiers": worded("Modifiers"),
    "instead": worded("Another code instead"),
}
_WHERE: dict[ClaimSetting, Worded] = {"professional": worded("Practitioner"), "facility": worded("Hospital")}


def glance(code: str) -> Glance:
    """The facts about a code by heading, in the order of `TOPICS` without those that have none, and claims to try."""
    topics = (Topic(id=topic, title=title, facts=tuple(_facts(topic, code))) for topic, title in TOPICS.items())
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


def _said(table: Table[EntryT], entry: EntryT, text: Worded) -> Statement:
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
        yield _said(ADD_ONS, add_on, worded("Add-on, only with a primary: {codes}.", codes=_listed(add_on.primaries)))
    added = [entry for entry in ADD_ONS if code in entry.primaries and entry.last is None]
    if added:
        yield _said(ADD_ONS, added[0], worded("Its add-ons: {codes}.", codes=_listed(entry.code for entry in added)))
    yield from _agents(code)
    yield from _studies_of_the_agent(code)
    yield from _drug(code)


def _agents(code: str) -> Iterator[Statement]:
    """The agent's code by product, for codes whose study includes contrast."""
    if not any(study.contrast for study in STUDIES.history(code)):
        return
    for product in PRODUCTS:
        if product.units_per_vial:
            vial = _vial(product.units_per_vial)
            text = worded("With {product}: {code}, {vial}.", product=product.name, code=product.code, vial=vial)
            yield _said(PRODUCTS, product, text)


def _vial(units: Decimal) -> Worded:
    return counted(
        "{count} unit a vial (1 unit is {amount})",
        "{count} units a vial (1 unit is {amount})",
        units,
        amount=Quantity(Decimal(1), "mL"),
    )


def _studies_of_the_agent(code: str) -> Iterator[Statement]:
    if not is_supply(code):
        return
    for product in PRODUCTS.history(code):
        source = cited(PRODUCTS, product)
        yield Statement(
            _product(product), structs.replace(source, confidence="memory") if product.vial_from_memory else source
        )
    for add_on in _contrast_add_ons():
        text = worded("{code} and its primary: {codes}.", code=add_on.code, codes=_listed(add_on.primaries))
        yield _said(ADD_ONS, add_on, text)
    hospital = [study for study in STUDIES if study.hospital and study.contrast]
    codes = _listed(sorted(each.code for each in hospital))
    yield _said(STUDIES, hospital[0], worded("A hospital study with contrast: {codes}.", codes=codes))


def _product(product: Product) -> Worded:
    known = product.units_per_vial
    if not known:
        return worded("{product}, discontinued.", product=product.name)
    size = (Quantity(product.vial_ml, "mL"),) if product.vial_ml else ()
    facts: tuple[Value, ...] = (_vial(known), *size)
    return joined("", (joined(": ", (name(product.name), joined(", ", facts))), name(".")))


def _contrast_add_ons() -> list[AddOn]:
    """The add-ons for contrast in a stress echo."""
    codes = [study.code for study in STUDIES if study.add_on and study.contrast and study.kind == "stress"]
    return [entry for code in codes if (entry := _newest(ADD_ONS, code))]


def _drug(code: str) -> Iterator[Statement]:
    for drug in STRESS_DRUGS.history(code):
        yield _said(STRESS_DRUGS, drug, _drug_unit(drug))


def _drug_unit(drug: StressDrug) -> Worded:
    amount = Quantity(drug.mg_per_unit, "mg")
    return worded("{drug}: one unit is {amount}.", drug=drug.name.capitalize(), amount=amount)


# --- never with -----------------------------------------------------------------------------------------------------


def _never(code: str) -> Iterator[Statement]:
    add_on = _newest(ADD_ONS, code)
    if add_on and add_on.once_per_study:
        others = [
            study.code
            for study in STUDIES
            if study.system == "billing" and not study.add_on and study.code not in add_on.primaries
        ]
        text = worded("Not beside, since none is a primary of it: {codes}.", codes=_listed(sorted(others)))
        yield _said(ADD_ONS, add_on, text)
    yield from pairs_of(code)


# --- how often ------------------------------------------------------------------------------------------------------


def _once(code: str) -> Iterator[Statement]:
    for product in PRODUCTS.history(code):
        if product.label_limit_ml:
            limit = Quantity(product.label_limit_ml, "mL")
            yield _said(PRODUCTS, product, worded("The label allows {amount} per study.", amount=limit))
    limits = {entry.setting: entry for entry in UNIT_LIMITS.history(code)}
    both = {(entry.units, entry.mai) for entry in limits.values()}
    if len(limits) > 1 and len(both) == 1:
        yield _limit(worded("Practitioner and hospital"), limits["professional"])
    else:
        yield from (_limit(_WHERE[setting], entry) for setting, entry in limits.items())


def _limit(who: Worded, entry: UnitLimit) -> Statement:
    text = counted(
        "{who}: {count} unit a day (MUE), {meaning}.",
        "{who}: {count} units a day (MUE), {meaning}.",
        entry.units,
        who=who,
        meaning=decoded("MAI", entry.mai),
    )
    return _said(UNIT_LIMITS, entry, text)


# --- setting --------------------------------------------------------------------------------------------------------


def _setting(code: str) -> Iterator[Statement]:
    entry = _newest(CODES, code)
    if entry and entry.hospital:
        yield _said(CODES, entry, worded("Hospital outpatient claims only."))
    for own in CROSSWALK.history(code):
        text = worded("Medicare hospital, with contrast: {code} in its place.", code=own.hospital_code)
        yield _said(CROSSWALK, own, text)
    for other in CROSSWALK:
        if other.hospital_code == code:
            yield _said(CROSSWALK, other, worded("Stands for {code} with contrast.", code=other.code))
    yield from _hospital_codes(code)
    for status in OPPS.history(code):
        yield _said(OPPS, status, _paid_to_hospitals(status))


def _paid_to_hospitals(status: PaymentStatus) -> Worded:
    meaning = decoded("OPPS", status.status)
    if status.instead:
        return worded("Medicare hospital outpatient {meaning}; report {code}.", meaning=meaning, code=status.instead)
    return worded("Medicare hospital outpatient {meaning}.", meaning=meaning)


def _hospital_codes(code: str) -> Iterator[Statement]:
    """The codes that stand for an add-on and its primaries on a hospital's claim, where that never reports it."""
    add_on, status = _newest(ADD_ONS, code), _newest(OPPS, code)
    if add_on and status and status.belongs_elsewhere:
        rows = [row for primary in add_on.primaries for row in CROSSWALK.history(primary)]
        pairs = (worded("{hospital} for {code}", hospital=row.hospital_code, code=row.code) for row in rows)
        text = worded(
            "Medicare hospital, with contrast: {pairs}, and not {code}.", pairs=joined(", ", pairs), code=code
        )
        yield _said(CROSSWALK, rows[0], text)


# --- modifiers ------------------------------------------------------------------------------------------------------


def _modifiers(code: str) -> Iterator[Statement]:
    for entry in PC_TC.history(code):
        yield _said(PC_TC, entry, joined("", (decoded("PC/TC", entry.indicator), name("."))))
    if any(product.units_per_vial for product in PRODUCTS.history(code)):
        for modifier in MODIFIERS:
            yield _said(MODIFIERS, modifier, joined("", (name(f"{modifier.code}: "), prose(modifier.words), name("."))))


# --- another code instead -------------------------------------------------------------------------------------------


def _instead(code: str) -> Iterator[Statement]:
    for whole in WHOLE_SERVICES:
        parts = (whole.echo, *whole.parts)
        if code in parts:
            text = worded("{code} if one practitioner does all of {codes}.", code=whole.code, codes=_listed(parts))
            yield _said(WHOLE_SERVICES, whole, text)
        elif code == whole.code:
            text = worded("Its parts, if several practitioners share them: {codes}.", codes=_listed(parts))
            yield _said(WHOLE_SERVICES, whole, text)
    entry = _newest(CODES, code)
    if entry and entry.before and entry.first:
        yield _said(CODES, entry, worded("{code} before {day}.", code=entry.before, day=entry.first))
    yield from (_neighbor(each) for each in neighbors(code))


def _neighbor(entry: CodeEntry) -> Statement:
    return _said(CODES, entry, worded("{code} for {words}.", code=entry.code, words=prose(entry.words)))


_BUILDERS: dict[str, Callable[[str], Iterator[Statement]]] = {
    "with": _with,
    "never": _never,
    "once": _once,
    "setting": _setting,
    "payment": payment_facts,
    "modifiers": _modifiers,
    "instead": _instead,
}
