"""Resources that could not be parsed are named in the answer and never count as absent."""

import json
import time
from typing import Any

import msgspec
import pytest

from cds_service.fhir.elements import without_values
from cds_service.fhir.text_faults import fault_in
from cds_service.fhir.validate import faults_in
from cds_service.review.advisor import Advisor
from tests.rules.test_cases import SERVICES
from tests.support.ehr import topics, warnings
from tests.support.notation import bundle, request_of
from tests.unit.test_actions import ENCODER

Json = dict[str, Any]

CLAIM = SERVICES["contrast-echo-claim-review"]
ORDER = SERVICES["contrast-echo-order-sign"]


def answer(advisor: Advisor, request: Json | bytes) -> Json:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    service = ORDER if b'"order-sign"' in body else CLAIM
    return dict(json.loads(ENCODER.encode(advisor.answer(service, body).response)))


def drafts(request: Json) -> list[Json]:
    context = request["context"]
    return [entry["resource"] for entry in (context.get("draftCharges") or context["draftOrders"])["entry"]]


def given(request: Json) -> Json:
    (entry,) = request["prefetch"]["medicationAdministrations"]["entry"]
    return dict(entry["resource"])


# --- dates ----------------------------------------------------------------------------------------------------------

NO_DATES = ["last Tuesday", "17/03/2026", "2026-02-30", "2026-13-01", "20260317083000", "2026-03-17X", "2026-03-1७"]
PLACE = "context.draftCharges.entry[0].resource"


@pytest.mark.parametrize("moment", NO_DATES)
def test_what_is_no_date_is_named_and_is_no_day(advisor: Advisor, moment: str) -> None:
    request = request_of({"lines": "93350 on " + "2026-03-17"})
    drafts(request)[0]["occurrenceDateTime"] = moment
    parsed = advisor.answer(CLAIM, json.dumps(request).encode()).parsed
    assert parsed.case.lines[0].day is None
    assert {each.path: each.reason for each in parsed.skipped} == {
        PLACE: "ChargeItem.occurrenceDateTime: expected a date such as 2026-03-17"
    }


@pytest.mark.parametrize("moment", ["2026", "2026-03", "2026-03-17", "2026-03-17T23:59:60.5+14:00", "", None])
def test_dates_of_fhir_are_no_fault(advisor: Advisor, moment: str | None) -> None:
    request = request_of({"lines": "93350"})
    drafts(request)[0]["occurrenceDateTime"] = moment
    assert warnings(answer(advisor, request)) == {}


@pytest.mark.parametrize("member", ["servicedDate", "servicedPeriod"])
def test_dates_of_claim_lines_and_periods_are_looked_at(advisor: Advisor, member: str) -> None:
    request = request_of({"professional": "93350, 99213"})
    line = drafts(request)[0]["item"][1]
    line.pop("servicedDate")
    line[member] = "today" if member == "servicedDate" else {"start": "2026-03-17", "end": "today"}
    (reason,) = warnings(answer(advisor, request)).values()
    assert reason.startswith(f"Claim.item.{member}")


def test_a_charge_whose_day_is_not_read_is_not_taken_for_a_study_without_a_supply(advisor: Advisor) -> None:
    request = request_of({"professional": "93351-26, 93352", "institutional": "C8930, Q9957x2"})
    assert topics(answer(advisor, request)) == []
    drafts(request)[1]["item"][0]["servicedDate"] = "2026-3-2"
    found = answer(advisor, request)
    assert list(warnings(found)) == ["context.draftCharges.entry[1].resource"]
    assert topics(found) == []


def test_a_charge_that_is_not_read_may_be_of_a_study_of_its_own(advisor: Advisor) -> None:
    """An add-on of no day may belong to either study, read or not: nothing is said of it in both cases."""
    request = request_of({"lines": "93351, 93352, 93350", "given": []})
    request["prefetch"]["medicationAdministrations"] = bundle([])
    for number, each in enumerate(drafts(request)):
        each["performer"] = [{"actor": {"reference": f"PractitionerRole/{number}"}}]
    for each in drafts(request)[1:]:
        del each["occurrenceDateTime"]
    assert "contrast-not-supported" not in topics(answer(advisor, request))
    drafts(request)[2]["status"] = "billed?"
    found = answer(advisor, request)
    assert list(warnings(found)) == ["context.draftCharges.entry[2].resource"]
    assert "contrast-not-supported" not in topics(found)


# --- numbers --------------------------------------------------------------------------------------------------------

