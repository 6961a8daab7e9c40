"""The service with a third-party FHIR server: missing prefetch is fetched, with the same answer."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.fhir.read import CaseReader, ParsedCase
from cds_service.fhir.sources import SourceResource
from cds_service.review.advisor import Advisor, Answer
from tests.conftest import SAMPLES
from tests.rules.test_cases import SERVICES
from tests.support.ehr import (
    FETCHED,
    FHIR_TOKEN,
    PATHS,
    UNAVAILABLE,
    access,
    at_discharge,
    call,
    draft_of,
    load,
    not_checked,
    resources_of,
    said,
    to_be_fetched,
    topics,
    under_own_ids,
    warnings,
)
from tests.support.fhir_double import running_double, searchset
from tests.support.fhir_server.server import FhirServer
from tests.support.notation import request_of

pytestmark = pytest.mark.repeats(15)

Json = dict[str, Any]

SERVICE = SERVICES["contrast-echo-claim-review"]


def _sample(name: str) -> Path:
    return next(path for path in SAMPLES if path.stem == name)


SAMPLE_IDS = [f"{path.parent.name}/{path.stem}" for path in SAMPLES]


@pytest.fixture(scope="session")
def samples(fhir: FhirServer) -> dict[Path, Json]:
    """Every sample under ids of its own, all of them together on the server."""
    found = {path: under_own_ids(json.loads(path.read_text()), f"s{i}") for i, path in enumerate(SAMPLES)}
    for request in found.values():
        load(fhir, request)
    return found


# --- prefetch, server and mix ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SAMPLES, ids=SAMPLE_IDS)
def test_prefetch_server_and_mix_give_the_same_answer(
    server: str, fhir: FhirServer, samples: dict[Path, Json], path: Path
) -> None:
    request = samples[path]
    from_prefetch = call(server, request)
    assert topics(from_prefetch) == topics(call(server, json.loads(path.read_text())))
    for left_out in (FETCHED, FETCHED[::2], FETCHED[1::2]):
        answer = call(server, to_be_fetched(request, fhir.base_url, left_out))
        assert said(answer) == said(from_prefetch), f"fetched: {left_out}"
        unavailable = {f"prefetch.{key}" for key in FETCHED if key not in request["prefetch"]}
        assert set(warnings(answer)) == unavailable


def test_the_server_refuses_without_the_token(server: str, fhir: FhirServer, samples: dict[Path, Json]) -> None:
    """Otherwise the tests above would show nothing of the token."""
    request = to_be_fetched(samples[_sample("flags-65-year-old-man-poor-endocardial-border")], fhir.base_url)
    answer = call(server, request | access(fhir.base_url, "another-token"))
    assert warnings(answer) == {f"fhirServer.{key}": "the FHIR server responded with 401" for key in FETCHED}


# --- what is asked --------------------------------------------------------------------------------------------------


def dates(parameter: str, first: str = "2026-03-01", last: str = "2026-03-03") -> str:
    """The day under review as the service asks for it: a day wider on each side."""
    return f"{parameter}=ge{first}&{parameter}=le{last}"


def test_every_query_brings_the_token_and_nothing_else_is_asked(server: str) -> None:
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    with running_double() as double:
        call(server, request | access(double.address))
    assert sorted(double.paths) == [
        "/fhir/ChargeItem?patient=p1&_count=200",
        "/fhir/Coverage?patient=p1&_count=200",
        f"/fhir/MedicationAdministration?patient=p1&{dates('effective-time')}&_count=200",
        f"/fhir/Observation?patient=p1&category=imaging,procedure&{dates('date')}&_count=200",
        f"/fhir/Procedure?patient=p1&{dates('date')}&_count=200",
    ]
    assert {headers["Authorization"] for _, headers in double.asked} == {f"Bearer {FHIR_TOKEN}"}
    assert {headers["Accept"] for _, headers in double.asked} == {"application/fhir+json"}


def test_nothing_is_asked_that_came_along(server: str) -> None:
    request = request_of({"lines": "93350", "known": ["procedures", "chargeItems", "coverages", "observations"]})
    request["prefetch"] |= {"coverages": None, "observations": UNAVAILABLE}
    with running_double() as double:
        call(server, request | access(double.address))
    assert double.paths == [f"/fhir/MedicationAdministration?patient=p1&{dates('effective-time')}&_count=200"]


@pytest.mark.parametrize(
    "case",
    [{"lines": "99213, 71046"}, {"hook": "order", "ordered": ["71046"]}, {"professional": "99213"}, {"lines": ""}],
    ids=str,
)
def test_nothing_is_asked_where_no_echo_is_concerned(server: str, case: Json) -> None:
    with running_double() as double:
        answer = call(server, request_of(case) | {"prefetch": {}} | access(double.address))
    assert answer == {"cards": []}
    assert double.paths == []


def test_an_id_is_no_way_to_ask_for_something_else(server: str) -> None:
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    request["context"]["patientId"] = "p1&_include=*#?x"
    request["context"]["draftCharges"]["entry"][0]["resource"]["subject"] = {"display": "the same"}
    with running_double() as double:
        call(server, request | access(double.address))
    assert "/fhir/Coverage?patient=p1%26_include%3D%2A%23%3Fx&_count=200" in double.paths
    assert all("p1%26_include%3D%2A%23%3Fx" in path for path in double.paths)


# --- how often a call is parsed -------------------------------------------------------------------------------------


def verdicts(answer: Answer) -> list[tuple[str, str]]:
    review = answer.review
    return [(rule.id, str(each)) for rule, each in (*review.findings, *review.not_checked)]


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts of cases created and of resources parsed for them."""
    counted = {"cases": 0, "resources": 0}
    make, take = CaseReader.parsed, CaseReader._add

    def counting_make(reader: CaseReader, *complete: Any) -> ParsedCase:
        counted["cases"] += 1
        return make(reader, *complete)

    def counting_take(reader: CaseReader, source: SourceResource) -> None:
        counted["resources"] += 1
        take(reader, source)

    monkeypatch.setattr(CaseReader, "parsed", counting_make)
    monkeypatch.setattr(CaseReader, "_add", counting_take)
    return counted


