"""Rule: JW and JZ, which tell Medicare what became of the rest of a single-dose vial."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddModifier, Change, RemoveLine, RemoveModifier
from cds_service.core.notation import plain
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.tables import MODIFIERS, OPPS, PRODUCTS
from hooks.coding.contrast import contrast_in, documented_units, given_of
from hooks.coding.fixes import add_discarded, by_claim_type, waste_notes
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import UNSPECIFIED
from hooks.coding.studies import Study, studies
from hooks.coding.waste import DISCARDED, NOTHING_DISCARDED, has_product_code, is_asked_for, leftover_of, payment_of

BOTH = frozenset({DISCARDED, NOTHING_DISCARDED})


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(MODIFIERS, PRODUCTS, OPPS),
    sources=(MODIFIERS.sources["noridian-jz"], OPPS.sources["opps"]),
    override_reasons=WRONG_CHARGE,
)
def supply_waste_modifier(case: Case) -> Iterator[Finding | Undecided]:
    """JW or JZ is missing on a supply line, or stands where it does not belong.

    Why:
        Medicare Part B pays a practice for the agent, which comes in single-dose vials, and asks on every line what
        became of the rest: JW on a line of its own for what was discarded, JZ where nothing was discarded that could be
        charged. Where the units given, rounded up, cover the vial, JW is not allowed and the line carries JZ.

    Flags:
        A practice's Medicare claim from 2023-07-01 whose supply line carries neither and stands beside no line with JW;
        both on one line; JW where nothing was left; either on a hospital's claim, where the agent is packaged, or with
        A9700, which is charged by the study.

    Passes:
        One of the two on every line, or the given amount beside a line with JW; another payer; a facility's place of
        service; before 2023-07-01.
    """
    for study in studies(case):
        if study.under_review and contrast_in(study, case).given not in {"no", "contradicted"}:
            for code in sorted({line.code for line in study.supplies if line.under_review}):
                for lines in by_claim_type(line for line in study.charged(code) if line.under_review):
                    yield from _verdict(lines, study, case)
            loose = [
                each for each in study.unsure if isinstance(each, Line) and has_product_code(each) and each.under_review
            ]
            for line in loose:
                if payment_of(line, study, case) in {"separate", "unknown"} and is_asked_for(line.day or study.day):
                    yield Undecided(
                        "studies",
                        "the supply belongs to one of several echo studies of the day",
                        (Evidence("charged", line),),
                    )


def _verdict(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Finding | Undecided]:
    payment = payment_of(lines[0], study, case)
    marked = tuple(line for line in lines if BOTH & set(line.modifiers))
    day = lines[0].day or study.day
    if payment == "packaged" or (payment == "separate" and lines[0].code == UNSPECIFIED):
        if marked:
            yield _needless(lines, marked, study)
    elif payment == "separate" and _has_quantity(lines, study):
        yield from _asked(lines, study, case)
    elif payment == "separate" or (payment == "unknown" and has_product_code(lines[0]) and is_asked_for(day)):
        yield Undecided("claim", _why_not(payment), tuple(Evidence(f"{line} is charged", line) for line in lines))


def _why_not(payment: str) -> str:
    if payment == "separate":
        return "the units are still to be entered, and JW or JZ follows from them"
    return "JW or JZ is asked for on a practice's own claim to Medicare; whether this is one is not known"


def _has_quantity(lines: tuple[Line, ...], study: Study) -> bool:
    return any(line.units is not None for line in lines) or documented_units(lines[0].code, study).units is not None


# --- where neither belongs ------------------------------------------------------------------------------------------


def _needless(lines: tuple[Line, ...], marked: tuple[Line, ...], study: Study) -> Finding:
    code = marked[0].code
    has_given = any(DISCARDED not in line.modifiers for line in lines)
    changes: list[Change] = []
    for line in marked:
        if DISCARDED in line.modifiers and has_given:
            changes.append(RemoveLine(line))
        else:
            changes += [RemoveModifier(line, each) for each in sorted(BOTH & set(line.modifiers))]
    why = "is charged by the study" if code == UNSPECIFIED else "is packaged into the payment"
    return Finding(
        summary=f"{code} {why}, so it takes neither JW nor JZ.",
        evidence=tuple(Evidence(f"{line} is charged", line) for line in marked),
        fixes=_remedy(changes, marked, recommended=False),
        day=study.day,
        indicator=INFO,
    )


# --- where one of the two is asked for ------------------------------------------------------------------------------


def _asked(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Finding]:
    given = tuple(line for line in lines if DISCARDED not in line.modifiers)
    both = tuple(line for line in lines if set(line.modifiers) >= BOTH)
    discarded = tuple(line for line in lines if DISCARDED in line.modifiers and line not in both)
    left = leftover_of(lines[0].code, study)
    if both:
        yield _contradiction(both, study, case)
    elif given and discarded and left is not None and not left.most:
        yield _nothing_left(given, discarded, study, case)
    elif not discarded and is_asked_for(lines[0].day or study.day):
        bare = tuple(line for line in given if NOTHING_DISCARDED not in line.modifiers)
        if bare:
            yield _missing(bare, study, case)


def _contradiction(both: tuple[Line, ...], study: Study, case: Case) -> Finding:
    left = leftover_of(both[0].code, study)
    decided = left is not None and not left.least
    changes: list[Change] = [RemoveModifier(line, DISCARDED) for line in both] if decided else []
    return _finding(f"{both[0].code} carries both JW and JZ, which exclude each other.", both, study, case, changes)


def _nothing_left(given: tuple[Line, ...], discarded: tuple[Line, ...], study: Study, case: Case) -> Finding:
    changes: list[Change] = [RemoveLine(line) for line in discarded]
    changes += [AddModifier(line, NOTHING_DISCARDED) for line in given if NOTHING_DISCARDED not in line.modifiers]
    summary = f"{discarded[0].code}: the units given cover the whole vial, so JW is not allowed; the line carries JZ."
    return _finding(summary, (*given, *discarded), study, case, changes)


def _missing(bare: tuple[Line, ...], study: Study, case: Case) -> Finding:
    code, left = bare[0].code, leftover_of(bare[0].code, study)
    changes: list[Change] = []
    if left is not None and left.least:
        changes += add_discarded(bare[0], code, study, case)
    elif left is not None:
        changes += [AddModifier(line, NOTHING_DISCARDED) for line in bare]
    tail = "add JZ" if left is not None and not left.least else "JW for what was discarded, or JZ if nothing was"
    return _finding(f"Medicare asks for JW or JZ on {code}: {tail}.", bare, study, case, changes)


def _finding(summary: str, lines: tuple[Line, ...], study: Study, case: Case, changes: list[Change]) -> Finding:
    code = lines[0].code
    decided = all(isinstance(change, AddModifier | RemoveModifier | RemoveLine) for change in changes)
    return Finding(
        summary=summary,
        evidence=(
            *(Evidence(f"{line} is charged", line) for line in lines),
            *(Evidence(f"{plain(each.ml)} mL given", each) for each in given_of(code, study) if each.ml is not None),
        ),
        fixes=_remedy(changes, lines, recommended=decided),
        notes=(*waste_notes(code, study, lines[0], case), *_refused(lines[0], study)),
        day=study.day,
        indicator=None if all(line.certain for line in lines) else INFO,
    )


def _refused(line: Line, study: Study) -> Iterator[str]:
    day = line.day or study.day
    entry = MODIFIERS.on(NOTHING_DISCARDED, day)
    if entry and day and day >= entry.refused_from:
        yield f"From dates of service {entry.refused_from.isoformat()} a claim with neither is unprocessable."


def _remedy(changes: list[Change], lines: tuple[Line, ...], *, recommended: bool) -> tuple[Fix, ...]:
    if not changes or not all(line.certain and line.open for line in lines):
        return ()
    label = ", ".join(str(change) for change in changes)
    if not recommended and not all(isinstance(change, RemoveModifier | RemoveLine) for change in changes):
        label += ": only if it was discarded and is documented"
    return (Fix(label[:1].upper() + label[1:], tuple(changes), recommended),)
