"""Rule: the supply code of a product that was not given."""

from collections.abc import Iterable, Iterator, Sequence

from cds_service.core.case import Case, Line, Record
from cds_service.core.changes import AddLine, Change, RemoveLine, ReplaceCode, SetUnits
from cds_service.core.concepts import NDC, Code, Concept
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, listed, worded
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charge_evidence
from hooks.coding.contrast import agents_given, documented_units
from hooks.coding.doses import doubt_about_doses
from hooks.coding.fixes import discarded_line, waste_modifier_changes, waste_notes
from hooks.coding.lines import detail_lines
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, named
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
    if_none=worded("no contrast agent charged by its own code is under review"),
)
def supply_agent_mismatch(case: Case) -> Iterator[Verdict]:
    """The supply code does not match the contrast agent that was given.

    Why:
        Each contrast agent has its own supply code (Definity Q9957, Optison Q9956, Lumason Q9950) with its own price.
        Charging another product's code is incorrect, whether it pays more or less.

    Flags:
        One product is charged for a study and the record shows that another was given, or the line itself names another
        by NDC or in its text. The fix replaces the code and recalculates the units from the mL given.

    Passes:
        The product given is charged; the record leaves the product open (the RxNorm ingredient perflutren is in two of
        them); A9700 (see supply-unspecified); two products charged for one given (see supply-duplicate).
    """
    for study in studies(case):
        if study.under_review:
            yield from _verdict(study, case)


def _verdict(study: Study, case: Case) -> Iterator[Verdict]:
    lines = tuple(line for line in study.supplies if line.under_review and has_product_code(line))
    charged = {line.code for line in study.supplies if has_product_code(line)}
    agents = agents_given(study) or tuple(found for line in lines for found in _products_on_line(line, case))
    possible = frozenset(code for agent, _ in agents for code in agent.codes)
    if not lines:
        return
    if not agents or charged & possible or len(charged) > 1:
        yield Passed(_match, lines, agents, possible)
        return
    if doubt := doubt_about_doses(study, case):
        yield Undecided(*doubt, _agent_evidence(agents))
    else:
        yield _finding(study, lines, agents, case)


def _match(lines: tuple[Line, ...], agents: Sequence[tuple[Agent, Record]], possible: frozenset[str]) -> Because:
    codes = codes_of(lines)
    if not agents:
        return because_of(worded("nothing on record names another agent than {codes}", codes=codes), lines)
    right = [line for line in lines if line.code in possible]
    if right:
        evidence = _agent_evidence(agents)
        text = worded(
            "on record is the agent of {codes}: {seen}",
            codes=codes_of(right),
            seen=named(each.seen for each in evidence),
        )
        return Because(text, evidence)
    return left_to("supply-duplicate", worded("{codes} charge two products", codes=codes), lines)


def _products_on_line(line: Line, case: Case) -> list[tuple[Agent, Record]]:
    """The product named on a line itself: by NDC, on the line or in its details, or in its text."""
    lines_and_details = [line, *detail_lines(line, case)]
    found = [(agent_in(Concept(_ndcs(each), each.concept.words)), each) for each in lines_and_details]
    named: list[tuple[Agent, Record]] = [(agent, each) for agent, each in found if agent]
    return [pair for pair in named if pair[0].certain] or named


def _ndcs(line: Line) -> tuple[Code, ...]:
    return tuple(code for code in line.concept.codes if code.system == NDC)


def _agent_evidence(agents: Iterable[tuple[Agent, Record]]) -> tuple[Evidence, ...]:
    return tuple(Evidence(_seen(agent, record), record) for agent, record in agents)


def _seen(agent: Agent, record: Record) -> Worded:
    products = listed(map(name_of, sorted(agent.codes)), "or")
    if isinstance(record, Line):
        return worded("{products} named on the line", products=products)
    return worded("{products} given", products=products)


def _finding(study: Study, lines: tuple[Line, ...], agents: Sequence[tuple[Agent, Record]], case: Case) -> Finding:
    possible = sorted({code for agent, _ in agents for code in agent.codes})
    certain = all(line.certain for line in lines) and all(agent.certain for agent, _ in agents)
    several = len({next(iter(agent.codes)) for agent, _ in agents if len(agent.codes) == 1}) > 1
    fixable = all(line.open for line in lines) and any(_is_given_line(line) for line in lines) and not several
    return Finding(
        summary=worded(
            "{product} is charged, but the record names {instead}: replace {code}.",
            product=name_of(lines[0].code),
            instead=listed(map(name_of, possible), "or"),
            code=lines[0].code,
        ),
        evidence=(*charge_evidence(lines), *_agent_evidence(agents)),
        fixes=tuple(_fixes(study, lines, possible, case)) if certain and fixable else (),
        notes=tuple(_notes(study, lines, possible, case)),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _notes(study: Study, lines: tuple[Line, ...], possible: list[str], case: Case) -> Iterator[str]:
    for code in possible:
        if agents_given(study):
            yield worded("{code}: {reason}.", code=code, reason=documented_units(code, study).reason)
        yield from waste_notes(code, study, lines[0], case)


def _is_given_line(line: Line) -> bool:
    return DISCARDED not in line.modifiers


def _fixes(study: Study, lines: tuple[Line, ...], possible: list[str], case: Case) -> Iterator[Fix]:
    """None for a product that had no code yet, or if a discarded amount of the other product is charged and the dose
    does not show what was left of this one.
    """
    has_discarded = any(not _is_given_line(line) for line in lines)
    for code in possible:
        undecided = has_discarded and documented_units(code, study).units is None
        if undecided or CODES.on(code, study.day) is None:
            continue
        changes = tuple(_changes(code, study, lines, case))
        decided = len(possible) == 1 and bool(agents_given(study)) and not any(isinstance(c, AddLine) for c in changes)
        label = worded("Replace {code} by {other}", code=lines[0].code, other=code)
        yield Fix(label, changes, recommended=decided)


def _changes(code: str, study: Study, lines: tuple[Line, ...], case: Case) -> Iterator[Change]:
    """The first line takes the code, units and modifiers of the product given; the others are removed."""
    kept, *others = sorted((line for line in lines if _is_given_line(line)), key=str)
    yield ReplaceCode(kept, code)
    units = documented_units(code, study).units
    if units is not None and (kept.units != units):
        yield SetUnits(kept, units)
    yield from waste_modifier_changes(kept, code, study, case)
    yield from (RemoveLine(line) for line in lines if line in others or not _is_given_line(line))
    yield from discarded_line(kept, code, study, case)
