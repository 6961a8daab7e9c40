"""Amounts, doses and days of FHIR's elements, at their edges."""

from datetime import date
from decimal import Decimal

import pytest

from cds_service.fhir import resources as r
from cds_service.fhir.data_types import Quantity
from cds_service.fhir.elements import OutOfRange, amount, day_of, milligrams, milliliters


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
