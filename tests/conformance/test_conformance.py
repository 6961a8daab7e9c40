"""Each test names the sentences of the CDS Hooks specification that it verifies, over real HTTP.

The sentences are in `conformance/sentences.yaml`; `make conformance` prints what each came to.
"""

import inspect
import json
import re
import threading
import time
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from markdown_it import MarkdownIt

import hooks
from cds_service.fhir.validate import validate
from tests.conformance import TESTS, sentences, verifies
from tests.conftest import SAMPLES
from tests.http.test_services import CLAIM_REVIEW, SERVICES, post
from tests.support.notation import bundle, request_of
from tests.support.running import ROOT, running

SELECT = "/cds-services/contrast-echo-order-select"
DISCHARGE = "/cds-services/contrast-echo-encounter-discharge"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SEMANTIC_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
EXTENSION = "org.example.contrast-echo"
NOW = "2026-03-02T15:04:05Z"

Json = dict[str, Any]

FLAGGED = request_of({"lines": "93350, Q9957x2"})


def discharge_request(**prefetch: Any) -> Json:
    """An encounter with contrast, whose charges lack the add-on."""
    claim = request_of({"lines": "93350 in e1", "given": ["Definity 1.3 mL in e1"]})
    charges = claim["context"]["draftCharges"]
    known = {"chargeItems": charges, "medicationAdministrations": claim["prefetch"]["medicationAdministrations"]}
    context = {"userId": "Practitioner/dr", "patientId": "p1", "encounterId": "e1"}
    return claim | {"hook": "encounter-discharge", "context": context, "prefetch": known | prefetch}


def select_request(*selections: str) -> Json:
    order = request_of({"hook": "order", "ordered": ["93350 as study", "Definity as agent"]})
    return order | {"hook": "order-select", "context": order["context"] | {"selections": list(selections)}}


# --- what is looked at ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(server: str) -> dict[str, Json]:
    """The services that discovery lists, by id."""
    return {each["id"]: each for each in requests.get(f"{server}/cds-services", timeout=10).json()["services"]}


@pytest.fixture(scope="module")
def calls(server: str) -> list[tuple[Json, requests.Response]]:
    """Calls of all services with their answers: every sample, an encounter's end, an order just selected."""
    bodies = [(SERVICES[(body := json.loads(path.read_text()))["hook"]], body) for path in SAMPLES]
    bodies += [(DISCHARGE, discharge_request())]
    bodies += [(SELECT, select_request("ServiceRequest/study", "MedicationRequest/agent"))]
    return [(body, post(server, path, body)) for path, body in bodies]


@pytest.fixture(scope="module")
def cards(calls: list[tuple[Json, requests.Response]]) -> list[Json]:
    return [card for _, answer in calls for card in answer.json()["cards"]]


@pytest.fixture(scope="module")
def suggestions(cards: list[Json]) -> list[Json]:
    return [each for card in cards for each in card.get("suggestions", [])]


@pytest.fixture(scope="module")
def actions(suggestions: list[Json]) -> list[Json]:
    return [action for each in suggestions for action in each["actions"]]


def of_type(actions: list[Json], kind: str) -> list[Json]:
    found = [action for action in actions if action["type"] == kind]
    assert found, f"no sample suggests to {kind}"
    return found


def is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def said(answer: requests.Response) -> Json:
    """The answer's statements on unparsed data and on undecided rules."""
    return dict(answer.json().get("extension", {}).get(EXTENSION, {}))


# --- JSON and transport ---------------------------------------------------------------------------------------------


@verifies("k@1")
def test_everything_is_json(server: str, calls: list[tuple[Json, requests.Response]]) -> None:
    assert {answer.headers["Content-Type"] for _, answer in calls} == {"application/json"}
    assert post(server, CLAIM_REVIEW, FLAGGED, headers={"Content-Type": "text/plain"}).status_code == 415
    assert post(server, CLAIM_REVIEW, b'{"hook": "x", }').status_code == 400, "no trailing comma"


