"""Rule: units of a stress drug that do not match the milligrams given."""

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_CEILING, Decimal

from cds_service.core.case import Case, Line
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, counted, worded
from hooks.codes.tables import STRESS_DRUGS, StressDrug
from hooks.coding.claims import (
    by_claim_type,
    charge_evidence,
    echo_days,
    is_facility_supply,
    is_submitted,
    lines_with_units,
    units_of,
)
from hooks.coding.doses import another_visit, of_another_visit
from hooks.coding.fixes import keep_units
from hooks.coding.lines import grouped
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of, left_to, named
from hooks.coding.questions import how_much
from hooks.coding.stress_drugs import Given, given_of, is_stress_drug
from hooks.coding.unclear import may_be_near
from hooks.coding.waste import DISCARDED


@rule(
    order=INFO,
    claim=WARNING,
    tables=(STRESS_DRUGS,),
    sources=(STRESS_DRUGS.sources["hcpcs"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no stress drug is under review on the day of an echo"),
)
def stress_drug_units(case: Case) -> Iterator[Verdict]:
    """The units of a stress drug do not match the milligrams that were given.

    Why:
        Each drug has its own unit: 250 mg of dobutamine, 0.1 mg of regadenoson, 1 mg of adenosine, 10 mg of
        dipyridamole, 0.01 mg of atropine. The milligrams given on the day are added up and rounded up once to a whole
        unit; 0.4 mg of regadenoson are 4 units. The milligrams, entered as units, are the usual fault.

    Flags:
        On the day of an echo, the lines of a drug without JW total other units than the milligrams recorded as given.

    Passes:
        The units match; a day without an echo; no administration of the drug on record. Not checked if a dose is not
        recorded in mg (an infusion rate, a volume), or if an administration was stopped or may be of another day.
    """
    days = echo_days(case)
    drugs = [line for line in lines_with_units(case) if is_stress_drug(line.code) and line.day in days]
    charged = [line for line in drugs if not is_facility_supply(line)]
    if drugs and not charged:
        yield Passed(left_to, "supply-not-owner", worded("{codes} of a facility", codes=codes_of(drugs)), tuple(drugs))
    for claim in by_claim_type(charged):
        by_code_and_day = grouped(claim, lambda line: (line.code, line.day))
        for code, day in sorted(by_code_and_day, key=str):
            lines = by_code_and_day[code, day]
            if day is not None and is_submitted(lines, case):
                yield from _verdict(lines, day, case)


def _verdict(lines: list[Line], day: date, case: Case) -> Iterator[Verdict]:
    given = [each for each in given_of(lines[0].code, case) if may_be_near(each.record, day) and _counts(each)]
    if not given:
        yield Passed(_no_dose, lines, day)
        return
    reason = next((reason for each in _unsettled_first(given, day) if (reason := _open_question(each, day))), None)
    is_of_two_visits = of_another_visit([each.record for each in given], lines) is not None
    if reason is None and is_of_two_visits:
        reason = another_visit(given[0].drug.name)
    if reason:
        records = tuple(Evidence(worded("{product} on record", product=each.drug.name), each.record) for each in given)
        question = how_much(given[0].drug.name, "mg") if _lacks_mg(given, day) and not is_of_two_visits else None
        open_reason = worded("{code}: {reason}", code=lines[0].code, reason=reason)
        yield Undecided("record", open_reason, (*charge_evidence(lines), *records), question)
        return
    units = _units(given)
    as_given = [line for line in lines if DISCARDED not in line.modifiers]
    if as_given and sum(map(units_of, as_given), Decimal(0)) != units:
        yield _finding(as_given, given, units)
    else:
        yield Passed(_match, as_given or lines, given)


def _no_dose(lines: list[Line], day: date) -> Because:
    return because_of(worded("no dose of {code} is recorded on {day}", code=lines[0].code, day=day), lines)


def _unsettled_first(given: list[Given], day: date) -> list[Given]:
    """In any input order, the doses first whose time or status is open: their mg would settle nothing."""
    reasons = {id(each): _time_or_status_is_open(each, day) for each in given}
    return sorted(given, key=lambda each: (reasons[id(each)] is None, reasons[id(each)] or ""))


def _match(lines: list[Line], given: list[Given]) -> Because:
    if all(DISCARDED in line.modifiers for line in lines):
        return because_of(worded("{lines} charges a discarded amount only", lines=named(map(str, lines))), lines)
    text = counted(
        "{dose} of {drug} given are {count} unit of {code}, as charged",
        "{dose} of {drug} given are {count} units of {code}, as charged",
        _units(given),
        dose=Quantity(sum(map(_mg, given), Decimal(0)), "mg"),
        drug=given[0].drug.name,
        code=lines[0].code,
    )
    return Because(text, (*charge_evidence(lines), *_doses(given)))


def _doses(given: list[Given]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(worded("{dose} of {drug} given", dose=Quantity(_mg(each), "mg"), drug=each.drug.name), each.record)
        for each in given
    )


def _lacks_mg(given: list[Given], day: date) -> bool:
    """True if nothing but a dose in mg is missing."""
    return not any(_time_or_status_is_open(each, day) for each in given)


def _counts(given: Given) -> bool:
    return given.record.status != "not given"


def _open_question(given: Given, day: date) -> Worded | None:
    reason = _time_or_status_is_open(given, day)
    if reason or given.record.mg:
        return reason
    return worded("a dose of {drug} is not recorded in mg", drug=given.drug.name)


def _time_or_status_is_open(given: Given, day: date) -> Worded | None:
    record = given.record
    if record.status == "unclear":
        return worded("an administration of {drug} was stopped or is unclear", drug=given.drug.name)
    if record.day != day or record.utc_hour is not None or record.last_day is not None:
        return worded("an administration of {drug} may be of another day", drug=given.drug.name)
    return None


def _units(given: list[Given]) -> Decimal:
    """HCPCS units: the mg of a day, added up and rounded up once."""
    total = sum(map(_mg, given), Decimal(0))
    return (total / given[0].drug.mg_per_unit).to_integral_value(ROUND_CEILING)


def _mg(given: Given) -> Decimal:
    return given.record.mg or Decimal(0)


def _finding(lines: list[Line], given: list[Given], units: Decimal) -> Finding:
    drug, charged = given[0].drug, sum(map(units_of, lines), Decimal(0))
    certain = all(line.certain for line in lines) and all(each.certain for each in given)
    changes = keep_units(lines, units) if certain and units and _are_alike(lines) else ()
    label = worded("Set {code} to {units}, as the record shows", code=drug.code, units=units)
    return Finding(
        summary=counted(
            "{code}: {count} unit is charged, but the {drug} given equals {units}.",
            "{code}: {count} units are charged, but the {drug} given equals {units}.",
            charged,
            code=drug.code,
            drug=drug.name,
            units=units,
        ),
        evidence=(*charge_evidence(lines), *_doses(given)),
        fixes=(Fix(label, changes, recommended=True),) if changes else (),
        notes=(
            _note(drug),
            worded("A discarded amount is charged on a separate line with JW, if the payer accepts it."),
        ),
        day=lines[0].day,
        indicator=None if certain else INFO,
    )


def _are_alike(lines: list[Line]) -> bool:
    return len({line.modifiers for line in lines}) == 1


def _note(drug: StressDrug) -> Worded:
    return worded(
        "One unit of {code} is {amount} of {drug}; a part of a unit is rounded up.",
        code=drug.code,
        amount=Quantity(drug.mg_per_unit, "mg"),
        drug=drug.name,
    )
