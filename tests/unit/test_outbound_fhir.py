"""FHIR that is sent is read by others, for every case of the rules and any names in the data."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.claim import ClaimItem
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.cdshooks.actions import charge_item, service_request
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.core.case import Case, Stage
from cds_service.core.changes import AddLine
from cds_service.errors import RequestError
from cds_service.review.advisor import Advisor
from cds_service.sandbox.changes import accepted
from cds_service.sandbox.requests import RequestBuilder
from cds_service.settings import Settings
from cds_service.web.responses import outcome
from cds_service.wiring import create_advisor
from tests.rules.test_cases import CASES, SERVICES
from tests.support.fhir_readers import faults, require_fhir
from tests.support.notation import WRITER, body_of, request_of, service_of, typed
from tests.unit.test_actions import ENCODER, cards_of

pytestmark = pytest.mark.repeats(12)

FLAGGED = [(rule, case) for rule, by_expectation in CASES.items() for case in by_expectation["flags"]]


def resources_of(advisor: Advisor, case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    response = advisor.answer(SERVICES[service_of(case)], body_of(case)).response
    for card in cards_of(response):
        for suggestion in card.get("suggestions", []):
            yield from (action["resource"] for action in suggestion["actions"] if "resource" in action)


@pytest.mark.parametrize(("rule", "case"), FLAGGED, ids=[f"{rule}: {case['what']}" for rule, case in FLAGGED])
@pytest.mark.parametrize("instead", ["ChargeItem", "ServiceRequest"])
def test_every_resource_of_a_suggestion_is_valid(rule: str, case: dict[str, Any], instead: Any) -> None:
    assert rule
    for resource in resources_of(create_advisor(Settings(order_suggestions=instead)), case):
        require_fhir(resource)
        for item in resource.get("item", []):
            ClaimItem.model_validate(item)


# Ids and references as senders write them: any text that is no blank, as the reader takes them over.
NAMES = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()) and "\0" not in text)
REFERENCES = st.one_of(NAMES, NAMES.map(lambda name: f"Procedure/{name}"), NAMES.map(lambda name: f"urn:uuid:{name}"))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    code=st.sampled_from(["93352", "Q9957", "C8930", "0439T"]),
    units=st.none() | st.decimals(min_value=0, max_value=100_000, allow_nan=False, places=3),
    modifiers=st.lists(st.sampled_from(["26", "TC", "JW", "JZ", "59"]), max_size=2, unique=True).map(tuple),
    references=st.lists(REFERENCES, max_size=3).map(tuple),
    performers=st.frozensets(REFERENCES, max_size=3),
    encounter=st.none() | REFERENCES,
    day=st.none() | st.dates(),
    patient=st.just("") | REFERENCES,
    stage=st.sampled_from(["order", "claim"]),
)
def test_a_new_resource_is_valid_whatever_things_are_named(  # noqa: PLR0917
    code: str,
    units: Decimal | None,
    modifiers: tuple[str, ...],
    references: tuple[str, ...],
    performers: frozenset[str],
    encounter: str | None,
    day: date | None,
    patient: str,
    stage: Stage,
) -> None:
    line = AddLine(
        code=code,
        units=units,
        modifiers=modifiers,
        references=references,
        performers=performers,
        encounter=encounter,
        day=day,
    )
    case = Case(stage=stage, patient=patient)
    for resource in (charge_item(line, case), service_request(line, case)):
        require_fhir(msgspec.json.decode(ENCODER.encode(resource)))


# --- Bundles --------------------------------------------------------------------------------------------------------


def bundles_in(request: dict[str, Any]) -> list[dict[str, Any]]:
    values = [*request["context"].values(), *request["prefetch"].values()]
    return [each for each in values if isinstance(each, dict) and each.get("resourceType") == "Bundle"]


EVERY = {rule: [each for found in by_expectation.values() for each in found] for rule, by_expectation in CASES.items()}


@pytest.mark.parametrize("rule", EVERY)
def test_every_bundle_made_of_notation_is_read(rule: str) -> None:
    """Those of a request (`cds-service sample`), and the one that `/claim` offers as a file."""
    for case in EVERY[rule]:
        for each in bundles_in(request_of(case)):
            require_fhir(each)
        require_fhir(WRITER.bundle(typed({"day": "2026-03-02"} | case)).bundle)


@pytest.mark.parametrize(("rule", "case"), FLAGGED, ids=[f"{rule}: {case['what']}" for rule, case in FLAGGED])
def test_every_corrected_claim_and_record_is_read(advisor: Advisor, rule: str, case: dict[str, Any]) -> None:
    assert rule
    service, request = SERVICES[service_of(case)], request_of(case)
    for card in advisor.answer(service, body_of(case)).response.cards:
        for suggestion in card.suggestions or ():
            for each in bundles_in(accepted(request, service, suggestion.actions or ()).request):
                require_fhir(each)


@pytest.mark.parametrize("hook", ["order-sign", "order-select", "claim-review"])
def test_every_request_that_the_sandbox_builds_is_read(hook: str) -> None:
    builder = RequestBuilder(ServiceDirectory(tuple(SERVICES.values()), "org.example"))
    assert FLAGGED
    for rule, case in FLAGGED:
        assert rule
        for each in bundles_in(builder.built(request_of(case), hook).request):
            require_fhir(each)


# --- errors ---------------------------------------------------------------------------------------------------------


def kinds_of(base: type[RequestError]) -> list[type[RequestError]]:
    return [each for kind in base.__subclasses__() for each in (kind, *kinds_of(kind))]


@pytest.mark.parametrize("kind", kinds_of(RequestError))
def test_every_error_is_an_operation_outcome(kind: type[RequestError]) -> None:
    require_fhir(outcome(kind.status, kind.code, "`context.patientId`: expected an id", "context.patientId").get_json())


# --- the readers themselves -----------------------------------------------------------------------------------------

CHARGE = {
    "resourceType": "ChargeItem",
    "status": "billable",
    "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "93352"}]},
    "subject": {"reference": "Patient/p1"},
    "quantity": {"value": 1},
}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"code": None}, "code"),
        ({"quantity": {"value": "1"}}, "quantity"),
        ({"quantity": [{"value": 1}]}, "quantity"),
        ({"units": 1}, "units"),
        ({"status": "charged"}, "R4B ChargeItem.status: charged"),
        ({"service": []}, "R4 ChargeItem.service: not read back"),
        ({"context": None}, "R4 ChargeItem.context: not read back"),
        ({"id": "a b"}, "id"),
        ({"occurrenceDateTime": "03/02/2026"}, "occurrenceDateTime"),
        ({"occurrenceDateTime": "2026-03-02", "occurrencePeriod": {"start": "2026-03-02"}}, "occurrence"),
        ({"resourceType": "SubscriptionTopic", "url": "http://example.org/topic"}, "SubscriptionTopic"),
    ],
    ids=str,
)
def test_a_fault_is_seen(changes: dict[str, Any], fault: str) -> None:
    assert faults(CHARGE) == []
    assert any(fault in each for each in faults(CHARGE | changes))


def test_a_fault_is_seen_within_a_bundle() -> None:
    whole = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": CHARGE}]}
    assert faults(whole) == []
    assert faults(whole | {"entry": []}) == ["R4 Bundle.entry: not read back"]
    assert faults(whole | {"type": "pile"}) == ["R4B Bundle.type: pile"]
    (fault,) = faults(whole | {"entry": [{"resource": CHARGE | {"status": "charged"}}]})
    assert fault == "R4B Bundle.entry.resource.status: charged"
    issue = {"severity": "error", "code": "wrong"}
    assert faults({"resourceType": "OperationOutcome", "issue": [issue]}) == ["OperationOutcome.issue.code: wrong"]
