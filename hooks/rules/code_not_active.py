"""Rule: a code outside its effective dates, or a discontinued drug."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, counted, worded
from hooks.codes.tables import CODES, UNIT_LIMITS, CodeEntry
from hooks.coding.claims import charge_evidence, claims, days_checked, is_submitted
from hooks.coding.fixes import describe
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, number_of_codes
from hooks.coding.products import is_supply, name_of
from hooks.coding.published import InForce, Unknown, level_ii_dates
from hooks.coding.questions import not_in_tables
from hooks.coding.studies import study_of
from hooks.coding.supplies import agents_of, is_discontinued, is_off_market, is_valid_supply, zero_limits

# Modifiers of codes charged per mL; A9700, charged per study, takes neither.
WASTE = ("JW", "JZ")


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(CODES, UNIT_LIMITS),
    sources=(CODES.sources["hcpcs"], CODES.sources["ncci-add-ons"], UNIT_LIMITS.sources["mue-hospital"]),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no code with known dates is under review"),
    every_code=True,
)
def code_not_active(case: Case) -> Iterator[Verdict]:
    """A code is charged outside its effective dates, or for a discontinued drug.

    Why:
        A code is paid only for dates of service from its first through its last date. Q9955 was never ended, but its
        drug (Imagent) is discontinued, so Medicare allows no units of it.

    Flags:
        A code outside its dates; Q9955 once Medicare's unit limit for it is 0. If the code's predecessor is known, the
        card offers it instead.

    Passes:
        Codes within their dates; codes that are not in the tables.
    """
    days = days_checked(case)
    in_effect: dict[date | None, list[Line]] = {}
    for claim in claims(case):
        by_code = grouped(claim, lambda line: (line.code, line.day))
        for code, day in sorted(by_code, key=str):
            lines = by_code[code, day]
            if not is_submitted(lines, case) or not (is_supply(code) or day in days):
                continue
            dates = level_ii_dates(code, day, case)
            verdicts = list(_verdict(lines, dates, claim, case) if code in CODES else _by_release(lines, dates))
            yield from verdicts
            if not verdicts and (code in CODES or dates is not None):
                in_effect.setdefault(day, []).extend(lines)
    for day, lines in in_effect.items():
        yield Passed(_in_effect, day, lines)


def _in_effect(day: date | None, lines: list[Line]) -> Because:
    number, codes = number_of_codes(lines), codes_of(lines)
    if day is None:
        text = counted(
            "{codes} is in effect; no date of service is stated",
            "{codes} are in effect; no date of service is stated",
            number,
            codes=codes,
        )
    else:
        text = counted("{codes} is in effect on {day}", "{codes} are in effect on {day}", number, codes=codes, day=day)
    return because_of(text, lines)


def _verdict(
    lines: list[Line], loaded: InForce | Unknown | None, claim: tuple[Line, ...], case: Case
) -> Iterator[Finding | Undecided]:
    """The verdict on a code of our own tables; a loaded release of the day answers before them."""
    code, day = lines[0].code, lines[0].day
    entry = CODES.on(code, day)
    if isinstance(loaded, InForce) and not loaded.on_day and entry is not None:
        yield from _by_release(lines, loaded)
    elif entry is None and not (isinstance(loaded, InForce) and loaded.on_day):
        yield _outside_dates(lines, claim, case)
    elif entry is None:
        return
    elif entry.temporary and day is not None and entry.verified_through and day > entry.verified_through:
        yield Undecided(
            "table",
            worded(
                "{code} is a temporary code, verified through {day}: verify that it is still active",
                code=code,
                day=entry.verified_through,
            ),
            charge_evidence(lines),
        )
    elif is_off_market(code, day):
        yield _discontinued(code, lines, claim)
    elif is_discontinued(code):
        yield Undecided(
            "table",
            worded("{product} is discontinued; it is unknown if it was sold on this date", product=name_of(code)),
            charge_evidence(lines),
        )


def _by_release(lines: list[Line], dates: InForce | Unknown | None) -> Iterator[Finding | Undecided]:
    """The verdict on a code by its dates in a loaded release."""
    code, certain = lines[0].code, all(line.certain for line in lines)
    if isinstance(dates, Unknown):
        yield not_in_tables(dates.reason, lines)
    elif dates is not None and not dates.on_day:
        yield Finding(
            summary=_not_in_effect(code),
            evidence=charge_evidence(lines),
            notes=(worded("{code}: {dates}.", code=code, dates=_dates(dates)),),
            day=lines[0].day,
            indicator=None if certain else INFO,
            sources=(dates.source,),
        )


# --- outside effective dates ----------------------------------------------------------------------------------------


def _outside_dates(lines: list[Line], claim: tuple[Line, ...], case: Case) -> Finding:
    code, day = lines[0].code, lines[0].day
    entry = _nearest(code, day)
    certain = all(line.certain for line in lines)
    before = entry.before if _is_before(entry, day) else None
    fixable = before and certain and all(line.open for line in lines)
    return Finding(
        summary=_before_its_time(code, before) if before else _not_in_effect(code),
        evidence=charge_evidence(lines),
        fixes=tuple(_earlier_code(before, lines, claim, case)) if before and fixable else (),
        notes=(worded("{code}: {dates}.", code=describe(code), dates=_dates(entry)),),
        day=day,
        indicator=None if certain else INFO,
        sources=(CODES.source(entry),),
    )


def _nearest(code: str, day: date | None) -> CodeEntry:
    """The next entry after the day, else the last entry."""
    history = CODES.history(code)
    return next((entry for entry in history if _is_before(entry, day)), history[-1])


def _is_before(entry: CodeEntry, day: date | None) -> bool:
    return entry.first is not None and day is not None and day < entry.first


def _not_in_effect(code: str) -> Worded:
    return worded("{code} is not in effect on this date of service: charge a code in effect, or remove it.", code=code)


def _before_its_time(code: str, before: str) -> Worded:
    return worded("{code} is not in effect on this date of service: {before} was.", code=code, before=before)


def _dates(entry: CodeEntry | InForce) -> Worded:
    if entry.first and entry.last:
        return worded("in effect from {first} to {last}", first=entry.first, last=entry.last)
    if entry.first:
        return worded("in effect from {first}", first=entry.first)
    return worded("in effect to {last}", last=entry.last) if entry.last else worded("in effect")


def _earlier_code(code: str, lines: list[Line], claim: tuple[Line, ...], case: Case) -> Iterator[Fix]:
    """One unit of the predecessor, which was charged per study, unless another product was given."""
    line, *others = sorted(lines, key=str)
    removals: list[Change] = [RemoveLine(other) for other in others]
    others_charged = {
        each.code for each in claim if each.day == line.day and is_supply(each.code) and is_valid_supply(each)
    }
    if code in others_charged:
        yield Fix(worded("Remove {codes}", codes=line.code), (RemoveLine(line), *removals), recommended=True)
    elif not others_charged and _agent_allows(code, line, case):
        changes: list[Change] = [RemoveModifier(line, each) for each in line.modifiers if each in WASTE]
        changes += [ReplaceCode(line, code), SetUnits(replace(line, code=code), Decimal(1)), *removals]
        yield Fix(worded("Replace {old} by {new}", old=line.code, new=code), tuple(changes))


def _agent_allows(code: str, line: Line, case: Case) -> bool:
    """True if the record shows no agent, or one that the code may stand for."""
    study = study_of(line, case)
    agents = agents_of(study, (), case) if study else None
    return agents is None or not agents.on_record or code in agents.due | agents.possible


# --- discontinued ---------------------------------------------------------------------------------------------------


def _discontinued(code: str, lines: list[Line], claim: tuple[Line, ...]) -> Finding:
    """No replacement is offered; the line is removed if another code already charges the agent."""
    certain = all(line.certain for line in lines)
    others = [each for each in claim if each.day == lines[0].day and is_supply(each.code) and is_valid_supply(each)]
    fix = Fix(worded("Remove {codes}", codes=code), tuple(RemoveLine(line) for line in lines))
    return Finding(
        summary=worded("{code} is for a discontinued drug: charge the product that was used.", code=code),
        evidence=charge_evidence([*lines, *others]),
        fixes=(fix,) if others and certain and all(line.open for line in lines) else (),
        notes=(
            worded("Medicare allows no units of {code}. The record must show the product that was given.", code=code),
        ),
        day=lines[0].day,
        indicator=None if certain else INFO,
        sources=tuple(dict.fromkeys(UNIT_LIMITS.source(limit) for limit in zero_limits(code, lines[0].day))),
    )