NO_AMOUNTS = [
    '"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"', "-1", "1e6", "1e400", "1e-99999999", "0." + "0" * 5000 + "1",
    "1" * 400, "1e-19", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("number", NO_AMOUNTS, ids=lambda number: number[:12])
@pytest.mark.parametrize("hook", ["quantity", "dose"])
def test_an_amount_that_cannot_be_meant_is_named(advisor: Advisor, number: str, hook: str) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x7", "given": ["Definity 7 mL"]})
    body = json.dumps(request)
    old = '{"value": 7}' if hook == "quantity" else '{"value": 7, "unit"'
    said = answer(advisor, body.replace(old, old.replace("7", number)).encode())
    assert old in body
    assert len(warnings(said)) == 1
    assert len(json.dumps(said)) < 20_000, "a number is not written out digit by digit"


def test_zero_has_no_sign(advisor: Advisor) -> None:
    body = json.dumps(request_of({"lines": "93350x7"})).replace('"value": 7', '"value": -0.0').encode()
    assert str(advisor.answer(CLAIM, body).parsed.case.lines[0].units) == "0.0"


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**400])
def test_a_number_that_counts_lines_is_a_positive_one(advisor: Advisor, number: int) -> None:
    request = request_of({"professional": "93350"})
    drafts(request)[0]["item"][0]["careTeamSequence"] = [number]
    assert list(warnings(answer(advisor, request))) == [PLACE]


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [r"\u0000", r"\u001f", r"\u001F", r"\b", r"\f", r"\\\u0000"])
def test_control_characters_are_a_fault(sign: str) -> None:
    assert fault_in(msgspec.Raw(f'{{"code": "{sign}93350"}}'.encode()))


@pytest.mark.parametrize("sign", [r"\t", r"\n", r"\r", r"\u0009", r"\u0020", r"\\u0000", r"\\b", "é", r"\"", "/"])
def test_all_other_characters_are_none(sign: str) -> None:
    assert fault_in(msgspec.Raw(f'{{"code": "{sign}93350"}}'.encode())) is None


def test_a_million_backslashes_are_looked_at_once() -> None:
    """Each of them is escaped by the one before: read anew from each, this would take hours."""
    begin = time.process_time()
    assert fault_in(msgspec.Raw(b'"' + b"\\" * 1_000_000 + b'b"')) is None
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("sign", [b"\\u0000", b"\xff"], ids=["control", "not UTF-8"])
@pytest.mark.parametrize("where", ["draft", "key", "single"])
def test_a_text_with_a_fault_is_named_by_its_place(advisor: Advisor, sign: bytes, where: str) -> None:
    request = request_of({"lines": "93350", "done": ["93350"]})
    drafts(request)[0]["note"] = [{"text": "1-mark"}]
    procedure = request["prefetch"]["procedures"]["entry"][0]["resource"]
    procedure["note"] = [{"text": "2-mark"}]
    if where == "single":
        request["prefetch"]["procedures"] = procedure
    number, place = {
        "draft": (b"1", "context.draftCharges.entry[0].resource"),
        "key": (b"2", "prefetch.procedures.entry[0].resource"),
        "single": (b"2", "prefetch.procedures"),
    }[where]
    body = json.dumps(request).encode().replace(number + b"-mark", b"mark" + sign)
    assert list(warnings(answer(advisor, body))) == [place]


def test_a_claim_that_cannot_be_written_back_is_advised_on_in_words(advisor: Advisor) -> None:
    request = request_of({"professional": "93350", "place": "11", "given": ["Definity 1.3 mL"]})
    drafts(request)[0]["note"] = "mark"
    whole = answer(advisor, request)
    for beyond in (b"9" * 5000, b"1.0e99999999999999999999", b'"\xff"'):
        said = answer(advisor, json.dumps(request).encode().replace(b'"mark"', beyond))
        assert [card["summary"] for card in said["cards"]] == [card["summary"] for card in whole["cards"]]
        assert "suggestions" in whole["cards"][0]
        assert "suggestions" not in said["cards"][0]


@pytest.mark.parametrize("value", ["secret", "a'b", 'say "x"', " - at `$.x`"])
def test_a_warning_repeats_no_code_that_was_sent(advisor: Advisor, value: str) -> None:
    request = request_of({"lines": "93350"})
    drafts(request)[0]["status"] = value
    assert list(warnings(answer(advisor, request)).values()) == [
        "ChargeItem: expected a code that FHIR R4 allows here - at `$.status`"
    ]
    assert without_values("Expected `str`, got `int` - at `$.id`") == "Expected `str`, got `int` - at `$.id`"