def empty_members(value: Any, path: str = "") -> Iterator[str]:
    if value in (None, "", [], {}):
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from empty_members(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from empty_members(inner, path)


@verifies("k@3")
def test_no_member_is_empty_but_the_list_of_cards(server: str, calls: list[tuple[Json, requests.Response]]) -> None:
    answers = [answer for _, answer in calls] + [requests.get(f"{server}/cds-services", timeout=10)]
    answers += [post(server, CLAIM_REVIEW, {}), post(server, DISCHARGE, discharge_request() | {"prefetch": {}})]
    assert {path for answer in answers for path in empty_members(answer.json())} == {".cards"}


@verifies("cds-hooks-4", "cds-hooks-67")
def test_unknown_members_and_extensions_are_ignored(server: str) -> None:
    body = json.loads(json.dumps(FLAGGED))
    more = {"unknown": [1], "extension": {"com.example.thing": {"a": 1}}, "user": "Practitioner/1"}
    body |= more
    body["context"] |= more
    body["context"]["draftCharges"] |= {"unknown": 1}
    for entry in body["context"]["draftCharges"]["entry"]:
        entry |= {"unknown": 1}
        entry["resource"] |= {"unknown": 1}
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "s", "unknown": 1}
    answer = post(server, CLAIM_REVIEW, body | {"fhirServer": "https://ehr.invalid", "fhirAuthorization": token})
    assert answer.status_code == 200
    assert len(answer.json()["cards"]) == 1


# --- discovery ------------------------------------------------------------------------------------------------------


@verifies("k@4", "k@5", "k@6", "k@13")
def test_discovery_is_an_object_with_services_at_a_fixed_address(server: str) -> None:
    answer = requests.get(f"{server}/cds-services", timeout=10)
    assert answer.status_code == 200
    assert isinstance(answer.json()["services"], list)
    assert len(answer.json()["services"]) == 4


@verifies("k@7", "k@8", "k@9", "k@10", "k@11", "k@12")
def test_a_service_is_described(listed: dict[str, Json]) -> None:
    assert listed
    for service_id, each in listed.items():
        assert re.fullmatch(r"[a-z0-9-]+", service_id)
        for member in ("hook", "title", "description", "usageRequirements"):
            assert isinstance(each[member], str)
            assert each[member].strip()
        assert each["prefetch"]
        assert all(isinstance(template, str) for template in each["prefetch"].values())


@verifies("k@10", "k@16")
def test_a_service_is_called_at_its_id(server: str, listed: dict[str, Json]) -> None:
    assert listed
    for service_id in listed:
        answer = post(server, f"/cds-services/{service_id}", {})
        assert answer.status_code == 400, "there, and asking for its members"


@verifies("k@14")
def test_discovery_may_refuse(server: str) -> None:
    assert requests.delete(f"{server}/cds-services", timeout=10).status_code == 405


@verifies("cds-hooks-14")
def test_versions_are_listed(listed: dict[str, Json]) -> None:
    assert listed
    for each in listed.values():
        assert each["version"] == "2.0.1"
        assert SEMANTIC_VERSION.fullmatch(each.get("hookVersion", "1.0"))
    assert listed["contrast-echo-encounter-discharge"]["hookVersion"] == "1.0"


@verifies("cds-hooks-18")
def test_features_are_documented_and_none_that_a_client_may_not_know_is_used(
    server: str, suggestions: list[Json]
) -> None:
    readme = (ROOT / "README.md").read_text()
    paths = requests.get(f"{server}/openapi.json", timeout=10).json()["paths"]
    calls = [path for path in paths if path.startswith("/cds-services/") and not path.endswith("/feedback")]
    assert calls
    assert [path for path in calls if path.rpartition("/")[2] not in readme] == []
    assert suggestions
    assert not [each for each in suggestions if "actionSelectionBehavior" in each]


# --- prefetch templates ---------------------------------------------------------------------------------------------

# Context fields that their hooks mark as prefetch tokens.
TOKENS = {
    "order-select": {"userId", "patientId", "encounterId"},
    "order-sign": {"userId", "patientId", "encounterId"},
    "encounter-discharge": {"userId", "patientId", "encounterId"},
    "org.example.claim-review": {"userId", "patientId", "encounterId"},
}


def templates(listed: dict[str, Json]) -> Iterator[tuple[str, str]]:
    for each in listed.values():
        for template in each["prefetch"].values():
            yield each["hook"], template


@verifies("k@29", "k@35", "k@36", "k@58", "cds-hooks-23")
def test_a_template_is_a_simple_read_or_search(listed: dict[str, Json]) -> None:
    read = re.compile(r"[A-Z][A-Za-z]+/\{\{context\.\w+\}\}")
    search = re.compile(r"[A-Z][A-Za-z]+\?([a-z-]+=[^&]+)(&[a-z-]+=[^&]+)*")
    every = list(templates(listed))
    assert every
    for _, template in every:
        assert read.fullmatch(template) or search.fullmatch(template)
        names = re.findall(r"[?&]([^=]+)=", template)
        assert len(set(names)) == len(names), "no parameter twice"
        assert ":" not in "".join(names), "no modifiers"
        assert "|" not in template
        assert "%" not in template
        assert "today" not in template


