"""The OpenAPI document: valid, complete, and true of the running service for any input."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings, strategies
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import positive_data_acceptance

import hooks
from cds_service.app import create_app
from cds_service.settings import Settings
from cds_service.web.claim_files import EDI_TYPE, FORM_TYPE
from tests.conftest import SAMPLES
from tests.http.test_services import SERVICES, post
from tests.support.edi import EdiClaim, edi, lines
from tests.support.running import running

pytestmark = pytest.mark.repeats(5)

EXAMPLES = 12  # of each operation, beside the cases that follow from its description
# What a call that the document allows may be answered with: 412 says that required data is missing.
ACCEPTED = ["2xx", "412"]
EXAMPLES_OF_EACH = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Generated calls name FHIR servers that do not exist: none may be asked.
    with running(tmp_path_factory.mktemp("openapi"), CDS_FHIR_SERVERS="https://ehr.invalid/fhir") as started:
        yield started.address


def described_service() -> dict[str, Any]:
    """The document as the service makes it."""
    app = create_app(Settings())
    return dict(app.test_client().get("/openapi.json").get_json())


def configured() -> SchemathesisConfig:
    checks = ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=ACCEPTED))
    generation = GenerationConfig(deterministic=True, max_examples=EXAMPLES)
    project = ProjectConfig(checks=checks, generation=generation)
    return SchemathesisConfig(seed=1, projects=ProjectsConfig(default=project))


# Bodies of the type of claims; others than X12 are refused, which a schema cannot say.
schemathesis.openapi.media_type(
    EDI_TYPE,
    strategies.sampled_from(["93351, Q9957x2", "93350, 93352"]).map(lambda text: edi(EdiClaim(lines=lines(text)))),
)

api = schemathesis.openapi.from_dict(described_service(), config=configured())


@api.parametrize()
@EXAMPLES_OF_EACH
def test_the_service_does_what_the_document_says(case: Any, service: str) -> None:
    """Allowed calls are taken, others refused, every answer is as described, and nothing is a defect.

    No schema describes an X12 file or billers' notation, so that generated ones are refused.
    """
    is_notation = case.method == "POST" and case.path in {"/claim", "/claim/patient"}
    excluded = [positive_data_acceptance] if is_notation or case.media_type == FORM_TYPE else []
    case.call_and_validate(base_url=service, timeout=30, excluded_checks=excluded)


@pytest.fixture(scope="module")
def document(service: str) -> dict[str, Any]:
    response = requests.get(f"{service}/openapi.json", timeout=10)
    assert response.status_code == 200
    return dict(response.json())


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()
    assert document == described_service()


def test_every_schema_of_the_document_is_valid(document: dict[str, Any]) -> None:
    for schema_of_one in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema_of_one)


def test_every_reference_of_the_document_leads_to_a_schema(document: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named
    assert named - set(document["components"]["schemas"]) == set()


def test_every_operation_is_in_a_group(document: dict[str, Any]) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert operations
    assert all(each["tags"] for each in operations)


def described(path: str, paths: dict[str, Any]) -> set[str]:
    """The methods that the document describes for an address of the service, which may have parameters."""
    pattern = re.sub(r"<[^>]+>", "[^/]+", path)
    return {
        method.upper()
        for each, operations in paths.items()
        if re.fullmatch(pattern, re.sub(r"\{.+?\}", "x", each))
        for method in operations
    }


def test_every_address_of_the_service_is_described_and_no_other(document: dict[str, Any]) -> None:
    app = create_app(Settings())
    pages_only = ("static", "sandbox.", "insights.")
    rules = [rule for rule in app.url_map.iter_rules() if not any(part in rule.endpoint for part in pages_only)]
    served: dict[str, set[str]] = {}
    for rule in rules:
        served.setdefault(rule.rule, set()).update(set(rule.methods or ()) - {"HEAD", "OPTIONS"})
    assert {path: described(path, document["paths"]) for path in served} == served
    assert document["paths"]
    for path in document["paths"]:
        bare = re.sub(r"\{.+?\}", "x", path)
        assert app.url_map.bind("localhost").match(bare, method=next(iter(document["paths"][path])).upper())


def test_every_service_is_described(document: dict[str, Any]) -> None:
    assert hooks.all_services()
    for each in hooks.all_services():
        assert {f"/cds-services/{each.id}", f"/cds-services/{each.id}/feedback"} <= set(document["paths"])


def test_every_operation_has_a_name_of_its_own_and_says_that_methods_are_limited(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert operations
    assert all("405" in operation["responses"] for operation in operations)


def closed(schema_of_one: Any) -> Any:
    """The same schema with every object closed, so that a member that it does not know is an error."""
    if isinstance(schema_of_one, list):
        return [closed(each) for each in schema_of_one]
    if not isinstance(schema_of_one, dict):
        return schema_of_one
    inner = {name: closed(each) for name, each in schema_of_one.items()}
    return inner | ({"additionalProperties": False} if "properties" in inner and "title" in inner else {})


@pytest.fixture(scope="module")
def validators(document: dict[str, Any]) -> dict[str, Any]:
    def of(name: str) -> Any:
        return jsonschema_rs.validator_for(
            {
                "$ref": f"#/components/schemas/{name}",
                "components": {"schemas": closed(document["components"]["schemas"])},
            }
        )

    return {name: of(name) for name in ("Response", "Discovery", "OperationOutcome")}


def test_every_answer_to_a_sample_is_described_to_the_last_member(service: str, validators: dict[str, Any]) -> None:
    for path in SAMPLES:
        body = path.read_bytes()
        answer = post(service, SERVICES[json.loads(body)["hook"]], body).json()
        validators["Response"].validate(answer)


def test_discovery_and_faults_are_described_to_the_last_member(service: str, validators: dict[str, Any]) -> None:
    validators["Discovery"].validate(requests.get(f"{service}/cds-services", timeout=10).json())
    for path in ("/nothing", "/cds-services/contrast-echo-order-sign"):
        validators["OperationOutcome"].validate(requests.get(service + path, timeout=10).json())


def test_what_a_sample_sends_is_described(document: dict[str, Any]) -> None:
    for path in SAMPLES:
        body = json.loads(path.read_text())
        name = {"order-sign": "OrderSignRequest"}.get(body["hook"], "ClaimReviewRequest")
        components = {"schemas": document["components"]["schemas"]}
        jsonschema_rs.validate({"$ref": f"#/components/schemas/{name}", "components": components}, body)
