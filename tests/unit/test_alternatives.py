"""A finding counts only if it holds under every reading of the records that were not understood."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from cds_service.core.alternatives import Alternative, Asked, Readings, Unclear, reading, unparsed_charges
from cds_service.core.case import Case, Line, Origin
from cds_service.core.changes import AddLine, RemoveLine, SetUnits, made
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.review import review
from cds_service.core.rules import WARNING, Evidence, Finding, Fix, Rule, Undecided, rule
from hooks.codes.sources import L38786
from hooks.coding.override_reasons import WRONG_CHARGE

DAY = date(2026, 3, 2)


def line(number: int, code: str, system: str = BILLING, **members: object) -> Line:
    concept = Concept((Code(system, code),))
    known = code if system == BILLING else ""
    return Line(origin=Origin(f"r{number}", f"ChargeItem/{number}"), code=known, concept=concept, day=DAY, **members)  # type: ignore[arg-type]


def case_of(*lines: Line) -> Case:
    return Case(stage="claim").with_records(lines=lines)


@rule(order=WARNING, claim=WARNING, about=("A0001",), tables=(), sources=(L38786,), override_reasons=WRONG_CHARGE)
def wants_b(case: Case) -> Iterator[Finding | Undecided]:
    """A rule for this test.

    Why:
        Wherever A0001 is charged, B0001 is charged as well, one unit for each.

    Flags:
        A0001 without B0001.

    Passes:
        Both.
    """
    asked = [each for each in case.lines if each.code == "A0001"]
    if asked and not any(each.code == "B0001" for each in case.lines):
        add = AddLine(code="B0001", units=Decimal(len(asked)), sibling=asked[0])
        evidence = tuple(Evidence("charged", each) for each in asked)
        yield Finding(summary="add B0001.", evidence=evidence, fixes=(Fix("Add B0001", (add,), recommended=True),))


def as_code(case: Case, changed: tuple[Line, ...], code: str) -> Case:
    read = {each.origin: replace(each, code=code) for each in changed}
    return case.with_records(lines=[read.get(each.origin, each) for each in case.lines])


def readings_as(code: str) -> Readings:
    """Each line of an unknown system may be one code, all of them at once or one at a time."""

    def unknown(case: Case) -> tuple[Line, ...]:
        return tuple(each for each in case.lines if not each.code)

    def reading(case: Case, lines: tuple[Line, ...], parts: tuple[Alternative, ...] = ()) -> Alternative:
        reason = f"{lines[0].origin.reference} may be {code}"
        return Alternative(reason, lambda: as_code(case, lines, code), lines[0], parts=parts)

    def alternatives(case: Case, _: Asked) -> Iterator[Alternative]:
        if found := unknown(case):
            yield reading(case, found, tuple(reading(case, (each,)) for each in found))

    def unclear(case: Case) -> tuple[Unclear, ...]:
        return tuple(Unclear((each,), f"may be {code}", "local codes", "charge", "urn:local") for each in unknown(case))

    return Readings(unclear, alternatives)


def reviewed(case: Case, readings: Readings, of: Rule = wants_b) -> tuple[list[str], list[str], list[str]]:
    """The findings' summaries, the reasons of open questions, and the ids of rules that passed."""
    result = review(case, (of,), readings=readings)
    return (
        [finding.summary for _, finding in result.findings],
        [undecided.reason for _, undecided in result.not_checked],
        [each.id for each, _ in result.passed],
    )


def test_a_finding_that_every_reading_supports_stays() -> None:
    case = case_of(line(1, "A0001"), line(2, "615215", "urn:local"))
    assert reviewed(case, readings_as("C0001")) == (["add B0001."], [], [])


def test_a_finding_that_one_reading_takes_away_is_an_open_question() -> None:
    case = case_of(line(1, "A0001"), line(2, "615215", "urn:local"))
    assert reviewed(case, readings_as("B0001")) == ([], ["ChargeItem/2 may be B0001"], [])
    (undecided,) = [each for _, each in review(case, (wants_b,), readings=readings_as("B0001")).not_checked]
    assert undecided.why == "not-understood"
    assert [each.record.origin.reference for each in undecided.evidence] == ["ChargeItem/1", "ChargeItem/2"]