@verifies("k@55", "k@56", "k@57", "k@59", "cds-hooks-22")
def test_a_token_is_a_field_that_the_hook_marks_as_one(listed: dict[str, Json]) -> None:
    every = list(templates(listed))
    assert every
    for hook, template in every:
        assert template.count("{{") == template.count("}}") == 1
        (token,) = re.findall(r"\{\{(.*?)\}\}", template)
        assert token in {f"context.{field}" for field in TOKENS[hook]}


# --- prefetch in the call -------------------------------------------------------------------------------------------


def warnings(answer: requests.Response) -> dict[str, str]:
    return {each["location"]: each["message"] for each in said(answer).get("warnings", [])}


@verifies("k@28", "cds-hooks-26")
def test_every_kind_of_value_is_taken(server: str) -> None:
    (given,) = discharge_request()["prefetch"]["medicationAdministrations"]["entry"]
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    for value, found in (
        (given["resource"], 1),
        (bundle([given["resource"]]), 1),
        (outcome, 0),
        (None, 0),
        (bundle([]), 0),
    ):
        answer = post(server, DISCHARGE, discharge_request(medicationAdministrations=value))
        assert answer.status_code == 200
        assert len(answer.json()["cards"]) == found


@verifies("k@52", "cds-hooks-29")
def test_an_outcome_in_the_place_of_data_or_among_it_is_seen(server: str) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    for value, place in (
        (outcome, "prefetch.medicationAdministrations"),
        (bundle([outcome]), "prefetch.medicationAdministrations.entry[0]"),
    ):
        answer = post(server, DISCHARGE, discharge_request(medicationAdministrations=value))
        assert "OperationOutcome" in warnings(answer)[place]
        assert said(answer)["notChecked"], "what may be missing is not taken for empty"


@verifies("cds-hooks-28")
def test_absent_is_unknown_and_null_or_empty_is_known_to_be_empty(server: str) -> None:
    body = discharge_request()
    del body["prefetch"]["medicationAdministrations"]
    assert "contrast-add-on-missing" in {each["rule"] for each in said(post(server, DISCHARGE, body))["notChecked"]}
    none = bundle([]) | {"type": "searchset", "total": 0}
    for nothing in (None, bundle([]), none, none | {"entry": []}):
        known = discharge_request(medicationAdministrations=nothing, procedures=nothing)
        answer = post(server, DISCHARGE, known)
        assert answer.json()["cards"] == []
        assert "contrast-add-on-missing" not in {each["rule"] for each in said(answer).get("notChecked", [])}


@verifies("cds-hooks-27")
def test_a_first_page_is_not_the_whole(server: str) -> None:
    page = bundle([]) | {"link": [{"relation": "next", "url": "https://ehr.invalid/page2"}]}
    answer = post(server, DISCHARGE, discharge_request(medicationAdministrations=page, procedures=bundle([])))
    assert "contrast-add-on-missing" in {each["rule"] for each in said(answer)["notChecked"]}


@verifies("k@54", "cds-hooks-36")
def test_412_where_required_data_did_not_come_and_cannot_be_fetched(server: str) -> None:
    for prefetch in ({}, {"procedures": None}):
        answer = post(server, DISCHARGE, discharge_request() | {"prefetch": prefetch})
        assert answer.status_code == 412
        assert answer.json()["issue"][0]["expression"] == ["prefetch.chargeItems"]
    without = discharge_request()
    del without["prefetch"]
    assert post(server, DISCHARGE, without).status_code == 412


@verifies("cds-hooks-32")
def test_no_412_for_data_that_came_and_lacks_details(server: str) -> None:
    bare = {"resourceType": "ChargeItem", "status": "billable", "subject": {"reference": "Patient/p1"}, "code": {}}
    for value in (None, bundle([]), bundle([bare]), {"resourceType": "OperationOutcome", "issue": []}):
        assert post(server, DISCHARGE, discharge_request(chargeItems=value)).status_code == 200


@verifies("k@27")
def test_the_answer_comes_quickly(server: str) -> None:
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        post(server, CLAIM_REVIEW, FLAGGED)
        seconds.append(time.perf_counter() - started)
    assert median(seconds) < 0.5, "what else the machine does slows some calls"


# --- the call -------------------------------------------------------------------------------------------------------

TOKEN = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": "us"}


