"""A finding counts only if it holds under every reading of the records that were not understood."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from cds_service.core.alternatives import Alternative, Readings, Unclear
from cds_service.core.case import Case, Line, Origin
from cds_service.core.changes import AddLine, RemoveLine, SetUnits
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

    def alternatives(case: Case, _: tuple[str, ...]) -> Iterator[Alternative]:
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
        [each.id for each in result.passed],
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

    def quiet(case: Case) -> tuple[Unclear, ...]:
        return tuple(
            Unclear(each.records, each.what, each.topic, each.kind, each.system, only_if_it_matters=True)
            for each in base.unclear(case)
        )

    readings = Readings(quiet, base.alternatives)
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
