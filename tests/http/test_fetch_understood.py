"""FHIR servers that do not understand a search, or page under another name: nothing found is not absence."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cds_service.fhir.servers import AllowedServer, AllowList
from cds_service.review.advisor import Advisor, Answer
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.rules.test_cases import SERVICES
from tests.support.ehr import FHIR_TOKEN, access
from tests.support.fhir_double import Double, Reply, body, in_turn, resource, running_double, searchset, serving
from tests.support.notation import request_of

Json = dict[str, Any]

CLAIM_REVIEW = SERVICES["contrast-echo-claim-review"]
DISCHARGE = SERVICES["contrast-echo-encounter-discharge"]
TYPE = "MedicationAdministration"
PLACE = "fhirServer.medicationAdministrations"
MISSING = "contrast-add-on-missing"
NOT_SUPPORTED = "contrast-not-supported"

CHARGED = request_of({"lines": "93350 in E1, 93352 in E1, Q9957x2 in E1"}) | {"prefetch": {}}
CHARGED["context"]["encounterId"] = "E1"
ENCOUNTER = {"resourceType": "Encounter", "id": "E1", "status": "finished", "class": {"code": "AMB"}}
GIVEN = request_of({"given": ["Definity 1.3 mL in E1"]})["prefetch"]["medicationAdministrations"]["entry"][0][
    "resource"
]


@pytest.fixture
def double() -> Iterator[Double]:
    with running_double() as started:
        yield started


def review(advisor: Advisor, request: Json, server: str, servers: AllowList | None = None) -> Answer:
    body = json.dumps(request | access(server)).encode()
    service = DISCHARGE if request["hook"] == "encounter-discharge" else CLAIM_REVIEW
    return advisor.answer(service, body, servers=servers)


def found(answer: Answer) -> list[str]:
    return [rule.id for rule, _ in answer.review.findings]


def reasons(answer: Answer) -> dict[str, str]:
    return {each.path: each.reason for each in answer.skipped}


# --- searches that find nothing -------------------------------------------------------------------------------------


def test_a_server_that_finds_nothing_of_the_patient_is_not_believed(advisor: Advisor) -> None:
    """A small server that ignores nothing and refuses nothing, and knows the patient under another id."""
    asked: list[str] = []

    def answer_nothing(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        address = f"http://{handler.headers['Host']}{handler.path}"
        resource(searchset([], total=0, link=[{"relation": "self", "url": address}]))(handler)

    with serving(answer_nothing) as address:
        answer = review(advisor, CHARGED, address)
    assert "/fhir/Encounter?_id=E1&patient=p1" in asked
    assert NOT_SUPPORTED not in found(answer)
    assert answer.parsed.case.complete == frozenset()
    assert list(reasons(answer)) == ["fhirServer"]
    assert "may not have understood the searches" in reasons(answer)["fhirServer"]


def test_the_encounter_of_all_charges_is_looked_for_if_the_call_names_none(advisor: Advisor, double: Double) -> None:
    context = {name: value for name, value in CHARGED["context"].items() if name != "encounterId"}
    answer = review(advisor, CHARGED | {"context": context}, double.address)
    assert double.asked_of("Encounter") == ["/fhir/Encounter?_id=E1&patient=p1"]
    assert NOT_SUPPORTED not in found(answer)


def test_a_server_that_finds_the_encounter_is_believed(advisor: Advisor, double: Double) -> None:
    double.replies["Encounter"] = resource(searchset([ENCOUNTER]))
    answer = review(advisor, CHARGED, double.address)
    assert NOT_SUPPORTED in found(answer)
    assert reasons(answer) == {}


def test_a_server_that_finds_anything_of_the_patient_is_believed(advisor: Advisor, double: Double) -> None:
    coverage = request_of({"payer": "Medicare"})["prefetch"]["coverages"]["entry"][0]["resource"]
    double.replies["Coverage"] = resource(searchset([coverage]))
    assert NOT_SUPPORTED in found(review(advisor, CHARGED, double.address))
    assert double.asked_of("Encounter") == []


@pytest.mark.parametrize("reply", [body(b"", 403), body(b"junk"), resource(searchset([GIVEN]))])
def test_without_an_answer_on_the_encounter_an_empty_record_is_unknown(
    advisor: Advisor, double: Double, reply: Reply
) -> None:
    double.replies["Encounter"] = reply
    assert NOT_SUPPORTED not in found(review(advisor, CHARGED, double.address))


# --- searches whose parameter was dropped ---------------------------------------------------------------------------


def with_self(double: Double, query: str, *resources: Json) -> Reply:
    link = [{"relation": "self", "url": f"{double.address}/{TYPE}{query}"}]
    return resource(searchset(list(resources), link=link))


@pytest.mark.parametrize("query", ["", "?", "?_count=200", "?effective-time=ge2026-03-01&_count=200", "?x=patient=p1"])
def test_a_search_without_the_patient_in_its_self_link_is_not_understood(
    advisor: Advisor, double: Double, query: str
) -> None:
    double.replies[TYPE] = with_self(double, query)
    answer = review(advisor, CHARGED, double.address)
    assert reasons(answer)[PLACE] == "the FHIR server did not use the search parameter `patient`"
    assert NOT_SUPPORTED not in found(answer)


@pytest.mark.parametrize(
    "query", ["?patient=p1", "?subject=Patient%2Fp1&_count=20", "?patient:Patient=p1", "?subject:Patient=p1"]
)
def test_a_search_with_the_patient_in_its_self_link_is_understood(advisor: Advisor, double: Double, query: str) -> None:
    double.replies[TYPE] = with_self(double, query, GIVEN)
    answer = review(advisor, CHARGED, double.address)
    assert reasons(answer) == {}
    assert NOT_SUPPORTED not in found(answer)


def test_a_search_that_was_not_understood_is_not_paged_through(advisor: Advisor, double: Double) -> None:
    links = [{"relation": "self", "url": f"{double.address}/{TYPE}"}, {"relation": "next", "url": f"{TYPE}?page=2"}]
    double.replies[TYPE] = resource(searchset([GIVEN | {"subject": {"reference": "Patient/other"}}], link=links))
    double.replies["Encounter"] = resource(searchset([ENCOUNTER]))
    answer = review(advisor, CHARGED, double.address)
    assert len(double.asked_of(TYPE)) == 1
    assert list(reasons(answer)) == [PLACE], "resources of other patients are dropped, not listed"


def test_a_byte_order_mark_before_a_page_is_accepted(advisor: Advisor, double: Double) -> None:
    double.replies[TYPE] = body(json.dumps(searchset([GIVEN])).encode("utf-8-sig"))
    answer = review(advisor, CHARGED | {"context": CHARGED["context"]}, double.address)
    assert reasons(answer) == {}


# --- charges of an encounter only -----------------------------------------------------------------------------------

AT_DISCHARGE = CHARGED | {
    "hook": "encounter-discharge",
    "context": {"userId": "Practitioner/dr", "patientId": "p1", "encounterId": "E1"},
}
CHARGES = [entry["resource"] for entry in CHARGED["context"]["draftCharges"]["entry"]]


def charges_by_context(*required: str, status: int = 400) -> Reply:
    """A search of charges that has no parameter `patient`, and requires others."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        given = parse_qs(urlsplit(handler.path).query)
        is_served = set(given) == {"context", *required}
        (resource(searchset(CHARGES[:1])) if is_served else body(b"", status))(handler)

    return reply