@verifies("cds-hooks-35", "cds-hooks-36", "k@76")
@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"hook": None}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": None}, "hookInstance"),
        ({"hookInstance": "1"}, "hookInstance"),
        ({"context": None}, "context"),
        ({"context": {}}, "context.patientId"),
        ({"fhirAuthorization": TOKEN}, "fhirServer"),
        (
            {"fhirAuthorization": {"token_type": "Bearer"}, "fhirServer": "https://ehr.invalid"},
            "fhirAuthorization.access_token",
        ),
    ],
)
def test_a_member_that_is_missing_or_wrong_is_a_400_that_names_it(server: str, change: Json, member: str) -> None:
    body = {name: value for name, value in (FLAGGED | change).items() if value is not None}
    answer = post(server, CLAIM_REVIEW, body)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [member]


@verifies("cds-hooks-36", "cds-hooks-37", "k@76")
def test_every_fault_is_an_outcome_with_its_status(server: str) -> None:
    large = b" " * (10 * 1024 * 1024 + 1)
    faults = {
        400: post(server, CLAIM_REVIEW, b"{"),
        404: post(server, "/cds-services/nothing", FLAGGED),
        405: requests.get(server + CLAIM_REVIEW, timeout=10),
        412: post(server, DISCHARGE, discharge_request() | {"prefetch": {}}),
        413: post(server, CLAIM_REVIEW, large),
        415: post(server, CLAIM_REVIEW, FLAGGED, headers={"Content-Type": "text/plain"}),
    }
    for status, answer in faults.items():
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/fhir+json"
        validate(answer.json())


@verifies("cds-hooks-36", "cds-hooks-37")
def test_a_database_that_is_down_is_a_503(tmp_path: Path) -> None:
    with running(tmp_path, CDS_DATABASE_URL=f"sqlite:///{tmp_path}") as service:
        feedback = {"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": NOW}]}
        answer = post(service.address, f"{CLAIM_REVIEW}/feedback", feedback)
        assert answer.status_code == 503
        validate(answer.json())


# --- access to FHIR -------------------------------------------------------------------------------------------------


