"""Codes in the extensions of a charge: Oracle Health's `procedure-code`, given once or more often."""

from typing import Any

import pytest

from hooks.coding.understood import is_charge_understood
from tests.unit.test_read import CHARGE_MASTER, CPT, case_of, charge, nested


def coded(code: str, *priority: int, member: str = "valueUnsignedInt") -> dict[str, Any]:
    extension = nested("procedure-code", "CPT", code)
    stated = [{"url": "priority", member: each} for each in priority]
    return extension | {"extension": [*extension["extension"], *stated]}


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        ([coded("36415", 2), coded("93352", 1)], "93352"),
        ([coded("93352", 1), coded("36415", 2)], "93352"),
        ([coded("36415", 2, member="valueInteger"), coded("93352", 1, member="valueDecimal")], "93352"),
        ([coded("36415"), coded("93352", 1)], "93352"),
        ([coded("93352"), coded("93352-26")], "93352"),
        ([coded("36415"), coded("93352")], ""),
        ([coded("36415", 1), coded("93352", 1)], ""),
        ([coded("93352-1", 1), coded("36415", 2)], ""),
    ],
)
def test_the_code_of_the_lowest_priority_number_is_charged(extensions: list[dict[str, Any]], code: str) -> None:
    case = case_of(charge(code=CHARGE_MASTER, extension=extensions))
    (line,) = case.lines
    assert line.code == code
    assert is_charge_understood(line, case) == bool(code)
    assert {each["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for each in extensions} <= {
        each.value for each in line.concept.codes
    }


def test_codes_of_which_none_counts_are_of_the_outermost_extension() -> None:
    """So that a site can map what they mean by its address."""
    extensions = [coded("36415"), coded("93352")]
    (line,) = case_of(charge(code=CHARGE_MASTER, extension=extensions)).lines
    found = {each.value: each.system for each in line.concept.codes}
    assert (found["36415"], found["93352"]) == (extensions[0]["url"], extensions[1]["url"])


def test_codes_of_extensions_that_hold_them_themselves_are_of_these() -> None:
    extensions = [
        {"url": f"https://ehr.example.org/{name}", "valueCodeableConcept": {"coding": [{"system": CPT, "code": code}]}}
        for name, code in (("one", "36415"), ("other", "93352"))
    ]
    (line,) = case_of(charge(code=CHARGE_MASTER, extension=extensions)).lines
    found = {each.value: each.system for each in line.concept.codes}
    assert (found["36415"], found["93352"]) == ("https://ehr.example.org/one", "https://ehr.example.org/other")