@pytest.mark.parametrize("required", [(), ("-status",)], ids=["R4", "Oracle Health"])
@pytest.mark.parametrize("status", [400, 403, 404])
def test_charges_are_asked_for_by_their_encounter(
    advisor: Advisor, double: Double, required: tuple[str, ...], status: int
) -> None:
    double.replies |= {"ChargeItem": charges_by_context(*required, status=status), TYPE: resource(searchset([GIVEN]))}
    answer = review(advisor, AT_DISCHARGE, double.address)
    wanted = ["patient=p1&_count=200", "context=Encounter/E1", "context=E1&-status=billable"]
    assert double.asked_of("ChargeItem") == [f"/fhir/ChargeItem?{each}" for each in wanted[: 2 + len(required)]]
    assert found(answer) == [MISSING]
    (reason,) = reasons(answer).values()
    assert "only charges of the encounter are known" in reason
    assert "chargeItems" not in answer.parsed.case.complete


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_fails_is_not_asked_by_the_encounter(advisor: Advisor, double: Double, status: int) -> None:
    double.replies["ChargeItem"] = body(b"", status)
    answer = review(advisor, AT_DISCHARGE, double.address)
    assert len(double.asked_of("ChargeItem")) == 1
    assert reasons(answer) == {"fhirServer.chargeItems": f"the FHIR server responded with {status}"}


