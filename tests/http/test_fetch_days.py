"""Fetching for the days under review, from a FHIR server with a long record and slow pages."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.core.case import Case, Days
from cds_service.review.advisor import Advisor, Answer
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.http.test_fetch import dates
from tests.rules.test_cases import SERVICES
from tests.support.ehr import access, call, topics, warnings
from tests.support.fhir_double import Double, body, resource, running_double, searchset
from tests.support.fhir_server.server import FhirServer
from tests.support.notation import request_of
from tests.support.slow_proxy import slow_proxy

Json = dict[str, Any]

SERVICE = SERVICES["contrast-echo-claim-review"]
PATIENT = "long-record"
KEY = "medicationAdministrations"
TYPE = "MedicationAdministration"
MISSING = "contrast-add-on-missing"
NOT_SUPPORTED = "contrast-not-supported"


def of_patient(value: Json) -> Json:
    return dict(json.loads(json.dumps(value).replace('"Patient/p1"', f'"Patient/{PATIENT}"')))


def administration(number: int, text: str) -> Json:
    """An administration in billers' notation, under an id of its own."""
    given = request_of({"given": [text]})["prefetch"][KEY]["entry"][0]["resource"]
    return of_patient(given | {"id": f"{PATIENT}-{number}"})


def claim(lines: str) -> Json:
    request = of_patient(request_of({"lines": lines}) | {"prefetch": {}})
    return request | {"context": request["context"] | {"patientId": PATIENT}}


