"""Rule: a stress echo charged in parts that one code covers."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, ReplaceCode
from cds_service.core.rules import INFO, Because, Finding, Fix, Passed, Verdict, rule
from cds_service.languages.worded import counted, listed, worded
from hooks.codes.tables import CODES, PAIRS, WHOLE_SERVICES, WholeService
from hooks.coding.claims import charge_evidence, claims, component, is_submitted, same_day_and_practitioner
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, named, number_of_codes


@rule(
    order=INFO,
    claim=INFO,
    tables=(WHOLE_SERVICES, PAIRS),
    sources=(WHOLE_SERVICES.sources["cpt-guideline"], PAIRS.sources["ptp-practitioner"]),
    override_reasons=WRONG_CHARGE,
    if_none=worded("{code} is not under review", code="93350"),
)
def stress_components(case: Case) -> Iterator[Verdict]:
    """One practitioner charges 93350-26, 93016 and 93018 instead of 93351-26.

    Why:
        If one practitioner does all the professional work of a stress echo in a facility, it is reported with 93351-26.
        The separate codes (93350-26 with 93016 and 93018) are for work shared with another practitioner.

    Flags:
        93350-26, 93016 and 93018 on one day by one practitioner, on one claim type.

    Passes:
        Only one of 93016 and 93018; different practitioners; the study without 26; the tracing (93017) on the same
        claim; dates before the 2012 guideline.
    """
    for entry in WHOLE_SERVICES:
        for claim in claims(case):
            by_day = grouped(claim, lambda line: line.day)
            for echo in claim:
                parts = _parts(entry, echo, by_day[echo.day])
                if parts and is_submitted((echo, *parts), case):
                    yield _finding(entry, echo, parts)
                elif echo.code == entry.echo:
                    yield Passed(_shared, entry, echo, by_day[echo.day])


def _shared(entry: WholeService, echo: Line, day_lines: list[Line]) -> Because:
    """The echo is charged whole, or the parts of the stress test are not all this practitioner's."""
    if "26" not in echo.modifiers:
        return because_of(worded("{code} is charged without 26", code=echo.code), [echo])
    if echo.day is None:
        return because_of(worded("the guideline on {code} is not in force", code=entry.code), [echo])
    if not entry.in_force(echo.day):
        ended = worded("the guideline on {code} is not in force on {day}", code=entry.code, day=echo.day)
        return because_of(ended, [echo])
    own = [line for line in day_lines if line is not echo and same_day_and_practitioner(line, echo)]
    missing = [part for part in entry.parts if part not in {line.code for line in own}]
    if missing:
        alone = worded("{line} stands without {codes} of the same practitioner", line=str(echo), codes=named(missing))
        return because_of(alone, [echo])
    excluding = [line for line in own if _excludes(line, entry)]
    if excluding:
        other_work = worded(
            "{codes} beside {line} shows work that {whole} does not cover",
            codes=codes_of(excluding),
            line=str(echo),
            whole=_professional(entry),
        )
        return because_of(other_work, excluding)
    not_reviewed = counted(
        "{line} with {codes} is not under review",
        "{line} with {codes} are not under review",
        number_of_codes(own),
        line=str(echo),
        codes=named(entry.parts),
    )
    return because_of(not_reviewed, [echo, *own])


def _professional(entry: WholeService) -> str:
    return f"{entry.code}-26"


def _parts(entry: WholeService, echo: Line, day_lines: list[Line]) -> list[Line]:
    """The lines of all parts charged with an echo's professional component; empty if a part is missing."""
    if echo.code != entry.echo or "26" not in echo.modifiers or echo.day is None or not entry.in_force(echo.day):
        return []
    others = [line for line in day_lines if line is not echo and same_day_and_practitioner(line, echo)]
    parts = [line for line in others if line.code in entry.parts]
    excluding = [line for line in others if _excludes(line, entry)]
    return parts if {line.code for line in parts} == set(entry.parts) and not excluding else []


def _excludes(line: Line, entry: WholeService) -> bool:
    return line.code in (entry.code, entry.echo) or _is_tracing(line)


def _is_tracing(line: Line) -> bool:
    is_stress_test = any(entry.kind == "stress-test" for entry in CODES.history(line.code))
    return is_stress_test and component(line) == "technical"


_IF_ONE_PRACTITIONER = worded(
    "Replace them only if one practitioner supervised the stress test and interpreted its ECG and the echo."
)


def _finding(entry: WholeService, echo: Line, parts: list[Line]) -> Finding:
    lines = (echo, *parts)
    label = worded(
        "Charge {whole} instead, if one practitioner did all the professional work", whole=_professional(entry)
    )
    changes: tuple[Change, ...] = (ReplaceCode(echo, entry.code), *(RemoveLine(line) for line in parts))
    fixable = all(line.open and line.certain for line in lines) and _is_one_practitioner(lines)
    written = [f"{echo.code}-26", *sorted({line.code for line in parts})]
    return Finding(
        summary=worded(
            "{lines}: charge {whole} if one practitioner did it all.",
            lines=listed(written),
            whole=_professional(entry),
        ),
        evidence=charge_evidence(lines),
        fixes=(Fix(label, changes),) if fixable else (),
        notes=(_IF_ONE_PRACTITIONER,),
        day=echo.day,
        indicator=INFO,
    )


def _is_one_practitioner(lines: tuple[Line, ...]) -> bool:
    """True if all lines share a practitioner, or none names any."""
    named = [line.performers for line in lines]
    return not any(named) or bool(frozenset.intersection(*named))