def test_without_an_encounter_charges_are_unavailable(advisor: Advisor, double: Double) -> None:
    double.replies["ChargeItem"] = charges_by_context()
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    answer = review(advisor, request, double.address)
    assert double.asked_of("ChargeItem") == [f"/fhir/ChargeItem?patient=p1{each}" for each in ("&_count=200", "")]
    assert reasons(answer) == {"fhirServer.chargeItems": "the FHIR server responded with 400"}


# --- next pages under another name of the server --------------------------------------------------------------------


def paged(double: Double, following: str) -> None:
    """The administrations in two pages; the second holds the agent."""
    double.replies[TYPE] = in_turn(
        resource(searchset([], next_page=f"{following}/{TYPE}?page=2")), resource(searchset([GIVEN]))
    )


def is_followed(answer: Answer) -> bool:
    return reasons(answer) == {} and NOT_SUPPORTED not in found(answer)


def test_localhost_is_followed_under_its_other_name(advisor: Advisor, double: Double) -> None:
    paged(double, double.address)
    named = double.address.replace("127.0.0.1", "localhost")
    assert is_followed(review(advisor, CHARGED, named))
    assert double.asked_of(TYPE)[1] == f"/fhir/{TYPE}?page=2"


@pytest.mark.parametrize("registered", [True, False])
def test_a_page_on_another_listed_base_is_followed(double: Double, registered: bool) -> None:
    with running_double() as inside:
        paged(double, inside.address)
        inside.replies[TYPE] = resource(searchset([GIVEN]))
        listed = (double.address, inside.address)
        servers = AllowList(tuple(AllowedServer(each, private=True) for each in listed)) if registered else None
        advisor = create_advisor(Settings(fhir_servers=() if registered else listed))
        assert is_followed(review(advisor, CHARGED, double.address, servers))
    ((path, headers),) = inside.asked
    assert (path, headers["Authorization"]) == (f"/fhir/{TYPE}?page=2", f"Bearer {FHIR_TOKEN}")


@pytest.mark.parametrize("registered", [True, False])
def test_a_page_on_a_base_that_is_not_listed_is_refused_by_its_host(double: Double, registered: bool) -> None:
    with running_double() as elsewhere:
        paged(double, elsewhere.address)
        entry = AllowedServer(double.address, private=True)
        servers = AllowList((entry,)) if registered else None
        advisor = create_advisor(Settings(fhir_servers=() if registered else (double.address,)))
        answer = review(advisor, CHARGED, double.address, servers)
    assert elsewhere.asked == []
    host = urlsplit(elsewhere.address).netloc
    assert reasons(answer)[PLACE] == f"the next page is not on the FHIR server; {host} is not listed for this client"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://user:secret@inside.example.org/fhir/x?patient=secret", "; inside.example.org is not listed"),
        ("http://inside.example.org:8443/secret", "; inside.example.org:8443 is not listed"),
        ("https://se cret/fhir", ""),
        ("urn:secret", ""),
        ("{base}/../secret", ""),
    ],
)
def test_of_a_refused_page_only_the_host_is_named(advisor: Advisor, double: Double, link: str, shown: str) -> None:
    double.replies[TYPE] = resource(searchset([], next_page=link.format(base=double.address)))
    reason = reasons(review(advisor, CHARGED, double.address))[PLACE]
    assert reason.startswith(f"the next page is not on the FHIR server{shown}")
    assert "secret" not in reason


def test_a_page_of_prefetch_on_another_listed_base_is_followed(double: Double) -> None:
    with running_double() as inside:
        inside.replies["Coverage"] = resource(searchset([]))
        advisor = create_advisor(Settings(fhir_servers=(double.address, inside.address)))
        first = searchset([], next_page=f"{inside.address}/Coverage?page=2")
        review(advisor, CHARGED | {"prefetch": {"coverages": first}}, double.address)
    assert inside.paths == ["/fhir/Coverage?page=2"]
    assert double.asked_of("Coverage") == []
