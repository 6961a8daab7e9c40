"""The flow of the official CDS Hooks Sandbox on http://localhost:8080 against a service as `make run` starts it.

The requests have the form in which the sandbox's code sends them (cds-hooks/sandbox: `service-exchange.js`, `pama.jsx`,
`medication-reducers.js`, `discovery-services-retrieval.js`): a preflight before each, a token with a `jku`, no
encounter, Bundles without a type. Its screen offers imaging codes; stress echo codes stand in their place here.
"""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from tests.support.running import Service, running
from tests.support.tokens import P256

ORIGIN = "http://localhost:8080"
FHIR = "https://launch.smarthealthit.org/v/r4/fhir"
PATIENT = "smart-1288992"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("official"), CDS_MODE="development") as started:
        yield started


def bearer(audience: str) -> str:
    """A token with the claims and the header that the sandbox writes, under another key."""
    now = round(time.time())
    claims: dict[str, Any] = {
        "iss": "https://sandbox.cds-hooks.org",
        "sub": "48163c5e-88b5-4cb3-92d3-23b800caa927",
        "aud": audience,
    }
    claims |= {"exp": now + 300, "iat": now, "jti": str(uuid.uuid4())}
    header = {
        "kid": "d9cd3c4f-eb08-4304-b973-44f352fd2ca2",
        "jku": "https://sandbox.cds-hooks.org/.well-known/jwks.json",
    }
    return jwt.encode(claims, P256, "ES256", header)


def browser(method: str, url: str, body: dict[str, Any] | None = None) -> requests.Response:
    """A call as a browser makes it for a page of the sandbox: first the preflight, then the call, if it may."""
    names = "authorization" if body is None else "authorization,content-type"
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": names}
    page = {"Origin": ORIGIN, "Referer": f"{ORIGIN}/", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-site"}
    before = requests.options(url, headers=page | asked, timeout=10)
    assert before.ok
    assert before.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert method in before.headers["Access-Control-Allow-Methods"].split(", ")
    open_to = {each.strip().lower() for each in before.headers["Access-Control-Allow-Headers"].split(",")}
    assert set(names.split(",")) <= open_to
    sent = page | {"Accept": "application/json", "Authorization": f"Bearer {bearer(url)}"}
    sent |= {} if body is None else {"Content-Type": "application/json"}
    answer = requests.request(method, url, headers=sent, data=body and json.dumps(body), timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN, "the page may read it"
    return answer


def imaging(code: str) -> dict[str, Any]:
    """The context of its imaging screen, the same for order-select and order-sign."""
    order = {
        "resourceType": "ServiceRequest", "id": "example-request-id", "status": "draft", "intent": "plan",
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "29857009"}]}],
    }  # fmt: skip
    orders = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    return {"selections": ["ServiceRequest/example-request-id"], "draftOrders": orders}


def medication(name: str, code: str) -> dict[str, Any]:
    """The context of its screen for signing prescriptions."""
    repeat = {"frequency": 1, "period": 1, "periodUnit": "d"}
    dose = {"value": 1, "system": "http://unitsofmeasure.org", "code": "{pill}"}
    drug = {"display": name, "system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}
    order = {
        "resourceType": "MedicationRequest", "authoredOn": "2026-03-02", "status": "draft",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "dosageInstruction": [{"doseQuantity": dose, "timing": {"repeat": repeat}}],
        "medicationCodeableConcept": {"text": name, "coding": [drug]},
    }  # fmt: skip
    return {"draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]}}


def call(service: Service, hook: str, context: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Call all services of a hook, as found by discovery; the URL and the answer of the only one."""
    listed = browser("GET", f"{service.address}/cds-services").json()["services"]
    (found,) = [each for each in listed if each["hook"] == hook]
    patient = {"resourceType": "Patient", "id": PATIENT, "gender": "male", "birthDate": "1960-01-01"}
    request = {
        "hookInstance": str(uuid.uuid4()),
        "hook": hook,
        "fhirServer": FHIR,
        "context": {"patientId": PATIENT, "userId": "Practitioner/smart-Practitioner-71482713"} | context,
        "prefetch": {"patient": patient, "procedures": {"resourceType": "Bundle", "type": "searchset", "total": 0}},
    }
    assert set(request["prefetch"]) <= set(found["prefetch"])
    url = f"{service.address}/cds-services/{found['id']}"
    answer = browser("POST", url, request)
    assert answer.status_code == 200
    return url, answer.json()


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_add_on_that_is_ordered_alone_gets_a_card(service: Service, hook: str) -> None:
    url, answer = call(service, hook, imaging("93352"))
    (card,) = answer["cards"]
    assert card["source"]["topic"]["code"] == "add-on-without-primary"
    said = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-02T15:04:05.123Z"}
    reason = {"reason": {"code": card["overrideReasons"][0]["code"], "system": card["overrideReasons"][0]["system"]}}
    assert browser("POST", f"{url}/feedback", {"feedback": [said | {"overrideReason": reason}]}).status_code == 200


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("code", ["93351", "75561"])
def test_a_study_without_contrast_gets_none(service: Service, hook: str, code: str) -> None:
    assert call(service, hook, imaging(code))[1]["cards"] == []


def test_a_prescription_is_answered(service: Service) -> None:
    assert call(service, "order-sign", medication("Acetaminophen 325 MG Oral Tablet", "313782"))[1]["cards"] == []


def test_nothing_of_it_was_refused(service: Service) -> None:
    browser("GET", f"{service.address}/cds-services")
    log = service.log.read_text()
    assert '"origin refused"' not in log
    assert '"refused"' not in log
