"""Rule: a code that is not in force on the date of service, or a drug that is no longer sold."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, rule
from hooks.codes.tables import CODES, UNIT_LIMITS, CodeEntry
from hooks.coding.claims import charged, claims, days_under_charge, is_submitted
from hooks.coding.fixes import in_words
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import is_supply, name_of
from hooks.coding.studies import study_of
from hooks.coding.supplies import agents_of, is_discontinued, is_gone, is_sound

# Modifiers of a code that is charged per mL; A9700, which is charged per study, takes neither.
WASTE = ("JW", "JZ")


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(CODES, UNIT_LIMITS),
    sources=(CODES.sources["hcpcs"], CODES.sources["ncci-add-ons"], UNIT_LIMITS.sources["mue-hospital"]),
    override_reasons=WRONG_CHARGE,
)
def code_not_active(case: Case) -> Iterator[Finding | Undecided]:
    """A code is charged for a date on which it is not in force, or for a drug that is no longer sold.

    Why:
        A code is paid for dates of service from its first to its last date only. Q9955 was never ended, but its drug
        (Imagent) is discontinued, so Medicare allows no unit of it.

    Flags:
        A code outside its dates; Q9955 since Medicare's limit for it is none. Where it is known what was charged before
        the code came, that is offered in its place.

    Passes:
        Codes within their dates; codes that are not in the table.
    """
    days = days_under_charge(case)
    for alike in claims(case):
        known = grouped((line for line in alike if line.code in CODES), lambda line: (line.code, line.day))
        for code, day in sorted(known, key=str):
            same = known[code, day]
            if is_submitted(same, case) and (is_supply(code) or day in days):
                yield from _verdict(same, alike, case)


def _verdict(lines: list[Line], bill: tuple[Line, ...], case: Case) -> Iterator[Finding | Undecided]:
    code, day = lines[0].code, lines[0].day
    entry = CODES.on(code, day)
    if entry is None:
        yield _outside(lines, bill, case)
    elif entry.temporary and day is not None and day > entry.verified_through:
        yield Undecided(
            "table",
            f"{code} is a temporary code, verified through {entry.verified_through.isoformat()}: verify that it still "
            "holds",
            charged(lines),
        )
    elif is_gone(code, day):
        yield _discontinued(code, lines, bill)
    elif is_discontinued(code):
        yield Undecided(
            "table", f"since when {name_of(code)} is no longer sold is not known for this date", charged(lines)
        )


# --- outside its dates ----------------------------------------------------------------------------------------------


def _outside(lines: list[Line], bill: tuple[Line, ...], case: Case) -> Finding:
    code, day = lines[0].code, lines[0].day
    entry = _nearest(code, day)
    certain = all(line.certain for line in lines)
    before = entry.before if _is_before(entry, day) else None
    mendable = before and certain and all(line.open for line in lines)
    return Finding(
        summary=f"{code} is not in force on this date of service" + (f": {before} was." if before else "."),
        evidence=charged(lines),
        fixes=tuple(_earlier_code(before, lines, bill, case)) if before and mendable else (),
        notes=(f"{in_words(code)}: {_dates(entry)}.",),
        day=day,
        indicator=None if certain else INFO,
    )


def _nearest(code: str, day: date | None) -> CodeEntry:
    """The entry that is still to come, else the last one that was."""
    history = CODES.history(code)
    return next((entry for entry in history if _is_before(entry, day)), history[-1])


def _is_before(entry: CodeEntry, day: date | None) -> bool:
    return entry.first is not None and day is not None and day < entry.first


def _dates(entry: CodeEntry) -> str:
    first = f"in force from {entry.first.isoformat()}" if entry.first else "in force"
    return f"{first} to {entry.last.isoformat()}" if entry.last else first


def _earlier_code(code: str, lines: list[Line], bill: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    """One unit of the code of that time, which was charged per study, unless the agent was another product."""
    line, *others = sorted(lines, key=str)
    removals: list[Change] = [RemoveLine(other) for other in others]
    beside = {each.code for each in bill if each.day == line.day and is_supply(each.code) and is_sound(each)}
    if code in beside:
        yield Fix(f"Remove {line.code}", (RemoveLine(line), *removals), recommended=True)
    elif not beside and _may_be(code, line, case):
        changes: list[Change] = [RemoveModifier(line, each) for each in line.modifiers if each in WASTE]
        changes += [ReplaceCode(line, code), SetUnits(replace(line, code=code), Decimal(1)), *removals]
        yield Fix(f"Replace {line.code} by {code}", tuple(changes))


def _may_be(code: str, line: Line, case: Case) -> bool:
    """Whether the record leaves room for the code: it shows no agent, or one that the code stands for."""
    study = study_of(line, case)
    agents = agents_of(study, (), case) if study else None
    return agents is None or not agents.are_shown or code in agents.due | agents.open_to


# --- discontinued ---------------------------------------------------------------------------------------------------


def _discontinued(code: str, lines: list[Line], bill: tuple[Line, ...]) -> Finding:
    """Nothing takes its place, except that it goes where the agent is charged by another code already."""
    certain = all(line.certain for line in lines)
    others = [each for each in bill if each.day == lines[0].day and is_supply(each.code) and is_sound(each)]
    fix = Fix(f"Remove {code}", tuple(RemoveLine(line) for line in lines))
    return Finding(
        summary=f"{code} is charged, and its drug is discontinued: charge the product that was used.",
        evidence=charged([*lines, *others]),
        fixes=(fix,) if others and certain and all(line.open for line in lines) else (),
        notes=(f"Medicare allows no unit of {code} in a day. The record must show which product was given.",),
        day=lines[0].day,
        indicator=None if certain else INFO,
    )
