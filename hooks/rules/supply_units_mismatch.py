"""Rule: other units of a supply than the mL given make."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, RemoveModifier, SetUnits
from cds_service.core.notation import plain
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.sources import NORIDIAN_JZ_2024
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.contrast import agents_given, contrast_in, documented_units, given_of, unsure_agents
from hooks.coding.fixes import add, by_claim_type, waste_modifiers
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.studies import Study, studies
from hooks.coding.waste import DISCARDED, has_product_code, leftover_of, payment_of


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(PRODUCTS, CODES),
    sources=(CODES.sources["hcpcs"], NORIDIAN_JZ_2024),
    override_reasons=WRONG_CHARGE,
)
def supply_units_mismatch(case: Case) -> Iterator[Finding | Undecided]:
    """The units of a supply differ from the mL that were given.

    Why:
        The supply code of a contrast agent is charged in units of 1 mL: what was given in the study is added up and
        rounded up once to whole units. What was left of the vial is not given; where the payer takes it, it stands on a
        line of its own with JW.

    Flags:
        The lines without JW add up to other units than the mL recorded as given make; or the line with JW charges more
        than can have been left in the vials.

    Passes:
        The units are those of the mL given; the rest of the vial with JW. Not decided where the dose is not recorded in
        mL, or was recorded after dilution.
    """
    for study in studies(case):
        if study.under_review and contrast_in(study, case).given != "contradicted":
            for code in sorted(
                {line.code for line in _supplies(study) if line.under_review and has_product_code(line)}
            ):
                yield from _verdict(code, study, case)


def _supplies(study: Study) -> tuple[Line, ...]:
    """The supplies of a study, and those that may be of another study of the day."""
    return (*study.supplies, *(each for each in study.unsure if isinstance(each, Line)))


def _verdict(code: str, study: Study, case: Case) -> Iterator[Finding | Undecided]:
    if agents_given(study) and not any(code in agent.codes for agent, _ in agents_given(study)):
        return  # another product was given, which has a rule of its own
    documented = documented_units(code, study)
    reason = _open_question(study) or ("" if documented.units is not None else documented.reason)
    if reason:
        charged = [line for line in _supplies(study) if line.code == code and line.under_review]
        yield Undecided("record", f"{code}: {reason}", tuple(Evidence(f"{line} is charged", line) for line in charged))
        return
    for lines in by_claim_type(study.charged(code)):
        if any(line.under_review for line in lines):
            yield from _compared(lines, study, case)


def _open_question(study: Study) -> str:
    """What keeps the mL on record from being the mL of a product."""
    if unsure_agents(study):
        return "what was given belongs to one of several echo studies of the day"
    charged = {line.code for line in study.supplies if has_product_code(line)}
    shared = [agent for agent, _ in agents_given(study) if len(agent.codes & charged) > 1]
    return "the record does not say which of the products charged was given" if shared else ""


def _compared(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Finding]:
    code = lines[0].code
    given = tuple(line for line in lines if DISCARDED not in line.modifiers)
    discarded = tuple(line for line in lines if DISCARDED in line.modifiers)
    units, left = documented_units(code, study).units or Decimal(0), leftover_of(code, study)
    changes: list[Change] = []
    if not given:
        changes += _given_part(discarded, units, study, case)
    elif _sum(given) != units:
        changes += _set(given, units)
    belongs = given and discarded and not _is_about_modifiers(discarded, study, case)
    if belongs and left is not None and _sum(discarded) > left.most:
        changes += _set(discarded, left.most)
    if changes:
        yield _finding(lines, units, changes, study)


def _given_part(discarded: tuple[Line, ...], units: Decimal, study: Study, case: Case) -> Iterator[Change]:
    """Only JW is charged: what was given is added, or where nothing was left the line charges that instead."""
    code, left = discarded[0].code, leftover_of(discarded[0].code, study)
    if left is not None and 0 < _sum(discarded) <= left.most:
        yield add(study, case, code, units, discarded[0])
        return
    kept, *others = _kept_first(discarded, units)
    yield from list(waste_modifiers(kept, code, study, case)) or [RemoveModifier(kept, DISCARDED)]
    yield from _set((kept,), units)
    yield from (RemoveLine(line) for line in others)


def _is_about_modifiers(discarded: tuple[Line, ...], study: Study, case: Case) -> bool:
    """Whether JW does not belong there at all: the rule for JW and JZ then takes the line off."""
    left, payment = leftover_of(discarded[0].code, study), payment_of(discarded[0], study, case)
    return payment == "packaged" or (payment == "separate" and left is not None and not left.most)


def _sum(lines: Iterable[Line]) -> Decimal:
    """A line without a quantity charges one."""
    return sum((Decimal(1) if line.units is None else line.units for line in lines), Decimal(0))


def _set(lines: tuple[Line, ...], units: Decimal) -> Iterator[Change]:
    kept, *others = _kept_first(lines, units)
    if not units:
        yield RemoveLine(kept)
    elif _sum([kept]) != units:
        yield SetUnits(kept, units)
    yield from (RemoveLine(line) for line in others)


def _kept_first(lines: Iterable[Line], units: Decimal) -> list[Line]:
    """The line that is right already, if one is; in whatever order they were sent."""
    return sorted(lines, key=lambda line: (_sum([line]) != units, str(line)))


def _finding(lines: tuple[Line, ...], units: Decimal, changes: list[Change], study: Study) -> Finding:
    certain = all(line.certain for line in lines)
    mendable = certain and all(line.open and line.under_review for line in lines)
    code, label = lines[0].code, ", ".join(str(change) for change in changes)
    return Finding(
        summary=f"{code}: {_what_is_wrong(lines, units)}.",
        evidence=(
            *(Evidence(f"{line} is charged", line) for line in lines),
            *(Evidence(f"{plain(each.ml or Decimal(0))} mL given", each) for each in given_of(code, study)),
        ),
        fixes=(Fix(label[:1].upper() + label[1:], tuple(changes), recommended=True),) if mendable else (),
        notes=(f"{code}: {documented_units(code, study).reason}.",),
        day=study.day,
        indicator=None if certain else INFO,
    )


def _what_is_wrong(lines: tuple[Line, ...], units: Decimal) -> str:
    given = _sum(line for line in lines if DISCARDED not in line.modifiers)
    if given != units:
        verb = "unit is" if given == 1 else "units are"
        return f"{plain(given)} {verb} charged as given; the mL given make {plain(units)}"
    return "more is charged with JW than can have been left of the vial"