@pytest.fixture(scope="module")
def long_record(fhir: FhirServer) -> FhirServer:
    """A server with 300 administrations of one patient, one of them of a contrast agent on 2026-03-02."""
    first = date(2025, 6, 1)
    others = [administration(n, f"words metoprolol on {first + timedelta(n)}") for n in range(299)]
    for each, n in zip(others, range(299), strict=True):
        each["effectiveDateTime"] = f"{first + timedelta(n)}T08:00:00Z"
    every = [*others, administration(299, "Definity 1.3 mL on 2026-03-02")]
    patient = {"resourceType": "Patient", "id": PATIENT}
    entries = [
        {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
        for each in (patient, *every)
    ]
    fhir.transaction(entries)
    return fhir


# --- a long record and slow pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("milliseconds", [100, 300])
def test_the_administrations_of_the_day_come_in_time(server: str, long_record: FhirServer, milliseconds: int) -> None:
    with slow_proxy(long_record.base_url, milliseconds / 1000) as proxy:
        answer = call(server, claim("93350") | access(proxy.address))
    assert proxy.asked_of(TYPE) == [f"{TYPE}?patient={PATIENT}&{dates('effective-time')}&_count=200"]
    assert warnings(answer) == {}
    assert topics(answer) == [MISSING]


@pytest.mark.parametrize("milliseconds", [100, 300])
def test_on_a_day_without_contrast_it_is_known_that_none_was_given(
    server: str, long_record: FhirServer, milliseconds: int
) -> None:
    with slow_proxy(long_record.base_url, milliseconds / 1000) as proxy:
        answer = call(server, claim("93350 on 2026-02-10, 93352 on 2026-02-10") | access(proxy.address))
    assert len(proxy.asked_of(TYPE)) == 1
    assert warnings(answer) == {}
    assert NOT_SUPPORTED in topics(answer)


def test_without_a_day_the_whole_record_is_asked_for_in_large_pages(server: str, long_record: FhirServer) -> None:
    request = claim("93350")
    for entry in request["context"]["draftCharges"]["entry"]:
        del entry["resource"]["occurrenceDateTime"]
    with slow_proxy(long_record.base_url, 0) as proxy:
        answer = call(server, request | access(proxy.address))
    (first,) = proxy.asked_of(TYPE)
    assert first == f"{TYPE}?patient={PATIENT}&_count=200"
    host = long_record.base_url.removeprefix("http://").removesuffix("/fhir")
    assert warnings(answer) == {
        f"fhirServer.{KEY}": f"the next page is not on the FHIR server; {host} is not listed for this client"
    }, "the server links to its next page under its own address, which is not that of the proxy"


def test_further_pages_under_the_other_listed_name_of_the_server_are_followed(long_record: FhirServer) -> None:
    request = claim("93350, 93352")
    del request["context"]["draftCharges"]["entry"][0]["resource"]["occurrenceDateTime"]
    with slow_proxy(long_record.base_url, 0) as proxy:
        advisor = create_advisor(Settings(fhir_servers=(proxy.address, long_record.base_url)))
        answer = advisor.answer(SERVICE, json.dumps(request | access(proxy.address)).encode())
    assert len(proxy.asked_of(TYPE)) == 1
    assert len(answer.parsed.case.administrations) == 300
    assert KEY in answer.parsed.case.complete
    assert reasons(answer) == {}


def test_one_search_covers_the_days_of_several_studies(server: str) -> None:
    with running_double() as double:
        call(server, claim("93350 on 2026-02-10, 93350 on 2026-03-02") | access(double.address))
    wanted = dates("effective-time", "2026-02-09", "2026-03-03")
    assert double.asked_of(TYPE) == [f"/fhir/{TYPE}?patient={PATIENT}&{wanted}&_count=200"]


def test_at_order_time_the_days_of_the_orders_are_asked_for(server: str) -> None:
    order = request_of({"hook": "order", "ordered": ["93350 planned 2026-04-01", "Definity"]})
    with running_double() as double:
        call(server, order | {"prefetch": {}} | access(double.address))
    wanted = dates("date", "2026-03-01", "2026-04-02")
    assert double.asked_of("Procedure") == [f"/fhir/Procedure?patient=p1&{wanted}&_count=200"]


# --- conclusions only about the days asked for ----------------------------------------------------------------------

DAY = date(2026, 3, 2)


def test_a_part_is_complete_on_the_days_asked_for() -> None:
    case = Case(stage="claim", complete=frozenset({"a", "b"}), complete_days={"b": Days(DAY, DAY)})
    assert all(case.is_complete("a", day) for day in (DAY, date.max, None))
    assert case.is_complete("b", DAY)
    assert not any(case.is_complete("b", day) for day in (DAY - timedelta(1), DAY + timedelta(1), None))
    assert not case.is_complete("c", DAY)


@pytest.mark.parametrize(
    ("case", "rule", "part"),
    [
        ({"lines": "93350, 93352, Q9957x2"}, NOT_SUPPORTED, "medicationAdministrations"),
        ({"given": ["Definity 1.3 mL"], "done": ["93350"], "lines": "Q9957x2"}, "performed-not-charged", "chargeItems"),
    ],
    ids=["administrations", "charges"],
)
def test_on_another_day_a_rule_does_not_conclude_absence(advisor: Advisor, case: Json, rule: str, part: str) -> None:
    request = request_of(case | {"known": ["procedures", "medicationAdministrations", "chargeItems"]})
    parsed = advisor.answer(SERVICE, json.dumps(request).encode()).parsed

    def found(days: Days) -> list[str]:
        limited = replace(parsed, case=replace(parsed.case, complete_days={part: days}, facts={}))
        return [each.id for each, _ in advisor.run_rules(limited).review.findings]

    assert rule in found(Days(DAY, DAY))
    other = found(Days(DAY + timedelta(1), DAY + timedelta(9)))
    assert (rule in other) == (rule == "performed-not-charged"), "other charges of the study are under review"


# --- what charges refer to ------------------------------------------------------------------------------------------


@pytest.fixture
def double() -> Iterator[Double]:
    with running_double() as started:
        yield started


def review(advisor: Advisor, request: Json, double: Double) -> Answer:
    return advisor.answer(SERVICE, json.dumps(request | access(double.address)).encode())


def reasons(answer: Answer) -> dict[str, str]:
    """The warnings by path, without those of records that came and were not understood."""
    return {each.path: each.reason for each in answer.skipped if not each.reason.startswith("not understood")}


def test_a_late_charge_brings_in_the_day_of_its_procedure(advisor: Advisor, double: Double) -> None:
    """The charge has the day of its posting; what was given is on record on the day of the procedure."""
    request = request_of({"lines": "93350 on 2026-03-09 for P1, 93352 on 2026-03-09 for P1"}) | {"prefetch": {}}
    done = request_of({"done": ["93350 on 2026-03-02 as P1"]})["prefetch"]["procedures"]["entry"][0]["resource"]
    double.replies["Procedure/P1"] = resource(done)
    answer = review(advisor, request, double)
    wanted = dates("effective-time", "2026-03-01", "2026-03-10")
    assert double.asked_of(TYPE) == [f"/fhir/{TYPE}?patient=p1&{wanted}&_count=200"]
    assert reasons(answer) == {}


@pytest.mark.parametrize("reference", ["Procedure/..", "Procedure/1?_include=*", "Procedure/a b", "Device/1"])
def test_a_reference_is_no_way_to_ask_for_something_else(advisor: Advisor, double: Double, reference: str) -> None:
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    request["context"]["draftCharges"]["entry"][0]["resource"]["service"] = [{"reference": reference}]
    review(advisor, request, double)
    assert len(double.paths) == 5
    assert double.asked_of("Procedure") == [f"/fhir/Procedure?patient=p1&{dates('date')}&_count=200"]


def test_a_procedure_that_the_server_does_not_have_is_not_of_another_day(advisor: Advisor, double: Double) -> None:
    request = request_of({"lines": "93350 for P1"}) | {"prefetch": {}}
    double.replies["Procedure/P1"] = body(b"", 404)
    assert reasons(review(advisor, request, double)) == {}
    assert double.asked_of("Procedure")[1] == f"/fhir/Procedure?patient=p1&{dates('date')}&_count=200"


@pytest.mark.parametrize("status", [403, 500])
def test_a_procedure_that_cannot_be_read_leaves_the_days_unknown(advisor: Advisor, double: Double, status: int) -> None:
    request = request_of({"lines": "93350 for P1"}) | {"prefetch": {}}
    double.replies["Procedure/P1"] = body(b"", status)
    review(advisor, request, double)
    assert double.asked_of(TYPE) == [f"/fhir/{TYPE}?patient=p1&_count=200"]


def test_a_procedure_that_was_sent_is_not_read_again(advisor: Advisor, double: Double) -> None:
    request = request_of({"lines": "93350 for P1", "done": ["93350 as P1"], "known": ["procedures"]})
    review(advisor, request, double)
    assert double.asked_of("Procedure") == []


# --- Medications that did not arrive --------------------------------------------------------------------------------

DEFINITY = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-011-04"}]}


def by_reference(reference: Json, day: str = "2026-03-02", number: int = 0) -> Json:
    given: Json = request_of({"given": [f"Definity 1.3 mL on {day}"]})["prefetch"][KEY]["entry"][0]["resource"]
    del given["medicationCodeableConcept"]
    return given | {"id": f"given-{number}", "medicationReference": reference}


def test_a_medication_is_read_by_its_id(advisor: Advisor, double: Double) -> None:
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    double.replies[TYPE] = resource(searchset([by_reference({"reference": "Medication/def"})]))
    double.replies["Medication/def"] = resource({"resourceType": "Medication", "id": "def", "code": DEFINITY})
    answer = review(advisor, request, double)
    assert double.asked_of("Medication/") == ["/fhir/Medication/def"]
    assert [rule.id for rule, _ in answer.review.findings] == [MISSING]
    assert reasons(answer) == {}


@pytest.mark.parametrize("where", ["prefetch", "server", "procedure"])
def test_a_medication_that_cannot_be_read_may_be_of_any_drug(advisor: Advisor, double: Double, where: str) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2", "known": ["procedures"]})
    given = by_reference({"reference": "Medication/unknown"})
    if where == "prefetch":
        request["prefetch"][KEY] = searchset([given])
    elif where == "server":
        double.replies[TYPE] = resource(searchset([given]))
    else:
        done = request_of({"done": ["93350"]})["prefetch"]["procedures"]["entry"][0]["resource"]
        used = {"usedReference": [{"reference": "Medication/unknown"}, {"reference": "Device/1"}]}
        request["prefetch"]["procedures"] = searchset([done | used])
    double.replies["Medication/unknown"] = body(b"", 404)
    answer = review(advisor, request, double)
    assert NOT_SUPPORTED not in [rule.id for rule, _ in answer.review.findings]
    assert double.asked_of("Medication/") == ["/fhir/Medication/unknown"]
    assert reasons(answer) == {
        "fhirServer.medications": "referenced Medications that could not be read: 1 (the FHIR server does not have it)"
    }


def test_at_most_twenty_medications_are_read(advisor: Advisor, double: Double) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2"}) | {"prefetch": {}}
    plain = {"resourceType": "Medication", "code": {"text": "saline"}}
    given = [by_reference({"reference": f"Medication/m{n}"}, number=n) for n in range(25)]
    for n in range(25):
        double.replies[f"Medication/m{n}"] = resource(plain | {"id": f"m{n}"})
    double.replies[TYPE] = resource(searchset(given))
    answer = review(advisor, request, double)
    assert len(double.asked_of("Medication/")) == 20
    assert "could not be read: 5" in reasons(answer)["fhirServer.medications"]
    assert NOT_SUPPORTED not in [rule.id for rule, _ in answer.review.findings]


@pytest.mark.parametrize(
    ("reference", "day"),
    [
        ({"reference": "#inside"}, "2026-03-02"),
        ({"reference": "Medication/.."}, "2026-03-02"),
        ({"reference": "https://elsewhere.example.org/fhir/Medication/1", "display": "metoprolol"}, "2026-03-02"),
        ({"reference": "Medication/1"}, "2026-01-05"),
        ({"identifier": {"value": "1"}}, "2026-03-02"),
    ],
    ids=["contained", "no id", "another server", "another day", "an identifier"],
)
def test_other_references_are_not_read(advisor: Advisor, double: Double, reference: Json, day: str) -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2"}) | {"prefetch": {}}
    double.replies[TYPE] = resource(searchset([by_reference(reference, day)]))
    answer = review(advisor, request, double)
    assert double.asked_of("Medication/") == []
    assert reasons(answer) == {}
