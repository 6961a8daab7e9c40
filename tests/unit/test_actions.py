"""Suggestions change the client's data as stated, keep the rest, and resolve their finding."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.chargeitem import ChargeItem
from fhir.resources.R4B.claim import Claim

import hooks
from cds_service.cdshooks.actions import (
    MOST_ACTIONS,
    MOST_BYTES,
    ActionRoom,
    allowed_changes,
    charge_item,
    fhir_actions,
)
from cds_service.cdshooks.cards import escape_markdown
from cds_service.cdshooks.messages import Response
from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine, AddModifier, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.site import Site
from cds_service.fhir.read import read_case
from cds_service.fhir.sources import SourceResource
from cds_service.languages.worded import SUMMARY_LIMIT, shortened
from cds_service.review.advisor import Advisor
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, request_of, service_of

pytestmark = pytest.mark.repeats(6)

ENCODER = msgspec.json.Encoder(decimal_format="number")

MENDED = [
    pytest.param(rule_id, case, id=f"{rule_id}: {case['what']}")
    for rule_id, by_expectation in CASES.items()
    for case in by_expectation["flags"]
]


def cards_of(response: Response) -> list[dict[str, Any]]:
    return list(json.loads(ENCODER.encode(response))["cards"])


def answer(advisor: Advisor, request: dict[str, Any]) -> list[dict[str, Any]]:
    service = next(each for each in hooks.all_services() if each.hook.split(".")[-1] == request["hook"].split(".")[-1])
    return cards_of(advisor.answer(service, json.dumps(request).encode()).response)


def apply(request: dict[str, Any], actions: list[dict[str, Any]]) -> dict[str, Any]:
    """The request as it would come after the client carried the actions out."""
    after = json.loads(json.dumps(request))
    draft = after["context"].get("draftCharges") or after["context"]["draftOrders"]
    bundles = [each for each in (draft, *after["prefetch"].values()) if "entry" in each]
    for action in actions:
        if action["type"] == "create":
            added = draft.setdefault("entry", [])
            action["resource"]["id"] = f"new-{len(added)}"
            added.append({"resource": action["resource"]})
            continue
        target = action.get("resourceId") or f"{action['resource']['resourceType']}/{action['resource']['id']}"
        for each in bundles:
            for entry in list(each["entry"]):
                if f"{entry['resource']['resourceType']}/{entry['resource']['id']}" == target:
                    if action["type"] == "delete":
                        each["entry"].remove(entry)
                    else:
                        entry["resource"] = action["resource"]
    return dict(after)


@pytest.mark.parametrize(("rule_id", "case"), MENDED)
def test_every_suggestion_mends_its_finding(advisor: Advisor, rule_id: str, case: dict[str, Any]) -> None:
    request = request_of(case)
    cards = [card for card in answer(advisor, request) if rule_id in _rules_on(card)]
    assert cards
    left = {
        suggestion["label"]: _rules_on(card) & {rule for each in after for rule in _rules_on(each)}
        for card in cards
        for suggestion in card.get("suggestions", [])
        for after in [answer(advisor, apply(request, json.loads(json.dumps(suggestion["actions"]))))]
    }
    assert left == {label: set() for label in left}


def _rules_on(card: dict[str, Any]) -> set[str]:
    """The rule of a card, and those of the findings that its fixes repair too."""
    (names,) = card["extension"].values()
    return {card["source"]["topic"]["code"], *names.get("alsoRules", ())}


def only_suggestion(advisor: Advisor, case: dict[str, Any]) -> dict[str, Any]:
    (card,) = cards_of(advisor.answer(SERVICES[service_of(case)], body_of(case)).response)
    return dict(card["suggestions"][0])


def test_a_charge_is_a_valid_charge_item_with_all_that_identifies_it(advisor: Advisor) -> None:
    case = {"lines": "93350 for P1 by A in E1", "done": ["93350 as P1"], "given": ["Definity 1.3 mL"], "payer": "Aetna"}
    first, second = only_suggestion(advisor, case)["actions"]
    for action, code, units in ((first, "93352", 1), (second, "Q9957", 2)):
        resource = action["resource"]
        ChargeItem.model_validate(resource)
        assert action["type"] == "create"
        assert resource["status"] == "billable"
        assert resource["code"]["coding"][0]["code"] == code
        assert resource["quantity"] == {"value": units}
        assert resource["subject"] == {"reference": "Patient/p1"}
        assert resource["context"] == {"reference": "Encounter/E1"}
        assert resource["occurrenceDateTime"] == "2026-03-02"
        assert resource["service"] == [{"reference": "Procedure/P1"}]
        assert resource["performer"] == [{"actor": {"reference": "Practitioner/A"}}]


def test_at_order_time_a_charge_is_planned_and_points_at_the_order(advisor: Advisor) -> None:
    case = {"hook": "order", "ordered": ["93350 as O1", "Definity"]}
    first, second = only_suggestion(advisor, case)["actions"]
    assert first["resource"]["status"] == "planned"
    assert {"reference": "ServiceRequest/O1"} in first["resource"]["supportingInformation"]
    assert "quantity" not in second["resource"]


def test_a_planned_charge_is_of_the_day_that_the_study_is_planned_for(advisor: Advisor) -> None:
    orders = ["93350 on 2026-03-02 planned 2026-03-17", "SNOMED 433231002 on 2026-03-01", "Definity on 2026-03-01"]
    case = {"hook": "order", "ordered": orders}
    days = {action["resource"]["occurrenceDateTime"] for action in only_suggestion(advisor, case)["actions"]}
    assert days == {"2026-03-17"}


def every_card(advisor: Advisor) -> list[dict[str, Any]]:
    """The cards of all cases that flag."""
    cases = [case for by_expectation in CASES.values() for case in by_expectation["flags"]]
    answers = [advisor.answer(SERVICES[service_of(case)], body_of(case)) for case in cases]
    return [card for each in answers for card in cards_of(each.response)]


def test_no_suggestion_creates_a_drug_order(advisor: Advisor) -> None:
    suggestions = [each for card in every_card(advisor) for each in card.get("suggestions", [])]
    actions = [action for each in suggestions for action in each["actions"]]
    assert {each["resource"]["resourceType"] for each in actions if each["type"] == "create"} == {"ChargeItem"}


CLAIM_CASE = {"professional": "93350, 99213", "place": "11", "given": ["Definity 1.3 mL"]}


def test_a_claim_is_sent_back_whole_with_items_appended(advisor: Advisor) -> None:
    request = request_of(CLAIM_CASE)
    claim = request["context"]["draftCharges"]["entry"][0]["resource"]
    claim["item"][0] |= {"unitPrice": {"value": 1.50, "currency": "USD"}, "diagnosisSequence": [1], "sequence": 3}
    claim["item"][1]["sequence"] = 7
    claim["_status"] = {"extension": [{"url": "http://clinic.example/x", "valueString": "kept"}]}
    claim["total"] = {"value": 12345678901234.50, "currency": "USD"}
    (card,) = answer(advisor, request)
    (action,) = card["suggestions"][0]["actions"]
    assert action["type"] == "update"
    after = action["resource"]
    assert {name: value for name, value in after.items() if name != "item"} == {
        name: value for name, value in claim.items() if name != "item"
    }
    assert after["item"][:2] == claim["item"]
    added = after["item"][2:]
    assert [item["sequence"] for item in added] == [8, 9]
    assert [item["productOrService"]["coding"][0]["code"] for item in added] == ["93352", "Q9957"]
    assert [item["quantity"]["value"] for item in added] == [1, 2]
    assert all(item["diagnosisSequence"] == [1] for item in added)
    assert all(item["servicedDate"] == "2026-03-02" for item in added)
    assert all("unitPrice" not in item for item in added)
    Claim.model_validate({name: value for name, value in after.items() if name != "_status"})


def test_a_claim_that_cannot_go_back_whole_is_advised_in_words_only(advisor: Advisor) -> None:
    body = body_of(CLAIM_CASE).replace(b'"use": "claim"', b'"use": "claim", "preAuthRef": "\xff"')
    (card,) = advisor.answer(SERVICES["contrast-echo-claim-review"], body).response.cards
    assert card.summary
    assert card.suggestions is None


def test_numbers_of_the_client_keep_their_digits(advisor: Advisor) -> None:
    text = body_of(CLAIM_CASE).replace(b'"use": "claim"', b'"use": "claim", "total": {"value": 0.10000000000000000001}')
    response = advisor.answer(SERVICES["contrast-echo-claim-review"], text).response
    assert b"0.10000000000000000001" in ENCODER.encode(response)


def test_removing_the_only_item_leaves_no_empty_list(advisor: Advisor) -> None:
    case = {"professional": "93352", "known": ["procedures"], "place": "22"}
    action = only_suggestion(advisor, case)["actions"][0]
    assert "item" not in action["resource"]


def test_what_cannot_be_carried_out_is_said_and_not_suggested(advisor: Advisor) -> None:
    request = request_of({"lines": "93350, 93352, 93352, Q9957x2"})
    for entry in request["context"]["draftCharges"]["entry"]:
        del entry["resource"]["id"]
    (card,) = answer(advisor, request)
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


def test_every_card_is_complete(advisor: Advisor) -> None:
    cards = every_card(advisor)
    assert cards
    for card in cards:
        assert len(card["summary"]) <= SUMMARY_LIMIT
        assert not card["summary"].endswith("…"), "wording fits without being cut"
        assert card["indicator"] in {"info", "warning"}
        assert card["source"]["label"]
        assert card["source"]["topic"]["system"].endswith("/CodeSystem/rule")
        assert card["overrideReasons"]
        assert all(each["display"] and each["system"] for each in card["overrideReasons"])
        assert ("suggestions" in card) == ("selectionBehavior" in card)
        assert sum(each.get("isRecommended", False) for each in card.get("suggestions", [])) <= 1
        assert "**Seen" in card["detail"]
        assert "verified through" in card["detail"]
        assert "`" in card["detail"], "the evidence is cited"
        assert "<" not in card["detail"]


def test_a_date_of_service_after_the_verification_says_so(advisor: Advisor) -> None:
    def detail(day: str) -> str:
        case = {"lines": "93352, Q9957x2", "day": day}
        (card,) = cards_of(advisor.answer(SERVICES[service_of(case)], body_of(case)).response)
        return str(card["detail"])

    assert "confirm that it still applies" not in detail("2026-09-30")
    assert "confirm that it still applies" in detail("2026-10-01")


def test_words_of_the_sender_have_no_effect_as_markdown() -> None:
    assert escape_markdown("<b>*x*</b> [a](http://b)") == r"\<b\>\*x\*\</b\> \[a\](http://b)"


@pytest.mark.parametrize("length", [139, 140, 400])
def test_a_summary_is_shorter_than_140_characters(length: int) -> None:
    text = ("word " * 100)[:length].strip()
    assert len(shortened(text)) <= 139
    assert shortened("short") == "short"


def test_a_dose_is_computed_exactly(advisor: Advisor) -> None:
    """0.1 + 0.2 mL is 0.3 mL, and three times 1.1 mL with 0.7 mL is 4 mL, not a little more."""
    case = {"professional": "93350", "given": ["Lumason 1.1 mL", "Lumason 1.1 mL", "Lumason 1.1 mL", "Lumason 0.7 mL"]}
    (action,) = only_suggestion(advisor, case)["actions"]
    assert Decimal(str(action["resource"]["item"][-1]["quantity"]["value"])) == 4


CPT = "http://www.ama-assn.org/go/cpt"


def sent(resource: dict[str, Any]) -> tuple[list[Line], dict[str, msgspec.Raw]]:
    """The lines of a charge or claim, and how it was sent."""
    raw = msgspec.Raw(json.dumps(resource).encode())
    return list(read_case([SourceResource("here", raw)], stage="claim").case.lines), {"here": raw}


def charge(**members: Any) -> dict[str, Any]:
    return {"resourceType": "ChargeItem", "id": "1", "status": "billable"} | members


def claim_of(lines: str) -> dict[str, Any]:
    claim: dict[str, Any] = request_of({"professional": lines})["context"]["draftCharges"]["entry"][0]["resource"]
    return claim


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"code": {"coding": [{"system": CPT, "code": "93352"}, {"code": "26"}]}}, [{"system": CPT, "code": "93352"}]),
        (
            {"code": {"coding": [{"system": CPT, "code": "93352"}, {"code": "26"}, {"code": "ECHO LAB"}]}},
            [{"system": CPT, "code": "93352"}, {"code": "ECHO LAB"}],
        ),
        ({"code": {"coding": [{"system": CPT, "code": "93352-26"}]}}, [{"system": CPT, "code": "93352"}]),
        ({"code": {"coding": [{"system": CPT, "code": "93352:59:26"}]}}, [{"system": CPT, "code": "93352:59"}]),
        (
            {
                "code": {"coding": [{"system": CPT, "code": "93352"}]},
                "extension": [{"url": "http://clinic.example/modifier", "valueCode": "26"}],
            },
            [{"system": CPT, "code": "93352"}],
        ),
    ],
)
def test_a_modifier_is_taken_off_wherever_it_is_written(
    members: dict[str, Any], expected: list[dict[str, str]]
) -> None:
    (line,), raw = sent(charge(**members))
    assert "26" in line.modifiers
    (action,) = fhir_actions([RemoveModifier(line, "26")], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["code"]["coding"] == expected
    assert "extension" not in action.resource


def test_extensions_that_do_not_hold_the_modifier_are_kept() -> None:
    kept = [
        {"url": "http://clinic.example/modifier", "valueCode": "59"},
        {"url": "http://clinic.example/room", "valueCode": "26"},
    ]
    of_modifier = {"url": "http://clinic.example/modifier", "valueCode": "26"}
    code = {"coding": [{"system": CPT, "code": "93352"}]}
    (line,), raw = sent(charge(code=code, extension=[of_modifier, *kept]))
    (action,) = fhir_actions([RemoveModifier(line, "26")], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["extension"] == kept


def test_another_code_keeps_modifiers_and_local_codes() -> None:
    local = {"system": "http://clinic.example/charges", "code": "615215"}
    modifiers = [{"code": "26"}, {"system": CPT, "code": "59"}]
    without_code = {"system": CPT, "display": "an echo"}
    code = {"coding": [{"system": CPT, "code": "93306"}, *modifiers, without_code, local], "text": "echo"}
    (line,), raw = sent(charge(code=code))
    (action,) = fhir_actions([ReplaceCode(line, "93350")], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["code"] == {"coding": [{"system": CPT, "code": "93350"}, *modifiers, local]}


def test_without_an_id_a_draft_of_a_claim_is_changed_and_a_charge_is_not() -> None:
    claim, of_one = claim_of("93352-26"), charge(code={"coding": [{"system": CPT, "code": "93352"}, {"code": "26"}]})
    for draft, actions in ((claim, 1), (of_one, 0)):
        del draft["id"]
        (line,), raw = sent(draft)
        assert len(fhir_actions([RemoveModifier(line, "26")], Case(stage="claim"), raw)) == actions


def test_a_line_below_a_line_of_a_claim_is_changed_in_its_place() -> None:
    claim = claim_of("93350, 93351")
    first, second, third = (json.loads(json.dumps(claim["item"][0])) for _ in range(3))
    for item, code in ((first, "Q9957"), (second, "Q9957"), (third, "Q9956")):
        item |= {"productOrService": {"coding": [{"system": CPT, "code": code}]}, "quantity": {"value": 3}}
    second["subDetail"] = [third]
    claim["item"][1]["detail"] = [first, second]
    lines, raw = sent(claim)
    at = {line.origin.within: line for line in lines}
    changes = [
        SetUnits(at["item[1].detail[1]"], Decimal(2)),
        SetUnits(at["item[1].detail[1].subDetail[0]"], Decimal(1)),
    ]
    (action,) = fhir_actions(changes, Case(stage="claim"), raw)
    assert action.resource
    second["quantity"]["value"], third["quantity"]["value"] = 2, 1
    assert action.resource["item"] == claim["item"]


@pytest.mark.parametrize(
    ("members", "of_item", "is_told"),
    [({"total": {"value": 1}}, {}, True), ({}, {"net": {"value": 1}}, True), ({}, {}, False)],
)
def test_amounts_of_a_claim_are_said_to_be_unchanged(
    members: dict[str, Any], of_item: dict[str, Any], is_told: bool
) -> None:
    claim = claim_of("93352-26") | members
    claim["item"][0] |= of_item
    (line,), raw = sent(claim)
    (action,) = fhir_actions([RemoveModifier(line, "26")], Case(stage="claim"), raw)
    assert action.description == "Remove modifier 26 from 93352" + (
        "; monetary amounts are unchanged" if is_told else ""
    )


SUPPLY = AddLine(code="Q9957", units=Decimal(2), is_supply=True, day=date(2026, 3, 2), references=("ServiceRequest/1",))


def test_a_site_that_takes_orders_only_gets_an_order_of_the_day_and_no_supply() -> None:
    site = Site(order_suggestions="ServiceRequest")
    service = AddLine(code="93352", units=Decimal(1), day=date(2026, 3, 2), references=("ServiceRequest/1",))
    assert allowed_changes([service, SUPPLY], Case(stage="order", site=site)) == [service]
    assert allowed_changes([service, SUPPLY], Case(stage="claim", site=site)) == [service, SUPPLY]
    assert allowed_changes([service, SUPPLY], Case(stage="order")) == [service, SUPPLY]
    (action,) = fhir_actions([service], Case(stage="order", site=site), {})
    assert action.resource
    assert action.resource["occurrenceDateTime"] == "2026-03-02"
    assert action.resource["supportingInfo"] == [{"reference": "ServiceRequest/1"}]
    (undated,) = fhir_actions([replace(service, day=None)], Case(stage="order", site=site), {})
    assert undated.resource
    assert "occurrenceDateTime" not in undated.resource


@pytest.mark.parametrize(("units", "written"), [("2", "2"), ("2.00", "2"), ("1.30", "1.30"), ("0.5", "0.5")])
def test_units_are_written_as_whole_numbers_or_exactly(units: str, written: str) -> None:
    resource = charge_item(replace(SUPPLY, units=Decimal(units)), Case(stage="claim"))
    assert json.loads(ENCODER.encode(resource), parse_int=str, parse_float=str)["quantity"]["value"] == written


@pytest.mark.parametrize(("sequences", "added"), [([3, 1], 4), ([None, None], 1), (["2", 1], 2)])
def test_an_added_item_has_the_next_number(sequences: list[Any], added: int) -> None:
    claim = claim_of("93350, 93351")
    (line, _), _ = sent(claim)
    for item, sequence in zip(claim["item"], sequences, strict=True):
        item["sequence"] = sequence
    _, raw = sent(claim)
    (action,) = fhir_actions([replace(SUPPLY, sibling=line)], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["item"][-1]["sequence"] == added


def test_an_answer_has_room_for_so_many_actions_of_a_fix_and_for_so_many_bytes() -> None:
    (line,), raw = sent(charge(code={"coding": [{"system": CPT, "code": "93352"}]}, note=[{"text": "x" * 3_000_000}]))
    room = ActionRoom()
    assert room.takes([SUPPLY] * MOST_ACTIONS, raw)
    assert not room.takes([SUPPLY] * (MOST_ACTIONS + 1), raw)
    assert room.takes([SetUnits(line, Decimal(1)), RemoveModifier(line, "26")], raw), "one resource, which fits"
    assert not room.takes([SetUnits(line, Decimal(1))], raw), "what is left does not hold it again"
    assert room.takes([SUPPLY], raw)
    assert room.refused == 2
    big = {"here": msgspec.Raw(b"1" * (MOST_BYTES + 1))}
    assert ActionRoom().takes([SetUnits(line, Decimal(1))], big), "the first fix has room, however large its claim"


def test_a_modifier_is_written_and_several_changes_of_a_charge_are_one_update() -> None:
    resource = charge(code={"coding": [{"system": CPT, "code": "Q9957"}]})
    (line,), raw = sent(resource)
    (action,) = fhir_actions([AddModifier(line, "JZ"), SetUnits(line, Decimal(2))], Case(stage="claim"), raw)
    assert action.resource == resource | {
        "code": {"coding": [{"system": CPT, "code": "Q9957"}, {"code": "JZ"}]},
        "quantity": {"value": 2},
    }
    assert action.description == "Add modifier JZ to Q9957; set Q9957 to 2 units"


def test_a_modifier_with_a_local_code_beside_it_is_taken_off_a_claim() -> None:
    claim = claim_of("93352-59")
    claim["item"][0]["modifier"].append({"coding": [{"code": "26"}, {"system": "urn:clinic", "code": "PROF"}]})
    (line,), raw = sent(claim)
    (action,) = fhir_actions([RemoveModifier(line, "26")], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["item"][0]["modifier"] == [{"coding": [{"code": "59"}]}]


def test_modifiers_on_a_claim() -> None:
    claim = claim_of("93352-26-59")
    (line,), raw = sent(claim)
    (action,) = fhir_actions([RemoveModifier(line, "26"), AddModifier(line, "JZ")], Case(stage="claim"), raw)
    assert action.resource
    assert action.resource["item"][0]["modifier"] == [{"coding": [{"code": "59"}]}, {"coding": [{"code": "JZ"}]}]
