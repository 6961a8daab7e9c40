"""The units of a charge, in every form, and units that were not understood."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.test_billed_claims import BLUE_BUTTON, case_of, the_line


def test_units_stand_in_the_quantity_or_in_an_extension_of_cms() -> None:
    def units(name: str, **quantity: Any) -> Decimal | None:
        return the_line(extension=[{"url": f"{BLUE_BUTTON}/{name}", "valueQuantity": {"value": 3}}], **quantity).units

    # In an institutional claim of CMS, `quantity` is that of the NDC.
    assert units("rev_cntr_unit_cnt", quantity={"value": 77}) == 3
    assert units("carr_line_mtus_cnt", quantity={"value": 2}) == 2
    assert units("carr_line_mtus_cnt") == 3
    assert units("betos_cd") is None
    url = "https://bluebutton.cms.gov/fhir/StructureDefinition/CLM-LINE-PRFNL-MTUS-CNT"
    assert the_line(extension=[{"url": url, "valueDecimal": 2}]).units == 2


@pytest.mark.parametrize("member", ["valueInteger", "valueUnsignedInt", "valuePositiveInt", "valueDecimal"])
@pytest.mark.parametrize("name", ["line_srvc_cnt", "carr_line_mtus_cnt", "rev_cntr_unit_cnt"])
def test_units_in_an_extension_may_be_of_any_type_of_number(member: str, name: str) -> None:
    line = the_line(extension=[{"url": f"{BLUE_BUTTON}/{name}", member: 3}])
    assert line.units == 3
    assert not line.units_unclear


def test_allowed_units_stand_in_an_adjudication() -> None:
    system = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"

    def stated(code: str) -> dict[str, Any]:
        return {"category": {"coding": [{"system": system, "code": code}]}, "value": 3}

    assert the_line(adjudication=[stated("paidtoprovider"), stated("allowedunits")]).units == 3
    assert the_line(adjudication=[stated("paidtoprovider")]).units is None
    assert the_line(adjudication=[stated("allowedunits")], quantity={"value": 2}).units == 2


ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


@pytest.mark.parametrize(
    ("quantity", "unclear"),
    [
        ({"value": 2}, False),
        ({"value": 2, "unit": "UN"}, False),
        ({"value": 2, "unit": "HCPCS units"}, False),
        ({"value": 2, "unit": "each"}, False),
        ({"value": 2, "code": "{unit}"}, False),
        ({"value": 2, "unit": "mL"}, False),
        ({"value": 2, "unit": "whatever", "code": "1"}, False),
        ({"value": 2, "unit": "mg"}, True),
        ({"value": 2, "unit": "vial"}, True),
        ({"value": 2, "unit": "uL", "code": "uL"}, True),
        ({"value": 2, "unit": "microliters"}, True),
        ({"value": 2, "unit": "L"}, True),
        ({"value": 2, "unit": "cc"}, False),
        ({"unit": "UN"}, True),
        ({"extension": [ABSENT]}, True),
        ({}, True),
    ],
)
def test_a_quantity_without_a_value_or_of_another_kind_leaves_the_units_unclear(
    quantity: dict[str, Any], unclear: bool
) -> None:
    charge = {"resourceType": "ChargeItem", "status": "billable", "subject": {"reference": "Patient/p1"}}
    (charged,) = case_of(charge | {"quantity": quantity}).lines
    for line in (the_line(quantity=quantity), charged):
        assert (line.units, line.units_unclear) == (quantity.get("value"), unclear)
    assert not the_line().units_unclear
    stated = [{"url": f"{BLUE_BUTTON}/rev_cntr_unit_cnt", "valueDecimal": 2}]
    assert not the_line(quantity=quantity, extension=stated).units_unclear
