"""Rule: two supply codes for one contrast agent."""

from collections.abc import Iterable, Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, listed, worded
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charge_evidence, is_submitted
from hooks.coding.contrast import contrast_in
from hooks.coding.doses import doubt_about_doses
from hooks.coding.fixes import describe
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, judged_elsewhere, named
from hooks.coding.products import UNSPECIFIED
from hooks.coding.questions import which_agent
from hooks.coding.studies import Study, studies
from hooks.coding.supplies import AgentsOnRecord, agents_of, invalid_supplies, supply_claims


@rule(
    order=WARNING,
    claim=WARNING,
    about=(studies,),
    tables=(CODES, PRODUCTS),
    sources=(CODES.sources["hcpcs"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no contrast agent is under review"),
)
def supply_duplicate(case: Case) -> Iterator[Verdict]:
    """Two supply codes are charged for the contrast agent of one study.

    Why:
        An agent is charged once, with the code of its product; A9700 is only for a product without a code. A9700 with a
        product's code, or the codes of two products for one agent, charge the agent twice.

    Flags:
        A9700 with a product's code for one study; the codes of two products if the record shows that one agent was
        given. The record decides which code to remove; if it does not, both fixes are offered.

    Passes:
        One code on several lines, such as a JW line for the discarded amount; two agents given; two studies.
    """
    for study in studies(case):
        if study.under_review and (invalid := invalid_supplies(study, case)):
            yield Passed(judged_elsewhere, invalid)
        for lines in supply_claims(study, case) if study.under_review else ():
            if len(_codes(lines)) > 1 and is_submitted(lines, case):
                yield from _verdict(study, lines, case)
            else:
                yield Passed(_one_code, lines)


def _one_code(lines: tuple[Line, ...]) -> Because:
    code, day = lines[0].code, lines[0].day
    if len(_codes(lines)) > 1:
        return because_of(worded("{codes} are not under review", codes=codes_of(lines)), lines)
    if day is None:
        return because_of(worded("{code} is the only code that charges the agent", code=code), lines)
    return because_of(worded("{code} is the only code that charges the agent on {day}", code=code, day=day), lines)


def _verdict(study: Study, lines: tuple[Line, ...], case: Case) -> Iterator[Verdict]:
    use = contrast_in(study, case)
    agents = agents_of(study, lines, case)
    codes = _codes(lines)
    if use.given in ("no", "contradicted"):
        reason = worded("several supplies are charged, but the record shows that no agent was given")
        yield Undecided("contradiction", reason, charge_evidence(lines))
    elif doubt := doubt_about_doses(study, case):
        yield Undecided(*doubt, (*charge_evidence(lines), *agents.evidence))
    elif agents.on_record:
        yield from _by_record(study, lines, agents)
    elif UNSPECIFIED in codes:
        yield _finding(study, lines, agents, [codes - {code} for code in sorted(codes, reverse=True)])
    else:
        reason = worded(
            "{codes} are charged, but the record does not identify the agent given", codes=listed(sorted(codes))
        )
        yield Undecided("record", reason, charge_evidence(lines), which_agent(codes, study.day, case))


def _by_record(study: Study, lines: tuple[Line, ...], agents: AgentsOnRecord) -> Iterator[Finding | Passed]:
    """Removes codes that the agents given rule out; if none of the codes fits, `supply-agent-mismatch` applies."""
    codes = _codes(lines)
    right = codes & (agents.due or agents.possible)
    if agents.due and right == agents.due and codes != right:
        yield _finding(study, lines, agents, [codes - right])
    elif agents.possible and right:
        alternatives = [codes - {code} for code in sorted(right)]
        yield _finding(study, lines, agents, alternatives)
    elif len(agents.due) <= 1 and codes != right:
        yield _finding(study, lines, agents, [frozenset({UNSPECIFIED})] if UNSPECIFIED in codes else [])
    else:
        yield Passed(_each_given, lines, agents)


def _each_given(lines: tuple[Line, ...], agents: AgentsOnRecord) -> Because:
    seen = named(each.seen for each in agents.evidence)
    text = worded("{codes} charge agents on record: {seen}", codes=codes_of(lines), seen=seen)
    return Because(text, (*charge_evidence(lines), *agents.evidence))


def _finding(study: Study, lines: tuple[Line, ...], agents: AgentsOnRecord, removed: list[frozenset[str]]) -> Finding:
    certain = all(line.certain for line in lines)
    codes = sorted(_codes(lines))
    return Finding(
        summary=_summary(codes, removed),
        evidence=(*charge_evidence(lines), *agents.evidence),
        fixes=tuple(_fixes(lines, removed)) if certain else (),
        notes=tuple(worded("{described}.", described=describe(code)) for code in codes),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _summary(codes: list[str], removed: list[frozenset[str]]) -> Worded:
    if len(removed) == 1:
        return worded(
            "{codes} charge one contrast agent twice: remove {removed}.",
            codes=listed(codes),
            removed=listed(sorted(removed[0])),
        )
    return worded("{codes} charge one contrast agent twice: keep the one used.", codes=listed(codes))


def _fixes(lines: tuple[Line, ...], removed: list[frozenset[str]]) -> Iterator[Fix]:
    for codes in removed:
        removals = [line for line in lines if line.code in codes]
        if all(line.open for line in removals):
            changes = tuple(RemoveLine(line) for line in removals)
            label = worded("Remove {codes}", codes=listed(sorted(codes)))
            yield Fix(label, changes, recommended=len(removed) == 1)


def _codes(lines: Iterable[Line]) -> frozenset[str]:
    return frozenset(line.code for line in lines)
