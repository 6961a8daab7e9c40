"""`POST /claim`: a claim as coders type it, answered as `/review` answers its Bundle, with the claim after a fix."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.app import create_app
from cds_service.auth.surfaces import surface_of
from cds_service.fhir.validate import faults_in
from cds_service.settings import Settings
from hooks.publish.claims import EXAMPLES
from tests.support.running import ROOT

CASE = {
    "claim_type": "professional",
    "lines": "93351, 93352, Q9957x2",
    "place": 11,
    "payer": "Medicare",
    "day": "2026-11-03",
    "given": ["Definity 1.3 mL"],
}
# The rule that each example of the page is for.
EXPECTED = [
    "contrast-add-on-missing", "contrast-supply-missing", "add-on-without-primary", "supply-units-mismatch",
    "supply-waste-modifier", "hospital-contrast-code", "pair-conflict", "add-on-modifier", "",
]  # fmt: skip


def post(server: str, body: Any, **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(
        f"{server}/claim", data=data, headers={"Content-Type": "application/json"} | headers, timeout=30
    )


def answer_to(server: str, body: Any) -> dict[str, Any]:
    response = post(server, body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def as_reviewed(server: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of `/review` to the Bundle, with the parts that the claim held completely."""
    response = requests.post(
        f"{server}/review?stage=claim&complete={','.join(answer['complete'])}", json=answer["bundle"], timeout=30
    )
    assert response.status_code == 200
    return dict(response.json())


def test_it_answers_as_review_does_with_the_bundle(server: str) -> None:
    answer = answer_to(server, CASE)
    assert faults_in(json.dumps(answer["bundle"]).encode()) == ()
    reviewed = as_reviewed(server, answer)
    assert answer["findings"]
    for finding in answer["findings"]:
        assert finding.pop("html").startswith("<p>")
        assert finding["remedies"]
        for fix in finding["remedies"]:
            assert fix.pop("notation")
            assert fix.pop("case")
    assert {name: answer[name] for name in reviewed} == reviewed
    assert answer["case"] == CASE | {"place": "11", "lines": ["93351", "93352", "Q9957x2"]}
    assert answer["notation"].startswith("professional: 93351, 93352, Q9957x2\nplace: 11\n")


def test_the_text_says_the_same(server: str) -> None:
    by_keys = answer_to(server, CASE)
    assert answer_to(server, {"text": by_keys["notation"]}) == by_keys
    assert answer_to(server, by_keys["case"]) == by_keys


@pytest.mark.parametrize(
    ("example", "rule"), [*zip(EXAMPLES, EXPECTED, strict=True)], ids=[each.label for each in EXAMPLES]
)
def test_each_example_is_repaired_by_its_fixes(server: str, example: Any, rule: str) -> None:
    answer = answer_to(server, {"text": example.notation})
    assert [each["rule"] for each in answer["findings"]][:1] == ([rule] if rule else [])
    for _ in range(4):
        fixes = [fix for each in answer["findings"] for fix in each["remedies"] if "notation" in fix]
        if not fixes:
            break
        answer = answer_to(server, {"text": fixes[0]["notation"]})
    left = {each["indicator"] for each in answer["findings"]}
    assert "warning" not in left or rule == "add-on-without-primary", "a primary must be found by a person"


def test_the_discarded_part_decides_between_jw_and_jz(server: str) -> None:
    lumason = CASE | {"lines": "93351, 93352, Q9950x2", "done": "93351"}
    for given, fix in (
        ("Lumason 2 mL, 3 mL discarded", "Q9950x3-JW"),
        ("Lumason 2 mL, nothing discarded", "Q9950x2-JZ"),
    ):
        (finding,) = answer_to(server, lumason | {"given": given})["findings"]
        (remedy,) = finding["remedies"]
        assert remedy["recommended"]
        assert fix in remedy["notation"]
    (finding,) = answer_to(server, lumason | {"given": "Lumason 2 mL"})["findings"]
    assert finding["remedies"]
    assert not any(each["recommended"] for each in finding["remedies"]), "the record does not say it"


def test_a_typed_part_is_complete_and_another_is_not_known(server: str) -> None:
    lines = {"lines": "93351, 93352, Q9957x2", "day": "2026-11-03", "done": "93351"}
    (finding,) = answer_to(server, lines | {"given": "none"})["findings"]
    assert finding["rule"] == "contrast-not-supported"
    assert not answer_to(server, lines)["findings"]


