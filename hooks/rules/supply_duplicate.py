"""Rule: two supply codes for one contrast agent."""

from collections.abc import Iterable, Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, rule
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charged, is_submitted
from hooks.coding.contrast import contrast_in
from hooks.coding.fixes import in_words
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import UNSPECIFIED
from hooks.coding.studies import Study, studies
from hooks.coding.supplies import AgentsOnRecord, agents_of, supply_claims


@rule(
    order=WARNING,
    claim=WARNING,
    about=(studies,),
    tables=(CODES, PRODUCTS),
    sources=(CODES.sources["hcpcs"],),
    override_reasons=WRONG_CHARGE,
)
def supply_duplicate(case: Case) -> Iterator[Finding | Undecided]:
    """The contrast agent of one study is charged by two supply codes.

    Why:
        An agent is charged once, by the code of its product; A9700 stands only for a product that has no code. A9700
        beside a product's code, or the codes of two products for one agent, charge the same agent twice.

    Flags:
        A9700 with a product's code for one study; the codes of two products where the record shows that one agent was
        given. The record decides which goes; where it does not, both ways are offered.

    Passes:
        One code on several lines, such as a line for the discarded part (JW); two agents given; two studies.
    """
    for study in studies(case):
        for lines in supply_claims(study, case) if study.under_review else ():
            if len(_codes(lines)) > 1 and is_submitted(lines, case):
                yield from _verdict(study, lines, case)


def _verdict(study: Study, lines: tuple[Line, ...], case: Case) -> Iterator[Finding | Undecided]:
    use = contrast_in(study, case)
    agents = agents_of(study, lines, case)
    codes = _codes(lines)
    if use.given in ("no", "contradicted"):
        yield Undecided(
            "contradiction", "several supplies are charged, and the record shows that none was given", charged(lines)
        )
    elif agents.are_shown:
        yield from _by_record(study, lines, agents)
    elif UNSPECIFIED in codes:
        yield _finding(study, lines, agents, [codes - {code} for code in sorted(codes, reverse=True)])
    else:
        yield Undecided(
            "record",
            f"{' and '.join(sorted(codes))} are charged, and the record does not show which agent was given",
            charged(lines),
        )


def _by_record(study: Study, lines: tuple[Line, ...], agents: AgentsOnRecord) -> Iterator[Finding]:
    """What the agents given leave no room for goes; where the codes are not theirs, that is the mismatch's own rule."""
    codes = _codes(lines)
    right = codes & (agents.due or agents.open_to)
    if agents.due and right == agents.due and codes != right:
        yield _finding(study, lines, agents, [codes - right])
    elif agents.open_to and right:
        alternatives = [codes - {code} for code in sorted(right)]
        yield _finding(study, lines, agents, alternatives)
    elif len(agents.due) <= 1 and codes != right:
        yield _finding(study, lines, agents, [frozenset({UNSPECIFIED})] if UNSPECIFIED in codes else [])


def _finding(study: Study, lines: tuple[Line, ...], agents: AgentsOnRecord, removed: list[frozenset[str]]) -> Finding:
    certain = all(line.certain for line in lines)
    codes = sorted(_codes(lines))
    decided = f"remove {' and '.join(sorted(removed[0]))}" if len(removed) == 1 else "keep the one that was used"
    return Finding(
        summary=f"{' and '.join(codes)} charge one contrast agent more than once: {decided}.",
        evidence=(*charged(lines), *agents.evidence),
        fixes=tuple(_remedies(lines, removed)) if certain else (),
        notes=tuple(f"{in_words(code)}." for code in codes),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _remedies(lines: tuple[Line, ...], removed: list[frozenset[str]]) -> Iterator[Fix]:
    for codes in removed:
        gone = [line for line in lines if line.code in codes]
        if all(line.open for line in gone):
            changes = tuple(RemoveLine(line) for line in gone)
            yield Fix(f"Remove {' and '.join(sorted(codes))}", changes, recommended=len(removed) == 1)


def _codes(lines: Iterable[Line]) -> frozenset[str]:
    return frozenset(line.code for line in lines)
