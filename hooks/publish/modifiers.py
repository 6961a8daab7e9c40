"""The pages of modifiers, from the tables: meaning, codes, rules, notes, and claims to try."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

import hooks
from cds_service.core.rules import Rule
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, capitalized, worded
from cds_service.review.reference import ExampleClaim, ModifierPage, Statement, cited
from hooks.codes.tables import (
    CODES,
    MODIFIER_MEANINGS,
    MODIFIER_NOTES,
    MODIFIERS,
    PAIR_MODIFIERS,
    PAIRS,
    PC_TC,
    PRODUCTS,
    STUDIES,
    ModifierMeaning,
)
from hooks.publish.claims import IN_HOSPITAL, OFFICE

_DEFINITY = f"{OFFICE}given: Definity 1.3 mL\ndone: 93351\n"
_LUMASON = f"{OFFICE}given: Lumason 2 mL, 3 mL discarded\ndone: 93351\n"


def _ml(number: int) -> Quantity:
    return Quantity(Decimal(number), "mL")


def _on_the_add_on(modifier: str) -> Worded:
    return worded("{modifier} on the contrast add-on", modifier=modifier)


_GIVEN = worded("{given} given of a {vial} vial", given=_ml(2), vial=_ml(5))


def _right(what: Worded, notation: str, rule: str = "") -> ExampleClaim:
    """A right claim; `rule` is the one that only asks for documentation, if any."""
    return ExampleClaim(right=True, what=what, notation=f"professional: {notation}", rule=rule)


def _wrong(what: Worded, notation: str, rule: str) -> ExampleClaim:
    return ExampleClaim(right=False, what=what, notation=f"professional: {notation}", rule=rule)


# Claims with a modifier, or without one that is due. A test reviews each.
_CLAIMS = {
    "26": (
        _right(worded("The practitioner's part of a study in a hospital"), f"93351-26\n{IN_HOSPITAL}"),
        _wrong(
            _on_the_add_on("26"),
            f"93351-26, 93352-26\n{IN_HOSPITAL}",
            "add-on-modifier",
        ),
    ),
    "TC": (
        _right(worded("A practice with the equipment, read elsewhere"), f"93350-TC\n{OFFICE}"),
        _wrong(
            _on_the_add_on("TC"),
            f"93350-TC, 93352-TC\n{OFFICE}",
            "add-on-modifier",
        ),
    ),
    "52": (
        _right(worded("A rest echo that was not completed"), f"93306-52\n{OFFICE}"),
        _wrong(worded("{modifier} does not part a pair", modifier="52"), f"93351, 93350-52\n{OFFICE}", "pair-conflict"),
    ),
    "76": (
        _right(worded("A second ECG of the day"), f"93000, 93000-76\n{OFFICE}"),
        _wrong(
            worded("A second stress echo exceeds the absolute limit"), f"93350, 93350-76\n{OFFICE}", "units-over-limit"
        ),
    ),
    "77": (
        _right(worded("A second ECG, read by another"), f"93010 by A, 93010-77 by B\n{IN_HOSPITAL}"),
        _wrong(worded("{modifier} does not part a pair", modifier="77"), f"93351, 93350-77\n{OFFICE}", "pair-conflict"),
    ),
    "JW": (
        _right(
            _GIVEN,
            f"93351, 93352, Q9950x2, Q9950x3-JW\n{_LUMASON}",
        ),
        _wrong(
            worded("The discarded part is not charged"), f"93351, 93352, Q9950x2\n{_LUMASON}", "supply-waste-modifier"
        ),
    ),
    "JZ": (
        _right(worded("The units cover the whole vial"), f"93351, 93352, Q9957x2-JZ\n{_DEFINITY}"),
        _wrong(worded("Neither JW nor JZ"), f"93351, 93352, Q9957x2\n{_DEFINITY}", "supply-waste-modifier"),
    ),
}


def _distinct(modifier: str) -> tuple[ExampleClaim, ...]:
    """Claims with a modifier for distinct services."""
    injection = f"93351, 96374-{modifier}\n{OFFICE}"
    part = f"93351, 93350-{modifier}\n{OFFICE}"
    return (
        _right(
            worded("Another drug was injected for another reason; the card asks for the record"),
            injection,
            "pair-conflict",
        ),
        _wrong(worded("No modifier parts a pair of indicator 0"), part, "pair-conflict"),
    )


@cache
def modifier_pages() -> tuple[ModifierPage, ...]:
    """The pages of all modifiers, in the order of the table."""
    return tuple(_page(entry) for entry in MODIFIER_MEANINGS)


def modifiers_of(code: str) -> tuple[str, ...]:
    """The modifiers for a code, as their pages list it."""
    return tuple(page.modifier for page in modifier_pages() if code in page.codes)


def _page(entry: ModifierMeaning) -> ModifierPage:
    own = Statement(f"{capitalized(entry.words)}.", cited(MODIFIER_MEANINGS, entry))
    return ModifierPage(
        modifier=entry.code,
        group=entry.group,
        words=entry.words,
        cited=own.cited,
        statements=tuple(_statements(entry.code)),
        codes=_codes(entry),
        never=_never(entry),
        rules=tuple(rule.id for rule in hooks.all_rules() if any(_concerns(rule, each) for each in _alike(entry))),
        examples=_CLAIMS.get(entry.code) or _distinct(entry.code),
    )


def _statements(modifier: str) -> Iterator[Statement]:
    for note in MODIFIER_NOTES:
        if modifier == note.code or modifier in note.also:
            yield Statement(note.text, cited(MODIFIER_NOTES, note))


def _codes(entry: ModifierMeaning) -> tuple[str, ...]:
    """The codes of ours that the modifier is for, in the order of the table of codes."""
    split = {each.code for each in PC_TC if each.indicator == 1}
    of_group = {
        "component": split,
        "reduced": {study.code for study in STUDIES if not study.add_on} & split,
        "distinct": {code for row in PAIRS if row.with_modifier for code in (row.code, *row.with_modifier)},
        "repeated": {study.code for study in STUDIES if not study.add_on}
        | {each.code for each in CODES if each.kind in {"ecg", "stress-test"}},
        "drug": {product.code for product in PRODUCTS if product.units_per_vial},
    }
    return tuple(each.code for each in CODES if each.code in of_group[entry.group])


def _never(entry: ModifierMeaning) -> tuple[str, ...]:
    """The codes that never take the modifier, where a table says so."""
    if entry.group == "component":
        return tuple(each.code for each in PC_TC if each.indicator != 1)
    products = {product.code for product in PRODUCTS}
    unspecified = tuple(each.code for each in CODES if each.kind == "supply" and each.code not in products)
    return unspecified if entry.group == "drug" else ()


def _alike(entry: ModifierMeaning) -> tuple[str, ...]:
    """The modifiers that rules read as this one: those for a distinct service stand for one another."""
    alike = (each.code for each in MODIFIER_MEANINGS if each.group == entry.group == "distinct")
    return (entry.code, *alike)


def _concerns(rule: Rule, modifier: str) -> bool:
    """True if a rule's text names the modifier, or one of its tables lists it."""
    named = re.compile(rf"(?<![\w-]){modifier}(?![\w-])")
    if any(named.search(text) for text in (rule.title, rule.why, rule.flags, rule.passes)):
        return True
    return any(table in (MODIFIERS, PAIR_MODIFIERS) and modifier in table for table in rule.tables)
