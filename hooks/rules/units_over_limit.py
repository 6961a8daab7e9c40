"""Rule: more units of a code in a day than Medicare pays (MUE)."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from cds_service.cms.answers import LimitSetting
from cds_service.core.case import Case, Line
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, counted, worded
from hooks.codes.tables import ADD_ONS, UNIT_LIMITS
from hooks.coding.claims import (
    BOTH_SETTINGS,
    by_claim_type_and_component,
    charge_evidence,
    days_checked,
    is_facility_supply,
    is_submitted,
    may_be_several,
    reviewed_lines,
    settings_of,
    total_of_a_day,
    units_of_a_day,
)
from hooks.coding.contrast import supplies_due
from hooks.coding.fixes import keep_units
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, left_to
from hooks.coding.practitioners import ByPractitioner
from hooks.coding.products import is_supply
from hooks.coding.published import Limit, Unknown, is_of_echo, unit_limit
from hooks.coding.questions import WHEN, WHO_PAYS, not_in_tables
from hooks.coding.setting_and_payer import is_split, payer_of
from hooks.coding.studies import Study, procedure_codes, study_of
from hooks.coding.supplies import is_discontinued

MAI_NOTES = {
    1: worded("The limit is per line (MAI 1): a distinct service may be charged on another line with a modifier."),
    2: worded("The limit is absolute (MAI 2): additional units in a day are denied, whatever the record shows."),
    3: worded(
        "The limit is per day (MAI 3): additional units may be paid on appeal if the record shows medical necessity."
    ),
}

_ZERO_NOTES: dict[LimitSetting, Worded] = {
    "professional": worded(
        "A limit of 0: practitioners are never paid for the code; it may belong on the hospital's claim."
    ),
    "facility": worded(
        "A limit of 0: hospitals are never paid for the code; it may belong on the practitioner's claim."
    ),
    "dme": worded("A limit of 0: neither practitioners nor suppliers are ever paid for the code."),
}

# Codes of supplies and equipment: a professional claim with one may be a supplier's, who has limits of his own.
_SUPPLIERS = re.compile(r"[ABEKLV]\d{4}")
# Units of anesthesia are minutes or parts of an hour; the limit counts the service.
_ANESTHESIA = re.compile(r"0[01]\d{3}")
# A second surgeon, a team or an assistant charges the same code; each has the limit to himself.
_OTHER_SURGEONS = frozenset({"62", "66", "80", "81", "82", "AS"})


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(UNIT_LIMITS,),
    sources=tuple(UNIT_LIMITS.sources.values()),
    override_reasons=WRONG_CHARGE,
    if_none=worded("nothing whose unit limit this rule checks is charged"),
    every_code=True,
)
def units_over_limit(case: Case) -> Iterator[Verdict]:
    """More units of a code are charged for a day than Medicare's medically unlikely edit (MUE) allows.

    Why:
        The MUE is the maximum number of units of a code that Medicare pays one practitioner or hospital for one patient
        and day. Units above it are denied, often with the whole line. A limit of 0 means that none is paid.

    Flags:
        The units of all lines of one code and day, including JW lines for discarded drug, exceed the MUE for the claim
        type; if the claim type is unknown, the larger of the two limits.

    Passes:
        Units up to the limit; the two components of one study (26 and TC); units of two practitioners; an add-on
        repeated within one study (see add-on-repeated); a discontinued drug (see code-not-active). Of a period over
        several days, the units of one day. With every code of the claim checked: anesthesia, whose units are minutes;
        an assistant's or a second surgeon's line beside the surgeon's; a limit of 0 with another payer than Medicare.
    """
    days = days_checked(case)
    counted = [line for line in reviewed_lines(case) if _is_in_scope(line, days, case) and not is_facility_supply(line)]
    for claim in by_claim_type_and_component(counted):
        by_code_and_day = grouped(claim, lambda line: (line.code, line.day))
        for key in sorted(by_code_and_day, key=str):
            lines = by_code_and_day[key]
            if not _may_exceed(lines, case):
                yield Passed(_within_our_limits, lines)
            elif not is_submitted(lines, case):
                yield Passed(_not_under_review, lines)
            elif _belongs_to_one_study(lines, case):
                yield Passed(_of_one_study, lines)
            else:
                yield from _verdict(_most_by_one_practitioner(lines), case)


def _not_under_review(lines: list[Line]) -> Because:
    return because_of(worded("{code} is not under review", code=lines[0].code), lines)


def _of_one_study(lines: list[Line]) -> Because:
    if total_of_a_day(lines) > 1:
        return left_to("add-on-repeated", worded("{code} of one study", code=lines[0].code), lines)
    return because_of(_units_on(lines[0].day, total_of_a_day(lines), lines[0].code), lines)


def _units_on(day: date | None, units: Decimal, code: str) -> Worded:
    if day is None:
        return counted("{code}: {count} unit", "{code}: {count} units", units, code=code)
    return counted("{code}: {count} unit on {day}", "{code}: {count} units on {day}", units, code=code, day=day)


def _within_our_limits(lines: list[Line]) -> Because:
    return _within(lines, min((limit.units for limit in UNIT_LIMITS.history(lines[0].code)), default=None))


def _within(lines: list[Line], limit: Decimal | None) -> Because:
    """The units of a code on a day, and its limit: without one, as many as are charged are paid."""
    code, day = lines[0].code, lines[0].day
    if limit is None:
        return because_of(worded("{code} has no unit limit of Medicare", code=code), lines)
    return because_of(
        worded("{units}, at most {limit}", units=_units_on(day, total_of_a_day(lines), code), limit=limit), lines
    )


def _is_in_scope(line: Line, days: frozenset[date | None], case: Case) -> bool:
    is_asked = line.code in UNIT_LIMITS or (case.every_code and line.code and not _ANESTHESIA.fullmatch(line.code))
    return bool(is_asked) and (is_supply(line.code) or line.day in days)


def _may_exceed(lines: list[Line], case: Case) -> bool:
    """False, as for nearly all lines, if the units are within the lowest of our own limits, and no table is loaded."""
    if case.tables.releases:
        return True
    least = min((limit.units for limit in UNIT_LIMITS.history(lines[0].code)), default=None)
    return least is not None and sum(map(units_of_a_day, lines)) > least


def _belongs_to_one_study(lines: list[Line], case: Case) -> bool:
    """True if a once-per-study add-on was repeated within one study; `add-on-repeated` flags it."""
    if not any(entry.once_per_study for entry in ADD_ONS.history(lines[0].code)):
        return False
    study = _study_of_all(lines, case)
    return study is not None and study.under_review and not may_be_several(study)


def _study_of_all(lines: list[Line], case: Case) -> Study | None:
    """The one study that all the lines belong to, else None."""
    found = {study_of(line, case) for line in lines}
    return found.pop() if len(found) == 1 else None


# --- units charged --------------------------------------------------------------------------------------------------


def _most_by_one_practitioner(lines: list[Line]) -> list[Line]:
    if len(lines) == 1:
        return lines
    practitioners = sorted({line.performers for line in lines if line.performers} or {frozenset()}, key=sorted)
    by_share = grouped(lines, lambda line: _OTHER_SURGEONS & set(line.modifiers)).values()
    shares = [ByPractitioner(of_share, lambda line: line.performers) for of_share in by_share]
    every = (share.may_be_of(each) for each in practitioners for share in shares)
    groups = (group for found in every if (group := {id(line): line for line in found}))
    return list(max(groups, key=lambda group: total_of_a_day(group.values())).values())


# --- the limit ------------------------------------------------------------------------------------------------------


def _verdict(lines: list[Line], case: Case) -> Iterator[Verdict]:
    code, day, total = lines[0].code, lines[0].day, total_of_a_day(lines)
    settings = _settings(lines)
    of_settings = {setting: unit_limit(code, day, setting, case) for setting in settings}
    limits = [limit for setting, limit in of_settings.items() if limit is not None or setting != _SUPPLIER]
    known = [limit for limit in limits if isinstance(limit, Limit)]
    unknown = [limit for limit in limits if isinstance(limit, Unknown)]
    own = _other_days(code, settings) if unknown else []
    highest = max([*(limit.units for limit in known), *own], default=None)
    if is_discontinued(code):
        discontinued = worded("{code} is of a discontinued drug", code=code)
        yield Passed(left_to, "code-not-active", discontinued, tuple(lines))
        return
    if (highest is not None and total <= highest) or not limits or None in limits:
        yield Passed(_within, lines, None if None in limits else highest)
        return
    limit = max(known, key=lambda each: each.units, default=None)
    if unknown or limit is None:
        yield not_in_tables(unknown[0].reason, lines)
    elif day is None:
        reason = worded("the date of service of {code} is not stated, but its limit is per day", code=code)
        yield Undecided("claim", reason, charge_evidence(lines), WHEN)
    elif not limit.units and (verdict := _may_be_paid_by_others(lines, case)) is not None:
        yield from verdict
    else:
        over = [line for line in lines if units_of_a_day(line) > limit.units] if limit.mai == _PER_LINE else lines
        if over:
            yield _finding(over, total_of_a_day(over), limit, known, case)
        else:
            yield Passed(_each_within, lines, limit.units)


def _each_within(lines: list[Line], limit: Decimal) -> Because:
    return because_of(_most_of_a_line(lines[0].code, limit, lines[0].day), lines)


def _most_of_a_line(code: str, limit: Decimal, day: date | None) -> Worded:
    if day is None:
        return counted(
            "{code}: no line has more than {count} unit",
            "{code}: no line has more than {count} units",
            limit,
            code=code,
        )
    return counted(
        "{code}: no line has more than {count} unit on {day}",
        "{code}: no line has more than {count} units on {day}",
        limit,
        code=code,
        day=day,
    )


_PER_LINE = 1
_SUPPLIER: LimitSetting = "dme"


def _may_be_paid_by_others(lines: list[Line], case: Case) -> list[Undecided | Passed] | None:
    """None if the limit of 0 counts: Medicare is billed, or the code is one of an echo. Else the verdict, if any."""
    payer = payer_of(case, lines)
    if payer == "medicare" or is_of_echo(lines[0].code):
        return None
    code = lines[0].code
    if payer == "unknown":
        reason = worded(
            "Medicare never pays for {code} on this claim; whether the payer of the claim does is unknown", code=code
        )
        return [Undecided("claim", reason, charge_evidence(lines), WHO_PAYS)]
    return [Passed(because_of, worded("the payer of {code} is not Medicare", code=code), lines)]


def _settings(lines: list[Line]) -> list[LimitSetting]:
    """The settings of which all the lines may be, or either, if they contradict each other; a supplier's last."""
    common = [setting for setting in settings_of(lines[0]) if all(setting in settings_of(line) for line in lines)]
    found: list[LimitSetting] = [*(common or BOTH_SETTINGS)]
    is_equipment = lines[0].code not in UNIT_LIMITS and _SUPPLIERS.fullmatch(lines[0].code)
    is_supplier = is_equipment and "professional" in found and not any(map(is_split, lines))
    return [*found, _SUPPLIER] if is_supplier else found


