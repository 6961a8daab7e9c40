"""Rule: supply units that do not match the mL given."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, RemoveModifier, SetUnits
from cds_service.core.rules import INFO, WARNING, Because, Finding, Passed, Question, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, counted, worded
from hooks.codes.sources import NORIDIAN_JZ_2024
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.claims import by_claim_type, charge_evidence
from hooks.coding.contrast import agents_given, contrast_in, documented_units
from hooks.coding.doses import doubt_about_doses
from hooks.coding.fixes import add_code, discarded_line, named_fix, supplies_charged, waste_modifier_changes
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import codes_of, left_to, named
from hooks.coding.products import Agent
from hooks.coding.questions import how_much, product_of, which_agent
from hooks.coding.studies import Study, studies
from hooks.coding.waste import BOTH, DISCARDED, dose_evidence, has_product_code, leftover_of, payment_of


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(PRODUCTS, CODES),
    sources=(CODES.sources["hcpcs"], NORIDIAN_JZ_2024),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no contrast agent charged by the mL is under review"),
)
def supply_units_mismatch(case: Case) -> Iterator[Verdict]:
    """The units of a contrast supply do not match the mL that were given.

    Why:
        Contrast supply codes are charged in units of 1 mL: the mL given in the study are added up and rounded up once
        to a whole unit. The amount left in the vial was not given; if the payer accepts it, it is reported on a
        separate line with JW.

    Flags:
        The lines without JW total other units than the mL recorded as given; or the JW line charges more than could
        have been left in the vials.

    Passes:
        The units match the mL given; the remainder of the vial is charged with JW. Not checked if the dose is not
        recorded in mL, or was recorded after dilution.
    """
    for study in studies(case):
        lines = [line for line in supplies_charged(study) if line.under_review and has_product_code(line)]
        if not study.under_review or not lines:
            continue
        if contrast_in(study, case).given == "contradicted":
            unsupported = worded("{codes} without an agent on record", codes=codes_of(lines))
            yield Passed(left_to, "contrast-not-supported", unsupported, tuple(lines))
            continue
        for code in sorted({line.code for line in lines}):
            yield from _verdict(code, study, case)


def _verdict(code: str, study: Study, case: Case) -> Iterator[Verdict]:
    if agents_given(study) and not any(code in agent.codes for agent, _ in agents_given(study)):
        lines = study.lines_for(code)
        yield Passed(left_to, "supply-agent-mismatch", worded("{code} is not the agent on record", code=code), lines)
        return
    documented = documented_units(code, study)
    reason = _open_question(study, case) or (None if documented.units is not None else documented.reason)
    if reason:
        charged = [line for line in supplies_charged(study) if line.code == code and line.under_review]
        open_reason = worded("{code}: {reason}", code=code, reason=reason)
        yield Undecided("record", open_reason, charge_evidence(charged), _question(code, study, case))
        return
    for lines in by_claim_type(study.lines_for(code)):
        if any(line.under_review for line in lines):
            yield from _compare(lines, study, case)


def _question(code: str, study: Study, case: Case) -> Question | None:
    """Asks for the product, if several that are charged may have been given, else for the dose."""
    if doubt_about_doses(study, case):
        return None
    return which_agent(_charged(study), study.day, case) if _shared_agents(study) else how_much(product_of(code))


def _charged(study: Study) -> set[str]:
    return {line.code for line in study.supplies if has_product_code(line)}


def _shared_agents(study: Study) -> list[Agent]:
    """The agents on record that may be several of the products charged."""
    return [agent for agent, _ in agents_given(study) if len(agent.codes & _charged(study)) > 1]


def _open_question(study: Study, case: Case) -> Worded | None:
    """The reason why the mL on record cannot be assigned to the study and to one product; None if they can."""
    if doubt := doubt_about_doses(study, case):
        return doubt[1]
    if _shared_agents(study):
        return worded("the record does not identify which of the charged products was given")
    return None


def _compare(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Finding | Passed]:
    code = lines[0].code
    given = tuple(line for line in lines if DISCARDED not in line.modifiers)
    discarded = tuple(line for line in lines if DISCARDED in line.modifiers)
    units, left = documented_units(code, study).units or Decimal(0), leftover_of(code, study)
    changes: list[Change] = []
    if not given:
        changes += _given_part(discarded, units, study, case)
    elif _total(given) != units:
        changes += _set_units(given, units)
    belongs = given and discarded and not _is_modifier_fault(discarded, study, case)
    if belongs and left is not None and _total(discarded) > left.most:
        changes += _set_units(discarded, left.most)
    if changes:
        yield _finding(lines, units, changes, study)
    else:
        yield Passed(_match, lines, study)


def _match(lines: tuple[Line, ...], study: Study) -> Because:
    reason = documented_units(lines[0].code, study).reason
    text = worded("as charged in {lines}: {reason}", lines=named(map(str, lines)), reason=reason)
    return Because(text, (*charge_evidence(lines), *dose_evidence(lines[0].code, study)))


def _given_part(discarded: tuple[Line, ...], units: Decimal, study: Study, case: Case) -> Iterator[Change]:
    """Fix if only JW is charged: add the amount given or, if nothing was left, charge the line as given.

    Nothing where the lines carry JZ too, and the units are right: `supply-waste-modifier` asks for one of the two.
    """
    if _total(discarded) == units and all(set(line.modifiers) >= BOTH for line in discarded):
        return
    code, left = discarded[0].code, leftover_of(discarded[0].code, study)
    if left is not None and 0 < _total(discarded) <= left.most:
        yield add_code(study, case, code, units, discarded[0])
        return
    kept, *others = _kept_first(discarded, units)
    yield from list(waste_modifier_changes(kept, code, study, case)) or [RemoveModifier(kept, DISCARDED)]
    yield from _set_units((kept,), units)
    yield from (RemoveLine(line) for line in others)
    if left is not None and left.recorded_ml is not None:
        yield from discarded_line(kept, code, study, case)


def _is_modifier_fault(discarded: tuple[Line, ...], study: Study, case: Case) -> bool:
    """True if JW does not belong on the lines at all; `supply-waste-modifier` removes it."""
    left, payment = leftover_of(discarded[0].code, study), payment_of(discarded[0], study, case)
    return payment == "packaged" or (payment == "separate" and left is not None and not left.most)


def _total(lines: Iterable[Line]) -> Decimal:
    """Total units; a line without a quantity counts as one."""
    return sum((Decimal(1) if line.units is None else line.units for line in lines), Decimal(0))


def _set_units(lines: tuple[Line, ...], units: Decimal) -> Iterator[Change]:
    kept, *others = _kept_first(lines, units)
    if not units:
        yield RemoveLine(kept)
    elif _total([kept]) != units:
        yield SetUnits(kept, units)
    yield from (RemoveLine(line) for line in others)


def _kept_first(lines: Iterable[Line], units: Decimal) -> list[Line]:
    """A line with the right units first, in any input order."""
    return sorted(lines, key=lambda line: (_total([line]) != units, str(line)))


def _finding(lines: tuple[Line, ...], units: Decimal, changes: list[Change], study: Study) -> Finding:
    certain = all(line.certain for line in lines)
    fixable = certain and all(line.open and line.under_review for line in lines)
    code = lines[0].code
    return Finding(
        summary=_summary(lines, units),
        evidence=(*charge_evidence(lines), *dose_evidence(code, study)),
        fixes=(named_fix(changes, recommended=True),) if fixable else (),
        notes=(worded("{code}: {reason}.", code=code, reason=documented_units(code, study).reason),),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _summary(lines: tuple[Line, ...], units: Decimal) -> Worded:
    code, given = lines[0].code, _total(line for line in lines if DISCARDED not in line.modifiers)
    if given == units:
        return worded(
            "{code}: JW charges more than could have been left in the vial: correct the units.",
            code=code,
        )
    return counted(
        "{code}: {count} unit is charged as given, but the mL given equal {units}: correct the units.",
        "{code}: {count} units are charged as given, but the mL given equal {units}: correct the units.",
        given,
        code=code,
        units=units,
    )
