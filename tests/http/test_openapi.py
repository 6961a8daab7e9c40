"""The OpenAPI document: valid, and complete. That it is true of the service is in `test_openapi_calls.py`."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis

import hooks
from cds_service.app import create_app
from cds_service.settings import Settings
from tests.conftest import SAMPLES
from tests.http.test_services import SERVICES, post
from tests.support.running import running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Generated calls name FHIR servers that do not exist: none may be asked.
    with running(tmp_path_factory.mktemp("openapi"), CDS_FHIR_SERVERS="https://ehr.invalid/fhir") as started:
        yield started.address


def described_service() -> dict[str, Any]:
    """The document as the service makes it."""
    app = create_app(Settings())
    return dict(app.test_client().get("/openapi.json").get_json())


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
