"""Fixes for the charges of a study and their notes, shared by several rules."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from cds_service.core.case import Case, Line, Record
from cds_service.core.changes import AddLine, AddModifier, Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.concepts import BILLING
from cds_service.core.notation import codes_without_modifiers, counted_units, notation
from cds_service.core.rules import Evidence, Fix
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, capitalized, joined, linked, prose, worded
from hooks.codes.tables import CODES, CROSSWALK
from hooks.coding.claims import charge_evidence, units_of
from hooks.coding.contrast import Supply, supplies_due
from hooks.coding.products import BY_SUPPLY_CODE, is_supply
from hooks.coding.setting_and_payer import is_professional_only, is_split, payer_of, setting_of, takes_hospital_codes
from hooks.coding.studies import Study, codes_ordered
from hooks.coding.study_codes import study_kind
from hooks.coding.waste import DISCARDED, NOTHING_DISCARDED, reportable_leftover


def add_code(study: Study, case: Case, code: str, units: Decimal | None, beside: Line | None = None) -> AddLine:
    """A line that charges a code for a study, on the claim that carries the study's charges."""
    existing = beside or next(iter((*study.primaries, *study.lines)), None)
    return AddLine(
        code=code,
        units=units,
        is_supply=is_supply(code),
        sibling=existing,
        references=study.references,
        day=study.day,
        performers=existing.performers if existing else frozenset(),
        encounter=next((record.encounter for record in study.records if record.encounter), case.encounter),
    )


def study_evidence(study: Study) -> tuple[Evidence, ...]:
    """Evidence of the study by the strongest kind of record: charges, else procedures, else orders."""
    charged = charge_evidence(study.primaries)
    performed = _naming_studies(each for each in study.procedures if each.status == "done")
    done = tuple(Evidence(worded("stress echo performed"), each) for each in performed)
    orders = _naming_studies(each for each in study.orders if each.kind == "service")
    return charged or done or tuple(Evidence(worded("stress echo ordered"), each) for each in orders)


RecordT = TypeVar("RecordT", bound=Record)


def _naming_studies(records: Iterable[RecordT]) -> tuple[RecordT, ...]:
    """The records that name a study, and not an add-on or a supply; all of them if none does."""
    every = tuple(records)
    return tuple(filter(study_kind, every)) or every


def named_fix(changes: Iterable[Change], *, recommended: bool, remark: str = "") -> Fix:
    """Changes as one fix, whose label lists them; a remark follows."""
    every = tuple(changes)
    label = joined("", (joined(", ", (each.words for each in every)), remark))
    return Fix(capitalized(label), every, recommended=recommended)


def describe(code: str) -> str:
    """A code with our description: `93352 (echo contrast agent used during a stress echo)`."""
    entries = CODES.history(code)
    return worded("{code} ({words})", code=code, words=prose(entries[-1].words)) if entries else code


def code_with_units(line: AddLine) -> str:
    """A line to add as a summary names it: `Q9957 (2 units)`."""
    if line.units is None or line.units == 1:
        return line.code
    return worded("{code} ({units})", code=line.code, units=counted_units(line.units))


def keep_units(lines: Iterable[Line], units: Decimal) -> tuple[Change, ...]:
    """Changes that charge the given units on one line and remove the others; none if a line cannot be changed.

    A submitted line is kept first, then a line without modifiers, then one that already has the right units, in any
    input order.
    """
    kept, *others = sorted(
        lines, key=lambda line: (line.open, bool(line.modifiers), units_of(line) != units, str(line))
    )
    changes: list[Change] = [SetUnits(kept, units)] if units_of(kept) != units else []
    changes += [RemoveLine(line) for line in others]
    changed = (*others, *([kept] if units_of(kept) != units else []))
    return tuple(changes) if all(line.open and line.certain for line in changed) else ()


# --- supplies -------------------------------------------------------------------------------------------------------


def supply_claim_line(study: Study) -> Line | None:
    """A line of the claim that takes the supply; None if only the professional share is on record."""
    return next((line for line in study.primaries or study.lines if not is_professional_only(line)), None)


def supply_is_missing(study: Study) -> bool:
    """True if no supply is charged and a claim of the technical component's owner is on record."""
    return not study.supplies and (not study.lines or supply_claim_line(study) is not None)


def _may_be_added(study: Study, case: Case) -> bool:
    """True if a supply is missing, and none is charged that may be of this study or of another one of the day.

    An order of the supply's own code will be charged.
    """
    is_ordered = case.stage == "order" and any(map(is_supply, codes_ordered(study)))
    return supply_is_missing(study) and not supplies_charged(study) and not is_ordered


def supplies_charged(study: Study) -> tuple[Line, ...]:
    """The supplies of a study, and those that may belong to another study of the day."""
    ambiguous = (each for each in study.ambiguous if isinstance(each, Line))
    return (*study.supplies, *(line for line in ambiguous if is_supply(line.code)))


def supply_choices(study: Study, case: Case) -> tuple[tuple[AddLine, ...], ...]:
    """The supply lines due, one tuple per alternative; empty if no supply is missing, or one may be charged already."""
    if not _may_be_added(study, case):
        return ()
    claim_line = supply_claim_line(study)
    due = [
        [add_code(study, case, supply.code, supply.units, claim_line) for supply in supplies]
        for supplies in supplies_due(study, case)
    ]
    return tuple(choice for lines in due for choice in _with_discarded(lines, study, claim_line, case))


def common_supplies(choices: tuple[tuple[AddLine, ...], ...]) -> tuple[AddLine, ...]:
    """The supply lines of all alternatives, without discarded amounts; empty if the products differ."""
    given = {tuple(line for line in lines if DISCARDED not in line.modifiers) for lines in choices}
    return given.pop() if len(given) == 1 else ()


