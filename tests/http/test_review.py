"""`POST /review` and `cds-service check` on a Bundle: the same content, reproducibly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.review.advisor import Advisor
from tests.conftest import SAMPLES
from tests.http.test_services import corpus_bodies
from tests.support.forked import run
from tests.support.notation import bundle, request_of
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(3)


def as_bundle(request: dict[str, Any]) -> dict[str, Any]:
    """All resources of a CDS Hooks request in one Bundle."""
    context = request["context"]
    parts = [context.get("draftCharges") or context["draftOrders"], *request.get("prefetch", {}).values()]
    resources: list[dict[str, Any]] = []
    for part in filter(None, parts):
        every = [entry["resource"] for entry in part.get("entry", [])] if part["resourceType"] == "Bundle" else [part]
        resources += [each for each in every if each not in resources]
    return bundle(resources)


def post(server: str, body: Any, query: str = "", **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(
        f"{server}/review{query}", data=data, headers={"Content-Type": "application/fhir+json"} | headers, timeout=30
    )


CASE = {"professional": "93350, 93352x2", "place": "11", "given": ["Definity 1.3 mL"], "done": ["93350 as P1"]}


def test_a_bundle_in_findings_out(server: str) -> None:
    response = post(server, as_bundle(request_of(CASE)))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    content = response.json()
    assert list(content) == ["empty", "findings", "passed", "notChecked", "warnings"]
    assert content["empty"] is False
    found = {each["rule"]: each for each in content["findings"]}
    repeated = found["add-on-repeated"]
    assert set(repeated) == {"id", "rule", "indicator", "summary", "detail", "evidence", "remedies", "day"}
    assert repeated["indicator"] == "warning"
    assert repeated["day"] == "2026-03-02"
    assert repeated["summary"] == "93352 is charged 2 times for one study: keep one unit."
    assert "**Why**" in repeated["detail"]
    (seen,) = repeated["evidence"]
    assert seen == {
        "seen": "93352x2 is charged",
        "reference": "Claim/claim-professional item 2",
        "location": "Bundle.entry[0].resource.item[1]",
    }
    (fix,) = repeated["remedies"]
    assert fix["label"] == "Keep one unit of 93352"
    assert fix["recommended"] is True
    assert fix["changes"] == ["set 93352 to 1 unit"]
    (action,) = fix["actions"]
    assert action["type"] == "update"
    assert action["resource"]["item"][1]["quantity"] == {"value": 1}
    passed = {each["rule"] for each in content["passed"]}
    assert "contrast-add-on-missing" in passed
    assert not passed & set(found)


def test_what_a_rule_could_not_decide_is_no_pass(server: str) -> None:
    content = post(
        server, as_bundle(request_of({"lines": "93350, Q9957x2", "given": ["Definity 1 mL status not-done"]}))
    ).json()
    unchecked = [each for each in content["notChecked"] if each["rule"] == "contrast-add-on-missing"]
    assert unchecked
    assert unchecked[0]["reason"]
    assert unchecked[0]["evidence"]
    assert "contrast-add-on-missing" not in {each["rule"] for each in content["passed"]}


def test_what_cannot_be_read_is_warned_of(server: str) -> None:
    content = post(server, bundle([{"resourceType": "Claim", "status": "Smith"}])).json()
    (warning,) = content["warnings"]
    assert warning["location"] == "Bundle.entry[0].resource"
    assert "Smith" not in warning["message"]


def test_an_empty_bundle_is_empty_and_passes_no_rule(server: str) -> None:
    content = post(server, {"resourceType": "Bundle", "type": "collection"}).json()
    assert content == {"empty": True, "findings": [], "passed": [], "notChecked": [], "warnings": []}


@pytest.mark.parametrize("lines", ["99213", "99213, 83036"])
def test_charges_without_an_echo_pass_no_rule(server: str, lines: str) -> None:
    content = post(server, as_bundle(request_of({"lines": lines}))).json()
    assert (content["empty"], content["passed"]) == (True, [])


@pytest.mark.parametrize(
    ("body", "diagnostics"),
    [
        (b"[]", "expected a FHIR Bundle"),
        (b'{"resourceType": "Patient"}', "expected a FHIR Bundle"),
        (b'{"resourceType": "Bundle", "entry": {}}', "expected a FHIR Bundle"),
    ],
)
def test_what_is_no_bundle_is_a_400(server: str, body: bytes, diagnostics: str) -> None:
    response = post(server, body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert response.json()["resourceType"] == "OperationOutcome"
    assert diagnostics in response.json()["issue"][0]["diagnostics"]
    assert response.json()["issue"][0]["expression"] == ["Bundle"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "line 1, column 1: expected a value"),
        (b"{", "line 1, column 2: expected a member name"),
        (b'{"resourceType": "Bundle",\n "entry": [{"resource": {"id": "Smith"', "line 2, column 39: expected a comma"),
        (b'{"resourceType": "Bundle"}\n}', "line 2, column 1: expected nothing after the end"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": NaN}]}', "line 1, column 51: expected a value"),
        (b'{"resourceType": "Bundle", "a": "NaN \\" NaN", "b": [-Infinity]}', "line 1, column 53: expected a value"),
        (b'{"resourceType": 5, "entry": Smith}', "line 1, column 30: expected a value"),
    ],
)
def test_malformed_json_is_named_with_its_place(server: str, body: bytes, place: str) -> None:
    response = post(server, body)
    (issue,) = response.json()["issue"]
    assert response.status_code == 400
    assert issue["diagnostics"].startswith(f"the body is not well-formed JSON: {place}")
    assert ("expression" in issue, "Smith" in response.text) == (False, False)


@pytest.mark.parametrize("text", ['"NaN"', '"Infinity \\" NaN"', "1", "-1e6"])
def test_what_json_allows_is_not_malformed(server: str, text: str) -> None:
    response = post(server, f'{{"resourceType": "Bundle", "entry": {{"a": {text}}}}}'.encode())
    assert response.json()["issue"][0]["diagnostics"] == "`Bundle`: expected a FHIR Bundle with an `entry` list"


def test_the_records_of_two_patients_are_not_mixed(server: str) -> None:
    content = as_bundle(request_of({"lines": "93350, 93352, Q9957x2"}))
    content["entry"][1]["resource"]["subject"] = {"reference": "Patient/p2"}
    response = post(server, content)
    assert response.status_code == 400
    assert "one patient" in response.json()["issue"][0]["diagnostics"]
    assert "p2" not in response.text


def test_other_faults(server: str) -> None:
    assert post(server, {}, **{"Content-Type": "text/plain"}).status_code == 415
    assert post(server, b" " * (10 * 1024 * 1024 + 1)).status_code == 413
    response = requests.get(f"{server}/review", timeout=10)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.json()["resourceType"] == "OperationOutcome"


# --- deterministic --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_bundles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    folder = tmp_path_factory.mktemp("bundles")
    written = []
    for number, path in enumerate(SAMPLES):
        written.append(folder / f"{number:03}-{path.parent.name}.json")
        written[-1].write_text(json.dumps(as_bundle(json.loads(path.read_text()))))
    yield written


@pytest.mark.exhaustive
def test_the_same_input_gives_the_same_output(server: str, sample_bundles: list[Path]) -> None:
    """Over HTTP twice, and at the command line under two orders of hashing: byte for byte."""
    files = [str(path) for path in sample_bundles]
    command = [sys.executable, "-W", "error", "-m", "cds_service", "check", "--json", *files]
    seeds = [os.environ | {"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    lines = [subprocess.run(command, cwd=ROOT, env=each, capture_output=True, check=False).stdout for each in seeds]
    assert lines[0] == lines[1]
    assert sample_bundles
    for path, line in zip(sample_bundles, lines[0].splitlines(), strict=True):
        first, second = post(server, path.read_bytes()), post(server, path.read_bytes())
        assert first.content == second.content
        assert first.json() == json.loads(line)


def test_ids_are_unique_and_follow_the_evidence(server: str, sample_bundles: list[Path]) -> None:
    assert sample_bundles
    for path in sample_bundles:
        ids = [each["id"] for each in post(server, path.read_bytes()).json()["findings"]]
        assert len(set(ids)) == len(ids)
    ids = [
        post(server, as_bundle(request_of(CASE | {"day": day}))).json()["findings"][0]["id"]
        for day in ("2026-03-02", "2026-03-03")
    ]
    assert ids[0] == ids[1], "the date is no evidence"
    other = post(server, as_bundle(request_of({"lines": "93350, 93352x2, Q9957x2"}))).json()["findings"][0]["id"]
    assert other != ids[0]


def test_ids_do_not_depend_on_what_else_is_in_the_bundle(server: str) -> None:
    small = as_bundle(request_of(CASE))
    large = bundle([entry["resource"] for entry in small["entry"]] + [{"resourceType": "Patient", "id": "p1"}])
    ids = [[each["id"] for each in post(server, body).json()["findings"]] for body in (small, large)]
    assert ids[0] == ids[1]


def test_ids_do_not_depend_on_the_order_of_the_resources(server: str) -> None:
    content = as_bundle(request_of({"professional": "93350, 93352x2, Q9957x2", "done": ["93350 as P1"]}))
    other = content | {"entry": content["entry"][::-1]}
    ids = [{each["id"] for each in post(server, body).json()["findings"]} for body in (content, other)]
    assert ids[0] == ids[1] != set()


UNSUPPORTED = {"lines": "93350, 93352, Q9957x2", "done": ["93350 as P1"]}


def test_absence_is_concluded_only_where_the_bundle_is_said_to_be_whole(server: str) -> None:
    content = as_bundle(request_of(UNSUPPORTED))
    whole = content | {"entry": [*content["entry"], {"resource": {"resourceType": "Patient", "id": "p1"}}]}
    broken = content | {"entry": [*content["entry"], {"resource": {"resourceType": "MedicationAdministration"}}]}
    unknown = content | {"entry": [*content["entry"], {"resource": {"id": "x"}}]}
    silent = [post(server, each).json()["findings"] for each in (content, whole)]
    assert silent == [[], []]
    query = "?stage=claim&complete=MedicationAdministration,Procedure"
    found = post(server, whole, query).json()["findings"]
    assert [each["rule"] for each in found] == ["contrast-not-supported"]
    assert [post(server, each, query).json()["findings"] for each in (broken, unknown)] == [[], []]


def test_a_bundle_without_charges_is_reviewed_as_the_caller_says(server: str) -> None:
    content = as_bundle(request_of({"done": ["93350 as P1"]}))
    at_claim_time = post(server, content, "?stage=claim&complete=Claim,ChargeItem").json()["findings"]
    assert [(each["rule"], each["indicator"]) for each in at_claim_time] == [("performed-not-charged", "warning")]
    assert post(server, content).json()["findings"] == []


def test_a_repeated_list_is_one_list(server: str) -> None:
    content = as_bundle(request_of(UNSUPPORTED))
    types = ("MedicationAdministration", "Procedure")
    for query in ("&".join(f"complete={each}" for each in types), f"complete={','.join(types)}"):
        found = post(server, content, f"?stage=claim&{query}").json()["findings"]
        assert [each["rule"] for each in found] == ["contrast-not-supported"], query


@pytest.mark.parametrize("query", ["?Stage=claim", "?stage=claim&completed=Procedure", "?Smith", "?stage[]=claim"])
@pytest.mark.parametrize("body", [b'{"resourceType": "Bundle"}', b"{"])
def test_an_unknown_parameter_is_a_400_that_lists_the_known_ones(server: str, query: str, body: bytes) -> None:
    response = post(server, body, query)
    (issue,) = response.json()["issue"]
    assert (response.status_code, "Smith" in response.text) == (400, False)
    assert issue["diagnostics"] == "the query: expected no other parameters than stage, complete"


def test_the_format_of_errors_is_no_unknown_parameter(server: str) -> None:
    assert post(server, bundle([]), "?_format=json").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "?stage=Smith", "?stage=claim&stage=order", "?stage=claim&stage=claim", "?stage=",
        "?complete=Smith", "?complete=Procedure,Smith", "?complete=", "?complete=Procedure&complete=Smith",
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_known_is_a_400(server: str, query: str) -> None:
    response = post(server, bundle([]), query)
    assert response.status_code == 400
    assert "Smith" not in response.text
    assert response.json()["issue"][0]["expression"] == [query[1:].partition("=")[0]]


def test_every_sample_says_the_same_without_an_envelope(advisor: Advisor, sample_bundles: list[Path]) -> None:
    pairs = zip(sample_bundles, SAMPLES, strict=True)
    flagged = [(path, sample) for path, sample in pairs if sample.name.startswith("flags-")]
    assert flagged
    for path, sample in flagged:
        rules = {rule.id for rule, _ in advisor.review_bundle(path.read_bytes()).review.findings}
        assert sample.parent.name in rules or rests_on_absence(sample), sample


def rests_on_absence(sample: Path) -> bool:
    """True if a sample declares an empty part of the record complete, which a bare Bundle cannot state."""
    prefetch = json.loads(sample.read_text()).get("prefetch", {})
    return any(
        value is None or ("entry" in value and not value["entry"]) or value.get("total") == 0
        for value in prefetch.values()
    )


@pytest.mark.parametrize("resource", corpus_bodies())
def test_other_peoples_fhir_is_answered(server: str, resource: Any) -> None:
    resources = resource if isinstance(resource, list) else [resource]
    response = post(server, bundle(resources))
    assert response.status_code in {200, 400}
    assert response.json().get("findings", []) == []
    assert response.json()["resourceType" if response.status_code == 400 else "findings"] in ("OperationOutcome", [])


# --- the command line -----------------------------------------------------------------------------------------------


def test_check_prints_the_review_of_a_bundle() -> None:
    body = json.dumps(as_bundle(request_of(CASE))).encode()
    result = run("check", "-", stdin=body)
    text = result.stdout.decode()
    assert result.returncode == 1
    assert "WARNING: 93352 is charged 2 times for one study: keep one unit." in text
    assert "passed       contrast-add-on-missing" in text
    assert "(add-on-repeated)" in text
    content = json.loads(run("check", "--json", "-", stdin=body).stdout)
    assert content["findings"]
    assert all(each["id"] in text for each in content["findings"])


def test_check_says_that_nothing_of_an_echo_was_found(tmp_path: Path) -> None:
    visit, echo, other = (tmp_path / name for name in ("visit.json", "echo.json", "other.json"))
    visit.write_text(json.dumps(as_bundle(request_of({"lines": "99213"}))))
    echo.write_text(json.dumps(as_bundle(request_of({"lines": "93350"}))))
    other.write_text(json.dumps(as_bundle(request_of({"lines": "99214"}))))
    result = run("check", str(visit), str(echo), str(other))
    text = result.stdout.decode()
    assert result.returncode == 0
    assert text.count("nothing of an echo was found, so nothing was checked\n") == 2
    first, second, third, _ = text.strip().split("\n\n")
    assert "passed" not in first + third
    assert "rules passed)" in second
    assert json.loads(run("check", "--json", str(visit)).stdout)["empty"] is True


def test_check_counts_the_records_that_were_not_understood() -> None:
    content = as_bundle(request_of({"lines": "99213"}))
    local = {"coding": [{"system": "https://example.org/charges", "code": "4711"}]}
    content["entry"] += [
        {"resource": content["entry"][0]["resource"] | {"id": name, "code": local}} for name in ("a", "b")
    ]
    result = run("check", "-", stdin=json.dumps(content).encode())
    assert result.returncode == 0
    sentence = (
        b"nothing of an echo was found, so nothing was checked; 2 records were not understood, see the warnings\n"
    )
    assert sentence in result.stdout


def test_strict_faults_are_among_the_warnings() -> None:
    content = as_bundle(request_of({"lines": "93350"}))
    content["entry"][0]["resource"]["colour"] = "Smith"
    result = run("check", "--json", "--strict", "-", stdin=json.dumps(content).encode())
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning["location"] == "entry[0].resource.colour"
    assert b"Smith" not in result.stdout


def test_a_rule_that_is_switched_off_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("rules: {switched_off: [add-on-repeated]}\n")
    body = json.dumps(as_bundle(request_of(CASE))).encode()
    result = run("check", "--json", "-", stdin=body, **(dict(os.environ) | {"CDS_SITE_FILE": str(path)}))
    content = json.loads(result.stdout)
    assert {"add-on-repeated"} <= {each["rule"] for each in content["notChecked"]}
    assert "add-on-repeated" not in {each["rule"] for each in content["passed"]}
    assert b"switched off by this site" in result.stdout
