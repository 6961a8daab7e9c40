"""Charges that were reversed or credited."""

from typing import Any

import pytest

from tests.unit.test_read import CPT, case_of, charge, read


def test_a_reversed_charge_and_its_reversal_do_not_count() -> None:
    offset = {"url": "https://ehr.example.org/r4/offset-by", "valueReference": {"reference": "ChargeItem/credit"}}
    case = case_of(charge(id="first", extension=[offset]), charge(id="credit"), charge(id="again"))
    assert [line.identity for line in case.lines] == ["ChargeItem/again"]


@pytest.mark.parametrize("name", ["offset-by", "reversed-by"])
def test_a_reversal_may_be_nested(name: str) -> None:
    inner = {"url": "charge", "valueReference": {"reference": "ChargeItem/credit"}}
    extension = {"url": "details", "extension": [{"url": f"https://ehr.example.org/r4/{name}", "extension": [inner]}]}
    assert case_of(charge(id="first", extension=[extension]), charge(id="credit")).lines == ()


def amounting(value: Any, **members: Any) -> dict[str, Any]:
    return charge(quantity={"value": value}, **members)


def test_a_credit_cancels_one_equal_charge() -> None:
    case = case_of(amounting(-2, id="credit"), amounting(2, id="first"), amounting(2, id="again"))
    assert [line.identity for line in case.lines] == ["ChargeItem/again"]


def test_a_credit_need_not_name_the_charge_by_each_of_its_codes() -> None:
    coded = {"system": CPT, "code": "93352"}
    local = {"system": "https://ehr.example.org/charges", "code": "4711"}
    first = amounting(2, id="first", code={"coding": [coded, local]})
    assert case_of(amounting(-2, id="credit", code={"coding": [coded]}), first).lines == ()


def test_a_charge_without_a_quantity_is_credited_by_none() -> None:
    parsed = read(amounting(-1, id="credit"), charge(id="first"), amounting(0, id="nothing"))
    assert [line.identity for line in parsed.case.lines] == ["ChargeItem/first", "ChargeItem/nothing"]
    assert len(parsed.skipped) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"quantity": {"value": 2}},
        {"occurrenceDateTime": "2026-03-09"},
        {"code": {"coding": [{"system": CPT, "code": "93352-26"}]}},
        {"status": "aborted"},
    ],
)
def test_a_credit_without_an_equal_charge_is_reported(members: dict[str, Any]) -> None:
    code = {"coding": [{"system": CPT, "code": "93352"}]}
    credit = amounting(-1, id="credit", code=code, occurrenceDateTime="2026-03-02")
    parsed = read(credit, credit | {"id": "c2", "quantity": {"value": 1}} | members)
    assert len(parsed.skipped) == 1
    assert "93352" in parsed.case.unreadable_codes