class FhirStub(ThreadingHTTPServer):
    """A FHIR server that notes what it is asked, and answers each search from a list of resources by type."""

    def __init__(self, resources: dict[str, list[Json]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resources = resources
        self.asked: list[tuple[str, str | None]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/fhir"


class _Handler(BaseHTTPRequestHandler):
    server: FhirStub

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        kind = urlsplit(self.path).path.split("/")[2]
        body = json.dumps(bundle(self.server.resources.get(kind, [])) | {"type": "searchset"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def fhir() -> Iterator[FhirStub]:
    came = discharge_request()["prefetch"]
    resources = {
        "ChargeItem": [entry["resource"] for entry in came["chargeItems"]["entry"]],
        "MedicationAdministration": [entry["resource"] for entry in came["medicationAdministrations"]["entry"]],
    }
    with FhirStub(resources) as stub:
        thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stub
        finally:
            stub.shutdown()
            thread.join()


def without_prefetch(fhir: FhirStub, **token: Any) -> Json:
    body = discharge_request() | {"fhirServer": fhir.base, "fhirAuthorization": TOKEN | token}
    del body["prefetch"]
    return body


@verifies("k@34", "k@60", "cds-hooks-31")
def test_what_is_missing_is_fetched_and_gives_the_same_advice(
    server: str, fhir: FhirStub, listed: dict[str, Json]
) -> None:
    fetched = post(server, DISCHARGE, without_prefetch(fhir))
    came = post(server, DISCHARGE, discharge_request())
    summaries = [[card["summary"] for card in answer.json()["cards"]] for answer in (fetched, came)]
    assert summaries[0] == summaries[1] != []
    prefetch = listed["contrast-echo-encounter-discharge"]["prefetch"].values()
    declared = tuple(template.replace("{{context.patientId}}", "p1") for template in prefetch)
    asked = [path.removeprefix("/fhir/").replace("%2C", ",") for path, _ in fhir.asked]
    assert asked
    assert [path for path in asked if not path.startswith(declared)] == [], (
        "the declared searches, limited to some days"
    )


@verifies("k@34", "cds-hooks-31")
def test_only_what_is_missing_is_fetched(server: str, fhir: FhirStub) -> None:
    body = discharge_request() | {"fhirServer": fhir.base, "fhirAuthorization": TOKEN}
    assert len(post(server, DISCHARGE, body).json()["cards"]) == 1
    assert fhir.asked
    assert not [path for path, _ in fhir.asked if "ChargeItem" in path or "MedicationAdministration" in path]


@verifies("k@61", "cds-hooks-39")
@pytest.mark.parametrize(
    "token", [{}, {"scope": "patient/Observation.rs", "patient": "p1"}, {"patient": None, "unknown": True}]
)
def test_every_call_of_the_fhir_server_has_the_token(server: str, fhir: FhirStub, token: Json) -> None:
    assert post(server, DISCHARGE, without_prefetch(fhir, **token)).json()["cards"]
    assert {authorization for _, authorization in fhir.asked} == {"Bearer t0ken"}


@verifies("cds-hooks-40")
def test_the_token_is_not_kept_and_not_logged(tmp_path: Path, fhir: FhirStub) -> None:
    with running(tmp_path) as service:
        answers = [
            post(service.address, DISCHARGE, without_prefetch(fhir, access_token="S3CRET")),
            post(service.address, DISCHARGE, without_prefetch(fhir, access_token="S3CRET", expires_in="S3CRET")),
            post(service.address, DISCHARGE, without_prefetch(fhir, access_token="S3CRET") | {"hookInstance": "1"}),
            post(
                service.address,
                DISCHARGE,
                without_prefetch(fhir, access_token="S3CRET") | {"fhirServer": "http://127.0.0.1:1"},
            ),
        ]
        fhir.asked.clear()
        body = without_prefetch(fhir)
        del body["fhirAuthorization"]
        post(service.address, DISCHARGE, body)
        assert {authorization for _, authorization in fhir.asked} == {None}, "the token is for its own call only"
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 400]
    assert not [answer for answer in answers if "S3CRET" in answer.text]
    files = list(tmp_path.iterdir())
    assert files
    assert not [file for file in files if b"S3CRET" in file.read_bytes()]


@verifies("cds-hooks-42")
def test_only_listed_servers_are_asked_and_no_page_elsewhere(tmp_path: Path, server: str, fhir: FhirStub) -> None:
    with running(tmp_path, CDS_FHIR_SERVERS="https://ehr.invalid/fhir") as service:
        answer = post(
            service.address, DISCHARGE, discharge_request() | {"fhirServer": fhir.base, "fhirAuthorization": TOKEN}
        )
        assert answer.status_code == 200
        assert any("not an allowed FHIR server" in reason for reason in warnings(answer).values())
    page = bundle([]) | {"link": [{"relation": "next", "url": fhir.base.replace("127.0.0.1", "127.0.0.2") + "/page"}]}
    body = discharge_request(procedures=page) | {"fhirServer": fhir.base, "fhirAuthorization": TOKEN}
    assert post(server, DISCHARGE, body).status_code == 200
    assert fhir.asked
    assert not [path for path, _ in fhir.asked if "page" in path]


# --- the answer -----------------------------------------------------------------------------------------------------


@verifies("k@74", "k@77")
def test_a_good_answer_is_200_with_a_list_of_cards(calls: list[tuple[Json, requests.Response]]) -> None:
    found = [answer.json()["cards"] for _, answer in calls if answer.status_code == 200]
    assert len(found) == len(calls)
    assert found
    assert all(isinstance(each, list) for each in found)
    assert [] in found
    assert calls
    assert not [answer for _, answer in calls if "systemActions" in answer.json()]


@verifies("k@80", "k@81", "k@82", "k@118", "k@119", "cds-hooks-58")
def test_cards_and_suggestions_have_a_uuid_of_their_own(
    server: str, cards: list[Json], suggestions: list[Json]
) -> None:
    uuids = [each["uuid"] for each in (*cards, *suggestions)]
    again = post(server, CLAIM_REVIEW, FLAGGED).json()["cards"]
    uuids += [each["uuid"] for each in again]
    assert uuids
    assert all(UUID.fullmatch(each) for each in uuids)
    assert len(set(uuids)) == len(uuids)


@verifies("k@83")
def test_a_summary_is_short_and_one_line(cards: list[Json]) -> None:
    assert cards
    for card in cards:
        assert 0 < len(card["summary"]) < 140
        assert "\n" not in card["summary"]


@verifies("k@84", "k@85", "cds-hooks-46")
def test_a_detail_is_markdown_without_html(server: str, cards: list[Json]) -> None:
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    body = json.loads(json.dumps(FLAGGED))
    charge = body["context"]["draftCharges"]["entry"][0]["resource"]
    charge["id"] = charge["code"]["text"] = "<img src=x onerror=alert(1)>`](javascript:alert(1))"
    hostile = post(server, CLAIM_REVIEW, body).json()["cards"]
    assert hostile
    for card in (*cards, *hostile):
        tokens = [inner for token in parser.parse(card["detail"]) for inner in (token, *(token.children or ()))]
        assert tokens
        assert not [token for token in tokens if token.type in {"html_block", "html_inline", "image"}]
        assert not [token for token in tokens if "javascript" in str(token.attrs.get("href", ""))]
        assert [token for token in tokens if token.type == "strong_open"], "its own marks have effect"


@verifies("k@87", "k@88")
def test_a_card_says_how_urgent_it_is(cards: list[Json]) -> None:
    assert {card["indicator"] for card in cards} == {"info", "warning"}, "coding is never a matter of life and death"


@verifies("k@90", "k@91", "k@105", "k@106", "k@107", "k@108", "k@109", "k@113")
def test_a_source_is_the_document_that_the_rule_rests_on(cards: list[Json]) -> None:
    documents = {rule.id: {source.url for source in rule.sources} for rule in hooks.all_rules()}
    assert cards
    for card in cards:
        source = card["source"]
        assert source["label"]
        assert source["label"] in card["detail"], "the source is cited"
        assert is_absolute(source.get("url", "https://none.example"))
        assert "icon" not in source
        assert source.get("url") in documents[source["topic"]["code"]], (
            "the address is that of a document, not of the call"
        )


@verifies("k@115", "k@116", "k@216", "k@217", "k@218", "k@220")
def test_the_topic_is_the_rule_as_a_coding(cards: list[Json]) -> None:
    assert cards
    for card in cards:
        topic = card["source"]["topic"]
        assert {type(topic[member]) for member in ("system", "code", "display")} == {str}
        assert is_absolute(topic["system"])


@verifies("k@92", "k@93", "k@94", "k@95", "k@96", "cds-hooks-49")
def test_where_there_are_suggestions_it_is_said_how_many_may_be_chosen(cards: list[Json]) -> None:
    assert [card for card in cards if "suggestions" in card]
    for card in cards:
        assert ("selectionBehavior" in card) == ("suggestions" in card)
        assert card.get("selectionBehavior", "at-most-one") == "at-most-one"
        assert isinstance(card.get("suggestions", []), list)
        assert sum(each.get("isRecommended", False) for each in card.get("suggestions", [])) <= 1


@verifies("k@98", "k@99", "k@100", "k@136", "k@216", "k@217", "k@218", "k@219")
def test_override_reasons_are_codings_with_words(cards: list[Json]) -> None:
    assert cards
    for card in cards:
        assert 1 <= len(card["overrideReasons"]) <= 7
        for reason in card["overrideReasons"]:
            assert all(isinstance(reason[member], str) and reason[member] for member in ("system", "code", "display"))
        codes = [(reason["system"], reason["code"]) for reason in card["overrideReasons"]]
        assert len(set(codes)) == len(codes)


@verifies("k@103", "k@104", "k@110", "k@138", "k@139", "k@140", "k@141", "k@142", "k@146", "k@147")
def test_details_are_behind_an_absolute_link(server: str, cards: list[Json]) -> None:
    assert cards
    for card in cards:
        assert isinstance(card["links"], list)
        assert card["links"]
        for link in card["links"]:
            assert link["label"]
            assert link["type"] == "absolute"
            assert "appContext" not in link
            assert link["autoLaunchable"] is False
            assert is_absolute(link["url"])
        assert f"{server}/rules/{card['source']['topic']['code']}" in [link["url"] for link in card["links"]]


@verifies("k@117", "k@120", "k@121", "k@123", "k@124")
def test_a_suggestion_has_a_label_and_actions(suggestions: list[Json]) -> None:
    assert [each for each in suggestions if each.get("isRecommended")]
    for each in suggestions:
        assert isinstance(each["label"], str)
        assert each["label"]
        assert isinstance(each["actions"], list)
        assert each["actions"]
        assert isinstance(each["isRecommended"], bool)


@verifies("k@125")
def test_the_actions_of_a_suggestion_belong_together(suggestions: list[Json]) -> None:
    """Alternatives are separate suggestions; no two actions of one suggestion change the same resource."""
    assert [each for each in suggestions if len(each["actions"]) > 1]
    for each in suggestions:
        touched = [identity(action) for action in each["actions"] if action["type"] != "create"]
        assert len(set(touched)) == len(touched)


def identity(action: Json) -> str:
    resource = action.get("resource", {})
    return str(action.get("resourceId") or f"{resource.get('resourceType')}/{resource.get('id')}")


@verifies("k@127", "k@128", "k@129")
def test_an_action_says_what_it_does(actions: list[Json]) -> None:
    assert {action["type"] for action in actions} == {"create", "update", "delete"}
    assert all(isinstance(action["description"], str) and action["description"] for action in actions)


@verifies("k@130", "k@131")
def test_a_create_holds_a_new_resource(actions: list[Json]) -> None:
    assert of_type(actions, "create")
    for action in of_type(actions, "create"):
        validate(action["resource"])
        assert "id" not in action["resource"]
        assert "resourceId" not in action


def sent_resources(calls: list[tuple[Json, requests.Response]]) -> Iterator[Json]:
    for body, _ in calls:
        bundles = [
            value for value in (*body["context"].values(), *body["prefetch"].values()) if isinstance(value, dict)
        ]
        for each in bundles:
            yield from (entry["resource"] for entry in each.get("entry", []))


@verifies("k@130", "k@132")
def test_an_update_holds_the_whole_resource(actions: list[Json], calls: list[tuple[Json, requests.Response]]) -> None:
    sent: dict[str, list[Json]] = {}
    for resource in sent_resources(calls):
        sent.setdefault(f"{resource['resourceType']}/{resource.get('id')}", []).append(resource)
    assert of_type(actions, "update")
    for action in of_type(actions, "update"):
        validate(action["resource"])
        assert any(set(original) <= set(action["resource"]) for original in sent[identity(action)])


@verifies("k@133", "k@134", "k@135")
def test_a_delete_names_the_resource(actions: list[Json]) -> None:
    assert of_type(actions, "delete")
    for action in of_type(actions, "delete"):
        assert re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}", action["resourceId"])
        assert "resource" not in action


# --- feedback -------------------------------------------------------------------------------------------------------


def feedback(server: str, *items: Json) -> requests.Response:
    return post(server, f"{CLAIM_REVIEW}/feedback", {"feedback": list(items)})


def fault(answer: requests.Response) -> str:
    assert answer.status_code == 400
    return str(answer.json()["issue"][0]["expression"][0])


@verifies("k@148", "k@152", "k@154", "k@155", "k@158", "k@160", "k@162", "cds-hooks-60", "cds-hooks-63")
def test_feedback_is_taken_in_every_form(server: str) -> None:
    first, second = (post(server, CLAIM_REVIEW, FLAGGED).json()["cards"][0] for _ in range(2))
    accepted = {
        "card": first["uuid"], "outcome": "accepted", "outcomeTimestamp": NOW,
        "acceptedSuggestions": [{"id": first["suggestions"][0]["uuid"]}],
    }  # fmt: skip
    overridden = {"card": second["uuid"], "outcome": "overridden", "outcomeTimestamp": NOW}
    chosen = {"code": "later", "system": second["overrideReasons"][0]["system"]}
    reasoned = overridden | {"outcomeTimestamp": "2026-03-02T15:04:06Z", "overrideReason": {"reason": chosen}}
    for items in ([accepted], [accepted], [overridden, accepted, reasoned], [overridden | {"card": "unknown"}]):
        answer = feedback(server, *items)
        assert (answer.status_code, answer.json()) == (200, {})


@verifies("k@154", "k@155", "k@156", "k@158", "k@161", "k@162", "k@165", "k@166")
@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"card": None}, "card"),
        ({"outcome": "ignored"}, "outcome"),
        ({"outcome": "accepted"}, "acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": [{}]}, "acceptedSuggestions[0].id"),
        ({"outcomeTimestamp": "2026-03-02 at noon"}, "outcomeTimestamp"),
        ({"overrideReason": {"reason": "later"}}, "overrideReason.reason"),
        ({"overrideReason": {"userComment": 1}}, "overrideReason.userComment"),
    ],
)
def test_feedback_that_is_not_as_described_is_named(server: str, change: Json, member: str) -> None:
    item = {"card": "c", "outcome": "overridden", "outcomeTimestamp": NOW} | change
    item = {name: value for name, value in item.items() if value is not None}
    assert fault(feedback(server, item)) == f"feedback[0].{member}"
    assert fault(post(server, f"{CLAIM_REVIEW}/feedback", {})) == "feedback"


