"""Lines under review, their claim type and component, and lines that belong to one claim."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal

from cds_service.core.case import Case, Line, cached_fact
from cds_service.core.rules import Evidence
from cds_service.languages.worded import worded
from hooks.codes.tables import CODES, PAIR_MODIFIERS, PC_TC, ClaimSetting
from hooks.coding.lines import days_under_review, relevant_lines
from hooks.coding.practitioners import may_be_same_practitioner
from hooks.coding.products import is_supply
from hooks.coding.setting_and_payer import COMPONENT_MODIFIERS, is_professional_in_facility, is_split
from hooks.coding.stress_drugs import is_stress_drug
from hooks.coding.studies import Study, procedure_codes, studies

Component = Literal["professional", "technical"]

# Modifiers that identify a distinct service, on either line of a pair.
DISTINCT_SERVICE = frozenset(entry.code for entry in PAIR_MODIFIERS if entry.group == "distinct")

# Modifiers that identify a second study of the day.
SECOND_STUDY = DISTINCT_SERVICE | {"76", "77"}

_ECHO_KINDS = frozenset({"primary", "add-on", "stress-test"})
BOTH_SETTINGS: tuple[ClaimSetting, ...] = ("professional", "facility")


@cached_fact
def reviewed_lines(case: Case) -> tuple[Line, ...]:
    """The lines under review and all other lines of the days under review."""
    if not _days_under_review(case):
        return tuple(case.lines.under_review())
    return tuple(line for line in relevant_lines(case) if is_reviewed(line, case))


@cached_fact
def lines_with_units(case: Case) -> tuple[Line, ...]:
    """The reviewed lines that charge at least part of a unit."""
    return tuple(line for line in reviewed_lines(case) if units_of(line))


@cached_fact
def echo_days(case: Case) -> frozenset[date | None]:
    """The days on which the reviewed lines charge an echo, an add-on or a stress test."""
    return echo_days_among(lines_with_units(case))


@cached_fact
def days_checked(case: Case) -> frozenset[date | None]:
    """The days of which the rules of any code look at lines: those of an echo or, if the site wants so, all."""
    return frozenset(line.day for line in lines_with_units(case)) if case.every_code else echo_days(case)


@cached_fact
def claims(case: Case) -> tuple[tuple[Line, ...], ...]:
    """The reviewed lines with units, by claim type and component."""
    return tuple(by_claim_type_and_component(lines_with_units(case)))


def is_reviewed(line: Line, case: Case) -> bool:
    """True if the line, or the day it is charged on, is under review."""
    return line.under_review or (line.day is not None and line.day in _days_under_review(case))


@cached_fact
def _days_under_review(case: Case) -> frozenset[date | None]:
    if case.stage == "claim":
        return days_under_review(case)
    return frozenset(study.day for study in studies(case) if study.under_review)


def is_submitted(lines: Iterable[Line], case: Case) -> bool:
    """True at order time, or if at least one line is under review: at claim time, about to be submitted."""
    return case.stage == "order" or any(line.under_review for line in lines)


def charge_evidence(lines: Iterable[Line]) -> tuple[Evidence, ...]:
    """The lines as evidence of the charges."""
    return tuple(Evidence(_charged(str(line)), line) for line in lines)


@lru_cache(maxsize=4096)  # a long claim repeats few lines
def _charged(line: str) -> str:
    return worded("{line} is charged", line=line)


def units_of(line: Line) -> Decimal:
    """HCPCS units of a line; a line without a quantity counts as one unit."""
    return Decimal(1) if line.units is None else line.units


def units_of_a_day(line: Line) -> Decimal:
    """The units of one day of a line: those of a period over several days are divided, in whole units."""
    days = (line.last_day - line.day).days + 1 if line.last_day and line.day else 1
    return units_of(line) if days < 2 else (units_of(line) / days).to_integral_value(ROUND_HALF_UP)


def total_of_a_day(lines: Iterable[Line]) -> Decimal:
    """The units of one day of all lines; 26 and TC of one study count as one unit."""
    split = {"26": Decimal(0), "TC": Decimal(0), "": Decimal(0)}
    for line in lines:
        part = next((modifier for modifier in COMPONENT_MODIFIERS if modifier in line.modifiers), "")
        split[part] += units_of_a_day(line)
    return split[""] + max(split["26"], split["TC"])


def may_be_several(study: Study) -> bool:
    """True if what is taken for one study may be several of the day, between which no reference tells.

    The study is charged more than once by one party, or with a modifier for a second one, or a procedure of one code is
    on record twice.
    """
    if any(SECOND_STUDY & set(line.modifiers) for line in study.primaries):
        return True
    if any(total_of_a_day(lines) > 1 for lines in by_claim_type(study.primaries)):
        return True
    codes = [code for code, _ in procedure_codes(study)]
    return len(set(codes)) < len(codes)


def echo_days_among(lines: Iterable[Line]) -> frozenset[date | None]:
    """The days on which the lines charge an echo, an add-on or a stress test; other days are out of scope."""
    return frozenset(line.day for line in lines if any(entry.kind in _ECHO_KINDS for entry in CODES.history(line.code)))


# --- claim types and components -------------------------------------------------------------------------------------


def component(line: Line) -> Component | None:
    """The component of a line, from its modifier or its code; None if it is global."""
    if "26" in line.modifiers:
        return "professional"
    if "TC" in line.modifiers:
        return "technical"
    entry = PC_TC.on(line.code, line.day)
    by_indicator: dict[int, Component] = {2: "professional", 3: "technical"}
    return by_indicator.get(entry.indicator) if entry else None


def settings_of(line: Line) -> tuple[ClaimSetting, ...]:
    """Possible settings of a line: one if its claim, modifier or code decides, else both."""
    if line.claim_type == "professional":
        return ("professional",)
    if line.claim_type == "institutional":
        return ("facility",)
    if component(line) == "professional":
        return ("professional",)
    return ("facility",) if _is_c_code(line) else BOTH_SETTINGS


def _is_c_code(line: Line) -> bool:
    """C codes are paid to hospitals only."""
    return line.code.startswith("C")


def share_a_claim(one: Line, other: Line) -> bool | None:
    """True if two lines are on claims of one billing party; None if unknown.

    A charge and a claim are never compared: the claim may have been made from the charge. Charges on no claim count as
    one claim, except that a professional component and a hospital code belong to two parties even when listed together.
    """
    if one.claim and one.claim == other.claim:
        return True
    if bool(one.claim) != bool(other.claim):
        return False
    if one.claim and "unknown" not in (one.claim_type, other.claim_type):
        return one.claim_type == other.claim_type
    return _same_party(one, other)


def _same_party(one: Line, other: Line) -> bool | None:
    parts = {component(one), component(other)}
    if parts == {"professional", "technical"}:
        return False
    if "professional" in parts and (_is_c_code(one) or _is_c_code(other)):
        return False
    return None if None in parts and is_split(one) != is_split(other) else True


def bypasses_pairs(line: Line) -> bool:
    """True if the line carries a modifier with which both codes of a pair of indicator 1 are paid as billed."""
    return any(PAIR_MODIFIERS.on(modifier, line.day) for modifier in line.modifiers)


def same_day_and_practitioner(one: Line, other: Line) -> bool:
    """True if two lines share the date of service and may share the practitioner."""
    return one.day == other.day and may_be_same_practitioner(one.performers, other.performers)


# --- supplies -------------------------------------------------------------------------------------------------------


def is_facility_supply(line: Line) -> bool:
    """True if a professional claim charges the agent or stress drug of a facility; `supply-not-owner` flags it."""
    return (is_supply(line.code) or is_stress_drug(line.code)) and is_professional_in_facility(line)


def by_claim_type_and_component(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """Lines split into charges, professional claims and hospital claims, and by component."""
    found: dict[tuple[bool, str, bool], list[Line]] = {}
    for line in lines:
        split_off = not line.claim and component(line) == "professional"
        found.setdefault((bool(line.claim), line.claim_type, split_off), []).append(line)
    return (tuple(same_claim) for same_claim in found.values())


def by_claim_type(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """Lines split into charges, professional claims and hospital claims; a charge may be the source of a claim."""
    found: dict[tuple[bool, str], list[Line]] = {}
    for line in lines:
        found.setdefault((bool(line.claim), line.claim_type), []).append(line)
    return (tuple(same_type) for same_type in found.values())