def test_a_call_that_names_its_server_and_needs_no_fetch_is_parsed_once(
    advisor: Advisor, parses: dict[str, int]
) -> None:
    request = request_of({"lines": "93350", "known": ["procedures", "medicationAdministrations"]})
    request["prefetch"] |= {"chargeItems": None, "coverages": None, "observations": None}
    plain = advisor.answer(SERVICE, json.dumps(request).encode())
    sent = parses["resources"]
    assert (parses["cases"], sent > 0) == (1, True)
    named = advisor.answer(SERVICE, json.dumps(request | access("http://127.0.0.1:9/fhir")).encode())
    assert parses == {"cases": 2, "resources": 2 * sent}
    assert verdicts(named) == verdicts(plain)


def test_a_fetch_takes_only_what_it_brought(advisor: Advisor, parses: dict[str, int]) -> None:
    request = request_of({"lines": "93350"}) | {"prefetch": {}}
    with running_double() as double:
        answer = advisor.answer(SERVICE, json.dumps(request | access(double.address)).encode())
    drafts = len(request["context"]["draftCharges"]["entry"])
    assert parses["cases"] == 2, "once to know what is needed, once with what came"
    assert len(answer.fetched) == len(FETCHED)
    assert parses["resources"] == drafts, "the double has nothing to bring"


# --- pages ----------------------------------------------------------------------------------------------------------


def _paged(fhir: FhirServer, request: Json, keys: Iterable[str] = FETCHED) -> Json:
    """The request with only the first page of each key: a Bundle of one resource, as the server itself pages."""
    pages = {}
    for key in keys:
        resource_type = {"coverages": "Coverage"}.get(key, key[0].upper() + key[1:-1])
        pages[key] = fhir.get(f"{resource_type}?patient={request['context']['patientId']}&_count=1")
    return request | {"prefetch": request["prefetch"] | pages} | access(fhir.base_url)


@pytest.mark.parametrize("path", [path for path in SAMPLES if "two-studies" in path.stem or "at-rest" in path.stem])
def test_further_pages_are_followed(server: str, fhir: FhirServer, samples: dict[Path, Json], path: Path) -> None:
    request = samples[path]
    paged = _paged(fhir, request)
    assert [key for key in FETCHED if _next_of(paged["prefetch"][key])], "the server does page"
    answer = call(server, paged)
    assert said(answer) == said(call(server, request))
    assert warnings(answer) == {}


def _next_of(page: Json) -> list[str]:
    return [link["url"] for link in page["link"] if link["relation"] == "next"]


def test_a_further_page_elsewhere_is_not_followed(server: str, fhir: FhirServer, samples: dict[Path, Json]) -> None:
    """The token is for the server that the call names; that server is asked for the whole instead."""
    path = next(path for path in SAMPLES if "two-studies" in path.stem)
    paged = _paged(fhir, samples[path])
    with running_double() as elsewhere:
        ours, theirs = (f'"next", "url": "{address}' for address in (fhir.base_url, elsewhere.address))
        prefetch = json.dumps(paged["prefetch"]).replace(ours, theirs)
        assert theirs in prefetch
        answer = call(server, paged | {"prefetch": json.loads(prefetch)})
    assert elsewhere.asked == []
    assert said(answer) == said(call(server, samples[path]))


def test_without_a_server_a_first_page_is_not_taken_for_the_whole(server: str) -> None:
    first = searchset([], next_page="http://127.0.0.1:9/fhir/MedicationAdministration?page=2")
    request = request_of({"lines": "93350"})
    whole = call(server, request | {"prefetch": {"medicationAdministrations": searchset([])}})
    answer = call(server, request | {"prefetch": {"medicationAdministrations": first}})
    assert not_checked(whole) == set()
    assert not_checked(answer) == {"contrast-add-on-missing"}


