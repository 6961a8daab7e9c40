"""Every suggestion of every sample, applied on a FHIR server in a transaction, resolves its finding."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.conftest import SAMPLES
from tests.rules.test_cases import CASES, SERVICES
from tests.support.ehr import at_discharge, call, carry_out, load, to_be_fetched, topics, under_own_ids, warned
from tests.support.fhir_server.server import FhirServer
from tests.support.notation import body_of, service_of
from tests.support.running import running

pytestmark = pytest.mark.repeats(3)

Json = dict[str, Any]

FLAGS = [path for path in SAMPLES if path.name.startswith("flags-")]


@pytest.fixture(scope="module")
def ordering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service at a site that takes a draft order where others take a planned charge."""
    with running(tmp_path_factory.mktemp("ordering"), CDS_ORDER_SUGGESTIONS="ServiceRequest") as service:
        yield service.address


def _suggestions(answer: Json) -> list[tuple[str, Json]]:
    """The suggestions of all cards, in their order, each with the rule that it is to satisfy."""
    return [
        (card["source"]["topic"]["code"], suggestion)
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
    ]


Form = Callable[[Json], Json]


def _kept(fhir: FhirServer, path: Path, prefix: str, form: Form) -> Json:
    """A sample under ids of its own on the server, as a request that brings only what the call is about."""
    request = under_own_ids(json.loads(path.read_text()), prefix)
    load(fhir, request)
    return form(to_be_fetched(request, fhir.base_url))


def _as_it_is(request: Json) -> Json:
    return request


def _each_carried_out(
    server: str, fhir: FhirServer, path: Path, prefix: str, form: Form = _as_it_is
) -> Iterator[tuple[str, Json, Json]]:
    """Each suggestion of a sample, with its rule and the answer to the call that comes after it was carried out.

    Each is carried out on a copy of the sample of its own.
    """
    count = len(_suggestions(call(server, _kept(fhir, path, f"{prefix}-n", form))))
    for number in range(count):
        request = _kept(fhir, path, f"{prefix}-{number}", form)
        rule, suggestion = _suggestions(call(server, request))[number]
        yield rule, suggestion, call(server, carry_out(fhir, request, suggestion["actions"]))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.repeats(20)
@pytest.mark.parametrize("path", FLAGS, ids=_name)
def test_every_suggestion_silences_its_finding(server: str, fhir: FhirServer, path: Path) -> None:
    before = warned(call(server, _kept(fhir, path, f"a{FLAGS.index(path)}", _as_it_is)))
    first: set[str] = set()
    for rule, suggestion, after in _each_carried_out(server, fhir, path, f"a{FLAGS.index(path)}"):
        assert rule not in topics(after), suggestion["label"]
        # What stands first leaves nothing to do; another choice may ask for a modifier, another card for its change.
        is_first = rule not in first and len(before) <= 1
        assert set(warned(after)) <= set(before) or not is_first, "nothing is mended at the cost of something else"
        first.add(rule)
    assert first or _name(path) in WITHOUT_FIXES


# Samples whose findings have no fix, and those whose fix adds nothing that could be ordered.
WITHOUT_FIXES = {
    "diagnosis-not-listed/flags-diagnosis-of-another-list",
    "diagnosis-not-listed/flags-order-with-diagnosis-on-no-list",
    "documentation-incomplete/flags-need-for-contrast-not-recorded",
    "pair-conflict/flags-contrast-and-perfusion",
    "pair-conflict/flags-rest-echo-with-modifier-59",
    "supply-unspecified/flags-a9700-without-a-product",
    "supply-waste-modifier/flags-bcda-definity-without-jz",
    "units-over-limit/flags-four-units-of-definity",
}
WITHOUT_ORDERS = {
    "add-on-without-primary/flags-order-for-93352-alone",
    "contrast-supply-missing/flags-order-with-planned-add-on",
}

CHARGED = [
    path for path in FLAGS if (json.loads(path.read_text()).get("prefetch", {}).get("chargeItems") or {}).get("entry")
]


@pytest.mark.parametrize("path", CHARGED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_charges_on_record_are_mended_at_discharge(server: str, fhir: FhirServer, path: Path) -> None:
    """The updated and deleted resources are known from the server only."""
    every = list(_each_carried_out(server, fhir, path, f"d{CHARGED.index(path)}", at_discharge))
    assert every or _name(path) in {*WITHOUT_FIXES, "performed-not-charged/flags-charge-not-on-the-claim"}
    for rule, suggestion, after in every:
        assert rule not in topics(after), suggestion["label"]


def _at_order(path: Path) -> bool:
    return bool(json.loads(path.read_text())["hook"] == "order-sign")


ORDERS = [path for path in FLAGS if _at_order(path)]


@pytest.mark.parametrize("path", ORDERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_site_can_take_a_draft_order_instead(ordering: str, fhir: FhirServer, path: Path) -> None:
    every = list(_each_carried_out(ordering, fhir, path, f"o{ORDERS.index(path)}"))
    assert every or _name(path) in {*WITHOUT_FIXES, *WITHOUT_ORDERS}
    created = [
        (suggestion["label"], action["resource"])
        for _, suggestion, _ in every
        for action in suggestion["actions"]
        if action["type"] == "create"
    ]
    assert created or _name(path) in {*WITHOUT_FIXES, *WITHOUT_ORDERS}
    for label, order in created:
        ServiceRequest.model_validate(order)
        assert (order["status"], order["intent"]) == ("draft", "order")
        assert order["subject"]["reference"].startswith("Patient/o")
        (coding,) = order["code"]["coding"]
        assert coding["code"][0].isdigit(), "a supply is a thing, and no advice orders a drug"
        assert coding["code"] in label
    for rule, suggestion, after in every:
        assert not re.search(r"\b[QA]9", suggestion["label"]), "what is not done is not promised"
        assert rule not in topics(after), suggestion["label"]


def test_alternatives_that_come_to_the_same_order_are_one() -> None:
    advisor = create_advisor(Settings(order_suggestions="ServiceRequest"))
    orders = [each for by_kind in CASES.values() for each in by_kind["flags"] if each.get("hook") == "order"]
    assert orders
    every = [
        card for case in orders for card in advisor.answer(SERVICES[service_of(case)], body_of(case)).response.cards
    ]
    assert every
    for card in every:
        suggestions = card.suggestions or ()
        assert len({each.label for each in suggestions}) == len(suggestions)
        actions = [action for each in suggestions for action in each.actions or () if action.type == "create"]
        assert {(action.resource or {})["resourceType"] for action in actions} <= {"ServiceRequest"}


def test_the_draft_order_is_for_the_add_on(ordering: str, fhir: FhirServer) -> None:
    (path,) = [path for path in ORDERS if path.stem == "flags-65-year-old-man-at-order"]
    ((_, suggestion, after),) = _each_carried_out(ordering, fhir, path, "addon")
    assert [action["resource"]["code"]["coding"][0]["code"] for action in suggestion["actions"]] == ["93352"]
    assert after["cards"] == []
