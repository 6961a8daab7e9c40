"""A charge that could not be parsed does not count as missing: no card advises adding it.

The same line is broken in every way in which senders break lines, and its code can still be seen in it.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from cds_service.review.advisor import Advisor
from tests.rules.test_cases import SERVICES
from tests.support.ehr import about_echo, at_discharge, not_checked, topics, warnings
from tests.support.notation import bundle, request_of
from tests.unit.test_actions import ENCODER
from tests.unit.test_skipped_resources import answer, drafts

Json = dict[str, Any]


def quantity(line: Json) -> None:
    line["quantity"] = {"value": -1}


def status(line: Json) -> None:
    line["status"] = "charged"


def code_as_number(line: Json) -> None:
    coding = (line.get("code") or line["item"][0]["productOrService"])["coding"][0]
    coding["code"] = int(coding["code"])


def unlisted(line: Json) -> None:
    concept = line.get("code") or line["item"][0]["productOrService"]
    concept["coding"] = concept["coding"][0]


def control_character(line: Json) -> None:
    coding = (line.get("code") or line["item"][0]["productOrService"])["coding"][0]
    coding["code"] = "\x00" + coding["code"]


def no_type(line: Json) -> None:
    del line["resourceType"]


def misspelt_type(line: Json) -> None:
    line["resourceType"] += " "


WAYS = [quantity, status, code_as_number, unlisted, control_character, no_type, misspelt_type]
Way = Callable[[Json], None]


def broken(request: Json, code: str, way: Way) -> Json:
    """The request with the charge of one code broken."""
    request = copy.deepcopy(request)
    for each in [*drafts(request), *(entry["resource"] for entry in charges_of(request))]:
        if f'"{code}"' in json.dumps(each):
            if each["resourceType"] == "Claim" and way is quantity:
                each["item"][0]["quantity"] = {"value": -1}
            else:
                way(each)
    return request


def charges_of(request: Json) -> list[Json]:
    return list((request["prefetch"].get("chargeItems") or {}).get("entry", []))


CORRECT = {"lines": "93350, 93352, Q9957x2", "given": ["Definity 1.3 mL"], "done": ["93350"]}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("code", ["93350", "93352"])
def test_a_correct_bill_stays_silent_where_one_charge_cannot_be_read(advisor: Advisor, code: str, way: Way) -> None:
    request = request_of(CORRECT)
    assert answer(advisor, request)["cards"] == []
    said = answer(advisor, broken(request, code, way))
    assert said["cards"] == []
    assert len(warnings(said)) == 1
    assert not_checked(said)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_supply_that_cannot_be_read_is_not_charged_again(advisor: Advisor, way: Way) -> None:
    said = answer(advisor, broken(request_of(CORRECT | {"lines": "93350, 93352, A9700"}), "A9700", _for_text(way)))
    assert "A9700" not in json.dumps(said["cards"])


def _for_text(way: Way) -> Way:
    """A code with a letter is no number."""
    return unlisted if way is code_as_number else way


def test_the_reason_names_the_code_and_the_evidence(advisor: Advisor) -> None:
    said = answer(advisor, broken(request_of(CORRECT), "93352", status))
    reasons = {each["rule"]: each["reason"] for each in about_echo(said)["notChecked"]}
    assert reasons["contrast-add-on-missing"] == "93352 may already be charged, on a charge that could not be parsed"


def test_a_claim_that_cannot_be_read_hides_its_lines(advisor: Advisor) -> None:
    case = {"professional": "93350, 93352, Q9957x2", "place": "11", "lines": "93350 by B", "done": ["93350"]}
    said = answer(advisor, broken(request_of(case | {"given": ["Definity 1.3 mL"]}), "93352", status))
    assert said["cards"] == []


def test_on_the_record_too(advisor: Advisor) -> None:
    request = request_of(CORRECT | {"given": ["Definity 1.3 mL"]})
    charges = [each | {"context": {"reference": "Encounter/E"}} for each in drafts(request)]
    request["context"]["encounterId"] = "E"
    request["prefetch"]["chargeItems"] = bundle(charges)
    at_end = at_discharge(broken(request, "93352", status))
    service = SERVICES["contrast-echo-encounter-discharge"]
    said = json.loads(ENCODER.encode(advisor.answer(service, json.dumps(at_end).encode()).response))
    assert said["cards"] == []
    assert list(warnings(said)) == ["prefetch.chargeItems.entry[1].resource"]


def test_an_order_that_cannot_be_read_is_not_ordered_again(advisor: Advisor) -> None:
    request = request_of({"hook": "order", "ordered": ["93350", "93352", "Definity"]})
    assert topics(answer(advisor, request)) == []
    drafts(request)[1]["status"] = "new"
    assert topics(answer(advisor, request)) == []
    drafts(request)[1]["status"] = "draft"
    drafts(request)[0]["status"] = "new"
    assert "add-on-without-primary" not in topics(answer(advisor, request))


def test_in_a_bundle_of_its_own_it_is_still_a_charge(advisor: Advisor) -> None:
    """Nothing but a charge that cannot be read: that is no order time."""
    charge = drafts(request_of({"lines": "93352"}))[0] | {"status": "charged"}
    advice = advisor.review_bundle(json.dumps(bundle([charge])).encode())
    assert advice.stage == "claim"


def bare(charges: list[Json]) -> list[Json]:
    return charges


def misspelt(charges: list[Json]) -> list[Json]:
    return [{"Resource": each} for each in charges]


def in_a_bundle(charges: list[Json]) -> list[Json]:
    return [{"resource": bundle(charges)}]


def in_parameters(charges: list[Json]) -> list[Json]:
    parameters = [{"name": "charge", "resource": each} for each in charges]
    return [{"resource": {"resourceType": "Parameters", "parameter": parameters}}]


WRAPPINGS = [bare, misspelt, in_a_bundle, in_parameters]
Wrapping = Callable[[list[Json]], list[Json]]


@pytest.mark.parametrize("wrapping", WRAPPINGS, ids=lambda wrapping: wrapping.__name__)
@pytest.mark.parametrize("where", ["context.draftCharges", "prefetch.chargeItems", "prefetch.procedures"])
def test_a_charge_that_is_no_entry_of_its_own_is_not_charged_again(
    advisor: Advisor, where: str, wrapping: Wrapping
) -> None:
    """Nothing that was sent is taken for absent, wherever it is and however it is wrapped."""
    request = request_of(CORRECT)
    study, *others = drafts(request)
    request["context"]["draftCharges"] = bundle([study])
    assert "93352" in json.dumps(answer(advisor, request)["cards"])
    part, member = where.split(".")
    sent = request[part].setdefault(member, None) or bundle([])
    request[part][member] = sent | {"entry": [*sent.get("entry", []), *wrapping(others)]}
    said = answer(advisor, request)
    assert said["cards"] == []
    assert "contrast-add-on-missing" in not_checked(said)
    assert {each.partition(".entry")[0] for each in warnings(said)} == {where}


@pytest.mark.parametrize("wrapping", WRAPPINGS, ids=lambda wrapping: wrapping.__name__)
def test_a_bundle_of_nothing_else_passes_no_rule_and_is_not_empty(advisor: Advisor, wrapping: Wrapping) -> None:
    charges = drafts(request_of({"lines": "93350, 93352, Q9957x2"}))
    advice = advisor.review_bundle(json.dumps(bundle([]) | {"entry": wrapping(charges)}).encode())
    assert (advice.stage, advice.review.empty, advice.review.passed) == ("claim", False, ())
    reasons = {str(undecided.reason) for _, undecided in advice.review.not_checked}
    assert "93350 may already be charged, on a charge that could not be parsed" in reasons


@pytest.mark.parametrize("container", [in_a_bundle, in_parameters], ids=lambda wrapping: wrapping.__name__)
def test_a_record_may_be_in_what_is_not_read(advisor: Advisor, container: Wrapping) -> None:
    """The Bundle is said to hold all administrations, and one may be in a Bundle inside of it."""
    request = request_of({"lines": "93350, 93352, Q9957x2", "done": ["93350"]})
    sent = [*drafts(request), *(each["resource"] for each in request["prefetch"]["procedures"]["entry"])]
    whole = frozenset({"medicationAdministrations"})
    before = advisor.review_bundle(json.dumps(bundle(sent)).encode(), complete=whole)
    assert before.parsed.case.complete == whole
    nested = container([{"resourceType": "MedicationAdministration", "status": "completed"}])
    body = bundle(sent) | {"entry": [*bundle(sent)["entry"], *nested]}
    after = advisor.review_bundle(json.dumps(body).encode(), complete=whole)
    assert after.parsed.case.complete == frozenset()
    assert [each.path for each in after.skipped] == [f"Bundle.entry[{len(sent)}].resource"]


def test_a_charge_under_the_key_of_another_type_is_not_charged_again(advisor: Advisor) -> None:
    request = request_of(CORRECT | {"lines": "93350, 93352"})
    study, add_on = drafts(request)
    request["context"]["draftCharges"] = bundle([study])
    assert "contrast-add-on-missing" in topics(answer(advisor, request))
    request["prefetch"]["procedures"] = add_on
    assert "contrast-add-on-missing" not in topics(answer(advisor, request))


JUNK = [{"resourceType": "Rumour"}, {"resourceType": "ChargeItem", "status": "?"}, 5, {}, []]


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_other_advice_stands_beside_what_cannot_be_read(advisor: Advisor, junk: Any) -> None:
    request = request_of({"lines": "93350, Q9957x2", "given": ["Definity 1.3 mL"]})
    before = answer(advisor, request)
    request["context"]["draftCharges"]["entry"].append({"resource": junk})
    after = answer(advisor, request)
    assert topics(before) == topics(after) == ["contrast-add-on-missing"]
    assert len(warnings(after)) == 1


def test_a_code_in_another_record_is_no_charge(advisor: Advisor) -> None:
    request = request_of({"lines": "93350, Q9957x2", "given": ["Definity 1.3 mL"], "done": ["93352"]})
    request["prefetch"]["procedures"]["entry"][0]["resource"]["status"] = "?"
    assert "contrast-add-on-missing" in topics(answer(advisor, request))


def test_contrast_is_not_taken_off_where_its_study_cannot_be_read(advisor: Advisor) -> None:
    """Without its study, what was given belongs to the other practitioner's, and counts for these charges, too."""
    request = request_of({"lines": "93350 by A, 93352 by A, Q9957x2 by A, 93351 by B", "given": ["Definity 1.3 mL"]})
    assert topics(answer(advisor, request)) == []
    drafts(request)[0]["status"] = "charged"
    said = answer(advisor, request)
    assert {"add-on-without-primary", "supply-units-mismatch"} <= not_checked(said)
    assert topics(said) == []


