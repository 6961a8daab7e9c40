"""Orders for the case that something is needed: as FHIR states it, and the words that say so or speak of an allergy."""

import json
from typing import Any

import pytest

from cds_service.core.concepts import NDC, Code, Concept
from cds_service.review.advisor import Advisor
from hooks.coding.contrast import contrast_in
from hooks.coding.contrast_words import (
    is_if_needed,
    mentions_contrast,
    says_contrast_if_needed,
    says_if_needed,
    without_allergies,
)
from hooks.coding.studies import studies
from tests.rules.test_cases import SERVICES
from tests.support.notation import bundle
from tests.unit.test_actions import ENCODER
from tests.unit.test_records import case_of, coded, resource

Json = dict[str, Any]

SERVICE = SERVICES["contrast-echo-order-sign"]
FOR = {"text": "endocardial border not seen"}
AGENT = {"medicationCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-0011-04"}]}}
DRUG_IF_NEEDED: list[Json] = [
    {"dosageInstruction": [{"text": "1.3 mL IV", "asNeededBoolean": True}]},
    {"dosageInstruction": [{"asNeededCodeableConcept": FOR}]},
    {"dosageInstruction": [{"asNeeded": True}]},
    {"dosageInstruction": [{"asNeededFor": [FOR]}]},
    {"dosageInstruction": [{"text": "1.3 mL IV"}, {"asNeededBoolean": True}]},
    {"intent": "option"},
]
DRUG_FIRM: list[Json] = [
    {},
    {"dosageInstruction": []},
    {"dosageInstruction": [{"asNeededBoolean": False, "asNeeded": False, "asNeededFor": []}]},
]
SERVICE_IF_NEEDED: list[Json] = [{"asNeededBoolean": True}, {"asNeededCodeableConcept": FOR}, {"intent": "option"}]
SERVICE_FIRM: list[Json] = [{}, {"asNeededBoolean": False}]


def drug(**members: Any) -> Json:
    return resource("MedicationRequest", "draft", **({"intent": "order"} | AGENT | members))


def service(**members: Any) -> Json:
    fixed = {"intent": "order", "code": coded("93351"), "occurrenceDateTime": "2026-05-05"}
    return resource("ServiceRequest", "draft", **(fixed | members))


@pytest.mark.parametrize(
    ("made", "members", "expected"),
    [
        *((drug, each, True) for each in DRUG_IF_NEEDED),
        *((drug, each, False) for each in DRUG_FIRM),
        *((service, each, True) for each in SERVICE_IF_NEEDED),
        *((service, each, False) for each in SERVICE_FIRM),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_order_states_if_it_is_only_for_the_case_of_need(made: Any, members: Json, expected: bool) -> None:
    (order,) = case_of(made(**members)).orders
    assert order.if_needed is expected


def suggested(advisor: Advisor, *orders: Json) -> list[list[str]]:
    """The suggestions of each card for unsigned orders."""
    context = {"userId": "Practitioner/d1", "patientId": "p1", "draftOrders": bundle(list(orders))}
    request = {"hook": "order-sign", "hookInstance": "0b6c8d1e-5a52-4f0c-9d59-0c3b6a2f7a11", "context": context}
    answer = json.loads(ENCODER.encode(advisor.answer(SERVICE, json.dumps(request).encode()).response))
    assert {card["source"]["topic"]["code"] for card in answer["cards"]} == {"contrast-add-on-missing"}
    return [[each["label"] for each in card.get("suggestions", [])] for card in answer["cards"]]


FIRM = [["Add 93352 and Q9957", "Medicare hospital claim: C8930"]]


def test_contrast_that_is_ordered_as_needed_is_a_question_without_suggestions(advisor: Advisor) -> None:
    assert suggested(advisor, service(), drug()) == FIRM
    for each in DRUG_IF_NEEDED:
        assert suggested(advisor, service(), drug(**each)) == [[]]
    for each in SERVICE_IF_NEEDED:
        assert suggested(advisor, service(**each), drug()) == [[]]


def test_of_two_orders_for_an_agent_one_may_be_firm(advisor: Advisor) -> None:
    assert suggested(advisor, service(), drug() | {"id": "2"}, drug(intent="option")) == FIRM


def test_of_two_orders_for_the_study_one_may_be_firm() -> None:
    begun = resource("Procedure", "in-progress", code=coded("93351"), performedDateTime="2026-05-05")

    def firm_and_if_needed(**members: Any) -> tuple[int, int]:
        again = service(asNeededBoolean=True) | {"id": "2"}
        case = case_of(begun, service(**members), again, drug(authoredOn="2026-05-05"), stage="order")
        (study,) = studies(case)
        use = contrast_in(study, case)
        assert (len(study.orders), use.ordered) == (3, bool(use.orders))
        return len(use.orders), len(use.orders_if_needed)

    assert firm_and_if_needed() == (1, 0)
    assert firm_and_if_needed(intent="option") == (0, 1)


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["if needed", "PRN", " As clinically indicated ", "when necessary", "p.r.n."])
def test_words_for_the_case_of_need(words: str) -> None:
    assert is_if_needed(words)
    assert says_if_needed(f"Definity 1.3 mL IV {words}")
    assert says_contrast_if_needed(f"Stress echo with contrast, {words}")
    assert not is_if_needed(f"dobutamine {words}")
    assert not says_contrast_if_needed(f"Stress echo with contrast. Treadmill first, change to dobutamine {words}")


@pytest.mark.parametrize("words", ["needed", "Stress echo with contrast", "as ordered", "sprny", ""])
def test_other_words_do_not_leave_it_open(words: str) -> None:
    assert not says_if_needed(words)
    assert not says_contrast_if_needed(words)


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        ("Stress echo; contrast allergy", "Stress echo; "),
        ("Stress echo; CONTRAST DYE ALLERGY", "Stress echo; "),
        ("Stress echo, allergic to iodinated contrast media", "Stress echo, "),
        ("Stress echo, allergic reaction to Definity", "Stress echo, "),
        ("Stress echo. Allergies: contrast.", "Stress echo. ."),
        ("Stress echo, no known contrast-allergy", "Stress echo, "),
        ("Stress echo, prior reaction to contrast agent", "Stress echo, "),
        ("Stress echo with contrast; contrast allergy", "Stress echo with contrast; "),
    ],
)
def test_an_allergy_to_contrast_is_no_order_for_it(words: str, rest: str) -> None:
    ordered = Concept((Code(NDC, "11994-0011-04"),), (words, "Stress echo"))
    assert without_allergies(ordered) == Concept(ordered.codes, (rest, "Stress echo"))


@pytest.mark.parametrize(
    "words",
    [
        "Stress echo with contrast",
        "Stress echo with contrast, allergy to penicillin",
        "Stress echo with contrast - allergies: penicillin",
        "Stress echo with contrast; allergic to latex",
        "Contrast stress echo",
    ],
)
def test_another_allergy_leaves_contrast_as_it_is(words: str) -> None:
    ordered = Concept((), (words,))
    assert without_allergies(ordered) is ordered
    assert mentions_contrast(words)


@pytest.mark.parametrize("words", ["Stress echo w/o contrast", "Stress echo WITHOUT contrast", "No IV contrast"])
def test_contrast_that_is_denied_is_not_mentioned(words: str) -> None:
    assert not mentions_contrast(words)