def supply_notes(study: Study, case: Case) -> tuple[str, ...]:
    """Calculation of the units, or the products to choose from."""
    options = supplies_due(study, case) if _may_be_added(study, case) else ()
    supplies = [supply for each in options for supply in each]
    waste = tuple(
        note for supply in supplies for note in waste_notes(supply.code, study, supply_claim_line(study), case)
    )
    if len(options) > 1:
        choices = joined("; ", (describe(supply.code) for supply in supplies))
        note = worded("The record does not identify the product. Choose the one used: {choices}.", choices=choices)
        return (note, *waste)
    return (*(_supply_note(supply) for supply in supplies), *waste)


def _supply_note(supply: Supply) -> str:
    return worded("{code}: {reason}.", code=supply.code, reason=supply.reason)


def fixes_with_supplies(changes: Iterable[AddLine], choices: tuple[tuple[AddLine, ...], ...]) -> list[Fix]:
    """One fix per choice of supply, each starting with the given changes."""
    first = tuple(changes)
    return [
        Fix(worded("Add {lines}", lines=linked(map(_notation, (*first, *lines)))), first + lines)
        for lines in choices or ((),)
    ]


def _notation(line: AddLine) -> str:
    return notation(line.code, line.modifiers, None)


# --- discarded amounts ----------------------------------------------------------------------------------------------


def _with_discarded(
    lines: list[AddLine], study: Study, claim_line: Line | None, case: Case
) -> Iterator[tuple[AddLine, ...]]:
    """The supply with JZ if no billable amount was left; else with the discarded amount and, unless the record states
    it, without.
    """
    left = [reportable_leftover(line.code, study, claim_line, case) for line in lines]
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
    if not discarded or any(rest is not None and rest.least and rest.recorded_ml is None for rest in left):
        yield given


def waste_modifier_changes(line: Line, code: str, study: Study, case: Case) -> Iterator[AddModifier | RemoveModifier]:
    """Add JZ if no billable amount was left, and remove modifiers that contradict the record."""
    left = reportable_leftover(code, study, line, case)
    if left is None:
        return
    due = set() if left.least else {NOTHING_DISCARDED}
    yield from (
        RemoveModifier(line, each) for each in (DISCARDED, NOTHING_DISCARDED) if each in {*line.modifiers} - due
    )
    yield from (AddModifier(line, each) for each in sorted(due - set(line.modifiers)))


def discarded_line(line: Line, code: str, study: Study, case: Case) -> Iterator[AddLine]:
    """A separate line for the amount left in the vial that may have been discarded."""
    left = reportable_leftover(code, study, line, case)
    if left is not None and left.least:
        yield replace(add_code(study, case, code, left.least, line), modifiers=(DISCARDED,))


def waste_notes(code: str, study: Study, claim_line: Line | None, case: Case) -> Iterator[str]:
    """The vial size, the amount left and the condition for charging it."""
    left = reportable_leftover(code, study, claim_line, case)
    if left is None:
        return
    if left.recorded_ml is not None:
        yield _recorded_note(left.recorded_ml, left.least)
        return
    product = BY_SUPPLY_CODE[code]
    held = Quantity(product.vial_ml or Decimal(0), "mL")
    if product.vial_from_memory:
        vial = worded("One vial of {product} holds {amount} (from memory: verify)", product=product.name, amount=held)
    else:
        vial = worded("One vial of {product} holds {amount}", product=product.name, amount=held)
    if left.least:
        yield worded(
            "{vial}, so {left} were left in the opened vials. Charge them with JW on a separate line only if they were "
            "discarded and the record documents it.",
            vial=vial,
            left=Quantity(left.least, "mL"),
        )
    else:
        yield worded(
            "{vial}, so the rounded units cover the whole vial: no amount is left to charge with JW; report JZ.",
            vial=vial,
        )


def _recorded_note(recorded_ml: Decimal, left: Decimal) -> Worded:
    amount = Quantity(recorded_ml, "mL")
    if left:
        return worded(
            "The record states {amount} discarded: charge {units} with JW on a separate line.",
            amount=amount,
            units=left,
        )
    return worded(
        "The record states {amount} discarded, and the rounded units cover it: no amount is left to charge with JW; "
        "report JZ.",
        amount=amount,
    )


# --- hospital claims ------------------------------------------------------------------------------------------------


def hospital_alternative(study: Study, case: Case) -> ReplaceCode | AddLine | None:
    """The Medicare hospital alternative for a study whose claim type is unknown.

    At order time no charge exists to replace; the C code itself is planned.
    """
    if setting_of(study) == "professional" or not _payer_may_take_hospital_codes(study, case):
        return None
    for line in sorted(study.primaries, key=str):
        entry = CROSSWALK.on(line.code, study.day)
        if entry is not None and line.certain and line.open and not is_split(line):
            return ReplaceCode(line, entry.hospital_code)
    return (
        None if study.primaries or case.site.order_suggestions != "ChargeItem" else _planned_hospital_code(study, case)
    )


def _planned_hospital_code(study: Study, case: Case) -> AddLine | None:
    codes = [code for order in study.orders for code in codes_without_modifiers(order.concept.values(BILLING))]
    targets = [entry.hospital_code for code in codes if (entry := CROSSWALK.on(code, study.day))]
    return add_code(study, case, targets[0], Decimal(1)) if case.stage == "order" and targets else None


def _payer_may_take_hospital_codes(study: Study, case: Case) -> bool:
    """True if the payer takes C codes or may; payers other than Medicare only if the site file says so."""
    takes = takes_hospital_codes(case, study.lines)
    return payer_of(case, study.lines) != "other" if takes is None else takes


# --- claim types ----------------------------------------------------------------------------------------------------
