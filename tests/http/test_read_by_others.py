"""Answers of the service are read back by others: CDS Hooks by HealthChain's models, FHIR by two libraries."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.conftest import SAMPLES
from tests.http.test_services import CLAIM_REVIEW, GOOD, ORDER_SIGN, SERVICES, post
from tests.support.fhir_readers import require_fhir
from tests.support.fhir_server.server import DEFAULT_PYTHON
from tests.support.running import ROOT

Json = dict[str, Any]

# Members of the specification, or of its version 3.0, that HealthChain's models leave out.
UNKNOWN_TO_HEALTHCHAIN = {"extension", "hookVersion", "version"}


def healthchain(*answers: tuple[str, Json]) -> list[Json]:
    """The answers as HealthChain reads them, by the names of models. Raises CalledProcessError at a refusal."""
    command = [str(DEFAULT_PYTHON), "-W", "ignore", str(ROOT / "tests/support/healthchain_reader.py")]
    lines = "".join(f"{json.dumps(each)}\n" for each in answers)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def lost(sent: Any, read: Any, path: str = "") -> Iterator[str]:
    """The paths of what is not read as it was sent."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name in sent.keys() - UNKNOWN_TO_HEALTHCHAIN | read.keys():
            yield from lost(sent.get(name), read.get(name), f"{path}.{name}")
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for number, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif read not in (sent, f"{sent}/"):  # the address of a host gets its slash
        yield path


@pytest.fixture(scope="module")
def answers(server: str) -> list[Json]:
    """The answers to all samples."""
    bodies = [path.read_bytes() for path in SAMPLES]
    return [post(server, SERVICES[json.loads(body)["hook"]], body).json() for body in bodies]


# --- CDS Hooks ------------------------------------------------------------------------------------------------------


def test_healthchain_reads_discovery_and_every_answer(server: str, answers: list[Json]) -> None:
    discovery = requests.get(f"{server}/cds-services", timeout=10).json()
    read = healthchain(("Discovery", discovery), *(("Response", each) for each in answers))
    sent = [discovery, *answers]
    assert len(read) == len(sent)
    assert [(number, path) for number, pair in enumerate(zip(sent, read, strict=True)) for path in lost(*pair)] == []
    assert sum(len(each["cards"]) for each in read[1:]) >= 20, "the samples of every rule have cards"


CARD = {"summary": "A finding", "indicator": "info", "source": {"label": "A source"}}


@pytest.mark.parametrize(
    ("model", "answer", "named"),
    [
        ("Response", {"cards": [CARD | {"indicator": "hint"}]}, "cards.0.indicator"),
        ("Response", {"cards": [CARD | {"summary": "x" * 141}]}, "cards.0.summary"),
        ("Response", {"cards": [CARD | {"source": {}}]}, "cards.0.source.label"),
        ("Discovery", {"services": [{"hook": "order-sign", "id": "x"}]}, "services.0.description"),
    ],
)
def test_healthchain_refuses_what_is_not_cds_hooks(model: str, answer: Json, named: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        healthchain((model, answer))
    assert named in caught.value.stderr


def test_what_is_not_read_as_it_was_sent_is_seen() -> None:
    (read,) = healthchain(("Response", {"cards": [CARD | {"hint": 1}]}))
    assert list(lost({"cards": [CARD | {"hint": 1}]}, read)) == [".cards[0].hint"]
    assert list(lost({"cards": [CARD]}, read)) == []


# --- FHIR -----------------------------------------------------------------------------------------------------------


def test_every_resource_of_an_answer_is_read(answers: list[Json]) -> None:
    suggestions = [each for answer in answers for card in answer["cards"] for each in card.get("suggestions", ())]
    resources = [action["resource"] for each in suggestions for action in each["actions"] if "resource" in action]
    assert {each["resourceType"] for each in resources} == {"ChargeItem", "Claim"}
    for each in resources:
        require_fhir(each)


def test_every_table_that_is_published_is_read(server: str) -> None:
    every = requests.get(f"{server}/fhir", timeout=10).json()
    require_fhir(every)
    for entry in every["entry"]:
        require_fhir(entry["resource"])


DISCHARGE = "/cds-services/contrast-echo-encounter-discharge"
WITHOUT_CHARGES = {
    "hook": "encounter-discharge",
    "hookInstance": str(uuid.UUID(int=1)),
    "context": {"userId": "Practitioner/dr", "patientId": "p1", "encounterId": "e1"},
    "prefetch": {},
}


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", CLAIM_REVIEW, b"{", 400),
        ("POST", CLAIM_REVIEW, json.dumps(GOOD | {"context": {}}).encode(), 400),
        ("POST", "/claim", b'{"lines": "93350-X"}', 400),
        ("POST", "/review", b'{"resourceType": "Patient"}', 400),
        ("GET", "/nothing", None, 404),
        ("GET", "/fhir/ValueSet/nothing", None, 404),
        ("DELETE", ORDER_SIGN, None, 405),
        ("POST", DISCHARGE, json.dumps(WITHOUT_CHARGES).encode(), 412),
    ],
)
def test_every_refusal_is_read(server: str, method: str, path: str, content: bytes | None, status: int) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/fhir+json"}
    answer = requests.request(method, server + path, data=content, headers=headers, timeout=10)
    assert answer.status_code == status
    require_fhir(answer.json())


def test_what_is_not_json_is_refused_with_fhir(server: str) -> None:
    answer = post(server, CLAIM_REVIEW, GOOD, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    require_fhir(answer.json())
