"""Rule: a professional claim charges a facility's contrast agent."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.sources import MEDLEARN_2018
from hooks.codes.tables import CODES
from hooks.coding.claims import is_facility_supply, is_submitted, reviewed_lines, units_of
from hooks.coding.fixes import describe
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import is_supply
from hooks.coding.setting_and_payer import is_facility


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(CODES,),
    sources=(MEDLEARN_2018, CODES.sources["hcpcs"]),
    override_reasons=WRONG_CHARGE,
)
def supply_not_owner(case: Case) -> Iterator[Finding | Undecided]:
    """A professional claim charges a contrast agent that the facility should charge.

    Why:
        The owner of the technical component charges the agent. In a hospital's outpatient department, inpatient unit or
        emergency room (places of service 19, 21, 22, 23) that is the hospital, on its own claim.

    Flags:
        A supply code on a professional claim with place of service 19, 21, 22 or 23.

    Passes:
        The supply on the hospital's claim; the supply in an office (place of service 11); no place of service stated.
    """
    supplies = [line for line in reviewed_lines(case) if is_supply(line.code) and units_of(line)]
    wrong = [line for line in supplies if is_facility_supply(line)]
    by_day = grouped(wrong, lambda line: line.day)
    for day in sorted(by_day, key=str):
        lines = by_day[day]
        if is_submitted(lines, case):
            yield _finding(lines)
    for line in supplies:
        if line.claim and line.claim_type == "unknown" and is_facility(line):
            yield Undecided(
                "claim",
                f"{line.code} is charged in a facility, but the claim type (professional or hospital) is unknown",
                (Evidence(f"{line} is charged", line),),
            )


def _finding(lines: list[Line]) -> Finding:
    codes = sorted({line.code for line in lines})
    places = sorted({line.place_of_service or "" for line in lines})
    certain = all(line.certain for line in lines)
    fix = Fix(f"Remove {' and '.join(codes)}", tuple(RemoveLine(line) for line in lines), recommended=True)
    return Finding(
        summary=f"{' and '.join(codes)}: the facility charges the agent in place of service {', '.join(places)}. "
        f"Remove {'it' if len(codes) == 1 else 'them'}.",
        evidence=tuple(
            Evidence(f"{line} is charged on a professional claim, place of service {line.place_of_service}", line)
            for line in lines
        ),
        fixes=(fix,) if certain and all(line.open for line in lines) else (),
        notes=tuple(f"{describe(code)} belongs on the facility's claim." for code in codes),
        day=lines[0].day,
        indicator=None if certain else INFO,
    )
