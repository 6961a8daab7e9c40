"""The running service over real HTTP: discovery, samples, errors, and published FHIR."""

import json
import os
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import BY_LOADED_TABLES, SAMPLES
from tests.support.notation import bundle, request_of

pytestmark = pytest.mark.repeats(3)

ORDER_SIGN = "/cds-services/contrast-echo-order-sign"
CLAIM_REVIEW = "/cds-services/contrast-echo-claim-review"
SERVICES = {"order-sign": ORDER_SIGN, "org.example.claim-review": CLAIM_REVIEW}


def post(server: str, path: str, body: Any, **options: Any) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | options.pop("headers", {})
    return requests.post(server + path, data=data, headers=headers, timeout=30, **options)


def topics(response: requests.Response) -> list[str]:
    return [card["source"]["topic"]["code"] for card in response.json()["cards"]]


def also_rules(response: requests.Response) -> list[str]:
    """The rules that share a card of another one."""
    named = [card["extension"]["org.example.contrast-echo"] for card in response.json()["cards"]]
    return [rule for each in named for rule in each.get("alsoRules", ())]


# --- discovery ------------------------------------------------------------------------------------------------------


def test_discovery(server: str) -> None:
    response = requests.get(f"{server}/cds-services", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    services = {each["id"]: each for each in response.json()["services"]}
    assert services["contrast-echo-order-sign"]["hook"] == "order-sign"
    assert services["contrast-echo-claim-review"]["hook"] == "org.example.claim-review"
    assert services
    for each in services.values():
        assert each["title"]
        assert each["description"]
        keys = ["patient", "encounter", "procedures", "chargeItems", "medicationAdministrations", "coverages"]
        assert list(each["prefetch"]) == [*keys, "observations"]


# --- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_sample_returns_what_its_name_says(request: pytest.FixtureRequest, path: Path) -> None:
    server = request.getfixturevalue("server_with_articles" if path.parent.name in BY_LOADED_TABLES else "server")
    body = path.read_bytes()
    response = post(server, SERVICES[json.loads(body)["hook"]], body)
    assert response.status_code == 200
    assert "warnings" not in response.json().get("extension", {}).get("org.example.contrast-echo", {})
    if path.name.startswith("passes-"):
        assert response.json()["cards"] == []
    else:
        assert path.parent.name in {*topics(response), *also_rules(response)}


GOOD = request_of({"lines": "93350"})

# --- members that the specification requires and the service does not use --------------------------------------------


def warned(response: requests.Response) -> list[str]:
    assert response.status_code == 200, response.text
    said = response.json().get("extension", {}).get("org.example.contrast-echo", {})
    return [each["location"] for each in said.get("warnings", [])]


@pytest.mark.parametrize("user", [None, "", " ", 7, []])
def test_a_call_without_a_user_is_answered_with_a_warning(server: str, user: Any) -> None:
    flagged = request_of({"lines": "93350, Q9957x2"})
    flagged["context"] |= {"userId": user}
    response = post(server, CLAIM_REVIEW, flagged)
    assert warned(response) == ["context.userId"]
    assert topics(response) == ["contrast-add-on-missing"]


FULL = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs", "subject": "cds"}


@pytest.mark.parametrize(
    ("token", "faults"),
    [
        (FULL, []),
        (FULL | {"token_type": "bearer", "patient": "1", "unknown": 1}, []),
        ({"access_token": "t"}, ["token_type", "expires_in", "scope", "subject"]),
        (FULL | {"expires_in": "300"}, ["expires_in"]),
        (FULL | {"expires_in": 300.0}, ["expires_in"]),
        (FULL | {"expires_in": True}, ["expires_in"]),
        (FULL | {"token_type": "MAC", "scope": ["patient/*.rs"]}, ["token_type", "scope"]),
        (FULL | {"subject": None, "patient": 5}, ["subject", "patient"]),
    ],
)
def test_only_the_token_itself_is_required(server: str, token: dict[str, Any], faults: list[str]) -> None:
    body = request_of({"lines": "93350, Q9957x2", "known": ["procedures", "medicationAdministrations"]})
    body["prefetch"] |= {"chargeItems": None, "coverages": None, "observations": None}
    body |= {"fhirServer": "https://ehr.example.org/r4", "fhirAuthorization": token}
    response = post(server, CLAIM_REVIEW, body)
    assert warned(response) == [f"fhirAuthorization.{fault}" for fault in faults]
    assert topics(response)


# --- the encoding ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CLAIM_REVIEW, "/review"])
def test_a_byte_order_mark_is_accepted(server: str, path: str) -> None:
    body = json.dumps(GOOD if path == CLAIM_REVIEW else GOOD["context"]["draftCharges"]).encode()
    assert post(server, path, body.decode().encode("utf-8-sig")).json() == post(server, path, body).json()


@pytest.mark.parametrize("path", [CLAIM_REVIEW, f"{CLAIM_REVIEW}/feedback", "/review"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_is_a_400_that_names_utf_8(server: str, path: str, encoding: str) -> None:
    body = json.dumps(GOOD | {"extension": "é"}, ensure_ascii=False).encode(encoding)
    response = post(server, path, body)
    assert response.status_code == 400
    assert response.json()["resourceType"] == "OperationOutcome"
    assert "expected JSON in UTF-8" in response.json()["issue"][0]["diagnostics"]


# --- faults ---------------------------------------------------------------------------------------------------------


def without(*path: str) -> dict[str, Any]:
    body = json.loads(json.dumps(GOOD))
    inner = body
    for member in path[:-1]:
        inner = inner[member]
    del inner[path[-1]]
    return dict(body)


def changed(**members: Any) -> dict[str, Any]:
    return GOOD | members


def with_context(**members: Any) -> dict[str, Any]:
    return GOOD | {"context": GOOD["context"] | members}


FAULTS = [
    (without("hook"), "hook"),
    (without("hookInstance"), "hookInstance"),
    (without("context"), "context"),
    (without("context", "patientId"), "context.patientId"),
    (without("context", "draftCharges"), "context.draftCharges"),
    (changed(hook=5), "hook"),
    (changed(hook="order-sign"), "hook"),
    (changed(hookInstance="not a uuid"), "hookInstance"),
    (changed(context=[]), "context"),
    (changed(prefetch=[]), "prefetch"),
    (changed(fhirAuthorization={"token_type": "Bearer"}), "fhirAuthorization.access_token"),
    (changed(fhirAuthorization={"access_token": 5}), "fhirAuthorization.access_token"),
    (changed(fhirAuthorization="t"), "fhirAuthorization"),
    (
        changed(
            fhirAuthorization={
                "access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "s",
            }
        ),
        "fhirServer",
    ),
    (with_context(patientId=" "), "context.patientId"),
    (with_context(encounterId=[]), "context.encounterId"),
    (with_context(draftCharges="x"), "context.draftCharges"),
    (with_context(draftCharges={"resourceType": "Claim"}), "context.draftCharges"),
    (with_context(draftCharges={"resourceType": "Bundle", "entry": {}}), "context.draftCharges"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "field"), FAULTS, ids=[field for _, field in FAULTS])
def test_a_fault_is_answered_with_the_field_that_it_is_in(server: str, body: dict[str, Any], field: str) -> None:
    response = post(server, CLAIM_REVIEW, body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/fhir+json"
    (issue,) = response.json()["issue"]
    assert response.json()["resourceType"] == "OperationOutcome"
    assert issue["expression"] == [field]
    assert field in issue["diagnostics"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"text"', b'{"hook": }', b"\xff\xfe", b'{"hook": "\\ud800"}', b"[" * 100_000],
)
def test_malformed_json_is_a_400(server: str, body: bytes) -> None:
    response = post(server, CLAIM_REVIEW, body)
    assert response.status_code == 400
    assert response.json()["resourceType"] == "OperationOutcome"


def test_malformed_json_is_named_with_its_place(server: str) -> None:
    (issue,) = post(server, CLAIM_REVIEW, b'{"hook":\n "Smith",}').json()["issue"]
    assert issue["diagnostics"].startswith("the body is not well-formed JSON: line 2, column ")
    assert "Smith" not in issue["diagnostics"]


def test_deep_nesting_is_no_defect(server: str) -> None:
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    body = json.dumps(GOOD).encode().replace(b'"prefetch": {', b'"prefetch": {"procedures": ' + deep + b", ")
    assert post(server, CLAIM_REVIEW, body).status_code in {200, 400}


def test_an_unknown_service_is_a_404_that_names_those_that_are(server: str) -> None:
    response = post(server, "/cds-services/nothing", GOOD)
    assert response.status_code == 404
    assert "contrast-echo-claim-review" in response.json()["issue"][0]["diagnostics"]


def test_other_addresses_methods_and_types(server: str) -> None:
    assert requests.get(f"{server}/nothing", timeout=10).status_code == 404
    response = requests.get(server + CLAIM_REVIEW, timeout=10)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.json()["resourceType"] == "OperationOutcome"
    assert post(server, CLAIM_REVIEW, GOOD, headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    "declared", ["application/json; charset=utf-8", "application/fhir+json", "application/json+fhir"]
)
def test_json_under_its_other_names(server: str, declared: str) -> None:
    assert post(server, CLAIM_REVIEW, GOOD, headers={"Content-Type": declared}).status_code == 200


def test_a_body_that_is_too_large(server: str) -> None:
    response = post(server, CLAIM_REVIEW, b" " * (10 * 1024 * 1024 + 1))
    assert response.status_code == 413
    assert response.json()["issue"][0]["code"] == "too-long"


# --- leniency -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_reported_and_the_rest_is_answered(server: str) -> None:
    body = request_of({"lines": "93350, Q9957x2", "professional": "93350, Q9957x2"})
    body["context"]["draftCharges"]["entry"] += [{"resource": {"resourceType": "Rumour"}}, 5, {}]
    body["prefetch"] |= {"procedures": {"resourceType": "OperationOutcome", "issue": []}, "observations": "x"}
    response = post(server, CLAIM_REVIEW, body)
    assert topics(response) == ["contrast-add-on-missing"]
    warnings = response.json()["extension"]["org.example.contrast-echo"]["warnings"]
    assert {each["location"] for each in warnings} == {
        "context.draftCharges.entry[3].resource",
        "context.draftCharges.entry[4]",
        "context.draftCharges.entry[5]",
        "prefetch.procedures",
        "prefetch.observations",
    }


def test_a_sloppy_client_is_answered(server: str) -> None:
    """A request of the public CDS Hooks Sandbox: no Bundle type, empty codings, null members, an old Accept header."""
    body = request_of({"hook": "order", "ordered": ["93350", "Definity"]})
    del body["context"]["draftOrders"]["type"]
    body["context"]["encounterId"] = None
    body["fhirServer"] = None
    for entry in body["context"]["draftOrders"]["entry"]:
        entry["resource"]["category"] = {"coding": [{}]}
        entry["resource"]["reasonCode"] = [{"coding": [{}]}]
    response = post(server, ORDER_SIGN, body, headers={"Accept": "application/json+fhir"})
    assert topics(response) == ["contrast-add-on-missing"]
    assert "extension" not in response.json(), "all of it is understood"


def test_no_member_of_an_answer_is_empty(server: str) -> None:
    def empty(value: Any, path: str = "") -> list[str]:
        if isinstance(value, dict):
            return [found for name, inner in value.items() for found in empty(inner, f"{path}.{name}")] or []
        if isinstance(value, list):
            return [found for inner in value for found in empty(inner, path)]
        return [path] if value in (None, "") else []

    for path in SAMPLES:
        body = path.read_bytes()
        answer = post(server, SERVICES[json.loads(body)["hook"]], body).json()
        assert empty(answer) == []
        assert not [1 for card in answer["cards"] for value in card.values() if value in ([], {})]


def test_uuids_are_unique_in_an_answer_and_new_in_the_next(server: str) -> None:
    body = request_of({"professional": "93350", "given": ["RxNorm 283753 1 mL"]})

    def uuids() -> list[str]:
        cards = post(server, CLAIM_REVIEW, body).json()["cards"]
        return [card["uuid"] for card in cards] + [each["uuid"] for card in cards for each in card["suggestions"]]

    first, second = uuids(), uuids()
    assert len(set(first + second)) == len(first) + len(second) == 6
    assert first
    assert all(uuid.UUID(each) for each in first)


# --- other people's FHIR --------------------------------------------------------------------------------------------


def corpus_bodies() -> list[Any]:
    """Every file of the corpus as a request to both services: the Bundle that the call is about, and prefetch."""
    if "CORPUS_DIR" not in os.environ:
        return [pytest.param(None, marks=pytest.mark.skip(reason="CORPUS_DIR names no corpus of FHIR resources"))]
    corpus = Path(os.environ["CORPUS_DIR"])
    files = sorted((corpus / "hl7-r4-examples").glob("*.json"))
    lines = (corpus / "synthea-echo.ndjson").read_text().splitlines()
    found = [pytest.param(json.loads(path.read_text()), id=path.stem) for path in files]
    found += [pytest.param([json.loads(line) for line in lines], id="synthea")]
    return found


@pytest.mark.parametrize("resource", corpus_bodies())
def test_every_resource_of_the_corpus_is_answered(server: str, resource: Any) -> None:
    resources = resource if isinstance(resource, list) else [resource]
    for hook, member in (("order-sign", "draftOrders"), ("org.example.claim-review", "draftCharges")):
        context = {"userId": "Practitioner/1", "patientId": "example", member: bundle(resources)}
        body = {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": context}
        prefetch = {"procedures": bundle(resources), "encounter": resources[0]}
        response = post(server, SERVICES[hook], body | {"prefetch": prefetch})
        assert response.status_code == 200, response.text
        assert response.json()["cards"] == []


def published_requests() -> list[Any]:
    if "CORPUS_DIR" not in os.environ:
        return [pytest.param(None, marks=pytest.mark.skip(reason="CORPUS_DIR names no corpus of FHIR resources"))]
    folder = Path(os.environ["CORPUS_DIR"]) / "cds-hooks"
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in sorted(folder.glob("*.json"))]


@pytest.mark.parametrize("body", published_requests())
def test_published_requests_are_answered(server: str, body: dict[str, Any]) -> None:
    """Other projects' requests, as published but for the hook and for what their context lacks."""
    for hook, member in (("order-sign", "draftOrders"), ("org.example.claim-review", "draftCharges")):
        defaults = {"userId": "Practitioner/1", "patientId": "1", member: bundle([])}
        ours = body | {"hook": hook, "context": defaults | body["context"]}
        response = post(server, SERVICES[hook], ours)
        assert response.status_code == 200, response.text
        assert response.json()["cards"] == []


def test_idle_connections_of_a_client_do_not_keep_others_out(server: str) -> None:
    """EHRs keep pools of open connections: a hundred idle ones leave room for the next call."""
    with ExitStack() as open_ones:
        for _ in range(100):
            session = open_ones.enter_context(requests.Session())
            session.get(f"{server}/health/live", timeout=10)
        assert requests.get(f"{server}/health/live", timeout=5).status_code == 200
