"""`selections` of order-select: every form of reference names its draft order, and one that names none is reported."""

import json
from typing import Any

import pytest

from cds_service.review.advisor import Advisor, Answer
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of

URN = "urn:uuid:0f7d2f1e-58c5-4f3c-8d6a-3b1e2c4d5e6f"
ABSOLUTE = "https://ehr.example.org/r4/ServiceRequest/study"


def answered(advisor: Advisor, *selections: str, full_url: str | None = None, **members: Any) -> Answer:
    """The answer for an order of a study with contrast, after these selections."""
    order = request_of({"hook": "order", "ordered": ["93350 as study", "Definity as agent"]})
    entry = order["context"]["draftOrders"]["entry"][0]
    entry["resource"] = {name: value for name, value in (entry["resource"] | members).items() if value is not None}
    entry |= {} if full_url is None else {"fullUrl": full_url}
    context = order["context"] | {"selections": list(selections)}
    body = json.dumps(order | {"hook": "order-select", "context": context}).encode()
    return advisor.answer(SERVICES["contrast-echo-order-select"], body)


def warnings(answer: Answer) -> list[str]:
    return [each.path for each in answer.skipped]


@pytest.mark.parametrize(
    ("selection", "full_url"),
    [
        ("ServiceRequest/study", None),
        ("study", None),
        (" ServiceRequest/study ", None),
        ("ServiceRequest/study/_history/1", None),
        (ABSOLUTE, None),
        (f"{ABSOLUTE}/_history/2", None),
        (ABSOLUTE, ABSOLUTE),
        ("https://inside.example.org/ServiceRequest/study", ABSOLUTE),
        (URN, URN),
        (URN.removeprefix("urn:uuid:"), URN),
        ("ServiceRequest/study", URN),
    ],
)
def test_a_selection_in_any_form_names_its_order(advisor: Advisor, selection: str, full_url: str | None) -> None:
    answer = answered(advisor, selection, full_url=full_url)
    assert [rule.id for rule, _ in answer.review.findings] == ["contrast-add-on-missing"]
    assert warnings(answer) == []


def test_an_order_without_an_id_is_named_by_its_full_url(advisor: Advisor) -> None:
    answer = answered(advisor, URN, full_url=URN, id=None)
    assert answer.review.findings
    assert warnings(answer) == []


@pytest.mark.parametrize("selection", ["ServiceRequest/other", "other", "", URN, "MedicationRequest/study"])
def test_a_selection_that_names_no_order_is_reported(advisor: Advisor, selection: str) -> None:
    answer = answered(advisor, "MedicationRequest/agent", selection, full_url=ABSOLUTE)
    assert warnings(answer) == ["context.selections[1]"]
    assert selection not in answer.skipped[0].reason or not selection


def test_no_selection_is_no_fault(advisor: Advisor) -> None:
    answer = answered(advisor)
    assert (answer.review.findings, warnings(answer)) == ((), [])


def test_a_selected_order_that_cannot_be_parsed_is_reported_once(advisor: Advisor) -> None:
    assert warnings(answered(advisor, "ServiceRequest/study", status=5)) == ["context.draftOrders.entry[0].resource"]
