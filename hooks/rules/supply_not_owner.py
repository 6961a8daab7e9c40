"""Rule: a professional claim charges a facility's contrast agent or stress drug."""

from collections.abc import Iterator
from datetime import date

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.core.tables import Source
from cds_service.languages.worded import Worded, counted, listed, worded
from hooks.codes.sources import AAPC_STRESS_DRUGS, MEDLEARN_2018
from hooks.codes.tables import CODES, STRESS_DRUGS
from hooks.coding.claims import charge_evidence, echo_days, is_facility_supply, is_submitted, lines_with_units
from hooks.coding.fixes import describe
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, named, number_of_codes
from hooks.coding.products import is_supply
from hooks.coding.questions import WHOSE_CLAIM
from hooks.coding.setting_and_payer import is_facility
from hooks.coding.stress_drugs import is_stress_drug


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(CODES, STRESS_DRUGS),
    sources=(MEDLEARN_2018, AAPC_STRESS_DRUGS, CODES.sources["hcpcs"]),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no contrast agent is under review, and no stress drug on the day of an echo"),
)
def supply_not_owner(case: Case) -> Iterator[Verdict]:
    """A professional claim charges a contrast agent or stress drug that the facility should charge.

    Why:
        The owner of the technical component charges the agent, and the drugs of the stress test. In a hospital's
        outpatient department, inpatient unit or emergency room (places of service 19, 21, 22, 23) that is the hospital,
        on its own claim.

    Flags:
        On a professional claim with place of service 19, 21, 22 or 23: a supply code of contrast; on the day of an
        echo, adenosine, atropine, dipyridamole, dobutamine or regadenoson.

    Passes:
        The supply on the hospital's claim; the supply in an office (place of service 11); no place of service stated.
    """
    days = echo_days(case)
    supplies = [line for line in lines_with_units(case) if is_supply(line.code) or _is_drug(line, days)]
    wrong = [line for line in supplies if is_facility_supply(line)]
    by_day = grouped(wrong, lambda line: line.day)
    for day in sorted(by_day, key=str):
        lines = by_day[day]
        if is_submitted(lines, case):
            yield _finding(lines)
    owned = [line for line in supplies if line not in wrong and not _may_be_wrong(line)]
    if owned:
        yield Passed(_owned, owned)
    for line in supplies:
        if _may_be_wrong(line):
            reason = worded(
                "{code} is charged in a facility, but the claim type (professional or hospital) is unknown",
                code=line.code,
            )
            yield Undecided("claim", reason, charge_evidence([line]), WHOSE_CLAIM)


def _may_be_wrong(line: Line) -> bool:
    return bool(line.claim) and line.claim_type == "unknown" and is_facility(line)


def _owned(lines: list[Line]) -> Because:
    """The supplies of one claim or place, where none is of a facility on a professional claim."""
    codes = codes_of(lines)
    types = {line.claim_type for line in lines}
    places = {line.place_of_service for line in lines}
    if types == {"institutional"}:
        owned = counted(
            "{codes} is on the hospital's claim",
            "{codes} are on the hospital's claim",
            number_of_codes(lines),
            codes=codes,
        )
        return because_of(owned, lines)
    if places == {None}:
        return because_of(worded("no place of service in a facility is stated for {codes}", codes=codes), lines)
    where = named(sorted(each for each in places if each))
    return because_of(
        worded("place of service {places} is no facility's for {codes}", places=where, codes=codes), lines
    )


def _is_drug(line: Line, days: frozenset[date | None]) -> bool:
    return is_stress_drug(line.code) and line.day in days


def _finding(lines: list[Line]) -> Finding:
    codes = sorted({line.code for line in lines})
    places = sorted({line.place_of_service or "" for line in lines})
    certain = all(line.certain for line in lines)
    label = worded("Remove {codes}", codes=listed(codes))
    fix = Fix(label, tuple(RemoveLine(line) for line in lines), recommended=True)
    return Finding(
        summary=_summary(lines, codes, ", ".join(places)),
        evidence=tuple(Evidence(_seen(line), line) for line in lines),
        fixes=(fix,) if certain and all(line.open for line in lines) else (),
        notes=tuple(worded("{described} belongs on the facility's claim.", described=describe(code)) for code in codes),
        day=lines[0].day,
        indicator=None if certain else INFO,
        sources=tuple(_sources(lines)),
    )


def _summary(lines: list[Line], codes: list[str], places: str) -> Worded:
    if all(is_supply(line.code) for line in lines):
        return counted(
            "{codes}: the facility charges the agent in place of service {places}. Remove it.",
            "{codes}: the facility charges the agent in place of service {places}. Remove them.",
            len(codes),
            codes=listed(codes),
            places=places,
        )
    return counted(
        "{codes}: the facility charges the drug in place of service {places}. Remove it.",
        "{codes}: the facility charges the drug in place of service {places}. Remove them.",
        len(codes),
        codes=listed(codes),
        places=places,
    )


def _seen(line: Line) -> Worded:
    return worded(
        "{line} is charged on a professional claim, place of service {place}",
        line=str(line),
        place=str(line.place_of_service),
    )


def _sources(lines: list[Line]) -> Iterator[Source]:
    if any(is_supply(line.code) for line in lines):
        yield MEDLEARN_2018
    if any(is_stress_drug(line.code) for line in lines):
        yield AAPC_STRESS_DRUGS
    yield CODES.sources["hcpcs"]