def test_a_rule_without_a_finding_passes_whatever_the_readings() -> None:
    case = case_of(line(1, "A0001"), line(2, "B0001"), line(3, "615215", "urn:local"))
    assert reviewed(case, readings_as("A0001")) == ([], [], ["wants-b"])


def test_more_units_in_a_reading_do_not_take_a_line_to_add_away() -> None:
    case = case_of(line(1, "A0001"), line(2, "615215", "urn:local"))
    assert reviewed(case, readings_as("A0001")) == (["add B0001."], [], [])


@rule(order=WARNING, claim=WARNING, about=("A0001",), tables=(), sources=(L38786,), override_reasons=WRONG_CHARGE)
def last_is_right(case: Case) -> Iterator[Finding | Undecided]:
    """A rule for this test.

    Why:
        The last line decides.

    Flags:
        A first line, unless the last line is B0001.

    Passes:
        A last line of B0001.
    """
    *_, last = case.lines
    if last.code != "B0001":
        first = case.lines[0]
        fix = Fix("Remove it", (RemoveLine(first),))
        yield Finding(summary="remove it.", evidence=(Evidence("charged", first),), fixes=(fix,))


def test_the_reason_names_the_record_that_decides() -> None:
    case = case_of(line(1, "A0001"), line(2, "1", "urn:local"), line(3, "2", "urn:local"))
    assert reviewed(case, readings_as("B0001"), last_is_right) == ([], ["ChargeItem/3 may be B0001"], [])


@pytest.mark.parametrize("units", [1, 2])
def test_another_change_in_a_reading_takes_the_finding_away(units: int) -> None:
    @rule(order=WARNING, claim=WARNING, about=("A0001",), tables=(), sources=(L38786,), override_reasons=WRONG_CHARGE)
    def counts(case: Case) -> Iterator[Finding | Undecided]:
        """A rule for this test.

        Why:
            Units follow from the other lines.

        Flags:
            Always.

        Passes:
            Never.
        """
        first = case.lines[0]
        wanted = units if any(each.code == "B0001" for each in case.lines) else 1
        fix = Fix("Set units", (SetUnits(first, Decimal(wanted)),))
        yield Finding(summary="set units.", evidence=(Evidence("charged", first),), fixes=(fix,))

    case = case_of(line(1, "A0001"), line(2, "615215", "urn:local"))
    found, reasons, _ = reviewed(case, readings_as("B0001"), counts)
    assert (found, reasons) == ((["set units."], []) if units == 1 else ([], ["ChargeItem/2 may be B0001"]))


def test_a_warning_that_matters_only_to_findings_is_given_with_an_open_question() -> None:
    base = readings_as("B0001")

    readings = Readings(lambda _: (), base.alternatives, if_it_matters=base.unclear)
    open_question = case_of(line(1, "A0001"), line(2, "615215", "urn:local"))
    no_question = case_of(line(1, "A0001"), line(2, "B0001"), line(3, "615215", "urn:local"))
    assert [each.topic for each in review(open_question, (wants_b,), readings=readings).unclear] == ["local codes"]
    assert review(no_question, (wants_b,), readings=readings).unclear == ()
    assert [each.topic for each in review(no_question, (wants_b,), readings=base).unclear] == ["local codes"]


# --- codes of charges that could not be parsed ----------------------------------------------------------------------


def test_a_code_in_a_charge_that_could_not_be_parsed_counts_as_charged() -> None:
    case = Case(stage="claim", unreadable_codes=frozenset({"B0001"})).with_records(lines=[line(1, "A0001")])
    (undecided,) = [each for _, each in review(case, (wants_b,)).not_checked]
    assert (undecided.why, undecided.reason) == (
        "record",
        "B0001 may already be charged, on a charge that could not be parsed",
    )


def test_such_a_code_stands_beside_each_line_and_is_of_its_study_even_without_a_day() -> None:
    lines = [replace(line(1, "A0001"), identity="ChargeItem/1"), replace(line(2, "A0001"), day=None)]
    case = Case(stage="claim", unreadable_codes=frozenset({"B0001"})).with_records(lines=lines)
    beside, _ = unparsed_charges(case, BILLING, ())
    added = [each for each in beside.case.lines if each.code == "B0001"]
    linked = [each for each in beside.case.lines if {each.identity} & frozenset().union(*(one.links for one in added))]
    assert [(each.origin, each.day) for each in linked] == [(each.origin, each.day) for each in lines]
    assert {each.day for each in added} == {DAY, None}


