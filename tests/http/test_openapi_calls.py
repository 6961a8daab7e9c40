"""The OpenAPI document is true of the running service for any input: calls are generated from it."""

from collections.abc import Iterator
from typing import Any

import pytest
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

from cds_service.web.claim_files import EDI_TYPE, FORM_TYPE
from tests.http.test_openapi import described_service
from tests.support.edi import EdiClaim, edi, lines
from tests.support.running import running

pytestmark = pytest.mark.exhaustive

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
