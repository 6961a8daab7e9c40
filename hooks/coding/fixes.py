"""Ways to mend the charges of a study, and what to say of them; several rules propose these."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from cds_service.core.case import BILLING, Case, Line
from cds_service.core.changes import AddLine, AddModifier, Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.notation import notation, plain
from cds_service.core.rules import Evidence, Fix
from hooks.codes.tables import CODES, CROSSWALK, PRODUCTS
from hooks.coding.claims import units_of
from hooks.coding.contrast import Supply, supplies_due
from hooks.coding.products import is_supply
from hooks.coding.setting_and_payer import is_professional_only, payer_of, setting_of, takes_hospital_codes
from hooks.coding.studies import Study
from hooks.coding.waste import DISCARDED, NOTHING_DISCARDED, asked_leftover


def add(study: Study, case: Case, code: str, units: Decimal | None, beside: Line | None = None) -> AddLine:
    """Charge a code for a study, on the bill that already carries the study's charges."""
    neighbour = beside or next(iter((*study.primaries, *study.lines)), None)
    return AddLine(
        code=code,
        units=units,
        is_supply=is_supply(code),
        sibling=neighbour,
        references=study.references,
        day=study.day,
        performers=neighbour.performers if neighbour else frozenset(),
        encounter=next((record.encounter for record in study.records if record.encounter), case.encounter),
    )


def what_was_done(study: Study) -> tuple[Evidence, ...]:
    """The study itself, by the strongest kind of record that shows it: charges, else procedures, else orders."""
    charged = tuple(Evidence(f"{line} is charged", line) for line in study.primaries)
    done = tuple(Evidence("stress echo, done", each) for each in study.procedures if each.status == "done")
    ordered = tuple(Evidence("stress echo ordered", each) for each in study.orders if each.kind == "service")
    return charged or done or ordered


def in_words(code: str) -> str:
    """A code with what it is, in our words: `93352 (echo contrast agent used during a stress echo)`."""
    entries = CODES.history(code)
    return f"{code} ({entries[-1].words})" if entries else code


def with_units(line: AddLine) -> str:
    """A line to be added, as a summary names it: `Q9957 (2 units)`."""
    if line.units is None or line.units == 1:
        return line.code
    return f"{line.code} ({plain(line.units)} units)"


def keep_units(lines: Iterable[Line], units: Decimal) -> tuple[Change, ...]:
    """Charge so many units on one of the lines and take the others off; nothing where a line cannot be changed.

    Kept is what has gone out already, then a plain line before one with modifiers, then the line that is right already;
    in whatever order they were sent.
    """
    kept, *others = sorted(
        lines, key=lambda line: (line.open, bool(line.modifiers), units_of(line) != units, str(line))
    )
    changes: list[Change] = [SetUnits(kept, units)] if units_of(kept) != units else []
    changes += [RemoveLine(line) for line in others]
    changed = (*others, *([kept] if units_of(kept) != units else []))
    return tuple(changes) if all(line.open and line.certain for line in changed) else ()


# --- the supply -----------------------------------------------------------------------------------------------------


def supply_claim(study: Study) -> Line | None:
    """A line of the bill on which the supply belongs, None where the case shows only the practitioner's share."""
    return next((line for line in study.primaries or study.lines if not is_professional_only(line)), None)


def supply_is_missing(study: Study) -> bool:
    """Whether no supply is charged, and one of the bills at hand is of the owner of the technical component."""
    return not study.supplies and (not study.lines or supply_claim(study) is not None)


def supply_choices(study: Study, case: Case) -> tuple[tuple[AddLine, ...], ...]:
    """The supply lines that are due, one tuple for each alternative; none where no supply is missing."""
    if not supply_is_missing(study):
        return ()
    bill = supply_claim(study)
    due = [
        [add(study, case, supply.code, supply.units, bill) for supply in supplies]
        for supplies in supplies_due(study, case)
    ]
    return tuple(choice for lines in due for choice in _with_waste(lines, study, bill, case))


def supplies_named(choices: tuple[tuple[AddLine, ...], ...]) -> tuple[AddLine, ...]:
    """The supply lines that all choices have in common, apart from what was discarded; none where products differ."""
    given = {tuple(line for line in lines if DISCARDED not in line.modifiers) for lines in choices}
    return given.pop() if len(given) == 1 else ()


def supply_notes(study: Study, case: Case) -> tuple[str, ...]:
    """How the units come about, or which products there are to choose from."""
    options = supplies_due(study, case) if supply_is_missing(study) else ()
    supplies = [supply for each in options for supply in each]
    waste = tuple(note for supply in supplies for note in waste_notes(supply.code, study, supply_claim(study), case))
    if len(options) > 1:
        choices = "; ".join(in_words(supply.code) for supply in supplies)
        return (f"The record does not decide the product. Choose the one that was used: {choices}.", *waste)
    return (*(_sentence(supply) for supply in supplies), *waste)