def test_it_may_be_of_another_study_too() -> None:
    case = Case(stage="claim", unreadable_codes=frozenset({"B0001", "C0001"})).with_records(lines=[line(1, "A0001")])
    *_, apart = unparsed_charges(case, BILLING, ())
    assert [(each.code, each.day, each.links) for each in apart.case.lines] == [
        ("A0001", DAY, frozenset()),
        ("B0001", None, frozenset()),
        ("C0001", None, frozenset()),
    ]
    assert (apart.why, apart.reason) == ("record", "a charge that could not be parsed may be of another study")


# --- a reading that divides what a finding is about -----------------------------------------------------------------


@rule(order=WARNING, claim=WARNING, about=("A0001",), tables=(), sources=(L38786,), override_reasons=WRONG_CHARGE)
def none_is_due(case: Case) -> Iterator[Finding | Undecided]:
    """A rule for this test.

    Why:
        A0001 is never due.

    Flags:
        The A0001 of a day; a fix takes them off unless one is submitted.

    Passes:
        Without A0001.
    """
    charged = [each for each in case.lines if each.code == "A0001"]
    for day in sorted({each.day for each in charged if each.day}):
        of_day = [each for each in charged if each.day == day]
        fix = Fix("Remove A0001", tuple(map(RemoveLine, of_day)))
        evidence = tuple(Evidence("charged", each) for each in of_day)
        fixes = (fix,) if all(each.open for each in of_day) else ()
        yield Finding(summary=f"remove A0001 of {day}.", evidence=evidence, fixes=fixes)


def readings_of(**members: object) -> Readings:
    """The second line may be another in these members."""

    def alternatives(case: Case, _: Asked) -> Iterator[Alternative]:
        first, second = case.lines
        changed = replace(second, **members)
        yield Alternative("r2 may be another", lambda: case.with_records(lines=[first, changed]), second)

    return Readings(lambda _: (), alternatives)


LATER = date(2026, 3, 3)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_finding_stays_if_a_reading_divides_it_between_two(is_open: bool) -> None:
    case = case_of(line(1, "A0001"), line(2, "A0001", open=is_open))
    assert reviewed(case, readings_of(day=LATER), none_is_due)[0] == ["remove A0001 of 2026-03-02."]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_finding_does_not_stay_if_a_reading_leaves_one_of_its_charges_out(is_open: bool) -> None:
    case = case_of(line(1, "A0001"), line(2, "A0001", open=is_open))
    assert reviewed(case, readings_of(code="C0001"), none_is_due)[:2] == ([], ["r2 may be another"])


def test_of_many_records_that_were_not_understood_the_first_is_named() -> None:
    lines = (line(1, "x", "urn:x"), line(2, "y", "urn:x"))
    unclear = Unclear(lines, "carries code x of urn:x", "codes of urn:x", "charge", "urn:x")
    assert str(unclear) == "ChargeItem/1 carries code x of urn:x"


def test_the_units_of_a_line_that_a_fix_adds_are_clear() -> None:
    added = AddLine(code="B0001", units=Decimal(2), day=DAY)
    (made_line,) = made(case_of(), [added]).lines
    assert (made_line.units, made_line.units_unclear) == (Decimal(2), False)


@pytest.mark.parametrize(("count", "alone"), [(1, 0), (2, 2), (20, 20), (25, 20)])
def test_of_some_records_the_first_twenty_are_also_read_one_by_one(count: int, alone: int) -> None:
    lines = [line(number, "x", "urn:x") for number in range(count)]
    found = reading(
        case_of(*lines), lines, lambda each: replace(each, code="A0001"), lambda each: each.origin.reference
    )
    assert (found.reason, found.record) == ("ChargeItem/0", lines[0])
    assert [each.code for each in found.case.lines] == ["A0001"] * count
    assert [part.reason for part in found.parts] == [f"ChargeItem/{number}" for number in range(alone)]
    read = [[each.code == "A0001" for each in part.case.lines] for part in found.parts]
    assert read == [[each == number for each in range(count)] for number in range(alone)]
