"""Rule: an add-on that is charged once per study, charged more often."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cds_service.case import Case, Change, Line, RemoveLine, SetUnits, plain
from cds_service.rules import INFO, WARNING, Evidence, Finding, NotChecked, Remedy, rule
from hooks.charges import by_kind_of_bill
from hooks.echo import Study, studies
from hooks.tables import ADD_ONS, CODES


@rule(order=WARNING, claim=WARNING, tables=(ADD_ONS, CODES), sources=(ADD_ONS.sources["ncci-add-ons"],))
def add_on_repeated(case: Case) -> Iterator[Finding | NotChecked]:
    """93352 or 0439T is charged more than once for one study.

    Why:
        Either code stands for the whole use of contrast in a study, however many injections were given. A second unit
        is denied (Medicare allows one a day).

    Flags:
        Two lines, or one line of two units, for the same study on bills of the same kind.

    Passes:
        One unit for each study; one line each for two studies; the same charge seen once as a charge and once on the
        claim that it went into.
    """
    for study in studies(case):
        for code in sorted({line.code for line in study.lines if _is_once_per_study(line)}):
            for lines in by_kind_of_bill(study.charged(code)):
                if study.draft and _count(lines) > 1:
                    yield _finding(code, lines, study)


def _is_once_per_study(line: Line) -> bool:
    return any(entry.once_per_study for entry in ADD_ONS.history(line.code))


def _count(lines: Iterable[Line]) -> Decimal:
    return sum((_units(line) for line in lines), Decimal(0))


def _units(line: Line) -> Decimal:
    """A line without a quantity charges one."""
    return Decimal(1) if line.units is None else line.units


def _finding(code: str, lines: tuple[Line, ...], study: Study) -> Finding:
    certain = all(line.certain for line in lines)
    kept, *others = sorted(lines, key=_kept_first)
    changes: list[Change] = [SetUnits(kept, Decimal(1))] if _units(kept) > 1 else []
    changes += [RemoveLine(line) for line in others]
    mendable = certain and all(line.open for line in (*others, *([kept] if _units(kept) > 1 else [])))
    return Finding(
        summary=f"{code} is charged {plain(_count(lines))} times for one study: keep one.",
        evidence=tuple(Evidence(f"{line} is charged", line) for line in lines),
        remedies=(Remedy(f"Keep one unit of {code}", tuple(changes), recommended=True),) if mendable else (),
        notes=(f"{code} is charged once for each study, however many injections were given.",),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _kept_first(line: Line) -> tuple[bool, bool]:
    """Keep what has gone out already, then a plain line before one with modifiers, then the one that was sent first."""
    return line.open, bool(line.modifiers)