@verifies("cds-hooks-66")
def test_a_comment_can_be_dropped(tmp_path: Path) -> None:
    with running(tmp_path, CDS_KEEP_COMMENTS="false") as service:
        commented = {"overrideReason": {"userComment": "Mrs Smith"}}
        item = {"card": "c", "outcome": "overridden", "outcomeTimestamp": NOW} | commented
        assert feedback(service.address, item).status_code == 200
    files = list(tmp_path.iterdir())
    assert files
    assert not [file for file in files if b"Mrs Smith" in file.read_bytes()]


# --- extensions -----------------------------------------------------------------------------------------------------


@verifies("k@214", "k@215")
def test_our_extension_is_an_object_with_a_name_of_its_own(server: str) -> None:
    body = json.loads(json.dumps(FLAGGED))
    body["prefetch"]["unknown"] = None
    extension = post(server, CLAIM_REVIEW, body).json()["extension"]
    assert isinstance(extension, dict)
    assert extension
    assert all(re.fullmatch(r"[a-z]+(\.[a-z-]+){2,}", name) for name in extension)
    assert all(isinstance(value, dict) for value in extension.values())


# --- browsers and caches --------------------------------------------------------------------------------------------


@verifies("k@208", "cds-hooks-76")
def test_browsers_of_listed_origins_are_served(tmp_path: Path) -> None:
    with running(tmp_path, CDS_CORS_ORIGINS="https://ehr.example.org") as service:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        for origin, allowed in (
            ("https://ehr.example.org", "https://ehr.example.org"),
            ("https://other.example.org", None),
        ):
            headers = {"Origin": origin}
            preflight = requests.options(service.address + CLAIM_REVIEW, headers=headers | asked, timeout=10)
            assert preflight.ok
            answer = post(service.address, CLAIM_REVIEW, FLAGGED, headers=headers)
            for each in (preflight, answer):
                assert each.headers.get("Access-Control-Allow-Origin") == allowed