RECORDS = {
    "an administration": {"given": ["Definity status not-done", "Definity 1.3 mL"]},
    "a study": {"done": ["93350 status not-done", "C8928"], "given": ["Definity status not-done"]},
}


@pytest.mark.parametrize("value", [5, {"resourceType": "Rumour"}, {"resourceType": "Bundle", "entry": 5}], ids=str)
def test_a_part_of_the_record_that_is_something_else_is_not_empty(advisor: Advisor, value: Any) -> None:
    case = {"lines": "93350, 93352, Q9957x2", "done": ["C8928"], "known": ["medicationAdministrations"]}
    request = request_of(case)
    assert "contrast-not-supported" not in topics(answer(advisor, request))
    request["prefetch"]["procedures"] = value
    assert "contrast-not-supported" not in topics(answer(advisor, request))


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
@pytest.mark.parametrize("sent", ["as a call", "as a Bundle"])
def test_a_second_attempt_that_cannot_be_read_takes_nothing_off(advisor: Advisor, record: Json, sent: str) -> None:
    """The first attempt was recorded as not done, and the second was done."""
    request = request_of({"lines": "93350, 93352, Q9957x2"} | record)
    assert "contrast-not-supported" not in topics(answer(advisor, request))
    key = "procedures" if "done" in record else "medicationAdministrations"
    request["prefetch"][key]["entry"][1]["resource"]["status"] = "finished"
    if sent == "as a call":
        assert "contrast-not-supported" not in topics(answer(advisor, request))
    else:
        records = [entry["resource"] for each in request["prefetch"].values() for entry in each["entry"]]
        advice = advisor.review_bundle(json.dumps(bundle([*drafts(request), *records])).encode())
        assert "contrast-not-supported" not in {rule.id for rule, _ in advice.review.findings}