def _other_days(code: str, settings: list[LimitSetting]) -> list[Decimal]:
    """Our own limits of other days: units within them need no answer for a day that no table covers."""
    return [limit.units for limit in UNIT_LIMITS.history(code) if limit.setting in settings]


def _finding(lines: list[Line], total: Decimal, limit: Limit, known: list[Limit], case: Case) -> Finding:
    certain = all(line.certain for line in lines)
    notes = [MAI_NOTES[limit.mai]] if limit.units else [_ZERO_NOTES[limit.setting]]
    if len(known) > 1:
        notes.append(_LARGER_OF_SUPPLIER if known[-1].setting == _SUPPLIER else _LARGER_OF_CLAIM_TYPES)
    return Finding(
        summary=_summary(limit, total),
        evidence=charge_evidence(lines),
        fixes=tuple(_fixes(lines, limit, case)) if certain else (),
        notes=tuple(notes),
        day=lines[0].day,
        indicator=None if certain else INFO,
        sources=tuple(dict.fromkeys(each.source for each in known)),
    )


_LARGER_OF_SUPPLIER = worded("Practitioner or supplier unknown; the larger MUE limit was used.")
_LARGER_OF_CLAIM_TYPES = worded("Claim type unknown; the larger MUE limit was used.")


def _summary(limit: Limit, total: Decimal) -> Worded:
    if limit.units:
        return counted(
            "{code}: {count} unit on one day, but Medicare pays at most {limit}.",
            "{code}: {count} units on one day, but Medicare pays at most {limit}.",
            total,
            code=limit.code,
            limit=limit.units,
        )
    return counted(
        "{code}: {count} unit on one day, but Medicare pays none on this claim.",
        "{code}: {count} units on one day, but Medicare pays none on this claim.",
        total,
        code=limit.code,
    )