def _sentence(supply: Supply) -> str:
    return f"{supply.code}: {supply.reason}."


def with_supplies(label: str, changes: Iterable[AddLine], choices: tuple[tuple[AddLine, ...], ...]) -> list[Fix]:
    """One remedy for each choice of supply, each with the given changes first."""
    first = tuple(changes)
    if not choices:
        return [Fix(label, first)]
    return [
        Fix(f"{f'{label} and' if first else 'Add'} {' and '.join(map(_name, lines))}", first + lines)
        for lines in choices
    ]


def _name(line: AddLine) -> str:
    return notation(line.code, line.modifiers, None)


# --- what is left of the vial ---------------------------------------------------------------------------------------


def _with_waste(lines: list[AddLine], study: Study, bill: Line | None, case: Case) -> Iterator[tuple[AddLine, ...]]:
    """The supply with JZ where nothing was left that could be charged; else with and without what was discarded."""
    left = [asked_leftover(line.code, study, bill, case) for line in lines]
    given = tuple(
        replace(line, modifiers=(NOTHING_DISCARDED,)) if rest and not rest.least else line
        for line, rest in zip(lines, left, strict=True)
    )
    discarded = tuple(
        replace(line, units=rest.least, modifiers=(DISCARDED,))
        for line, rest in zip(lines, left, strict=True)
        if rest and rest.least
    )
    if discarded:
        yield (*given, *discarded)
    yield given


def waste_modifiers(line: Line, code: str, study: Study, case: Case) -> Iterator[AddModifier | RemoveModifier]:
    """Write JZ on a line where nothing was left that could be charged, and take off what contradicts the record."""
    left = asked_leftover(code, study, line, case)
    if left is None:
        return
    due = set() if left.least else {NOTHING_DISCARDED}
    yield from (
        RemoveModifier(line, each) for each in (DISCARDED, NOTHING_DISCARDED) if each in {*line.modifiers} - due
    )
    yield from (AddModifier(line, each) for each in sorted(due - set(line.modifiers)))


def add_discarded(line: Line, code: str, study: Study, case: Case) -> Iterator[AddLine]:
    """A line of its own for what was left of the vial and may have been discarded."""
    left = asked_leftover(code, study, line, case)
    if left is not None and left.least:
        yield replace(add(study, case, code, left.least, line), modifiers=(DISCARDED,))


def waste_notes(code: str, study: Study, bill: Line | None, case: Case) -> Iterator[str]:
    """From which vial size it follows what was left, and when that may be charged."""
    left = asked_leftover(code, study, bill, case)
    if left is None:
        return
    product = PRODUCTS.history(code)[0]
    vial = f"One vial of {product.name} holds {plain(product.vial_ml or Decimal(0))} mL"
    checked = f"{vial}{' (from memory: verify)' if product.vial_from_memory else ''}"
    if left.least:
        yield (
            f"{checked}, so {plain(left.least)} mL of the vials opened were left. Charge them with JW on a line of "
            "their own only if they were discarded and that is documented."
        )
    else:
        yield f"{checked}, so the rounded units cover all of it: nothing is left to be charged with JW, and JZ says so."


# --- the setting ----------------------------------------------------------------------------------------------------


def hospital_alternative(study: Study, case: Case) -> ReplaceCode | AddLine | None:
    """What a Medicare hospital claim would report instead, where it is not known on which claim the study goes out.

    At order time nothing is charged yet that could be replaced: there the C code itself is planned.
    """
    if setting_of(study) == "professional" or not _may_take_hospital_codes(study, case):
        return None
    for line in sorted(study.primaries, key=str):
        entry = CROSSWALK.on(line.code, study.day)
        if entry is not None and line.open and not {"26", "TC"} & set(line.modifiers):
            return ReplaceCode(line, entry.hospital_code)
    return (
        None if study.primaries or case.site.order_suggestions != "ChargeItem" else _ordered_for_hospital(study, case)
    )


def _ordered_for_hospital(study: Study, case: Case) -> AddLine | None:
    codes = [code[:5] for order in study.orders for code in order.concept.values(BILLING)]
    targets = [entry.hospital_code for code in codes if (entry := CROSSWALK.on(code, study.day))]
    return add(study, case, targets[0], Decimal(1)) if case.stage == "order" and targets else None


def _may_take_hospital_codes(study: Study, case: Case) -> bool:
    """Whether who pays takes C codes, or may: other payers than Medicare do only where the site says so."""
    takes = takes_hospital_codes(case, study.lines)
    return payer_of(case, study.lines) != "other" if takes is None else takes


# --- the bills ------------------------------------------------------------------------------------------------------


def by_claim_type(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """Charges, professional claims and hospital claims apart: a charge and the claim made of it are one thing."""
    found: dict[tuple[bool, str], list[Line]] = {}
    for line in lines:
        found.setdefault((bool(line.claim), line.claim_type), []).append(line)
    return (tuple(alike) for alike in found.values())
