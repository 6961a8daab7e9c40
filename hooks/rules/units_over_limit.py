"""Rule: more units of a code in a day than Medicare pays."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.notation import plain
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, rule
from hooks.codes.tables import ADD_ONS, UNIT_LIMITS, BillSetting, UnitLimit
from hooks.coding.claims import (
    by_claim_type_and_component,
    charged,
    days_of_echo,
    is_submitted,
    is_supply_of_another,
    reviewed,
    settings_of,
    units_of,
)
from hooks.coding.contrast import procedure_codes, supplies_due
from hooks.coding.fixes import keep_units
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.practitioners import agrees
from hooks.coding.products import is_supply
from hooks.coding.studies import Study, study_of

MEANING = {
    2: "The limit is absolute (MAI 2): more units in a day are denied, whatever the record shows.",
    3: "The limit is per day (MAI 3): more may be paid on appeal, where the record shows that they were needed.",
}


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(UNIT_LIMITS,),
    sources=(UNIT_LIMITS.sources["mue-practitioner"], UNIT_LIMITS.sources["mue-hospital"]),
    override_reasons=WRONG_CHARGE,
)
def units_over_limit(case: Case) -> Iterator[Finding | Undecided]:
    """More units of a code are charged for a day than Medicare pays (medically unlikely edit).

    Why:
        For each code Medicare sets the most units that one practitioner or hospital is paid for one patient and day.
        Above it the units are denied, and often the whole line.

    Flags:
        The units of all lines of one code and day, those for discarded drug (JW) included, exceed the limit for that
        kind of claim; where the kind is not known, the larger limit of the two.

    Passes:
        Units up to the limit; the two components of one study (26 and TC); units of two practitioners; an add-on
        repeated within one study, and a discontinued drug (rules of their own).
    """
    lines = reviewed(case)
    days = days_of_echo(lines)
    counted = [line for line in lines if _is_our_matter(line, days) and not is_supply_of_another(line)]
    for alike in by_claim_type_and_component(counted):
        by_code_and_day = grouped(alike, lambda line: (line.code, line.day))
        for key in sorted(by_code_and_day, key=str):
            same = by_code_and_day[key]
            if _may_exceed(same) and is_submitted(same, case) and not _belongs_to_one_study(same, case):
                yield from _verdict(_most_by_one_practitioner(same), case)


def _is_our_matter(line: Line, days: frozenset[date | None]) -> bool:
    return line.code in UNIT_LIMITS and (is_supply(line.code) or line.day in days)


def _may_exceed(lines: list[Line]) -> bool:
    """Whether the units exceed the least limit of any time and kind of claim: if not, as hardly ever, all is well."""
    least = min((limit.units for limit in UNIT_LIMITS.history(lines[0].code) if limit.units), default=None)
    return least is not None and sum(map(units_of, lines)) > least


def _belongs_to_one_study(lines: list[Line], case: Case) -> bool:
    """Whether an add-on that is charged once per study was repeated within one: a fault of its own."""
    if not any(entry.once_per_study for entry in ADD_ONS.history(lines[0].code)):
        return False
    study = _study_of_all(lines, case)
    return study is not None and study.under_review


def _study_of_all(lines: list[Line], case: Case) -> Study | None:
    """The one study to which all the lines belong."""
    found = {study_of(line, case) for line in lines}
    return found.pop() if len(found) == 1 else None


# --- counting -------------------------------------------------------------------------------------------------------


def _most_by_one_practitioner(lines: list[Line]) -> list[Line]:
    people = {line.performers for line in lines if line.performers} or {frozenset()}
    groups = [[line for line in lines if agrees(line.performers, each)] for each in sorted(people, key=sorted)]
    return max(groups, key=_total)


def _total(lines: Iterable[Line]) -> Decimal:
    """The units of a day; 26 and TC of one study are its two halves and count as one."""
    split = {"26": Decimal(0), "TC": Decimal(0), "": Decimal(0)}
    for line in lines:
        part = next((modifier for modifier in ("26", "TC") if modifier in line.modifiers), "")
        split[part] += units_of(line)
    return split[""] + max(split["26"], split["TC"])


# --- the limit ------------------------------------------------------------------------------------------------------


def _verdict(lines: list[Line], case: Case) -> Iterator[Finding | Undecided]:
    code, day, total = lines[0].code, lines[0].day, _total(lines)
    settings = [setting for setting in settings_of(lines[0]) if all(setting in settings_of(line) for line in lines)]
    limits = [_limit(code, day, setting) for setting in settings]
    known = [limit for limit in limits if limit is not None]
    limit = max(known, key=lambda each: each.units, default=None)
    if limit is None or total <= limit.units or limit.units == 0:
        return
    if day is None:
        yield Undecided(
            "claim", f"the date of service of {code} is not stated, and its limit is per day", charged(lines)
        )
    elif len(known) < len(limits) or not all(each.in_force(day) for each in known):
        yield Undecided(
            "table", f"the unit limits do not reach this date of service and kind of claim for {code}", charged(lines)
        )
    else:
        yield _finding(lines, total, limit, len(settings) > 1, case)


def _limit(code: str, day: date | None, setting: BillSetting) -> UnitLimit | None:
    """The limit in force; before the first one that is known, that one."""
    limits = [entry for entry in UNIT_LIMITS.history(code) if entry.setting == setting]
    later = [entry for entry in limits if day is None or (entry.first and entry.first > day)]
    return next((entry for entry in limits if entry.in_force(day)), None) or next(iter(later), None)


def _finding(lines: list[Line], total: Decimal, limit: UnitLimit, setting_open: bool, case: Case) -> Finding:
    certain = all(line.certain for line in lines)
    notes = [MEANING[limit.mai]]
    if setting_open:
        notes.append("On which kind of claim this goes out is not known; the larger limit of the two was taken.")
    return Finding(
        summary=f"{plain(total)} units of {limit.code} on one day: Medicare pays at most {plain(limit.units)}.",
        evidence=charged(lines),
        fixes=tuple(_remedies(lines, limit, case)) if certain else (),
        notes=tuple(notes),
        day=lines[0].day,
        indicator=None if certain else INFO,
    )


def _remedies(lines: list[Line], limit: UnitLimit, case: Case) -> Iterator[Fix]:
    """Only what the record supports: the units of the dose given, or of the procedures done."""
    study = _study_of_all(lines, case)
    units = _units_shown(limit.code, study, case) if study else None
    if units is None or not 0 < units <= limit.units or _are_of_several_kinds(lines):
        return
    changes = keep_units(lines, units)
    if changes:
        yield Fix(f"Set {limit.code} to {plain(units)}, as the record shows", changes, recommended=True)


def _are_of_several_kinds(lines: list[Line]) -> bool:
    """Lines that differ in their modifiers, or charge what was discarded, cannot be cut down without more knowledge."""
    return len({line.modifiers for line in lines}) > 1 or any("JW" in line.modifiers for line in lines)


def _units_shown(code: str, study: Study, case: Case) -> Decimal | None:
    """The units that the record of a study shows, None where it does not say."""
    if is_supply(code):
        options = supplies_due(study, case) if study.administrations else ()
        decided = options[0] if len(options) == 1 else ()
        return next((supply.units for supply in decided if supply.code == code), None)
    done = [procedure for each, procedure in procedure_codes(study) if each == code]
    return Decimal(len(done)) if done and "procedures" in case.complete else None
