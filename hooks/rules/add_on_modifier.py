"""Rule: 26 or TC on an add-on without components."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveModifier
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Verdict, rule
from cds_service.core.tables import Source
from cds_service.languages.worded import counted, linked, worded
from hooks.codes.tables import ADD_ONS, PC_TC
from hooks.coding.claims import charge_evidence, is_submitted, reviewed_lines
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, named, not_under_review, number_of_codes
from hooks.coding.published import Status, Unknown, component_indicator
from hooks.coding.questions import not_in_tables
from hooks.coding.setting_and_payer import COMPONENT_MODIFIERS


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(PC_TC, ADD_ONS),
    sources=(PC_TC.sources["fee-schedule"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no add-on is under review"),
    every_code=True,
)
def add_on_modifier(case: Case) -> Iterator[Verdict]:
    """Modifier 26 or TC is reported on a code that has no components.

    Why:
        The Medicare fee schedule does not split these add-ons (93352, 0439T, strain) into a professional and a
        technical component (PC/TC indicator 0). A line with 26 or TC is rejected. Report the add-on without either,
        even with a stress echo that carries 26.

    Flags:
        26 or TC on an add-on with PC/TC indicator 0; with every code of the claim checked, on any code with it.

    Passes:
        The add-on without 26 or TC; 26 or TC on the echo itself, on Doppler or on color flow, which are split.
    """
    lines_in_scope = [line for line in reviewed_lines(case) if _is_in_scope(line, case)]
    with_component = [line for line in lines_in_scope if _component_modifiers(line)]
    if lines_in_scope and not with_component:
        yield Passed(_without_component, lines_in_scope)
    by_day = grouped(with_component, lambda line: line.day)
    for day in sorted(by_day, key=str):
        for verdict, lines in grouped(by_day[day], lambda line: _verdict(line, case)).items():
            if not is_submitted(lines, case):
                yield Passed(not_under_review, lines)
            elif verdict == _NEVER_SPLIT:
                yield _finding(lines, case)
            elif isinstance(verdict, Unknown):
                yield not_in_tables(verdict.reason, lines)
            else:
                yield Passed(_may_be_split, lines)


def _without_component(lines: list[Line]) -> Because:
    text = counted(
        "{codes} carries neither 26 nor TC",
        "{codes} carry neither 26 nor TC",
        number_of_codes(lines),
        codes=codes_of(lines),
    )
    return because_of(text, lines)


def _may_be_split(lines: list[Line]) -> Because:
    modifiers = named(modifier for line in lines for modifier in _component_modifiers(line))
    text = worded("the fee schedule does not refuse {modifiers} on {codes}", modifiers=modifiers, codes=codes_of(lines))
    return because_of(text, lines)


def _is_in_scope(line: Line, case: Case) -> bool:
    return line.code in ADD_ONS or (case.every_code and bool(line.code))


def _verdict(line: Line, case: Case) -> str | Unknown | None:
    found = component_indicator(line.code, line.day, case)
    return found.value if isinstance(found, Status) else found


_NEVER_SPLIT = "0"


def _component_modifiers(line: Line) -> list[str]:
    return [modifier for modifier in COMPONENT_MODIFIERS if modifier in line.modifiers]


def _finding(lines: list[Line], case: Case) -> Finding:
    codes = linked(sorted({line.code for line in lines}))
    modifiers = linked(each for each in COMPONENT_MODIFIERS if any(each in line.modifiers for line in lines))
    certain = all(line.certain for line in lines)
    changes = tuple(RemoveModifier(line, modifier) for line in lines for modifier in _component_modifiers(line))
    label = worded("Remove {modifiers} from {codes}", modifiers=modifiers, codes=codes)
    fix = Fix(label, changes, recommended=True)
    return Finding(
        summary=counted(
            "{codes} never takes {modifiers}: remove the modifier.",
            "{codes} never take {modifiers}: remove the modifier.",
            number_of_codes(lines),
            codes=codes,
            modifiers=modifiers,
        ),
        evidence=charge_evidence(lines),
        fixes=(fix,) if certain and all(line.open for line in lines) else (),
        day=lines[0].day,
        indicator=None if certain else INFO,
        sources=tuple(_sources(lines, case)),
    )


def _sources(lines: list[Line], case: Case) -> Iterator[Source]:
    found = (component_indicator(line.code, line.day, case) for line in lines)
    yield from dict.fromkeys(each.source for each in found if isinstance(each, Status))
