"""Rule: A9700 where the product has a code of its own."""

from collections.abc import Iterator

from msgspec.structs import replace

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, ReplaceCode, SetUnits
from cds_service.core.notation import plain
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, rule
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charged, is_submitted
from hooks.coding.contrast import Supply, contrast_in, supplies_due
from hooks.coding.fixes import add, in_words
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.products import UNSPECIFIED, current_products
from hooks.coding.setting_and_payer import payer_says
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
def supply_unspecified(case: Case) -> Iterator[Finding | Undecided]:
    """A9700 is charged for an agent that has a supply code of its own.

    Why:
        A9700 stands for an echo contrast agent without a code, once per study. A product that has a code is charged by
        it, in units of 1 mL; some payers ask for A9700 all the same.

    Flags:
        A9700 on a date on which the product that was given has its own code. Where the product is not known, the card
        only names the codes that there are.

    Passes:
        The product has no code of its own yet (Lumason before 2016); A9700 beside a product's code (its own rule); a
        payer that wants A9700, as the site's file says.
    """
    for study in studies(case):
        for lines in supply_claims(study, case) if study.under_review else ():
            unspecified = [line for line in lines if line.code == UNSPECIFIED]
            if unspecified and is_submitted(unspecified, case) and not payer_says(case, lines, "a9700"):
                yield from _verdict(study, unspecified, {line.code for line in lines} - {UNSPECIFIED}, case)


def _verdict(study: Study, lines: list[Line], beside: set[str], case: Case) -> Iterator[Finding | Undecided]:
    agents = agents_of(study, lines, case)
    if contrast_in(study, case).given in ("no", "contradicted"):
        yield Undecided(
            "contradiction", "A9700 is charged, and the record shows that no agent was given", charged(lines)
        )
    elif UNSPECIFIED in agents.due or (beside and len(agents.due) <= 1):
        return
    elif agents.due:
        left = sorted(agents.due - beside)
        if left:
            yield _has_code(study, lines, left, agents, case)
    else:
        yield from _product_open(study, lines, agents)


def _has_code(study: Study, lines: list[Line], codes: list[str], agents: AgentsOnRecord, case: Case) -> Finding:
    certain = all(line.certain for line in lines)
    due = {supply.code: supply for option in supplies_due(study, case) for supply in option}
    supply = due.get(codes[0], Supply(codes[0], None, "no dose in mL is recorded: enter the units"))
    mendable = certain and len(codes) == 1 and all(line.open for line in lines)
    return Finding(
        summary=f"A9700 is charged, and the agent has a code of its own: replace it by {_named(codes, supply)}.",
        evidence=(*charged(lines), *agents.evidence),
        fixes=(_replacement(study, lines, supply, case),) if mendable else (),
        notes=(*(f"{in_words(code)}." for code in codes), *([f"{supply.code}: {supply.reason}."] if mendable else [])),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _named(codes: list[str], supply: Supply) -> str:
    if len(codes) > 1 or supply.units is None:
        return " and ".join(codes)
    return f"{supply.code} ({plain(supply.units)} {'unit' if supply.units == 1 else 'units'})"


def _replacement(study: Study, lines: list[Line], supply: Supply, case: Case) -> Fix:
    """The line is rewritten where the units are known; else a new line leaves them to be entered."""
    line, *others = lines
    label = f"Replace A9700 by {supply.code}"
    removals: list[Change] = [RemoveLine(other) for other in others]
    if supply.units is None:
        return Fix(label, (add(study, case, supply.code, None, line), RemoveLine(line), *removals))
    recoded = SetUnits(replace(line, code=supply.code), supply.units)
    return Fix(label, (ReplaceCode(line, supply.code), recoded, *removals), recommended=True)


def _product_open(study: Study, lines: list[Line], agents: AgentsOnRecord) -> Iterator[Finding]:
    """Products that have a code on this date; where there is none, A9700 is right."""
    codes = sorted(code for code in agents.open_to or current_products() if CODES.on(code, study.day))
    codes = [code for code in codes if code != UNSPECIFIED]
    if codes:
        yield Finding(
            summary=f"A9700 is for agents without a code: {', '.join(codes)} have their own. Charge the product used.",
            evidence=(*charged(lines), *agents.evidence),
            notes=(
                "The record does not decide the product. Each of these is charged by its own code: "
                + "; ".join(in_words(code) for code in codes)
                + ". Leave A9700 only for another product, or where the payer asks for it.",
            ),
            day=study.day,
            indicator=INFO,
        )