# --- encounter-discharge --------------------------------------------------------------------------------------------

DISCHARGED = _sample("flags-65-year-old-man-poor-endocardial-border")


def _discharge_with(prefetch: Json | None) -> Json:
    context = {"userId": "Practitioner/dr", "patientId": "p1", "encounterId": "E1"}
    return request_of({}) | {"hook": "encounter-discharge", "context": context, "prefetch": prefetch}


def test_the_charges_of_the_encounter_come_from_prefetch_or_from_the_server(
    server: str, fhir: FhirServer, samples: dict[Path, Json]
) -> None:
    request = at_discharge(samples[DISCHARGED])
    from_prefetch = call(server, request)
    assert topics(from_prefetch) == ["contrast-add-on-missing"]
    for left_out in (FETCHED, ("chargeItems",), ("medicationAdministrations", "procedures")):
        answer = call(server, to_be_fetched(request, fhir.base_url, left_out))
        assert said(answer) == said(from_prefetch)
        assert warnings(answer) == {}


IN_ORDER = [
    path
    for path in SAMPLES
    if path.stem.startswith("passes-") and "encounterId" in json.loads(path.read_text())["context"]
]


@pytest.mark.parametrize("path", IN_ORDER, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_charges_that_are_in_order_stay_silent_at_discharge(
    server: str, fhir: FhirServer, samples: dict[Path, Json], path: Path
) -> None:
    request = at_discharge(samples[path])
    answer = call(server, to_be_fetched(request, fhir.base_url))
    assert answer["cards"] == []


@pytest.mark.parametrize("prefetch", [{}, {"procedures": None}, None])
def test_without_the_charges_and_a_way_to_them_there_is_nothing_to_go_on(server: str, prefetch: Json | None) -> None:
    for offered in ({}, {"fhirServer": None}, access("http://fhir.example.org/not-listed")):
        body = _discharge_with(prefetch) | offered
        response = requests.post(server + PATHS["encounter-discharge"], json=body, timeout=30)
        assert response.status_code == 412
        (issue,) = response.json()["issue"]
        assert issue["expression"] == ["prefetch.chargeItems"]
        assert "prefetch.chargeItems" in issue["diagnostics"]


def test_an_encounter_known_to_be_without_charges_is_no_412(server: str) -> None:
    assert call(server, _discharge_with({"chargeItems": None})) == {"cards": []}


def test_a_server_that_is_down_is_no_412(server: str) -> None:
    answer = call(server, _discharge_with({}) | access("http://127.0.0.1:9/fhir"))
    assert answer["cards"] == []
    assert warnings(answer) == {"fhirServer.chargeItems": "the request to the FHIR server failed (ConnectionError)"}


# --- order-select ---------------------------------------------------------------------------------------------------

ORDERED = _sample("flags-65-year-old-man-at-order")


def _select(request: Json, *selections: str) -> Json:
    return request | {"hook": "order-select", "context": request["context"] | {"selections": list(selections)}}


def _orders(request: Json) -> list[str]:
    return [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in draft_of(request)["entry"]]


def test_only_selected_orders_are_spoken_of(server: str, fhir: FhirServer, samples: dict[Path, Json]) -> None:
    request = to_be_fetched(samples[ORDERED], fhir.base_url)
    other = {
        "resourceType": "ServiceRequest",
        "id": "other",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "71046"}]},
        "subject": {"reference": f"Patient/{request['context']['patientId']}"},
    }
    draft = draft_of(request)
    orders = draft | {"entry": [*draft["entry"], {"resource": other}]}
    request = request | {"context": request["context"] | {"draftOrders": orders}}
    assert topics(call(server, _select(request, *_orders(samples[ORDERED])))) == ["contrast-add-on-missing"]
    assert call(server, _select(request, "ServiceRequest/other"))["cards"] == []
    assert call(server, _select(request))["cards"] == []


def test_advice_is_to_be_read_only_while_details_are_missing(
    server: str, fhir: FhirServer, samples: dict[Path, Json]
) -> None:
    request = to_be_fetched(samples[ORDERED], fhir.base_url)
    (selected,) = call(server, _select(request, *_orders(request)))["cards"]
    (signed,) = call(server, request)["cards"]
    assert signed["suggestions"]
    assert "suggestions" not in selected
    assert "selectionBehavior" not in selected
    assert selected["summary"] == signed["summary"]


# --- logs -----------------------------------------------------------------------------------------------------------


def test_no_token_and_no_patient_is_logged(server_log: Path, samples: dict[Path, Json]) -> None:
    """All that was called above is in the log by now."""
    log = server_log.read_text()
    assert '"fetched"' in log
    assert FHIR_TOKEN not in log
    ids = [each["id"] for request in samples.values() for each in resources_of(request)]
    assert ids
    assert [each for each in ids if each in log] == []
