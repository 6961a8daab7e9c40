"""Cards: each carries the stable id of its finding."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cds_service.cdshooks.cards import MOST_SEEN, detail_of
from cds_service.core.finding_ids import finding_ids
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.report import report_of
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import body_of, bundle, request_of, service_of

pytestmark = pytest.mark.repeats(6)

FLAGGED = [pytest.param(case, id=f"{rule_id}: {case['what']}") for rule_id, by in CASES.items() for case in by["flags"]]


def answer(advisor: Advisor, case: dict[str, Any]) -> Answer:
    return advisor.answer(SERVICES[service_of(case)], body_of(case))


@pytest.mark.parametrize("case", FLAGGED)
def test_a_card_carries_the_id_of_its_finding(advisor: Advisor, case: dict[str, Any]) -> None:
    advice = answer(advisor, case)
    views = {each.id: each for each in report_of(advice).findings}
    assert len(views) == len(advice.response.cards) > 0
    for card in advice.response.cards:
        assert card.extension
        view = views[card.extension["org.example.contrast-echo"]["finding"]]
        assert (card.detail, card.source.topic and card.source.topic.code) == (view.detail, view.rule)


def test_equal_findings_are_numbered_and_the_order_of_evidence_does_not_matter(advisor: Advisor) -> None:
    ((rule, finding), *_) = answer(advisor, {"lines": "93352, 93352"}).review.findings
    turned = replace(finding, evidence=tuple(reversed(finding.evidence)))
    one, other, third = finding_ids([(rule, finding), (rule, turned), (rule, replace(finding, evidence=()))])
    assert other == f"{one}-2"
    assert third != one
    assert finding_ids([(rule, finding)] * 3) == [one, f"{one}-2", f"{one}-3"]
    again = finding_ids([(rule, finding), (rule, replace(finding, evidence=())), (rule, finding)])
    assert again == [one, third, f"{one}-2"], "another finding between two equal ones changes no number"
    assert finding_ids([(replace(rule, id="another-rule"), finding)]) != [one]
    assert finding_ids([(rule, replace(finding, fixes=()))]) != [one]


def test_the_order_of_fixes_does_not_matter(advisor: Advisor) -> None:
    found = answer(advisor, {"lines": "93352"}).review.findings
    ((rule, finding), *_) = found
    assert len(finding.fixes) > 1
    turned = replace(finding, fixes=tuple(reversed(finding.fixes)))
    assert finding_ids([(rule, turned)]) == finding_ids([(rule, finding)])


@pytest.mark.parametrize("name", [None, "x" * 5000])
def test_the_id_of_a_finding_does_not_depend_on_the_place_of_a_record_that_is_cited_by_it(
    advisor: Advisor, name: str | None
) -> None:
    ids = []
    for other in ("99213", "99213, 99214"):
        request = request_of({"lines": f"{other}, 93352 as x"})
        charge = request["context"]["draftCharges"]["entry"][-1]["resource"]
        charge |= {"id": name}
        advice = advisor.answer(SERVICES["contrast-echo-claim-review"], json.dumps(request).encode())
        (found,) = [each for each in report_of(advice).findings if each.rule == "add-on-without-primary"]
        assert found.evidence[0].reference.startswith("ChargeItem in context.draftCharges.entry[")
        ids.append(found.id)
    assert ids[0] == ids[1]


# --- whatever was sent, a card is short -----------------------------------------------------------------------------

LONG = "x" * 5000


def with_long_texts(value: Any, member: str = "") -> Any:
    """The same resources with long ids, names and texts; what is read as a code or a date stays."""
    if isinstance(value, dict):
        return {name: with_long_texts(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_long_texts(each, member) for each in value]
    return f"{value}{LONG}" if member in {"id", "display", "text", "div", "valueString"} else value


def with_many_drafts(request: Any) -> Any:
    """The same request with each draft sixty times."""
    draft = request["context"].get("draftCharges") or request["context"]["draftOrders"]
    drafts = [entry["resource"] for entry in draft["entry"]]
    copies = [each | {"id": f"{each['id']}-{number}"} for number in range(60) for each in drafts]
    draft["entry"] = [{"resource": each} for each in copies]
    return request


def with_many_lines(request: Any) -> Any:
    """The same request with each line of a claim sixty times."""
    for entry in request["context"].get("draftCharges", {}).get("entry", []):
        lines = entry["resource"].get("item", [])
        copies = [each for _ in range(60) for each in lines]
        entry["resource"] |= {"item": [each | {"sequence": at + 1} for at, each in enumerate(copies)]} if lines else {}
    return request


# A payer with a long name is not Medicare, of which alone the rule speaks. Sixty add-ons may be of sixty studies.
WITHOUT_CARDS = {
    (with_long_texts, "supply-waste-modifier"),
    (with_many_drafts, "add-on-repeated"),
    (with_many_drafts, "stress-components"),
}


@pytest.mark.parametrize("rule_id", sorted(CASES))
@pytest.mark.parametrize("changed", [with_long_texts, with_many_drafts, with_many_lines])
def test_every_text_of_a_card_and_a_finding_is_short_whatever_was_sent(
    advisor: Advisor, rule_id: str, changed: Any
) -> None:
    bodies = [(service_of(case), changed(request_of(case))) for case in CASES[rule_id]["flags"][:4]]
    answers = [advisor.answer(SERVICES[service], json.dumps(body).encode()) for service, body in bodies]
    cards = [card for each in answers for card in each.response.cards]
    assert cards or (changed, rule_id) in WITHOUT_CARDS
    for card in cards:
        suggestions = card.suggestions or ()
        words = [card.summary, *(each.label for each in suggestions)]
        assert max(map(len, words)) < 140
        assert max((len(act.description) for each in suggestions for act in each.actions or ()), default=0) < 200
        assert len(card.detail or "") < 20_000
    reports = [report_of(each) for each in answers]
    findings = [found for each in reports for found in each.findings]
    assert findings or not cards
    for found in findings:
        assert max(map(len, [found.summary, *(each.label for each in found.fixes)])) < 140
        assert len(found.detail) < 20_000
    undecided = [found for each in reports for found in each.not_checked]
    reasons = [each.reason for each in undecided] + [warning.message for each in reports for warning in each.warnings]
    seen = [seen for found in findings for seen in found.evidence]
    seen += [seen for found in undecided for seen in found.evidence]
    assert max(map(len, [*reasons, *(each.reference for each in seen), *(each.seen for each in seen)])) < 500


def test_of_much_evidence_the_first_is_listed_and_the_rest_counted(advisor: Advisor) -> None:
    request = with_many_drafts(request_of({"professional": "93350, 93352", "place": 22, "given": []}))
    request["prefetch"]["medicationAdministrations"] = bundle([])
    advice = advisor.answer(SERVICES["contrast-echo-claim-review"], json.dumps(request).encode())
    ((rule, finding), *_) = [each for each in advice.review.findings if each[0].id == "contrast-not-supported"]
    detail = detail_of(rule, finding)
    assert len(finding.evidence) == 60
    assert detail.count("- 93352 is charged (`") == MOST_SEEN
    assert "\n- and 48 more\n" in detail