@verifies("cds-hooks-77")
def test_nobody_on_the_way_may_keep_an_answer(server: str, calls: list[tuple[Json, requests.Response]]) -> None:
    answers = [answer for _, answer in calls] + [feedback(server), post(server, CLAIM_REVIEW, {})]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


# --- hooks ----------------------------------------------------------------------------------------------------------

LIBRARY = {"order-select", "order-sign", "encounter-discharge"}


@verifies("cds-hooks-78", "cds-hooks-79")
def test_a_hook_of_ours_has_a_reverse_domain_name_and_the_others_are_of_the_library(listed: dict[str, Json]) -> None:
    assert listed
    for each in listed.values():
        prefix, _, name = each["hook"].rpartition(".")
        assert re.fullmatch(r"[a-z]+-[a-z]+", name)
        assert name in LIBRARY if not prefix else re.fullmatch(r"[a-z]+(\.[a-z]+)+", prefix)


@verifies("cds-hooks-80", "cds-hooks-81", "cds-hooks-82")
def test_the_definition_of_our_hook_is_complete(server: str, listed: dict[str, Json]) -> None:
    text = requests.get(f"{server}/hooks/claim-review", timeout=10).text
    version = re.search(r"^\| hookVersion \| (\S+) \|$", text, re.MULTILINE)
    assert version
    assert version[1] == listed["contrast-echo-claim-review"]["hookVersion"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version[1])
    assert re.search(r"^\| specificationVersion \| \d+\.\d+ \|$", text, re.MULTILINE)
    assert re.search(r"^\| hookMaturity \| [0-6] - [A-Z][a-z]+ \|$", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Workflow", "Context", "Examples", "Change Log"]
    assert re.search(rf"^\| {re.escape(version[1])} \| \S.* \|$", text.partition("## Change Log")[2], re.MULTILINE)


# --- the table itself -----------------------------------------------------------------------------------------------


@cache
def named() -> dict[str, list[str]]:
    """The tests that name each sentence, of every module that `make conformance` runs."""
    found: dict[str, list[str]] = {}
    for path in TESTS:
        module = import_module(path.removesuffix(".py").replace("/", "."))
        for name, function in inspect.getmembers(module, inspect.isfunction):
            marks = getattr(function, "pytestmark", []) if name.startswith("test_") else []
            for sentence in {each for mark in marks if mark.name == "verifies" for each in mark.args}:
                found.setdefault(sentence, []).append(name)
    return found


def test_every_sentence_lists_the_tests_that_name_it_and_no_others() -> None:
    """One that is renamed or removed has to be struck from the table by whoever does it."""
    assert sentences()
    assert {each.id: sorted(each.tests) for each in sentences() if each.tests} == {
        sentence: sorted(tests) for sentence, tests in named().items()
    }


def test_every_sentence_is_said_once_and_either_applies_or_says_why_not() -> None:
    found = sentences()
    assert len({each.id for each in found}) == len(found)
    assert found
    for each in found:
        assert each.says
        assert each.applies != bool(each.not_applicable)
