"""Rule: A9700 for a product that has its own code."""

from collections.abc import Iterator
from datetime import date

from msgspec.structs import replace

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, ReplaceCode, SetUnits
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, counted, joined, listed, worded
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import charge_evidence, is_submitted
from hooks.coding.contrast import Supply, contrast_in, supplies_due
from hooks.coding.doses import doubt_about_doses
from hooks.coding.fixes import add_code, describe, discarded_line, waste_modifier_changes, waste_notes
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, judged_elsewhere, left_to, named
from hooks.coding.products import UNSPECIFIED, current_products
from hooks.coding.setting_and_payer import payer_answer
from hooks.coding.studies import Study, studies
from hooks.coding.supplies import AgentsOnRecord, agents_of, invalid_supplies, supply_claims


@rule(
    order=WARNING,
    claim=WARNING,
    about=(studies,),
    tables=(CODES, PRODUCTS),
    sources=(CODES.sources["hcpcs"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no charge for {code} is under review", code=UNSPECIFIED),
)
def supply_unspecified(case: Case) -> Iterator[Verdict]:
    """A9700 is charged for an agent that has its own supply code.

    Why:
        A9700 is for an echo contrast agent without a code, once per study. A product with a code is charged with that
        code, in units of 1 mL; some payers require A9700 anyway.

    Flags:
        A9700 on a date on which the product given has its own code. If the product is unknown, the card only lists the
        available codes.

    Passes:
        The product has no code yet (Lumason before 2016); A9700 with a product's code (see supply-duplicate); a payer
        that requires A9700 according to the site file.
    """
    for study in studies(case):
        invalid = [line for line in invalid_supplies(study, case) if line.code == UNSPECIFIED]
        if study.under_review and invalid:
            yield Passed(judged_elsewhere, invalid)
        for lines in supply_claims(study, case) if study.under_review else ():
            unspecified = [line for line in lines if line.code == UNSPECIFIED]
            if not unspecified:
                continue
            if payer_answer(case, lines, "a9700"):
                yield Passed(because_of, _REQUIRED_BY_PAYER, unspecified)
            elif is_submitted(unspecified, case):
                yield from _verdict(study, unspecified, {line.code for line in lines} - {UNSPECIFIED}, case)
            else:
                yield Passed(because_of, worded("{code} is not under review", code=UNSPECIFIED), unspecified)


_REQUIRED_BY_PAYER = worded("the payer requires {code}, by the site's file", code=UNSPECIFIED)


def _verdict(study: Study, lines: list[Line], others_charged: set[str], case: Case) -> Iterator[Verdict]:
    agents = agents_of(study, lines, case)
    if contrast_in(study, case).given in ("no", "contradicted"):
        reason = worded("{code} is charged, but the record shows that no agent was given", code=UNSPECIFIED)
        yield Undecided("contradiction", reason, charge_evidence(lines))
    elif UNSPECIFIED in agents.due:
        yield Passed(_no_code_yet, study, lines, agents)
    elif others_charged and (len(agents.due) <= 1 or agents.due <= others_charged):
        beside = worded("{code} is charged beside {others}", code=UNSPECIFIED, others=named(sorted(others_charged)))
        yield Passed(left_to, "supply-duplicate", beside, tuple(lines))
    elif agents.due and (doubt := doubt_about_doses(study, case)):
        yield Undecided(*doubt, (*charge_evidence(lines), *agents.evidence))
    elif agents.due:
        yield _has_code(study, lines, sorted(agents.due - others_charged), agents, case)
    else:
        yield from _product_unknown(study, lines, agents)


def _no_code_yet(study: Study, lines: list[Line], agents: AgentsOnRecord) -> Because:
    evidence = (*charge_evidence(lines), *agents.evidence)
    if study.day is None:
        return Because(worded("the agent on record had no code of its own"), evidence)
    return Because(worded("the agent on record had no code of its own on {day}", day=study.day), evidence)


def _has_code(study: Study, lines: list[Line], codes: list[str], agents: AgentsOnRecord, case: Case) -> Finding:
    certain = all(line.certain for line in lines)
    due = {supply.code: supply for option in supplies_due(study, case) for supply in option}
    no_dose = worded("no dose in mL is recorded; enter the units")
    supply = due.get(codes[0], Supply(codes[0], None, no_dose))
    fixable = certain and len(codes) == 1 and all(line.open for line in lines)
    units = worded("{code}: {reason}.", code=supply.code, reason=supply.reason)
    return Finding(
        summary=worded(
            "{code} is charged, but the agent has its own code: replace it by {own}.",
            code=UNSPECIFIED,
            own=_codes_with_units(codes, supply),
        ),
        evidence=(*charge_evidence(lines), *agents.evidence),
        fixes=(_replacement(study, lines, supply, case),) if fixable else (),
        notes=(
            *(worded("{described}.", described=describe(code)) for code in codes),
            *((units, *waste_notes(supply.code, study, lines[0], case)) if fixable else ()),
        ),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _codes_with_units(codes: list[str], supply: Supply) -> Worded:
    if len(codes) > 1 or supply.units is None:
        return listed(codes)
    return counted("{code} ({count} unit)", "{code} ({count} units)", supply.units, code=supply.code)


def _replacement(study: Study, lines: list[Line], supply: Supply, case: Case) -> Fix:
    """The line is rewritten if the units are known; else a new line leaves them to be entered."""
    line, *others = lines
    label = worded("Replace {code} by {other}", code=UNSPECIFIED, other=supply.code)
    removals: list[Change] = [RemoveLine(other) for other in others]
    if supply.units is None:
        return Fix(label, (add_code(study, case, supply.code, None, line), RemoveLine(line), *removals))
    recoded = SetUnits(replace(line, code=supply.code), supply.units)
    marked = waste_modifier_changes(line, supply.code, study, case)
    discarded = tuple(discarded_line(line, supply.code, study, case))
    changes = (ReplaceCode(line, supply.code), recoded, *marked, *removals, *discarded)
    return Fix(label, changes, recommended=not discarded)


def _product_unknown(study: Study, lines: list[Line], agents: AgentsOnRecord) -> Iterator[Finding | Passed]:
    """Lists the products that have a code on this date; if none has, A9700 is right."""
    codes = sorted(code for code in agents.possible or current_products() if CODES.on(code, study.day))
    codes = [code for code in codes if code != UNSPECIFIED]
    if codes:
        yield Finding(
            summary=worded(
                "{code} is only for agents without a code: charge the product used ({codes}).",
                code=UNSPECIFIED,
                codes=listed(codes, "or"),
            ),
            evidence=(*charge_evidence(lines), *agents.evidence),
            notes=(_own_codes(codes),),
            day=study.day,
            indicator=INFO,
        )
    else:
        yield Passed(_none_has_a_code, lines, study.day)


def _own_codes(codes: list[str]) -> Worded:
    return worded(
        "The record does not identify the product. These have their own codes: {products}. Keep {code} only for "
        "another product, or if the payer requires it.",
        products=joined("; ", map(describe, codes)),
        code=UNSPECIFIED,
    )


def _none_has_a_code(lines: list[Line], day: date | None) -> Because:
    if day is None:
        return because_of(worded("no agent has a code of its own"), lines)
    return because_of(worded("no agent has a code of its own on {day}", day=day), lines)
