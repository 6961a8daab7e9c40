"""Rule: a component modifier on an add-on that has no components."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveModifier
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, rule
from hooks.codes.tables import ADD_ONS, PC_TC
from hooks.coding.claims import charged, is_submitted, reviewed
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE

COMPONENTS = ("26", "TC")


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(PC_TC, ADD_ONS),
    sources=(PC_TC.sources["fee-schedule"],),
    override_reasons=WRONG_CHARGE,
)
def add_on_modifier(case: Case) -> Iterator[Finding | Undecided]:
    """26 or TC is written on an add-on that is never split into components.

    Why:
        The Medicare fee schedule does not split these add-ons (93352, 0439T, strain) into a professional and a
        technical component (PC/TC indicator 0). With 26 or TC the line is rejected; it is charged without, even beside
        a stress echo that carries 26.

    Flags:
        26 or TC on a line for an add-on of PC/TC indicator 0.

    Passes:
        The add-on without these modifiers; 26 or TC on the echo itself, on Doppler or on colour flow, which are split.
    """
    faulty = [line for line in reviewed(case) if _never_split(line) and _components(line)]
    by_day = grouped(faulty, lambda line: line.day)
    for day in sorted(by_day, key=str):
        lines = by_day[day]
        if is_submitted(lines, case):
            yield _finding(lines)


def _never_split(line: Line) -> bool:
    entry = PC_TC.on(line.code, line.day)
    return line.code in ADD_ONS and entry is not None and entry.indicator == 0


def _components(line: Line) -> list[str]:
    return [modifier for modifier in COMPONENTS if modifier in line.modifiers]


def _finding(lines: list[Line]) -> Finding:
    codes = " and ".join(sorted({line.code for line in lines}))
    modifiers = " and ".join(each for each in COMPONENTS if any(each in line.modifiers for line in lines))
    certain = all(line.certain for line in lines)
    changes = tuple(RemoveModifier(line, modifier) for line in lines for modifier in _components(line))
    fix = Fix(f"Remove {modifiers} from {codes}", changes, recommended=True)
    carries = "carries" if len({line.code for line in lines}) == 1 else "carry"
    return Finding(
        summary=f"{codes} never {carries} {modifiers}: remove the modifier.",
        evidence=charged(lines),
        fixes=(fix,) if certain and all(line.open for line in lines) else (),
        day=lines[0].day,
        indicator=None if certain else INFO,
    )