@pytest.mark.parametrize("kind", ["DiagnosticReport", "ImagingStudy", "DocumentReference"])
def test_a_document_whose_status_nobody_knows_does_not_count(advisor: Advisor, kind: str) -> None:
    request = request_of({"lines": "93350"})
    request["context"]["draftCharges"]["entry"].append({"resource": {"resourceType": kind, "status": "canceled"}})
    advice = advisor.answer(CLAIM, json.dumps(request).encode())
    assert len(advice.parsed.case.documents) == 0
    assert [each.path for each in advice.skipped] == ["context.draftCharges.entry[1].resource"]


# --- medications and ids --------------------------------------------------------------------------------------------


def with_contained(request: Json, medication: Json) -> Json:
    administration = given(request)
    del administration["medicationCodeableConcept"]
    administration |= {"medicationReference": {"reference": "#m"}, "contained": [{"id": "m"} | medication]}
    return request | {"prefetch": request["prefetch"] | {"medicationAdministrations": bundle([administration])}}


def test_a_broken_medication_inside_a_record_is_named(advisor: Advisor) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2", "given": ["Definity 1.3 mL"]})
    code = given(request)["medicationCodeableConcept"]
    good = answer(advisor, with_contained(request, {"resourceType": "Medication", "code": code}))
    broken = answer(advisor, with_contained(request, {"resourceType": "Medication", "code": [code]}))
    other = answer(advisor, with_contained(request, {"resourceType": "Organization", "code": [code]}))
    place = "prefetch.medicationAdministrations.entry[0].resource"
    assert warnings(good) == {}
    assert list(warnings(broken)) == [place]
    assert warnings(other) == {place: "not understood: #m was not sent"}
    assert "contrast-not-supported" not in topics(broken), "what cannot be read is not absent"


@pytest.mark.parametrize("reference", ["Patient/13579", "https://ehr.example/fhir/Patient/13579"])
def test_a_patients_id_is_not_repeated_wherever_it_is(advisor: Advisor, reference: str) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2", "given": ["Definity 1.3 mL"]})
    administration = given(request)
    del administration["medicationCodeableConcept"]
    administration["medicationReference"] = {"reference": reference}
    found = answer(advisor, request | {"prefetch": {"medicationAdministrations": bundle([administration])}})
    assert set(warnings(found).values()) == {"not understood: a reference to a patient was not sent"}
    assert "13579" not in repr(found)


def test_a_second_resource_of_the_same_id_is_named(advisor: Advisor) -> None:
    request = request_of({"lines": "93350 as x, 93352"})
    drafts(request)[1]["id"] = "x"
    assert list(warnings(answer(advisor, request))) == ["context.draftCharges.entry[1].resource"]


def test_the_codes_of_both_may_be_charged(advisor: Advisor) -> None:
    """The reversal of the one is not taken for that of the other, which would have no primary left."""
    request = request_of({"lines": "93351 as x, 93352, 93352, 93352"})
    drafts(request)[2]["id"] = "x"
    reversal = {"url": "https://ehr.example.org/r4/offset-by", "valueReference": {"reference": "ChargeItem/x"}}
    drafts(request)[1]["extension"] = [reversal]
    found = answer(advisor, request)
    assert list(warnings(found)) == ["context.draftCharges.entry[2].resource"]
    assert "add-on-without-primary" not in topics(found)


def test_the_same_resource_twice_and_the_draft_of_one_on_record_are_no_fault(advisor: Advisor) -> None:
    request = request_of({"lines": "93350 as x", "earlier": "93351 as x"})
    request["context"]["draftCharges"]["entry"] *= 2
    advice = advisor.answer(CLAIM, json.dumps(request).encode())
    assert advice.skipped == ()
    assert [line.code for line in advice.parsed.case.lines] == ["93350"]


# --- strict validation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ['["Claim"]', "5", '{"a": 1}', "true"])
def test_a_type_that_is_no_text_is_a_fault_of_its_place(kind: str) -> None:
    (fault,) = faults_in(f'{{"entry": [{{"resource": {{"resourceType": {kind}}}}}]}}'.encode())
    assert fault.path == "entry[0].resource"


@pytest.mark.parametrize("number", ["1e999999999", "1.0e99999999999999999999", "9" * 5000])
def test_a_number_beyond_numbers_is_a_fault(number: str) -> None:
    assert faults_in(f'{{"resourceType": "Observation", "valueQuantity": {{"value": {number}}}}}'.encode())
