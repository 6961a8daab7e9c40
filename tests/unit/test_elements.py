"""Amounts, doses and days of FHIR's elements, at their edges."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cds_service.core.case import MIDNIGHT
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.data_types import Quantity
from cds_service.fhir.elements import (
    OutOfRange,
    amount,
    concept,
    day_of,
    days_of_part,
    last_day_of,
    local_day,
    mapped,
    milligrams,
    milliliters,
    practitioners,
    relative_reference,
    single_day,
    texts_or_codes,
    without_values,
    written_near,
)


def quantity(value: str, unit: str | None = None, code: str | None = None) -> Quantity:
    return Quantity(value=Decimal(value), unit=unit, code=code)


@pytest.mark.parametrize(
    "written",
    ["0", "-0", "1", "0.5", "100000", "99999.9999", "1E2", "0.12345678901234567", "0.123456789012345678", "1E-18"],
)
def test_an_amount_has_at_most_18_digits_and_is_at_most_100_000(written: str) -> None:
    found = amount(quantity(written))
    assert found == Decimal(written)
    assert str(found)[0] != "-"


@pytest.mark.parametrize(
    "written",
    [
        "-1",
        "-0.1",
        "100001",
        "100000.1",
        "0.1234567890123456789",
        "1E-19",
        "1.000000000000000000",
        "1E+99",
        "NaN",
        "Infinity",
    ],
)
def test_another_number_is_refused(written: str) -> None:
    with pytest.raises(OutOfRange, match="expected a number from 0 to 100000 with at most 18 digits"):
        amount(quantity(written))


def test_no_number_is_no_amount() -> None:
    assert amount(None) is None
    assert amount(Quantity()) is None
    assert milliliters(None) is None
    assert milligrams(Quantity(unit="mg")) is None
    for unit in ("mL", "uL", "L", "mcg", "g"):
        assert milliliters(Quantity(unit=unit)) is None
        assert milligrams(Quantity(unit=unit)) is None


@pytest.mark.parametrize(
    ("unit", "ml", "mg"),
    [
        ("mL", "2", None),
        ("cc", "2", None),
        ("cubic centimeter", "2", None),
        ("milliliter (iso1000)", "2", None),
        ("mL{total}", "2", None),
        ("mL/dose", "2", None),
        ("ml.", "2", None),
        ("uL", "0.002", None),
        ("µL", "0.002", None),
        ("L", "2000", None),
        ("mg", None, "2"),
        ("mg of dobutamine", None, "2"),
        ("mcg", None, "0.002"),
        ("g", None, "2000"),
        ("vial", None, None),
        ("mL/kg", None, None),
        ("", None, None),
    ],
)
def test_a_dose_is_a_volume_or_a_weight_by_its_unit(unit: str, ml: str | None, mg: str | None) -> None:
    for dose in (quantity("2", unit=unit), quantity("2", code=unit), quantity("2", "?", unit)):
        assert milliliters(dose) == (ml and Decimal(ml))
        assert milligrams(dose) == (mg and Decimal(mg))


@pytest.mark.parametrize(
    ("moment", "start", "end", "expected"),
    [
        ("2026-03-02", None, None, 2),
        ("2026-03-02T23:59:00-05:00", None, None, 2),
        ("2026-03", None, None, None),
        ("2026-02-30", None, None, None),
        (None, "2026-03-02", "2026-03-04", 2),
        (None, None, "2026-03-04", 4),
        ("2026-03-03", "2026-03-02", None, 3),
        (None, None, None, None),
    ],
)
def test_a_day_is_the_one_sent(moment: str | None, start: str | None, end: str | None, expected: int | None) -> None:
    period = r.Period(start=start, end=end) if start or end else None
    assert day_of(moment, period) == (expected and date(2026, 3, expected))


CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("moment", "here", "without_zone"),
    [
        ("2026-03-02", (2, None), (2, None)),
        ("2026-03-02T01:00:00-05:00", (2, None), (2, None)),
        ("2026-03-02T01:00:00+01:00", (2, None), (2, None)),
        ("2026-03-02T05:59:00Z", (1, None), (2, 5)),
        ("2026-03-02T06:00:00Z", (2, None), (2, 6)),
        ("2026-03-02T11:59:59.5+00:00", (2, None), (2, 11)),
        ("2026-03-02T12:00:00-00:00", (2, None), (2, None)),
        ("2026-03-02T00:00Z", (2, MIDNIGHT), (2, MIDNIGHT)),
        ("2026-03-02T00:00:00.000Z", (2, MIDNIGHT), (2, MIDNIGHT)),
        ("2026-03-02T00:00:01Z", (1, None), (2, 0)),
        ("2026-03-02T00:00:00-06:00", (2, None), (2, None)),
        ("2026-03", (None, None), (None, None)),
        (None, (None, None), (None, None)),
    ],
)
def test_an_instant_in_utc_may_be_of_the_day_before(
    moment: str | None, here: tuple[int | None, int | None], without_zone: tuple[int | None, int | None]
) -> None:
    for zone, (day, hour) in ((CHICAGO, here), (None, without_zone)):
        expected = day and date(2026, 3, day), hour
        assert local_day(moment, None, zone) == expected
        assert local_day(None, r.Period(start=moment, end="2026-03-09"), zone) == (
            expected if moment else (date(2026, 3, 9), None)
        )


def test_an_instant_at_the_ends_of_the_calendar_has_its_own_day() -> None:
    assert local_day("0001-01-01T03:00:00Z", None, CHICAGO) == (date.min, None)
    assert local_day("9999-12-31T23:00:00Z", None, ZoneInfo("Asia/Tokyo")) == (date.max, None)


@pytest.mark.parametrize(
    ("start", "end", "last", "only"),
    [
        ("2026-03-02", "2026-03-04", 4, None),
        ("2026-03-02", "2026-03-02", None, 2),
        ("2026-03-02T08:00:00-06:00", "2026-03-02T09:00:00-06:00", None, 2),
        ("2026-03-02", None, None, 2),
        (None, "2026-03-04", None, 4),
        (None, None, None, None),
        ("2026-03-02T23:00:00Z", "2026-03-03T01:00:00Z", None, None),
        ("2026-03-02T03:00:00Z", "2026-03-04T03:00:00Z", 4, None),
        ("2026-03-02T20:00:00Z", "2026-03-04T20:00:00Z", 4, None),
        ("2026-03-02T03:00:00Z", "2026-03-04T20:00:00Z", 4, None),
        ("2026-03-02T20:00:00Z", "2026-03-04T03:00:00Z", None, None),
    ],
)
def test_a_period_over_days_ends_on_another(
    start: str | None, end: str | None, last: int | None, only: int | None
) -> None:
    """If only its end may be of the day before, that it is over days is not certain."""
    period = r.Period(start=start, end=end)
    assert last_day_of(period, None) == (last and date(2026, 3, last))
    assert single_day(period) == (only and date(2026, 3, only))
    assert (last_day_of(None, None), single_day(None)) == (None, None)


def test_in_a_time_zone_an_evening_ends_on_its_day() -> None:
    assert last_day_of(r.Period(start="2026-03-02T23:00:00Z", end="2026-03-03T01:00:00Z"), CHICAGO) is None
    ended = r.Period(start="2026-03-02T23:00:00Z", end="2026-03-03T07:00:00Z")
    assert last_day_of(ended, CHICAGO) == date(2026, 3, 3)


def test_days_as_they_are_written_near_some_days() -> None:
    assert written_near(frozenset()) == frozenset()
    assert written_near(frozenset({date(2026, 3, 1), date(2026, 3, 2)})) == {
        "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03",
    }  # fmt: skip
    assert written_near(frozenset({date.min})) == {"0001-01-01", "0001-01-02"}
    assert written_near(frozenset({date.max})) == {"9999-12-30", "9999-12-31"}


def test_who_is_a_practitioner() -> None:
    people = {"Practitioner/1", "PractitionerRole/1", "http://hl7.org/fhir/sid/us-npi|1", "urn:uuid:1"}
    assert practitioners([*people, "Organization/1", "Patient/1", "1", ""]) == people


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Patient/1", "Patient/1"),
        ("https://ehr.example.org/r4/Patient/1", "Patient/1"),
        ("Patient/1/_history/2", "Patient/1"),
        (f"Patient/{'x' * 64}", f"Patient/{'x' * 64}"),
        (f"Patient/{'x' * 65}", f"Patient/{'x' * 65}"),
        ("#1", "#1"),
        ("urn:uuid:1", "urn:uuid:1"),
    ],
)
def test_a_reference_without_server_and_version(reference: str, expected: str) -> None:
    assert relative_reference(reference) == expected


LOCAL, BILLED = Code("urn:local", "17"), Code(BILLING, "17")


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((LOCAL,), (LOCAL, Code(BILLING, "93352"))),
        ((BILLED,), (Code(BILLING, "93352"),)),
        ((LOCAL, BILLED), (LOCAL, Code(BILLING, "93352"))),
        ((BILLED, Code(BILLING, "93350")), (Code(BILLING, "93350"), Code(BILLING, "93352"))),
        ((Code("urn:local", "18"),), (Code("urn:local", "18"),)),
    ],
    ids=["a local code", "sent as a billing code", "both", "beside a billing code", "another"],
)
def test_a_code_that_the_site_maps_gains_the_billing_code(codes: tuple[Code, ...], expected: tuple[Code, ...]) -> None:
    assert mapped(Concept(codes, ("Text",)), {LOCAL: "93352", BILLED: "93352"}) == Concept(expected, ("Text",))


def test_a_concept_has_its_codes_and_its_words() -> None:
    absent = r.Coding(system="http://terminology.hl7.org/CodeSystem/data-absent-reason", code="unknown", display="?")
    coding = (absent, r.Coding(display="Only words"), r.Coding(code=" "), r.Coding("urn:local", code="17", display="A"))
    found = concept(r.CodeableConcept(coding=coding, text="Text"))
    assert found == Concept((LOCAL,), ("Only words", "A", "Text"))
    assert concept(None) == concept(r.CodeableConcept()) == Concept()
    assert texts_or_codes(r.CodeableConcept(coding=coding)) == ("Only words", "A")
    assert texts_or_codes(r.CodeableConcept(coding=(r.Coding("urn:local", code="17"),))) == ("17",)


def test_a_message_does_not_repeat_a_code_that_was_sent() -> None:
    told = without_values("Invalid enum value 'John - at Doe' - at `$.status`")
    assert told == "expected a code that FHIR R4 allows here - at `$.status`"
    assert without_values("Expected `str`, got `int` - at `$.id`") == "Expected `str`, got `int` - at `$.id`"


@pytest.mark.parametrize(
    ("moment", "period", "expected"),
    [
        ("2024", None, (date(2024, 1, 1), date(2024, 12, 31))),
        ("2024-02", None, (date(2024, 2, 1), date(2024, 2, 29))),
        (None, r.Period(start="2026-03", end="2026-04"), (date(2026, 3, 1), date(2026, 4, 30))),
        (None, r.Period(start="2026-03", end="2026-04-07"), (date(2026, 3, 1), date(2026, 4, 7))),
        (None, r.Period(start="2026-03"), (date(2026, 3, 1), date(2026, 3, 31))),
        (None, r.Period(end="2026-04"), (date(2026, 4, 1), date(2026, 4, 30))),
        (None, r.Period(start="2026-05", end="2026-04"), (date(2026, 5, 1), date(2026, 5, 31))),
        ("2024-13", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_date_without_a_day_may_be_any_of_its_month_or_year(
    moment: str | None, period: r.Period | None, expected: tuple[date, date] | None
) -> None:
    assert days_of_part(moment, period) == expected
