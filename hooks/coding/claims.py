"""Which lines are under review, on which kind of bill each goes out, and which of them stand on one bill."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from cds_service.core.case import Case, Line, cached_fact
from cds_service.core.rules import Evidence
from hooks.codes.tables import CODES, PC_TC, BillSetting
from hooks.coding.lines import days_under_review, lines_that_matter
from hooks.coding.practitioners import agrees
from hooks.coding.products import is_supply
from hooks.coding.setting_and_payer import FACILITY_PLACES
from hooks.coding.studies import studies

Component = Literal["professional", "technical"]

_OF_AN_ECHO = frozenset({"primary", "add-on", "stress-test"})
_BOTH: tuple[BillSetting, ...] = ("professional", "facility")


@cached_fact
def reviewed(case: Case) -> tuple[Line, ...]:
    """The lines that the call is about, and what was charged besides on the days that it is about."""
    if not _days_under_review(case):
        return tuple(case.lines.under_review())
    return tuple(line for line in lines_that_matter(case) if is_reviewed(line, case))


@cached_fact
def charging(case: Case) -> tuple[Line, ...]:
    """Those of the reviewed lines that charge a unit."""
    return tuple(line for line in reviewed(case) if units_of(line))


@cached_fact
def days_under_charge(case: Case) -> frozenset[date | None]:
    """The days on which they charge an echo, one of its add-ons or a stress test."""
    return days_of_echo(charging(case))


@cached_fact
def claims(case: Case) -> tuple[tuple[Line, ...], ...]:
    """The same lines by kind of bill."""
    return tuple(by_claim_type_and_component(charging(case)))


def is_reviewed(line: Line, case: Case) -> bool:
    """Whether the call is about a line, or about the day on which it was charged."""
    return line.under_review or (line.day is not None and line.day in _days_under_review(case))


@cached_fact
def _days_under_review(case: Case) -> frozenset[date | None]:
    if case.stage == "claim":
        return days_under_review(case)
    return frozenset(study.day for study in studies(case) if study.under_review)


def is_submitted(lines: Iterable[Line], case: Case) -> bool:
    """Whether the call is about at least one of the lines: at claim time, one that is about to go out."""
    return case.stage == "order" or any(line.under_review for line in lines)


def charged(lines: Iterable[Line]) -> tuple[Evidence, ...]:
    """The lines, to be cited as evidence of what is charged."""
    return tuple(Evidence(f"{line} is charged", line) for line in lines)


def units_of(line: Line) -> Decimal:
    """The HCPCS units that a line charges; one without a quantity charges one."""
    return Decimal(1) if line.units is None else line.units


def days_of_echo(lines: Iterable[Line]) -> frozenset[date | None]:
    """The days on which an echo, one of its add-ons or a stress test is charged; other days are not our matter."""
    return frozenset(line.day for line in lines if any(entry.kind in _OF_AN_ECHO for entry in CODES.history(line.code)))


# --- kinds of bill --------------------------------------------------------------------------------------------------


def component(line: Line) -> Component | None:
    """The component that a line charges, by its modifier or by its code; None where it charges the whole."""
    if "26" in line.modifiers:
        return "professional"
    if "TC" in line.modifiers:
        return "technical"
    entry = PC_TC.on(line.code, line.day)
    by_indicator: dict[int, Component] = {2: "professional", 3: "technical"}
    return by_indicator.get(entry.indicator) if entry else None


def settings_of(line: Line) -> tuple[BillSetting, ...]:
    """The settings in which a line may be charged: one where its claim, modifier or code says which, else both."""
    if line.claim_type == "professional":
        return ("professional",)
    if line.claim_type == "institutional":
        return ("facility",)
    if component(line) == "professional":
        return ("professional",)
    return ("facility",) if _is_hospitals(line) else _BOTH


def _is_hospitals(line: Line) -> bool:
    """Codes with C are paid to hospitals only."""
    return line.code.startswith("C")


def share_a_claim(one: Line, other: Line) -> bool | None:
    """Whether two lines stand on bills of one party; None where that cannot be told.

    A charge and a claim are not compared: the claim may have been made of the charge. Charges on no claim count as one
    bill, except that a practitioner's component and a hospital's are two parties' even where they are listed together.
    """
    if one.claim and one.claim == other.claim:
        return True
    if bool(one.claim) != bool(other.claim):
        return False
    if one.claim and "unknown" not in (one.claim_type, other.claim_type):
        return one.claim_type == other.claim_type
    return _one_party(one, other)


def _one_party(one: Line, other: Line) -> bool | None:
    parts = {component(one), component(other)}
    if parts == {"professional", "technical"}:
        return False
    if "professional" in parts and (_is_hospitals(one) or _is_hospitals(other)):
        return False
    split = {bool({"26", "TC"} & set(line.modifiers)) for line in (one, other)}
    return None if None in parts and len(split) == 2 else True


def one_day_and_practitioner(one: Line, other: Line) -> bool:
    """Whether two lines are of one date of service, and of practitioners who may be one person."""
    return one.day == other.day and agrees(one.performers, other.performers)


# --- supplies -------------------------------------------------------------------------------------------------------


def is_supply_of_another(line: Line) -> bool:
    """Whether a practitioner charges the agent for a place of service whose owner charges it: a fault of its own."""
    return is_supply(line.code) and line.claim_type == "professional" and line.place_of_service in FACILITY_PLACES


def by_claim_type_and_component(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """Charges, professional claims and hospital claims apart: a charge and the claim made of it are one thing."""
    found: dict[tuple[bool, str, bool], list[Line]] = {}
    for line in lines:
        split_off = not line.claim and component(line) == "professional"
        found.setdefault((bool(line.claim), line.claim_type, split_off), []).append(line)
    return (tuple(alike) for alike in found.values())
