"""Rule: JW and JZ, which report the remainder of a single-dose vial to Medicare."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddModifier, Change, RemoveLine, RemoveModifier
from cds_service.core.rules import (
    INFO,
    WARNING,
    Because,
    Evidence,
    Finding,
    Fix,
    Passed,
    Question,
    Undecided,
    Verdict,
    rule,
)
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, joined, worded
from hooks.codes.tables import MODIFIERS, OPPS, PRODUCTS
from hooks.coding.claims import by_claim_type, charge_evidence
from hooks.coding.contrast import contrast_in, documented_units
from hooks.coding.fixes import discarded_line, named_fix, waste_notes
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, named
from hooks.coding.products import UNSPECIFIED
from hooks.coding.questions import WHERE, WHO_PAYS, how_much, product_of, was_any_discarded
from hooks.coding.setting_and_payer import is_professional_in_office, is_professional_only, payer_of
from hooks.coding.studies import Study, studies
from hooks.coding.waste import (
    BOTH,
    DISCARDED,
    NOTHING_DISCARDED,
    Payment,
    dose_evidence,
    has_product_code,
    leftover_of,
    payment_of,
    waste_modifier_is_required,
)


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(MODIFIERS, PRODUCTS, OPPS),
    sources=(MODIFIERS.sources["noridian-jz"], OPPS.sources["opps"]),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no contrast agent is under review"),
)
def supply_waste_modifier(case: Case) -> Iterator[Verdict]:
    """JW or JZ is missing on a supply line, or does not belong there.

    Why:
        Medicare Part B pays a practice for the agent, which comes in single-dose vials, and requires the discarded
        amount to be reported: JW on a separate line for the amount discarded, JZ if no billable amount was discarded.
        If the units given, rounded up, cover the vial, JW is not allowed and the line carries JZ.

    Flags:
        A practice's Medicare claim from 2023-07-01 with a supply line that carries neither and has no JW line with it;
        both on one line; JW if nothing was left; JZ if the record states a discarded amount; either on a hospital
        claim, where the agent is packaged, or on A9700, which is charged per study.

    Passes:
        One of the two on every line, or the amount given together with a JW line; another payer; a facility place of
        service; before 2023-07-01.
    """
    for study in studies(case):
        if not study.under_review:
            continue
        if contrast_in(study, case).given in {"no", "contradicted"}:
            if study.supplies:
                unsupported = worded("{codes} without an agent on record", codes=codes_of(study.supplies))
                yield Passed(left_to, "contrast-not-supported", unsupported, study.supplies)
        else:
            for code in sorted({line.code for line in study.supplies if line.under_review}):
                for lines in by_claim_type(line for line in study.lines_for(code) if line.under_review):
                    yield from _verdict(lines, study, case)
            ambiguous_lines = [
                each
                for each in study.ambiguous
                if isinstance(each, Line) and has_product_code(each) and each.under_review
            ]
            for line in ambiguous_lines:
                if payment_of(line, study, case) in {"separate", "unknown"} and waste_modifier_is_required(
                    line.day or study.day
                ):
                    reason = worded("the supply may belong to one of several echo studies of the day")
                    yield Undecided("studies", reason, (Evidence(worded("charged"), line),))


def _verdict(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Verdict]:
    payment = payment_of(lines[0], study, case)
    marked = tuple(line for line in lines if BOTH & set(line.modifiers))
    day = lines[0].day or study.day
    if payment == "packaged" or (payment == "separate" and lines[0].code == UNSPECIFIED):
        yield _not_allowed(lines, marked, study) if marked else Passed(_neither, lines, payment)
    elif payment == "separate" and _has_quantity(lines, study):
        yield from _check_required(lines, study, case)
    elif payment == "separate" or (
        payment == "unknown" and has_product_code(lines[0]) and waste_modifier_is_required(day)
    ):
        reason, question = _open_question(lines[0], payment, case)
        yield Undecided("claim", reason, charge_evidence(lines), question)
    else:
        yield Passed(_not_required, lines, day)


_REQUIRED = worded(
    "JW or JZ is required on a practice's own Medicare claim, and on a critical access hospital's (secondary source)"
)


def _open_question(line: Line, payment: Payment, case: Case) -> tuple[Worded, Question | None]:
    """The reason, and the question for what is missing first: the units, the setting, the payer."""
    if payment == "separate":
        reason = worded("the units are not entered yet; they decide between JW and JZ")
        return reason, how_much(product_of(line.code)) if has_product_code(line) else None
    if line.claim_type == "institutional" and payer_of(case, [line]) != "unknown":
        return worded("{required}; how this hospital is paid is unknown", required=_REQUIRED), None
    if line.claim_type != "institutional" and not is_professional_in_office(line):
        return worded("{required}; the setting of this claim is unknown", required=_REQUIRED), WHERE
    return worded("{required}; whether the payer of this claim requires it is unknown", required=_REQUIRED), WHO_PAYS


def _neither(lines: tuple[Line, ...], payment: Payment) -> Because:
    if payment == "packaged":
        text = worded(
            "{lines} is packaged into the hospital payment and carries neither JW nor JZ", lines=_named(lines)
        )
    else:
        text = worded("{lines} is charged per study and carries neither JW nor JZ", lines=_named(lines))
    return because_of(text, lines)


def _named(lines: Iterable[Line]) -> str:
    return named(map(str, lines))


def _not_required(lines: tuple[Line, ...], day: date | None) -> Because:
    codes = codes_of(lines)
    if not waste_modifier_is_required(day) and day is not None:
        return because_of(worded("neither JW nor JZ is required on {day}", day=day), lines)
    if is_professional_only(lines[0]):
        return because_of(worded("{codes} of a facility is not paid on a professional claim", codes=codes), lines)
    if not has_product_code(lines[0]):
        return because_of(worded("{codes} is charged per study and needs neither JW nor JZ", codes=codes), lines)
    if day is None:
        return because_of(worded("no date of service of {codes} requires JW or JZ", codes=codes), lines)
    return because_of(worded("the payer of {codes} does not require JW or JZ", codes=codes), lines)


def _has_quantity(lines: tuple[Line, ...], study: Study) -> bool:
    return any(line.units is not None for line in lines) or documented_units(lines[0].code, study).units is not None


# --- modifiers not allowed ------------------------------------------------------------------------------------------


def _not_allowed(lines: tuple[Line, ...], marked: tuple[Line, ...], study: Study) -> Finding:
    code = marked[0].code
    has_given = any(DISCARDED not in line.modifiers for line in lines)
    changes: list[Change] = []
    for line in marked:
        if DISCARDED in line.modifiers and has_given:
            changes.append(RemoveLine(line))
        else:
            changes += [RemoveModifier(line, each) for each in sorted(BOTH & set(line.modifiers))]
    if code == UNSPECIFIED:
        summary = worded(
            "{code} is charged per study, so it takes neither JW nor JZ: remove the modifier.",
            code=code,
        )
    else:
        summary = worded(
            "{code} is packaged into the hospital payment, so it takes neither JW nor JZ: remove the modifier.",
            code=code,
        )
    return Finding(
        summary=summary,
        evidence=charge_evidence(marked),
        fixes=_fixes(changes, marked, recommended=False),
        day=study.day,
        indicator=INFO,
    )


# --- modifiers required ---------------------------------------------------------------------------------------------


def _check_required(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Finding | Passed]:
    given = tuple(line for line in lines if DISCARDED not in line.modifiers)
    contradictory = tuple(line for line in lines if set(line.modifiers) >= BOTH)
    discarded = tuple(line for line in lines if DISCARDED in line.modifiers and line not in contradictory)
    unwasted = tuple(line for line in given if NOTHING_DISCARDED in line.modifiers)
    left = leftover_of(lines[0].code, study)
    if contradictory:
        yield _contradiction(contradictory, study, case)
    elif given and discarded and left is not None and not left.most:
        yield _nothing_left(given, discarded, study, case)
    elif unwasted and discarded and left is not None and left.recorded_ml is not None:
        yield _beside_discarded(unwasted, discarded, study, case)
    elif not waste_modifier_is_required(lines[0].day or study.day):
        yield Passed(_not_required, lines, lines[0].day or study.day)
    elif not discarded and (unmarked := tuple(line for line in given if NOTHING_DISCARDED not in line.modifiers)):
        yield _missing(unmarked, study, case)
    elif not discarded and left is not None and left.least and left.recorded_ml is not None:
        yield _unreported(given, left.recorded_ml, study, case)
    else:
        yield Passed(_reported, lines)


def _reported(lines: tuple[Line, ...]) -> Because:
    discarded = [line for line in lines if DISCARDED in line.modifiers]
    if discarded:
        return because_of(worded("the amount discarded is charged with {lines}", lines=_named(discarded)), lines)
    return because_of(worded("nothing was discarded, by {lines}", lines=_named(lines)), lines)


def _contradiction(contradictory: tuple[Line, ...], study: Study, case: Case) -> Finding:
    left = leftover_of(contradictory[0].code, study)
    decided = left is not None and not left.least
    changes: list[Change] = [RemoveModifier(line, DISCARDED) for line in contradictory] if decided else []
    return _finding(_carries_both(contradictory), contradictory, study, case, changes)


def _carries_both(lines: tuple[Line, ...]) -> Worded:
    return worded("{code} carries both JW and JZ: only one of them is allowed.", code=lines[0].code)


def _beside_discarded(unwasted: tuple[Line, ...], discarded: tuple[Line, ...], study: Study, case: Case) -> Finding:
    """JZ on the amount given, beside a line for the amount that the record states as discarded."""
    lines = (*unwasted, *discarded)
    changes: list[Change] = [RemoveModifier(line, NOTHING_DISCARDED) for line in unwasted]
    return _finding(_carries_both(lines), lines, study, case, changes)


def _unreported(given: tuple[Line, ...], recorded_ml: Decimal, study: Study, case: Case) -> Finding:
    """JZ on every line, although the record states a discarded amount of whole units."""
    changes: list[Change] = [RemoveModifier(line, NOTHING_DISCARDED) for line in given]
    changes += discarded_line(given[0], given[0].code, study, case)
    summary = worded(
        "{code} carries JZ, but the record states {amount} discarded: charge it with JW.",
        code=given[0].code,
        amount=Quantity(recorded_ml, "mL"),
    )
    return _finding(summary, given, study, case, changes)


def _nothing_left(given: tuple[Line, ...], discarded: tuple[Line, ...], study: Study, case: Case) -> Finding:
    code, left = discarded[0].code, leftover_of(discarded[0].code, study)
    changes: list[Change] = [RemoveLine(line) for line in discarded]
    if not waste_modifier_is_required(discarded[0].day or study.day):
        summary = worded("{code}: no amount was left that could be charged, so JW is not allowed.", code=code)
        return _finding(summary, (*given, *discarded), study, case, changes)
    changes += [AddModifier(line, NOTHING_DISCARDED) for line in given if NOTHING_DISCARDED not in line.modifiers]
    if left is not None and left.recorded_ml is not None:
        summary = worded(
            "{code}: the record states {amount} discarded, which leaves no unit to charge, so JW is not allowed; "
            "report JZ.",
            code=code,
            amount=Quantity(left.recorded_ml, "mL"),
        )
    else:
        summary = worded("{code}: the units given cover the whole vial, so JW is not allowed; report JZ.", code=code)
    return _finding(summary, (*given, *discarded), study, case, changes)


def _missing(unmarked: tuple[Line, ...], study: Study, case: Case) -> Finding:
    code, left = unmarked[0].code, leftover_of(unmarked[0].code, study)
    changes: list[Change] = []
    if left is not None and left.least:
        changes += discarded_line(unmarked[0], code, study, case)
    elif left is not None:
        changes += [AddModifier(line, NOTHING_DISCARDED) for line in unmarked]
    if left is not None and not left.least:
        summary = worded("Medicare requires JW or JZ on {code}: add JZ.", code=code)
        return _finding(summary, unmarked, study, case, changes)
    if left is not None and left.recorded_ml is not None:
        summary = worded(
            "Medicare requires JW or JZ on {code}: add a line with JW for {amount} discarded.",
            code=code,
            amount=Quantity(left.recorded_ml, "mL"),
        )
        return _finding(summary, unmarked, study, case, changes)
    summary = worded("Medicare requires JW or JZ on {code}: add JW for a discarded amount, or JZ if none.", code=code)
    question = was_any_discarded(unmarked, left.least if left else None, case)
    return replace(_finding(summary, unmarked, study, case, changes), question=question)


def _finding(summary: Worded, lines: tuple[Line, ...], study: Study, case: Case, changes: list[Change]) -> Finding:
    code = lines[0].code
    left = leftover_of(code, study)
    decided = (left is not None and left.recorded_ml is not None) or all(
        isinstance(change, AddModifier | RemoveModifier | RemoveLine) for change in changes
    )
    return Finding(
        summary=summary,
        evidence=(*charge_evidence(lines), *dose_evidence(code, study)),
        fixes=_fixes(changes, lines, recommended=decided),
        notes=(*waste_notes(code, study, lines[0], case), *_unprocessable_note(lines[0], study)),
        day=study.day,
        indicator=None if all(line.certain for line in lines) else INFO,
    )


def _unprocessable_note(line: Line, study: Study) -> Iterator[Worded]:
    day = line.day or study.day
    entry = MODIFIERS.on(NOTHING_DISCARDED, day)
    if entry and day and day >= entry.refused_from:
        yield worded(
            "From date of service {day}, claims with neither are returned as unprocessable.", day=entry.refused_from
        )


def _fixes(changes: list[Change], lines: tuple[Line, ...], *, recommended: bool) -> tuple[Fix, ...]:
    if not changes or not all(line.certain and line.open for line in lines):
        return ()
    only_removes = all(isinstance(change, RemoveModifier | RemoveLine) for change in changes)
    if recommended or only_removes:
        return (named_fix(changes, recommended=recommended),)
    remark = joined(", ", ("", worded("only if the amount was discarded and documented")))
    return (named_fix(changes, recommended=False, remark=remark),)
