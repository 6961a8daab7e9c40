"""An EHR for tests: keeps a sample on its FHIR server, calls the service, and applies suggestions there."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import requests

from tests.support.fhir_server.server import FhirServer

Json = dict[str, Any]

FHIR_TOKEN = "token-that-nobody-may-see"
PATHS = {
    "order-select": "/cds-services/contrast-echo-order-select",
    "order-sign": "/cds-services/contrast-echo-order-sign",
    "encounter-discharge": "/cds-services/contrast-echo-encounter-discharge",
    "org.example.claim-review": "/cds-services/contrast-echo-claim-review",
}
# The keys that the service would fetch; the patient and the encounter are known by their ids.
FETCHED = ("procedures", "chargeItems", "medicationAdministrations", "coverages", "observations")

UNAVAILABLE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "not-supported", "diagnostics": "not to be had"}],
}


def load_corpus(fhir: FhirServer) -> None:
    """Fill the server with other people's resources, where the corpus is at hand."""
    if "CORPUS_DIR" in os.environ:
        files = sorted((Path(os.environ["CORPUS_DIR"]) / "hl7-r4-examples").glob("*.json"))
        fhir.transaction([_put(json.loads(path.read_text())) for path in files])


# --- a request and its resources ------------------------------------------------------------------------------------


def at_discharge(request: Json) -> Json:
    """The same patient and encounter at its end: the charges are those on record."""
    context = {name: request["context"][name] for name in ("userId", "patientId", "encounterId")}
    return request | {"hook": "encounter-discharge", "context": context}


def draft_of(request: Json) -> Json:
    """The Bundle that the call is about."""
    context = request["context"]
    return dict(context["draftOrders"] if "draftOrders" in context else context["draftCharges"])


def resources_of(request: Json) -> Iterator[Json]:
    """Everything that came along, the patient first."""
    for value in request["prefetch"].values():
        yield from _resources_in(value)
    yield from _resources_in(draft_of(request))


def _resources_in(value: Any) -> list[Json]:
    if not value or value["resourceType"] != "Bundle":
        return [value] if value else []
    return [entry["resource"] for entry in value.get("entry", [])]


def under_own_ids(request: Json, prefix: str) -> Json:
    """A sample whose resources have ids of their own: samples tell of one patient on different days of his story."""
    known = {f"{each['resourceType']}/{each['id']}" for each in resources_of(request)}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            copy = {name: renamed(inner) for name, inner in value.items()}
            is_known = f"{value.get('resourceType')}/{value.get('id')}" in known
            return copy | ({"id": f"{prefix}-{value['id']}"} if is_known else {})
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        match = re.search(r"([A-Za-z]+)/([A-Za-z0-9\-.]+)$", value) if isinstance(value, str) else None
        return f"{value[: match.start(2)]}{prefix}-{match[2]}" if match and match[0] in known else value

    context = {
        name: f"{prefix}-{value}" if name in {"patientId", "encounterId"} else renamed(value)
        for name, value in request["context"].items()
    }
    return request | {"context": context, "prefetch": renamed(request["prefetch"])}


def load(fhir: FhirServer, request: Json) -> None:
    """Keep everything that came along with a request on the server, as it stands there before anything is changed."""
    found = {f"{each['resourceType']}/{each['id']}": each for each in resources_of(request)}
    fhir.transaction([_put(each) for each in found.values()])


def _put(resource: Json) -> Json:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


# --- calls ----------------------------------------------------------------------------------------------------------


def to_be_fetched(request: Json, fhir_server: str, keys: Iterable[str] = FETCHED) -> Json:
    """The request with some keys left out of prefetch, and the way to the server.

    A key that the sample itself lacks is unknown, and the server would answer it with nothing, which is something
    else: it is declared as not to be had.
    """
    sent = {key: value for key, value in request["prefetch"].items() if key not in keys}
    unavailable = {key: UNAVAILABLE for key in FETCHED if key not in request["prefetch"]}
    return request | {"prefetch": unavailable | sent} | access(fhir_server)


def access(fhir_server: str, token: str = FHIR_TOKEN) -> Json:
    """The members of a request that open the server."""
    return {
        "fhirServer": fhir_server,
        "fhirAuthorization": {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "contrast-echo-cds",
        },
    }


def call(server: str, request: Json) -> Json:
    """The answer to a call, which must be a success."""
    response = requests.post(server + PATHS[request["hook"]], json=request, timeout=30)
    assert response.status_code == 200, response.text
    assert FHIR_TOKEN not in response.text
    return dict(response.json())


def about_echo(answer: Json) -> Json:
    """The answer's statements other than its cards."""
    return dict(answer.get("extension", {}).get("org.example.contrast-echo", {}))


def warnings(answer: Json) -> dict[str, str]:
    """The skipped resources, by path."""
    return {each["location"]: each["message"] for each in about_echo(answer).get("warnings", [])}


def not_checked(answer: Json) -> set[str]:
    """The rules that could not decide."""
    return {each["rule"] for each in about_echo(answer).get("notChecked", [])}


def topics(answer: Json) -> list[str]:
    """The rules that the cards come from."""
    return [card["source"]["topic"]["code"] for card in answer["cards"]]


def warned(answer: Json) -> list[str]:
    """The rules that warn: what is wrong on the charges, without what is only advised."""
    return [card["source"]["topic"]["code"] for card in answer["cards"] if card["indicator"] == "warning"]


def said(answer: Json) -> Json:
    """An answer without what is new in each: the cards without their uuids, and what was not checked."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bare(inner) for name, inner in value.items() if name != "uuid"}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    return {"cards": bare(answer["cards"]), "notChecked": about_echo(answer).get("notChecked", [])}


# --- carrying suggestions out ---------------------------------------------------------------------------------------


def carry_out(fhir: FhirServer, request: Json, actions: list[Json]) -> Json:
    """Apply a suggestion's actions as one transaction; the request as it comes afterwards, read from the server.

    What was created joins the Bundle that the call is about, if it is about one and it is of a kind that stands there.
    """
    answer = fhir.transaction([_entry(action) for action in actions])
    if not set(request["context"]) & {"draftOrders", "draftCharges"}:
        return request
    gone = {action["resourceId"] for action in actions if action["type"] == "delete"}
    kept = [each for each in _resources_in(draft_of(request)) if f"{each['resourceType']}/{each['id']}" not in gone]
    created = [
        entry["resource"]
        for entry, action in zip(answer["entry"], actions, strict=True)
        if action["type"] == "create" and _stands_in_draft(entry["resource"], request)
    ]
    current = [*(fhir.get(f"{each['resourceType']}/{each['id']}") for each in kept), *created]
    member = "draftOrders" if "draftOrders" in request["context"] else "draftCharges"
    bundle = draft_of(request) | {"entry": [{"resource": each} for each in current]}
    return request | {"context": request["context"] | {member: bundle}}


def _entry(action: Json) -> Json:
    resource = action.get("resource", {})
    target = action.get("resourceId") or "/".join(
        resource[member] for member in ("resourceType", "id") if member in resource
    )
    method = {"create": "POST", "update": "PUT", "delete": "DELETE"}[action["type"]]
    return ({"resource": resource} if resource else {}) | {"request": {"method": method, "url": target}}


def _stands_in_draft(resource: Json, request: Json) -> bool:
    return resource["resourceType"] != "ChargeItem" or "draftCharges" in request["context"]