def test_orders_alone_are_reviewed_as_at_order_time(server: str) -> None:
    answer = answer_to(server, {"ordered": ["93350", "Definity"], "day": "2026-11-03"})
    (finding,) = [each for each in answer["findings"] if each["rule"] == "contrast-add-on-missing"]
    after = answer_to(server, {"text": finding["remedies"][0]["notation"]})
    assert after["case"]["hook"] == "order"
    assert "contrast-add-on-missing" not in [each["rule"] for each in after["findings"]]


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        (CASE | {"lines": "93351, Q9957x2-J"}, "lines", "Q9957x2-J: a modifier has two characters"),
        (CASE | {"place": "1"}, "place", "1: a place of service has two digits"),
        (CASE | {"given": {"a": 1}}, "given", "given: expected a text or a list of texts"),
        (CASE | {"code": "x"}, "text", "code: expected one of the keys"),
        ({"text": "professional: 93351\nday: x"}, "day", "line 2: x: expected a date"),
        ({"text": "professional: 93351", "day": "2026-11-03"}, "text", "expected either a text or the keys"),
        ({"text": 1}, "text", "expected a case in billers' notation"),
        ({"lines": "93351"}, "day", "expected the date of service"),
        (b"[]", "", "expected a JSON object"),
        (b"{", "", "line 1, column 2"),
        (b'{"lines": NaN}', "", "line 1, column 11: expected a value"),
    ],
)
def test_what_cannot_be_read_names_its_field(server: str, body: Any, where: str, words: str) -> None:
    response = post(server, body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/fhir+json"
    (issue,) = response.json()["issue"]
    assert words in issue["diagnostics"]
    assert issue.get("expression", [""]) == [where]


def test_the_word_at_fault_stays_out_of_the_log(server: str, server_log: Path) -> None:
    post(server, CASE | {"lines": "93351 JOHNDOE1234"})
    assert "JOHNDOE1234" not in server_log.read_text()


def test_it_is_limited_and_counted_as_a_review_is(server: str) -> None:
    assert post(server, CASE, **{"Content-Type": "text/plain"}).status_code == 415
    assert post(server, b'{"text": "' + b"x" * 60_000 + b'"}').status_code == 400
    assert requests.put(f"{server}/claim", timeout=10).status_code == 405
    answer_to(server, CASE)
    assert 'service="claim"' in requests.get(f"{server}/metrics", timeout=10).text
    assert surface_of("/claim") == surface_of("/claim/notation") == surface_of("/review") == "review"


def test_the_page_is_there_without_the_sandbox() -> None:
    client = create_app(Settings(sandbox=False)).test_client()
    page = client.get("/claim")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "Open in the sandbox" not in page.text
    assert "Q9957x2-J: a modifier has two characters" in client.get("/claim/notation").text


def test_a_hook_request_at_review_is_told_its_address(server: str) -> None:
    for path in ("contrast-add-on-missing/flags-65-year-old-man-at-order.json",):
        body = (ROOT / "sample_bundles" / path).read_bytes()
        response = requests.post(
            f"{server}/review", data=body, headers={"Content-Type": "application/json"}, timeout=10
        )
        assert response.status_code == 400
        (issue,) = response.json()["issue"]
        service = "order-select" if json.loads(body)["hook"] == "order-select" else "order-sign"
        assert issue["diagnostics"].endswith(f"send it to POST /cds-services/contrast-echo-{service}")
    unknown = requests.post(f"{server}/review", json={"hook": "patient-view"}, timeout=10).json()["issue"][0]
    assert unknown["diagnostics"].endswith("POST /cds-services/{id}")


@pytest.mark.parametrize(("name", "rules"), [("with", ["contrast-add-on-missing"]), ("without", [])])
def test_the_plain_bundles_run_as_the_readme_says(server: str, name: str, rules: list[str]) -> None:
    path = f"sample_bundles/bundle-{name}-findings.json"
    response = requests.post(
        f"{server}/review",
        data=(ROOT / path).read_bytes(),
        headers={"Content-Type": "application/fhir+json"},
        timeout=10,
    )
    assert [each["rule"] for each in response.json()["findings"]] == rules
    command = f"curl -H 'Content-Type: application/fhir+json' -d @{path} http://127.0.0.1:8000/review"
    assert (command in (ROOT / "README.md").read_text()) == bool(rules)
    assert (command in (ROOT / "deploy" / "integration.md").read_text()) == bool(rules)
