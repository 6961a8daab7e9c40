"""Rule: the supply code of another product than the one that was given."""

from collections.abc import Iterable, Iterator, Sequence

from cds_service.core.case import NDC, Case, Code, Concept, Line, Record
from cds_service.core.changes import AddLine, Change, RemoveLine, ReplaceCode, SetUnits
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.contrast import agents_given, documented_units, unsure_agents
from hooks.coding.fixes import add_discarded, waste_modifiers, waste_notes
from hooks.coding.lines import lines_inside
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import Agent, agent_in, name_of
from hooks.coding.studies import Study, studies
from hooks.coding.waste import DISCARDED, has_product_code


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(PRODUCTS, CODES),
    sources=(CODES.sources["hcpcs"], PRODUCTS.sources["labels"]),
    override_reasons=WRONG_CHARGE,
)
def supply_agent_mismatch(case: Case) -> Iterator[Finding | Undecided]:
    """The supply code charged is of another product than the agent that was given.

    Why:
        Each contrast agent has a supply code of its own (Definity Q9957, Optison Q9956, Lumason Q9950), with its own
        price. The code of another product is a wrong charge, whichever way the money goes.

    Flags:
        One product is charged for a study and the record says that another was given, or the line itself names another
        by NDC or in words. The remedy replaces the code and recomputes the units from the mL given.

    Passes:
        The product given is charged; the record leaves open whether it was (RxNorm names perflutren for two of them);
        A9700, and two products charged for one given, have rules of their own.
    """
    for study in studies(case):
        if study.under_review:
            yield from _verdict(study, case)


def _verdict(study: Study, case: Case) -> Iterator[Finding | Undecided]:
    lines = tuple(line for line in study.supplies if line.under_review and has_product_code(line))
    charged = {line.code for line in study.supplies if has_product_code(line)}
    agents = agents_given(study) or tuple(found for line in lines for found in _written_on(line, case))
    possible = frozenset(code for agent, _ in agents for code in agent.codes)
    if not lines or not agents or charged & possible or len(charged) > 1:
        return
    if unsure_agents(study):
        yield Undecided("studies", "the agent belongs to one of several echo studies of the day", _named(agents))
    else:
        yield _finding(study, lines, agents, case)


def _written_on(line: Line, case: Case) -> list[tuple[Agent, Record]]:
    """The product that a line itself names beside its code: by NDC, there or in its details, or in words."""
    own = [line, *lines_inside(line, case)]
    found = [(agent_in(Concept(_ndcs(each), each.concept.words)), each) for each in own]
    named: list[tuple[Agent, Record]] = [(agent, each) for agent, each in found if agent]
    return [pair for pair in named if pair[0].certain] or named


def _ndcs(line: Line) -> tuple[Code, ...]:
    return tuple(code for code in line.concept.codes if code.system == NDC)


def _named(agents: Iterable[tuple[Agent, Record]]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"{' or '.join(name_of(code) for code in sorted(agent.codes))} {_verb(record)}", record)
        for agent, record in agents
    )


def _verb(record: Record) -> str:
    return "is named on the line" if isinstance(record, Line) else "given"


def _finding(study: Study, lines: tuple[Line, ...], agents: Sequence[tuple[Agent, Record]], case: Case) -> Finding:
    possible = sorted({code for agent, _ in agents for code in agent.codes})
    certain = all(line.certain for line in lines) and all(agent.certain for agent, _ in agents)
    several = len({next(iter(agent.codes)) for agent, _ in agents if len(agent.codes) == 1}) > 1
    mendable = all(line.open for line in lines) and any(_is_given_line(line) for line in lines) and not several
    instead = " or ".join(name_of(code) for code in possible)
    return Finding(
        summary=f"{name_of(lines[0].code)} is charged, and the record names {instead}: replace {lines[0].code}.",
        evidence=(*(Evidence(f"{line} is charged", line) for line in lines), *_named(agents)),
        fixes=tuple(_remedies(study, lines, possible, case)) if certain and mendable else (),
        notes=tuple(_notes(study, lines, possible, case)),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _notes(study: Study, lines: tuple[Line, ...], possible: list[str], case: Case) -> Iterator[str]:
    for code in possible:
        if agents_given(study):
            yield f"{code}: {documented_units(code, study).reason}."
        yield from waste_notes(code, study, lines[0], case)


def _is_given_line(line: Line) -> bool:
    return DISCARDED not in line.modifiers


def _remedies(study: Study, lines: tuple[Line, ...], possible: list[str], case: Case) -> Iterator[Fix]:
    """None where the product had no code of its own yet, or where what was discarded of the other product is charged
    and the dose does not say what was left of this one: the card leaves the charge to a person.
    """
    has_discarded = any(not _is_given_line(line) for line in lines)
    for code in possible:
        undecided = has_discarded and documented_units(code, study).units is None
        if undecided or CODES.on(code, study.day) is None:
            continue
        changes = tuple(_changes(code, study, lines, case))
        decided = len(possible) == 1 and bool(agents_given(study)) and not any(isinstance(c, AddLine) for c in changes)
        yield Fix(f"Replace {lines[0].code} by {code}", changes, recommended=decided)


def _changes(code: str, study: Study, lines: tuple[Line, ...], case: Case) -> Iterator[Change]:
    """The first line takes the code, the units and the modifiers of what was given; the others go."""
    kept, *others = sorted((line for line in lines if _is_given_line(line)), key=str)
    yield ReplaceCode(kept, code)
    units = documented_units(code, study).units
    if units is not None and (kept.units != units):
        yield SetUnits(kept, units)
    yield from waste_modifiers(kept, code, study, case)
    yield from (RemoveLine(line) for line in lines if line in others or not _is_given_line(line))
    yield from add_discarded(kept, code, study, case)