def _fixes(lines: list[Line], limit: Limit, case: Case) -> Iterator[Fix]:
    """Only units that the record supports: from the dose given, or from the procedures performed."""
    study = _study_of_all(lines, case)
    units = _units_shown(limit.code, study, case) if study else None
    if units is None or not 0 < units <= limit.units or _differ_in_modifiers(lines):
        return
    changes = keep_units(lines, units)
    if changes:
        label = worded("Set {code} to {units}, as the record shows", code=limit.code, units=units)
        yield Fix(label, changes, recommended=True)


def _differ_in_modifiers(lines: list[Line]) -> bool:
    """True if the lines differ in modifiers or charge a discarded amount; the record cannot decide which to reduce."""
    return len({line.modifiers for line in lines}) > 1 or any("JW" in line.modifiers for line in lines)


def _units_shown(code: str, study: Study, case: Case) -> Decimal | None:
    """The units that the record of a study supports; None if unknown."""
    if is_supply(code):
        options = supplies_due(study, case) if study.administrations else ()
        decided = options[0] if len(options) == 1 else ()
        return next((supply.units for supply in decided if supply.code == code), None)
    done = [procedure for each, procedure in procedure_codes(study) if each == code]
    return Decimal(len(done)) if done and case.is_complete("procedures", study.day) else None
