"""The routes of the sandbox page: samples, requests, explanations, changes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.errors import TableError
from cds_service.review.samples import SampleLibrary
from cds_service.sandbox import json_paths
from cds_service.settings import Settings
from cds_service.wiring import describe
from hooks import all_rules, all_services
from tests.conftest import SAMPLES
from tests.http.test_suggestions_applied import WITHOUT_FIXES
from tests.support.ehr import PATHS, draft_of
from tests.support.notation import request_of
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(3)

Json = dict[str, Any]

FLAGGED = "contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border"
CORRECTED = "contrast-add-on-missing/passes-65-year-old-man-corrected"
ON_A_CLAIM = "add-on-modifier/flags-26-on-93352"
NAMES = [f"{path.parent.name}/{path.stem}" for path in SAMPLES]


def sample(name: str) -> Json:
    return dict(json.loads((ROOT / "sample_bundles" / f"{name}.json").read_text()))


def post(server: str, path: str, content: Any) -> requests.Response:
    if isinstance(content, str):
        return requests.post(server + path, content.encode(), headers={"Content-Type": "application/json"}, timeout=30)
    return requests.post(server + path, json=content, timeout=30)


def good(server: str, path: str, content: Any) -> Json:
    response = post(server, path, content)
    assert response.status_code == 200, response.text
    return dict(response.json())


def fault(server: str, path: str, content: Any) -> str:
    response = post(server, path, content)
    assert response.status_code == 400, response.text
    return str(response.json()["issue"][0]["diagnostics"])


def summaries(server: str, request: Json) -> list[str]:
    answer = requests.post(server + PATHS[request["hook"]], json=request, timeout=30)
    assert answer.status_code == 200, answer.text
    return [card["summary"] for card in answer.json()["cards"]]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_talks_to_the_service_and_to_nobody_else(server: str) -> None:
    response = requests.get(f"{server}/sandbox", timeout=10)
    policy = response.headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert requests.get(f"{server}/", timeout=10).url == f"{server}/sandbox"


@pytest.fixture
def without() -> FlaskClient:
    """A service that does not serve the sandbox."""
    return create_app(Settings(sandbox=False)).test_client()


def test_without_it_the_service_begins_with_the_claim(without: FlaskClient) -> None:
    assert without.get("/").headers["Location"] == "/claim"


@pytest.mark.parametrize("path", ["/sandbox", f"/sandbox/samples/{FLAGGED}"])
def test_it_is_not_there_where_it_is_switched_off(without: FlaskClient, path: str) -> None:
    assert without.get(path).status_code == 404
    assert "sandbox" not in without.get("/rules").get_data(as_text=True)


@pytest.mark.parametrize("path", ["request", "explain", "accept", "edit"])
def test_nothing_is_taken_where_it_is_switched_off(without: FlaskClient, path: str) -> None:
    assert without.post(f"/sandbox/{path}", json={}).status_code == 404


# --- samples --------------------------------------------------------------------------------------------------------


def test_every_sample_has_a_sentence_and_every_sentence_a_sample() -> None:
    library = SampleLibrary(ROOT / "sample_bundles", ServiceDirectory(all_services(), "org.example"), describe)
    listed = {each.name: each.about for group in library.groups(all_rules()) for each in group.samples}
    assert sorted(listed) == sorted(NAMES)
    paths = list((ROOT / "sample_bundles").glob("*/about.yaml"))
    assert paths
    for path in paths:
        written = [line.split(":")[0] for line in path.read_text().splitlines() if not line.startswith("#")]
        assert sorted(f"{path.parent.name}/{name}" for name in written) == sorted(
            name for name in listed if name.startswith(f"{path.parent.name}/")
        )
    assert len(set(listed.values())) == len(listed), "two cases cannot be told apart"


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_explained_as_it_is_answered(server: str, name: str) -> None:
    framed = requests.get(f"{server}/sandbox/samples/{name}", timeout=10).json()
    assert framed["request"] == sample(name)
    assert framed["notes"] == []
    explained = good(server, "/sandbox/explain", framed["request"])
    cards = post(server, f"/cds-services/{framed['service']}", framed["request"]).json()["cards"]
    said = [(card["source"]["topic"]["code"], card["detail"]) for card in cards]
    assert [(each["rule"], each["detail"]) for each in explained["findings"]] == said
    every = [each for part in ("findings", "notChecked", "passed") for each in explained[part]]
    result = {rule for each in every for rule in (each["rule"], *each.get("alsoRules", ()))}
    assert result == {rule.id for rule in all_rules()}
    assert (explained["empty"], explained["emptySentence"]) == (False, "")
    assert explained["faults"] == []


def test_a_case_without_an_echo_passes_no_rule(server: str) -> None:
    explained = good(server, "/sandbox/explain", request_of({"lines": "99213"}))
    assert explained["empty"] is True
    assert explained["emptySentence"] == "nothing of an echo was found, so nothing was checked"
    assert explained["passed"] == explained["findings"] == []


def test_a_sample_is_called_on_the_hook_as_it_is_named_here() -> None:
    client = create_app(Settings(hook_namespace="com.clinic")).test_client()
    framed = client.get(f"/sandbox/samples/{FLAGGED}").get_json()
    assert framed["request"]["hook"] == "com.clinic.claim-review"
    assert client.post(f"/cds-services/{framed['service']}", json=framed["request"]).get_json()["cards"]


@pytest.mark.parametrize("name", ["no-such-rule/x", "../pyproject", "add-on-modifier/..%2f..%2fpyproject"])
def test_only_samples_are_handed_out(server: str, name: str) -> None:
    assert requests.get(f"{server}/sandbox/samples/{name}", timeout=10).status_code == 404


def test_a_wrong_sentence_is_named(tmp_path: Path) -> None:
    (tmp_path / "add-on-modifier").mkdir()
    (tmp_path / "add-on-modifier" / "about.yaml").write_text("flags-x: [1]\n")
    with pytest.raises(TableError, match=r"add-on-modifier/about\.yaml"):
        SampleLibrary(tmp_path, ServiceDirectory(all_services(), "org.example"), describe).groups(all_rules())


# --- what was read --------------------------------------------------------------------------------------------------


def everything(explained: Json) -> list[Json]:
    return [each for study in explained["timeline"]["studies"] for each in study["entries"]]


def entries(explained: Json) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["title"], each["reference"]) for each in everything(explained)]


def test_the_timeline_shows_each_record_with_its_resource(server: str) -> None:
    explained = good(server, "/sandbox/explain", sample(FLAGGED))
    assert entries(explained) == [
        ("ordered", "Complete stress echo with ECG monitoring and supervision", "ServiceRequest/sr-0232fbed"),
        ("done", "Complete stress echo with ECG monitoring and supervision", "Procedure/proc-999b0e43"),
        ("given", "Definity vial", "MedicationAdministration/ma-3ecf9aa7"),
        ("charged", "93351", "ChargeItem/chg-87163bce"),
    ]
    timeline = explained["timeline"]
    assert timeline["patient"] == {"name": "Martin Synthetic-Okafor", "gender": "male", "born": "1960-11-02"}
    assert timeline["payers"] == ["Commercial PPO, Example Mutual Health Plan"]
    assert [study["title"] for study in timeline["studies"]] == ["Stress echo"]
    assert "medicationAdministrations" in timeline["complete"]


@pytest.mark.parametrize("name", NAMES)
def test_everything_read_is_told_once_and_stands_where_it_says(server: str, name: str) -> None:
    request = sample(name)
    explained = good(server, "/sandbox/explain", request)
    told = everything(explained)
    places = [(each["path"], each.get("within", "")) for each in told]
    assert len(set(places)) == len(places)
    assert told
    for each in told:
        resource = json_paths.at(request, each["path"])
        assert each["reference"].startswith(f"{resource['resourceType']}/{resource['id']}")


def test_strict_validation_names_the_place_and_no_value(server: str) -> None:
    request = sample(FLAGGED)
    draft_of(request)["entry"][0]["resource"]["status"] = {"secret": "Okafor"}
    explained = good(server, "/sandbox/explain", request)
    assert explained["faults"][0]["location"].startswith("context.draftCharges.entry[0].resource")
    assert "Okafor" not in json.dumps(explained["faults"])
    assert [each["location"] for each in explained["warnings"]] == ["context.draftCharges.entry[0].resource"]


def test_markdown_of_a_case_has_no_effect(server: str) -> None:
    request = sample(FLAGGED)
    text = json.dumps(request).replace("chg-87163bce", "<img src=x onerror=alert(1)>")
    findings = good(server, "/sandbox/explain", json.loads(text))["findings"]
    assert findings
    for found in findings:
        assert "<img" not in found["html"]
        assert "<strong>Why</strong>" in found["html"]


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "a": 1,\n}', "line 3, column 1: expected a member name in double quotes"),
        ('{"a": }', "line 1, column 7: expected a value"),
        ('{"a": "b', "line 1, column 7: expected a closing quotation mark for the string that starts here"),
        ("{} {}", "line 1, column 4: expected nothing after the end"),
        ("", "line 1, column 1: expected a value"),
        ("[]", "line 1, column 1: expected a JSON object"),
        ("[" * 100_000, "nested more than 64 levels deep"),
        (
            '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "ChargeItem"}}]}',
            "one patient, found none",
        ),
        ('{"resourceType": "Patient"}', "or a CDS Hooks request; found a single Patient"),
        ("{}", "expected a FHIR Bundle (`resourceType`) or a CDS Hooks request (`hook`)"),
        ("charged: 93350, Q9957x2-J", "line 1, column 17: Q9957x2-J: a modifier has two characters"),
        ("<Bundle/>", "line 1, column 1: expected JSON or a case in billers' notation (`charged: ...`), found XML"),
        ('{"resourceType": "Claim"}\n{', "line 2, column 1: expected"),
        ('{"hook": 5}', "`hook`: expected one of"),
        (
            '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": ["Claim"]}}]}',
            "expected a Bundle with resources in it",
        ),
        (f'{{"hook": {"9" * 5000}}}', "a number in the JSON has too many digits"),
        ('{"hook": "order-sign", "x": "\\ud800"}', "lone surrogates"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(server: str, text: str, words: str) -> None:
    assert words in fault(server, "/sandbox/request", text)


def test_a_bundle_becomes_a_request_that_says_what_the_review_says(server: str) -> None:
    request = sample(FLAGGED)
    entries = list(draft_of(request)["entry"])
    for value in request["prefetch"].values():
        entries += value.get("entry", []) if value["resourceType"] == "Bundle" else [{"resource": value}]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    framed = good(server, "/sandbox/request", bundle)
    assert framed["service"] == "contrast-echo-claim-review"
    assert framed["request"]["context"]["patientId"] == "pat-632cc4b0"
    review = good(server, "/review", bundle)
    assert summaries(server, framed["request"]) == [each["summary"] for each in review["findings"]]


CLAIMS = [name for name in NAMES if sample(name)["hook"] == "org.example.claim-review"]


@pytest.mark.parametrize("hook", ["order-select", "order-sign", "encounter-discharge", "claim-review"])
@pytest.mark.parametrize("name", NAMES)
def test_every_case_can_be_asked_about_on_every_hook(server: str, name: str, hook: str) -> None:
    framed = post(server, f"/sandbox/request?hook={hook}", sample(name))
    if framed.status_code == 400:
        assert hook == "encounter-discharge"
        assert "; the case has none" in framed.json()["issue"][0]["diagnostics"]
        return
    assert framed.status_code == 200
    summaries(server, framed.json()["request"])  # which the service takes


@pytest.mark.parametrize("name", [FLAGGED, CORRECTED])
def test_charges_are_the_same_at_the_end_of_the_visit(server: str, name: str) -> None:
    moved = good(server, "/sandbox/request?hook=encounter-discharge", sample(name))["request"]
    assert "draftCharges" not in moved["context"]
    assert summaries(server, moved) == summaries(server, sample(name))
    back = good(server, "/sandbox/request?hook=claim-review", moved)["request"]
    assert summaries(server, back) == summaries(server, sample(name))


def test_what_a_hook_has_no_place_for_is_said(server: str) -> None:
    request = sample(ON_A_CLAIM) | {"prefetch": {"chargeItems": None}}
    request["context"]["encounterId"] = "e1"
    framed = good(server, "/sandbox/request?hook=encounter-discharge", request)
    assert "Claim skipped: this hook does not use it" in framed["notes"]


# --- suggestions ----------------------------------------------------------------------------------------------------

FLAGS = [name for name in NAMES if "/flags-" in name]


def offers(server: str, name: str) -> Iterator[tuple[str, Json]]:
    request = sample(name)
    answer = requests.post(server + PATHS[request["hook"]], json=request, timeout=30).json()
    for card in answer["cards"]:
        for suggestion in card.get("suggestions", []):
            yield card["source"]["topic"]["code"], suggestion


@pytest.mark.parametrize("name", FLAGS)
def test_every_suggestion_is_applied_and_its_card_is_gone(server: str, name: str) -> None:
    request = sample(name)
    offered = list(offers(server, name))
    assert offered or name in WITHOUT_FIXES
    for rule, suggestion in offered:
        changed = good(server, "/sandbox/accept", {"request": request, "actions": suggestion["actions"]})
        assert len(changed["differences"]) >= len({each["type"] for each in suggestion["actions"]})
        assert changed["differences"]
        for difference in changed["differences"]:
            assert any(line[0] in "+-" for line in difference["lines"])
        after = requests.post(server + PATHS[request["hook"]], json=changed["request"], timeout=30).json()
        assert rule not in [card["source"]["topic"]["code"] for card in after["cards"]], suggestion["label"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"type": "update", "description": "x", "resource": {"resourceType": "Claim", "id": "none"}}, "to be updated"),
        ({"type": "delete", "description": "x", "resourceId": "Claim/none"}, "to be deleted"),
        ({"type": "create", "description": "x", "resource": {}}, "with a `resourceType`"),
        ({"type": "create", "description": "x"}, "with a `resourceType`"),
        ({"type": "update", "description": "x", "resource": {"resourceType": ["Claim"]}}, "with a `resourceType`"),
    ],
)
def test_an_action_that_fits_nothing_is_refused(server: str, action: Json, words: str) -> None:
    assert words in fault(server, "/sandbox/accept", {"request": sample(FLAGGED), "actions": [action]})


def test_a_resource_that_has_no_place_in_the_case_is_refused(server: str) -> None:
    ended = sample(FLAGGED) | {"hook": "encounter-discharge"}
    action = {"type": "create", "description": "x", "resource": {"resourceType": "Basic"}}
    words = "this request has no prefetch key for this resource type"
    assert words in fault(server, "/sandbox/accept", {"request": ended, "actions": [action]})


@pytest.mark.parametrize("part", ["context", "prefetch"])
def test_a_request_without_the_parts_of_one_is_refused(server: str, part: str) -> None:
    action = {"type": "create", "description": "x", "resource": {"resourceType": "ChargeItem"}}
    values: list[Any] = [5, [1], "x"]
    for value in values:
        request = sample(FLAGGED) | {part: value}
        assert f"`{part}`" in fault(server, "/sandbox/accept", {"request": request, "actions": [action]})
    request = sample(FLAGGED) | {"context": {"draftCharges": 5}}
    assert "draftCharges" in fault(server, "/sandbox/accept", {"request": request, "actions": [action]})


# --- edits ----------------------------------------------------------------------------------------------------------


def at(explained: Json, what: str) -> Json:
    (found,) = [each for each in everything(explained) if each["title"] == what]
    return {"path": found["path"], "within": found.get("within", "")}


def edited(server: str, name: str, what: str, **edit: Any) -> Json:
    request = sample(name)
    place = at(good(server, "/sandbox/explain", request), what)
    return good(server, "/sandbox/edit", {"request": request, "edit": place | edit})


def charged(server: str, request: Json) -> list[str]:
    return [what for kind, what, _ in entries(good(server, "/sandbox/explain", request)) if kind == "charged"]


@pytest.mark.parametrize(
    ("name", "what", "edit", "after"),
    [
        (CORRECTED, "Q9957x2", {"units": "4"}, "Q9957x4"),
        (CORRECTED, "Q9957x2", {"units": "1,5"}, "Q9957x1.5"),
        (CORRECTED, "Q9957x2", {"code": "q9950"}, "Q9950x2"),
        (CORRECTED, "93351", {"modifiers": ["26", "59"]}, "93351-26-59"),
        (ON_A_CLAIM, "93352-26", {"modifiers": []}, "93352"),
        (ON_A_CLAIM, "93352-26", {"code": "93351", "units": "2", "modifiers": ["TC"]}, "93351x2-TC"),
    ],
)
def test_a_line_is_edited(server: str, name: str, what: str, edit: Json, after: str) -> None:
    before = charged(server, sample(name))
    changed = edited(server, name, what, **edit)
    assert len(changed["differences"]) == 1
    now = charged(server, changed["request"])
    assert sorted(now) == sorted([*(each for each in before if each != what), after])


@pytest.mark.parametrize("name", [CORRECTED, ON_A_CLAIM])
def test_a_line_is_moved_to_another_day(server: str, name: str) -> None:
    what = charged(server, sample(name))[0]
    changed = edited(server, name, what, day="2026-09-09")
    explained = good(server, "/sandbox/explain", changed["request"])
    days = [each["day"] for each in everything(explained) if each["title"] == what]
    assert "2026-09-09" in days
    assert explained["faults"] == []


def test_an_edit_that_says_the_same_changes_nothing(server: str) -> None:
    edit = {"code": "Q9957", "units": "2", "modifiers": [], "day": "2026-03-17"}
    assert edited(server, CORRECTED, "Q9957x2", **edit)["differences"] == []


def test_what_was_given_is_edited(server: str) -> None:
    changed = edited(server, FLAGGED, "Definity vial", ml="2.6", day="2026-03-17")
    assert summaries(server, changed["request"]) == [
        "Contrast was given at this stress echo: add 93352 and Q9957 (3 units)."
    ]
    assert good(server, "/sandbox/explain", changed["request"])["faults"] == []


@pytest.mark.parametrize("name", [CORRECTED, ON_A_CLAIM])
def test_a_line_is_added_and_removed(server: str, name: str) -> None:
    request = sample(name)
    before = charged(server, request)
    added = good(server, "/sandbox/edit", {"request": request, "edit": {"code": "93350"}})["request"]
    assert sorted(charged(server, added)) == sorted([*before, "93350"])
    place = at(good(server, "/sandbox/explain", added), "93350")
    removed = good(server, "/sandbox/edit", {"request": added, "edit": place | {"remove": True}})["request"]
    assert sorted(charged(server, removed)) == sorted(before)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"code": "9335"}, "`code`: expected a billing code"),
        ({"code": "ABCDE"}, "`code`: expected a billing code"),
        ({"units": "0"}, "`units`: expected a number above 0"),
        ({"units": "NaN"}, "`units`: expected a number above 0"),
        ({"units": "1e99"}, "`units`: expected a number above 0"),
        ({"units": "100001"}, "`units`: expected a number above 0"),
        ({"modifiers": ["JWX"]}, "`modifiers`: expected two letters or digits"),
        ({"day": "17 March"}, "`day`: expected a date as YYYY-MM-DD"),
        ({"path": "context.nowhere"}, "`path`: no charge or administration at this path"),
        ({"colour": "red"}, "`edit`"),
    ],
)
def test_a_wrong_edit_is_named(server: str, edit: Json, words: str) -> None:
    place = at(good(server, "/sandbox/explain", sample(CORRECTED)), "Q9957x2")
    assert words in fault(server, "/sandbox/edit", {"request": sample(CORRECTED), "edit": place | edit})


def test_nothing_of_a_case_is_logged(server: str, server_log: Path) -> None:
    good(server, "/sandbox/explain", sample(FLAGGED))
    good(server, "/sandbox/edit", {"request": sample(FLAGGED), "edit": {"code": "93350"}})
    assert "Okafor" not in server_log.read_text()
    assert "632cc4b0" not in server_log.read_text()
