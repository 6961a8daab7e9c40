"""The FHIR that billers' notation becomes, and the notation after a fix."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cds_service.core.case import Case, Line, Order
from cds_service.core.changes import (
    AddLine,
    AddModifier,
    Change,
    RemoveLine,
    RemoveModifier,
    RemoveOrder,
    ReplaceCode,
    SetUnits,
)
from cds_service.errors import UnreadableCase
from cds_service.intake.fixes import applied
from cds_service.intake.text import text_of
from cds_service.review.advisor import Advisor
from tests.unit.test_notation_details import WRITER, read

# --- FHIR -------------------------------------------------------------------------------------------------------------


def made(text: str) -> dict[str, dict[str, Any]]:
    """The resources of a case by their ids."""
    bundle = WRITER.bundle(read("day: 2026-03-02\n" + text)).bundle
    return {entry["resource"].get("id", ""): entry["resource"] for entry in bundle["entry"]}


def test_records_are_numbered_in_their_order_unless_they_have_names() -> None:
    found = made("charged: 93350, 93352 as X\ndone: 93351\ngiven: Definity\nordered: 93306\nobserved: 93306")
    assert [*found] == ["line-1", "X", "order-3", "done-4", "given-5", "observed-6"]
    of_claim = made('professional: 93350, 93352\ndone: 93351\nreported: words "x"')
    assert [*of_claim] == ["claim-professional", "done-4", "report-5"]


def test_a_record_is_of_its_own_day_else_of_that_of_the_case() -> None:
    members = {
        "charged: 93350": "occurrenceDateTime",
        "done: 93350": "performedDateTime",
        "given: Definity": "effectiveDateTime",
        "ordered: 93350": "authoredOn",
        "observed: 93350": "effectiveDateTime",
        'reported: words "x"': "effectiveDateTime",
    }
    for text, member in members.items():
        for behind, day in (("", "2026-03-02"), (" on 2026-03-03", "2026-03-03")):
            (found,) = made(text + behind).values()
            assert found[member] == day
    claim = made("professional: 93350, 93352 on 2026-03-03")["claim-professional"]
    assert [item["servicedDate"] for item in claim["item"]] == ["2026-03-02", "2026-03-03"]


def test_a_charge_item_has_its_links_and_its_system() -> None:
    line = made("charged: 93351x2-26 on 2026-03-03 for A by B in C status billed ndc 11994-011-04 dx I10")["line-1"]
    assert line["code"]["coding"] == [
        {"system": "http://www.ama-assn.org/go/cpt", "code": "93351", "display": "A name of ours"},
        {"code": "26"},
    ]
    assert (line["status"], line["quantity"], line["occurrenceDateTime"]) == ("billed", {"value": 2}, "2026-03-03")
    assert line["service"] == [{"reference": "Procedure/A"}]
    assert line["performer"] == [{"actor": {"reference": "Practitioner/B"}}]
    assert line["context"] == {"reference": "Encounter/C"}
    assert line["productCodeableConcept"]["coding"][0]["code"] == "11994-011-04"
    assert line["reason"][0]["coding"] == [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10"}]
    plain = made("charged: 93351 bare")["line-1"]
    assert plain["code"]["coding"] == [{"code": "93351"}]
    assert (plain["status"], plain["occurrenceDateTime"]) == ("billable", "2026-03-02")
    assert not {"quantity", "service", "performer", "context", "reason", "productCodeableConcept"} & plain.keys()


def test_a_claim_numbers_what_its_lines_name() -> None:
    text = (
        "professional: 93351 for B by Y dx R07.9, 93352 for A by X dx I10+R07.9+I10, Q9957x1.5 ndc 11994-011-04\n"
        "place: 11\ndiagnoses: E11.9"
    )
    claim = made(text)["claim-professional"]
    codes = [each["diagnosisCodeableConcept"]["coding"][0]["code"] for each in claim["diagnosis"]]
    assert codes == ["R07.9", "I10", "E11.9"]
    first, second, third = claim["item"]
    assert [each.get("diagnosisSequence") for each in claim["item"]] == [[1], [2, 1], None]
    assert [each["procedureReference"]["reference"] for each in claim["procedure"]] == ["Procedure/A", "Procedure/B"]
    assert (first["procedureSequence"], second["procedureSequence"], "procedureSequence" in third) == ([2], [1], False)
    assert (first["careTeamSequence"], second["careTeamSequence"], "careTeamSequence" in third) == ([2], [1], False)
    assert [each["sequence"] for each in claim["item"]] == [1, 2, 3]
    assert third["quantity"] == {"value": 1.5}
    assert third["detail"][0]["productOrService"]["coding"][0]["code"] == "11994-011-04"
    assert first["locationCodeableConcept"]["coding"] == [{"code": "11"}]
    assert "supportingInfo" not in claim
    assert claim["insurance"] == [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/coverage"}}]
    hospital = made("institutional: 93350\nbill: 0131\nprofessional: 93351")
    assert hospital["claim-institutional"]["supportingInfo"][0]["code"]["coding"][0]["code"] == "0131"
    assert "supportingInfo" not in hospital["claim-professional"], "a type of bill is of a hospital"
    assert "locationCodeableConcept" not in hospital["claim-professional"]["item"][0]


def test_a_product_is_written_by_its_ndc_or_its_code() -> None:
    found = made(
        'given: Definity 1.3 mL, 0.5 mL discarded, Imagent, words "saline" + RxNorm 1 2 mL status stopped for A'
    )
    first, second, third = (each for each in found.values() if each["resourceType"] == "MedicationAdministration")
    assert first["medicationCodeableConcept"]["coding"] == [
        {"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-011-04"}
    ]
    assert first["dosage"] == {"dose": {"value": 1.3, "unit": "mL"}}
    assert first["extension"][0]["valueQuantity"]["value"] == 0.5
    assert second["medicationCodeableConcept"]["coding"][0]["code"] == "Q9955"
    assert not {"dosage", "extension", "partOf"} & second.keys()
    assert (third["medicationCodeableConcept"]["text"], third["status"]) == ("saline", "stopped")
    assert third["partOf"] == [{"reference": "Procedure/A"}]


def test_orders_of_drugs_and_of_services() -> None:
    found = made('ordered: Definity as A, RxNorm 1 as B, 93351 planned 2026-03-03 dx I10 as C, words "x" as D')
    kinds = {name: each["resourceType"] for name, each in found.items()}
    assert kinds == {"A": "MedicationRequest", "B": "MedicationRequest", "C": "ServiceRequest", "D": "ServiceRequest"}
    assert (found["C"]["occurrenceDateTime"], found["C"]["authoredOn"], found["C"]["status"]) == (
        "2026-03-03",
        "2026-03-02",
        "draft",
    )
    assert found["C"]["reasonCode"][0]["coding"][0]["code"] == "I10"


def test_a_coverage_has_a_name_a_code_or_both() -> None:
    for text, name, code in (("Medicare", "Medicare", ""), ("SOPT 5", "a plan", "5"), ("A + SOPT 5", "A", "5")):
        found = made(f"payer: {text}")["coverage"]
        assert found["payor"] == [{"display": name}]
        assert found.get("type", {}).get("coding", [{}])[0].get("code", "") == code


def test_a_request_has_the_record_that_is_known() -> None:
    def prefetch(text: str) -> dict[str, int]:
        return {key: len(each.get("entry", ())) for key, each in WRITER.request(read(text))["prefetch"].items()}

    assert prefetch("charged: 93350") == {}
    assert prefetch("charged: 93350\ndone: none\nearlier: 93306") == {"procedures": 0, "chargeItems": 1}
    assert prefetch("charged: 93350\nordered: 93351\ndone: 93351") == {"procedures": 2}
    assert prefetch("hook: order\ncharged: 93350\nordered: 93351\nearlier: 93306") == {"chargeItems": 2}
    order = WRITER.request(read('hook: order\nordered: 93351\nreported: words "x"'))
    assert (order["hook"], len(order["context"]["draftOrders"]["entry"])) == ("order-sign", 2)
    claim = WRITER.request(read("charged: 93350\nprofessional: 93351"))
    assert (claim["hook"], len(claim["context"]["draftCharges"]["entry"])) == ("org.example.claim-review", 2)
    (line, _) = claim["context"]["draftCharges"]["entry"]
    assert line["resource"]["occurrenceDateTime"] == "2026-03-02", "the day of samples"


def test_a_bundle_needs_a_day() -> None:
    with pytest.raises(UnreadableCase, match="expected the date of service, such as `day: 2026-11-03`") as caught:
        WRITER.bundle(read("charged: 93350"))
    assert caught.value.key == "day"


# --- fixes ------------------------------------------------------------------------------------------------------------

Fixed = Callable[[list[Line], list[Order]], list[Change]]


def after(advisor: Advisor, text: str, changes: Fixed) -> str | None:
    """The case after changes, which are made of its lines and orders, without its day."""
    typed = read("day: 2026-03-02\n" + text)
    written = WRITER.bundle(typed)
    case: Case = advisor.review_bundle(json.dumps(written.bundle).encode(), typed.stage).parsed.case
    found = applied(typed, written, changes([*case.lines], [*case.orders]))
    return text_of(found).replace("day: 2026-03-02\n", "").rstrip("\n") if found else None


TWO = "charged: 93351-26-59 on 2026-03-03 for A by B, 93352x2"


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        (TWO, lambda lines, _: [ReplaceCode(lines[0], "93350")], TWO.replace("93351", "93350")),
        (TWO, lambda lines, _: [SetUnits(lines[1], Decimal(1))], TWO.replace("93352x2", "93352x1")),
        (TWO, lambda lines, _: [RemoveLine(lines[0])], "charged: 93352x2"),
        (TWO, lambda lines, _: [RemoveLine(lines[0]), SetUnits(lines[0], Decimal(3))], "charged: 93352x2"),
        (TWO, lambda lines, _: [RemoveLine(lines[0]), RemoveLine(lines[0])], "charged: 93352x2"),
        (TWO, lambda lines, _: [AddModifier(lines[0], "XS")], TWO.replace("-26-59", "-26-59-XS")),
        (TWO, lambda lines, _: [AddModifier(lines[0], "26")], TWO.replace("-26-59", "-59-26")),
        (TWO, lambda lines, _: [RemoveModifier(lines[0], "26")], TWO.replace("-26-59", "-59")),
        (
            TWO,
            lambda lines, _: [AddLine(code="Q9957", units=Decimal(2), modifiers=("JZ",), sibling=lines[0])],
            f"{TWO}, Q9957x2-JZ on 2026-03-03 for A by B",
        ),
        ("charged: 93351", lambda *_: [AddLine(code="93352", units=Decimal(1))], "charged: 93351, 93352"),
        ("charged: 93351", lambda *_: [AddLine(code="93352", units=None)], "charged: 93351, 93352"),
        (
            "charged: 93351",
            lambda *_: [AddLine(code=code, units=None) for code in ("93352", "93320")],
            "charged: 93351, 93352, 93320",
        ),
        (
            "charged: 93351",
            lambda lines, _: [RemoveLine(lines[0]), AddLine(code="93350", units=None)],
            "charged: 93350",
        ),
        (
            "charged: 93351, 93306 on 2026-03-03",
            lambda lines, _: [AddLine(code="93352", units=None, day=lines[1].day)],
            "charged: 93351, 93306 on 2026-03-03, 93352 on 2026-03-03",
        ),
        (
            "charged: 93351",
            lambda lines, _: [AddLine(code="93352", units=None, day=lines[0].day)],
            "charged: 93351, 93352",
        ),
        (
            "professional: 93351, 93306\ninstitutional: 93350",
            lambda lines, _: [AddLine(code="93352", units=None, sibling=lines[2]), RemoveLine(lines[1])],
            "professional: 93351\ninstitutional: 93350, 93352",
        ),
        (
            "charged: 93320\nprofessional: 93351, 93306",
            lambda lines, _: [ReplaceCode(lines[2], "93308"), ReplaceCode(lines[0], "93321")],
            "charged: 93321\nprofessional: 93351, 93308",
        ),
        ("ordered: 93351, 93306", lambda _, orders: [RemoveOrder(orders[0], "93351")], "hook: order\nordered: 93306"),
        (
            "charged: 93350\nordered: 93351, 93306",
            lambda _, orders: [RemoveOrder(orders[1], "93306")],
            "charged: 93350\nordered: 93351",
        ),
        ("charged: 93350\nearlier: 93351", lambda lines, _: [RemoveLine(lines[1])], None),
        ("professional: 93350\ndone: 93351", lambda *_: [], "professional: 93350\ndone: 93351"),
    ],
    ids=range(21),
)  # fmt: skip
def test_a_fix_is_applied_to_what_was_typed(
    plain_advisor: Advisor, text: str, changes: Fixed, expected: str | None
) -> None:
    assert after(plain_advisor, text, changes) == expected
