"""The sandbox in a browser: viewing cases, changing them, acting on cards, and exporting a case."""

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

import hooks
from tests.browser.chromium import MOST_BYTES, MOST_MILLISECONDS, Looking
from tests.browser.conftest import Look
from tests.conftest import BY_LOADED_TABLES, SAMPLES
from tests.support.notation import request_of
from tests.support.running import ROOT, Service

pytestmark = pytest.mark.repeats(3)

MISSING = "contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border"
CORRECTED = "contrast-add-on-missing/passes-65-year-old-man-corrected"
ON_A_CLAIM = "add-on-modifier/flags-26-on-93352"
UNDECIDED = "contrast-not-supported/passes-record-of-administrations-not-sent"

SCREENS = [(360, "dark"), (1024, "light"), (1600, "light")]


def opened(seen: Looking, sample: str) -> None:
    seen.go(f"/sandbox?sample={sample}")


def sample(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "sample_bundles" / f"{name}.json").read_text()))


def feedback_kept(service: Service) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{service.database}?mode=ro", uri=True)
    try:
        return list(connection.execute("SELECT outcome, reason_code, is_known_card FROM feedback ORDER BY id"))
    finally:
        connection.close()


# --- looking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_first_look_tells_what_the_service_says_and_why(look: Look, width: int, scheme: str) -> None:
    with look(width=width, scheme=scheme) as seen:
        seen.go("/")
        assert seen.page.url.endswith("/sandbox")
        assert "Try a case" in seen.text("h1")
        assert seen.text("#verdict") == "1 card If submitted unchanged, this may be denied or paid incorrectly."
        card = seen.text("#card-1")
        assert "Contrast was given at this stress echo: add 93352 and Q9957 (2 units)." in card
        assert "Definity (Q9957), 1.3 mL given" in card
        assert re.search("ORDERED .* DONE .* GIVEN Definity vial .* CHARGED 93351", seen.text("#timeline"))
        passed = sum(rule.set_up is None for rule in hooks.all_rules()) - 1
        assert seen.text(".tally") == f"1 with findings 1 not checked {passed} passed"
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.keep(f"sandbox-{width}-{scheme}")


def test_the_page_is_light_and_there_at_once(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        assert seen.bytes_taken() < MOST_BYTES
        assert seen.milliseconds_to_paint() < MOST_MILLISECONDS


def test_the_cases_to_start_with_show_what_they_promise(look: Look) -> None:
    expected = {
        "Missing charge": "1 card",
        "Charged but not given": "1 card",
        "Correct claim": "No cards",
        "Order in progress": "1 card",
    }
    with look() as seen:
        seen.go("/sandbox")
        for name, head in expected.items():
            seen.page.get_by_role("link", name=name, exact=True).click()
            expect(seen.page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "true")
            expect(seen.page.locator("#verdict .head")).to_have_text(head)
            seen.settle()


def test_a_case_that_loads_more_slowly_does_not_replace_a_later_choice(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        held = list[Route]()

        def hold(route: Route) -> None:
            held.append(route)

        seen.page.route("**/sandbox/samples/contrast-not-supported/**", hold)
        slow, quick = (
            seen.page.get_by_role("link", name=name, exact=True) for name in ("Charged but not given", "Correct claim")
        )
        slow.click()
        expect(slow).to_have_attribute("aria-current", "true")
        quick.click()
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")
        with seen.page.expect_response("**/sandbox/samples/contrast-not-supported/**"):
            held[0].continue_()
        seen.settle()
        expect(quick).to_have_attribute("aria-current", "true")
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")
        assert "contrast-not-supported" not in seen.page.url


def test_what_could_not_be_decided_is_no_pass(look: Look) -> None:
    with look() as seen:
        opened(seen, UNDECIDED)
        assert "2 rules were not checked" in seen.text("#verdict"), "one is not set up"
        assert "unknown: the record is incomplete" in seen.text("#timeline")
        assert "no dose in mL is recorded" in seen.text("#checked div.undecided")
        seen.keep("sandbox-undecided")


@pytest.mark.exhaustive
def test_cases_are_found_by_their_words(look: Look) -> None:
    with look(width=360) as seen:
        seen.go("/sandbox")
        seen.page.get_by_role("button", name="Cases").click()
        seen.page.get_by_label("Find a case").fill("vial medicare accounted")
        expect(seen.page.locator("#found")).to_have_text("1 case")
        seen.keep("sandbox-find")
        seen.page.get_by_label("Find a case").fill("zebra")
        expect(seen.page.locator("#found")).to_have_text("No case matches all of these words.")
        seen.page.get_by_label("Find a case").fill("lumason was given, and definity is charged")
        seen.page.get_by_role("link", name="Lumason was given, and Definity is charged.").click()
        expect(seen.page.locator("#case-title")).to_have_text("Lumason was given, and Definity is charged.")
        assert seen.page.url.endswith("?sample=supply-agent-mismatch/flags-lumason-given-definity-charged")
        seen.settle()
        assert not seen.is_wider_than_the_screen()


def test_a_link_leads_to_its_case_and_back_goes_back(look: Look) -> None:
    with look() as seen:
        opened(seen, ON_A_CLAIM)
        assert "93352 never takes 26" in seen.text("#card-1")
        seen.page.get_by_role("link", name="Correct claim").click()
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")
        seen.page.go_back()
        expect(seen.page.locator("#card-1 h3")).to_have_text("93352 never takes 26: remove the modifier.")
        seen.refusals = 1
        opened(seen, "no-such-rule/no-such-case")
        assert "Case not found" in seen.text("#verdict")


def test_the_evidence_is_shown_in_the_request(look: Look) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.locator("#card-1 .ref", has_text="MedicationAdministration").click()
        aimed = seen.page.locator("#request .target").all_inner_texts()
        assert any('"MedicationAdministration"' in line for line in aimed)
        assert not any('"ChargeItem"' in line for line in aimed)
        assert seen.page.locator("#request .evidence").count() > len(aimed)
        seen.page.locator("#response summary").click()
        expect(seen.page.locator("#response pre")).to_contain_text("overrideReasons")
        seen.page.locator("#validation summary").click()
        expect(seen.page.locator("#validation")).to_contain_text("Every resource is valid FHIR R4")
        assert seen.barriers() == []
        seen.keep("sandbox-evidence")


@pytest.mark.exhaustive
def test_the_case_can_be_asked_about_at_another_moment(look: Look) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_label("Visit ended").check()
        expect(seen.page.locator("#hook-about")).to_contain_text("encounter-discharge")
        seen.settle()
        assert "add 93352" in seen.text("#card-1")
        seen.page.get_by_label("Order signed").check()
        expect(seen.page.locator("#notes")).to_contain_text("The status of the orders was set to draft")
        seen.settle()
        seen.page.get_by_label("Charges submitted").check()
        expect(seen.page.locator("#card-1 h3")).to_contain_text("add 93352 and Q9957 (2 units)")


def test_a_case_is_printed_without_what_cannot_be_pressed(look: Look) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.emulate_media(media="print")
        for shown in ("#case-title", "#card-1 h3", ".offer", "#timeline", "#checked"):
            assert seen.page.locator(shown).is_visible()
        for hidden in (".picker", ".tools", ".change", ".override", ".hooks", ".details"):
            assert not seen.page.locator(hidden).first.is_visible()
        seen.keep("sandbox-print")


# --- acting ---------------------------------------------------------------------------------------------------------


def test_a_suggestion_is_accepted_and_taken_back(look: Look, service_process: Service) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_role("button", name="Add 93352 and Q9957").click()
        expect(seen.page.locator("#done")).to_contain_text("Accepted: Add 93352 and Q9957")
        assert seen.text("#verdict .head") == "No cards"
        assert "93352 1 unit ChargeItem/new-1" in seen.text("#timeline")
        seen.page.get_by_text("Changes: 2 resources").click()
        assert '+ "code": "93352"' in seen.text("#done")
        assert seen.barriers() == []
        assert feedback_kept(service_process)[-1] == ("accepted", None, 1)
        seen.keep("sandbox-accepted")
        seen.page.get_by_role("button", name="Undo").click()
        expect(seen.page.locator("#verdict .head")).to_have_text("1 card")
        assert "new-1" not in seen.text("#timeline")


def test_a_claim_is_changed_as_a_whole_and_shown_as_a_difference(look: Look) -> None:
    with look() as seen:
        opened(seen, ON_A_CLAIM)
        seen.page.locator("#card-1 .offer button").first.click()
        expect(seen.page.locator("#done")).to_contain_text("Accepted")
        assert seen.text("#verdict .head") == "No cards"
        seen.page.locator("#done summary").click()
        went = seen.page.locator("#done .removed").all_inner_texts()
        assert '"code": "26"' in "".join(went)
        assert went
        assert not any("productOrService" in line for line in went), "nothing but the modifier goes"
        seen.page.get_by_role("button", name="Start over").click()
        expect(seen.page.locator("#verdict .head")).to_have_text("1 card")


@pytest.mark.exhaustive
def test_a_card_is_set_aside_with_a_reason(look: Look, service_process: Service) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_text("Override…").click()
        seen.page.get_by_label("Reason").select_option("Charged on another claim")
        seen.page.get_by_label("Comment").fill("on the hospital's claim")
        seen.keep("sandbox-override")
        assert seen.barriers() == []
        seen.page.get_by_role("button", name="Override", exact=True).click()
        expect(seen.page.locator(".overridden")).to_contain_text("Charged on another claim")
        assert feedback_kept(service_process)[-1] == ("overridden", "charged-elsewhere", 1)
        seen.page.get_by_role("button", name="Restore").click()
        expect(seen.page.locator("#card-1")).to_be_visible()


def test_a_line_is_changed_and_the_cards_follow_while_it_is_written(look: Look) -> None:
    with look() as seen:
        opened(seen, CORRECTED)
        assert seen.text("#verdict .head") == "No cards"
        seen.page.get_by_role("button", name="Change Q9957x2").click()
        form = seen.page.get_by_role("form", name="Change Q9957x2")
        form.get_by_label("Units").fill("4")
        expect(seen.page.locator("#card-1")).to_contain_text("Q9957")
        expect(form).to_be_visible()
        seen.refusals = 1
        form.get_by_label("Units").fill("many")
        expect(form.get_by_role("alert")).to_have_text("units: expected a number above 0, such as 2")
        assert form.get_by_label("Units").get_attribute("aria-invalid") == "true"
        seen.keep("sandbox-edit")
        form.get_by_label("Units").fill("4")
        form.get_by_role("button", name="Save").click()
        expect(seen.page.locator("#done")).to_contain_text("Changed Q9957x2")
        expect(seen.page.locator("#timeline")).to_contain_text("Q9957x4")
        seen.page.get_by_role("button", name="Undo").click()
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")


@pytest.mark.exhaustive
def test_what_was_given_is_changed(look: Look) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_role("button", name="Change Definity vial").click()
        form = seen.page.get_by_role("form")
        form.get_by_label("mL given").fill("2.6")
        expect(seen.page.locator("#card-1 h3")).to_contain_text("Q9957 (3 units)")
        form.get_by_role("button", name="Cancel").click()
        expect(seen.page.locator("#card-1 h3")).to_contain_text("Q9957 (2 units)")
        expect(seen.page.get_by_role("form")).to_have_count(0)


@pytest.mark.exhaustive
def test_a_charge_is_added_and_another_removed(look: Look) -> None:
    with look() as seen:
        opened(seen, CORRECTED)
        seen.page.get_by_role("button", name="Add a charge…").click()
        form = seen.page.get_by_role("form", name="Add a charge")
        form.get_by_label("Code").fill("93350")
        expect(seen.page.locator("#card-1")).to_contain_text("93350 is not paid with 93351")
        form.get_by_role("button", name="Save").click()
        expect(seen.page.locator("#done")).to_contain_text("Added a charge")
        seen.page.get_by_role("button", name="Change 93350").click()
        seen.page.get_by_role("button", name="Remove this charge").click()
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")


# --- with the keyboard alone ----------------------------------------------------------------------------------------


def tab_to(seen: Looking, selector: str, most: int = 120) -> None:
    """Press Tab until the element has the focus, which must be seen."""
    seen.page.keyboard.press("Tab")
    while not seen.page.evaluate("selector => document.activeElement.matches(selector)", selector):
        assert (most := most - 1), f"{selector} is not reached by the Tab key"
        seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_all_is_done_with_the_keyboard(look: Look) -> None:
    with look(width=1024) as seen:
        seen.go("/sandbox")
        tab_to(seen, ".skip", 1)
        tab_to(seen, ".starts li:nth-child(2) a")
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator("#card-1 h3")).to_contain_text("the record states that no contrast was given")
        tab_to(seen, "#picker-toggle")
        seen.page.keyboard.press("Enter")
        tab_to(seen, "#find")
        seen.page.keyboard.type("poor windows had a stress echo")
        tab_to(seen, ".group a")
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator("#case-title")).to_be_focused()
        seen.settle()
        tab_to(seen, "#card-1 .offer button")
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator("#verdict")).to_be_focused()
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")


# --- one's own case -------------------------------------------------------------------------------------------------


def paste(seen: Looking, text: str) -> None:
    if not seen.page.locator("#own").is_visible():
        seen.page.get_by_role("button", name="Your own case…").click()
    seen.page.get_by_label("Or paste JSON").fill(text)
    seen.page.get_by_role("button", name="Review").click()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n "hook": "order-sign"\n "context": {}\n}', "line 3, column 2: expected a comma"),
        ("", "Paste a case or choose a file."),
        ("[]", "expected a JSON object"),
        ('{"resourceType": "Patient"}', "a claim or charge, or a CDS Hooks request; found a single Patient"),
        (
            '{"hook": "patient-view"}',
            "hook: expected one of claim-review, encounter-discharge, order-select, order-sign",
        ),
        ('{"resourceType": "Bundle", "entry": []}', "expected a Bundle with resources in it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(look: Look, text: str, words: str) -> None:
    with look() as seen:
        seen.go("/sandbox")
        seen.refusals = 1 if text else 0
        paste(seen, text)
        expect(seen.page.locator("#own-fault")).to_contain_text(words)
        assert seen.barriers() == []


def test_a_fault_of_the_call_is_shown_in_place_of_cards(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        seen.refusals = 2
        paste(seen, '{"hook": "order-sign", "hookInstance": "no", "context": {}}')
        expect(seen.page.locator("#verdict")).to_contain_text("The service rejected this request")
        expect(seen.page.locator("#verdict")).to_contain_text("hookInstance: expected a UUID (HTTP 400)")


def as_bundle(name: str) -> dict[str, Any]:
    """A sample as a billing system would send it: one Bundle of all resources."""
    request = sample(name)
    entries = list(request["context"]["draftCharges"]["entry"])
    for value in request["prefetch"].values():
        entries += value.get("entry", []) if value["resourceType"] == "Bundle" else [{"resource": value}]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def test_a_bundle_says_the_same_as_its_review(look: Look) -> None:
    bundle = as_bundle(MISSING)
    with look() as seen:
        seen.go("/sandbox")
        paste(seen, json.dumps(bundle))
        expect(seen.page.locator("#case-title")).to_have_text("Your own case")
        seen.settle()
        report = requests.post(f"{seen.address}/review", json=bundle, timeout=10).json()
        cards = [seen.page.locator("#cards h3").nth(number).inner_text() for number in range(len(report["findings"]))]
        assert cards == [each["summary"] for each in report["findings"]]
        assert seen.page.url.endswith("/sandbox"), "an address never holds a case"
        assert not seen.page.locator("#copy-link").is_visible()


@pytest.mark.exhaustive
def test_a_case_without_an_echo_shows_that_nothing_was_checked(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        paste(seen, json.dumps(request_of({"lines": "99213"})))
        expect(seen.page.locator("#case-title")).to_have_text("Your own case")
        expect(seen.page.locator("#verdict")).to_contain_text("Nothing of an echo was found, so nothing was checked.")
        assert seen.text("#checked .tally") == "nothing of an echo was found, so nothing was checked"
        assert "passed" not in seen.text("#checked").lower()
        assert seen.barriers() == []


def test_a_file_is_uploaded_and_another_dropped(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        seen.page.get_by_role("button", name="Your own case…").click()
        seen.page.set_input_files("#own-file", ROOT / "sample_bundles" / f"{ON_A_CLAIM}.json")
        expect(seen.page.locator("#card-1")).to_contain_text("93352 never takes 26")
        text = (ROOT / "sample_bundles" / f"{CORRECTED}.json").read_text()
        dropped = seen.page.evaluate_handle(
            "text => { const data = new DataTransfer(); data.items.add(new File([text], 'mine.json')); return data; }",
            text,
        )
        seen.page.dispatch_event("body", "drop", {"dataTransfer": dropped})
        expect(seen.page.locator("#case-title")).to_have_text("mine.json")
        expect(seen.page.locator("#verdict .head")).to_have_text("No cards")


# --- taking it along ------------------------------------------------------------------------------------------------


def test_the_curl_command_gives_the_same_answer(look: Look) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_role("button", name="Copy curl").click()
        expect(seen.page.locator("#copy-curl")).to_have_text("Copied")
        command = seen.page.evaluate("navigator.clipboard.readText()")
        said = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=20, env=os.environ)
        (card,) = json.loads(said.stdout)["cards"]
        assert card["summary"] == seen.text("#card-1 h3")
        seen.page.get_by_role("button", name="Copy link").click()
        expect(seen.page.locator("#copy-link")).to_have_text("Copied")
        assert seen.page.evaluate("navigator.clipboard.readText()") == f"{seen.address}/sandbox?sample={MISSING}"


def test_a_changed_case_is_downloaded_as_a_new_sample(look: Look, tmp_path: Path) -> None:
    with look() as seen:
        opened(seen, MISSING)
        seen.page.get_by_role("button", name="Add 93352 and Q9957").click()
        expect(seen.page.locator("#done")).to_contain_text("Accepted")
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("button", name="Download").click()
        assert waiting.value.suggested_filename == "passes-65-year-old-man-poor-endocardial-border.json"
        path = tmp_path / "sample.json"
        waiting.value.save_as(path)
        answer = requests.post(
            f"{seen.address}/cds-services/contrast-echo-claim-review", json=json.loads(path.read_text()), timeout=10
        )
        assert answer.json()["cards"] == []


@pytest.mark.exhaustive
def test_every_sample_shows_what_its_name_says(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        # A server without the tables has no findings by them.
        paths = [path for path in SAMPLES if path.parent.name not in BY_LOADED_TABLES]
        assert paths
        for path in paths:
            name = f"{path.parent.name}/{path.stem}"
            about = seen.page.locator(f"a[data-sample='{name}'][data-about]").get_attribute("data-about")
            opened(seen, name)
            assert seen.text("#case-title") == about
            is_silent = seen.text("#verdict .head") == "No cards"
            assert is_silent == path.stem.startswith("passes-"), name


@pytest.mark.exhaustive
def test_a_case_is_shown_in_notation_with_what_that_leaves_out(look: Look) -> None:
    with look(width=390) as seen:
        opened(seen, MISSING)
        seen.page.get_by_text("In billers' notation").click()
        assert "given: Definity 1.3 mL" in seen.text("#notation pre")
        assert "imaging studies" in seen.text("#notation .faults")
        seen.page.get_by_role("button", name="Copy notation").click()
        copied = seen.page.evaluate("navigator.clipboard.readText()")
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        seen.page.get_by_role("link", name="open it as a claim").click()
        expect(seen.page.locator(".advice h3").first).to_contain_text("add 93352 and Q9957 (2 units)")
        assert seen.page.locator("#text").input_value() == copied


def test_notation_is_a_case_of_ones_own(look: Look) -> None:
    with look() as seen:
        seen.go("/sandbox")
        seen.page.get_by_role("button", name="Your own case").click()
        seen.page.get_by_label("Or paste JSON or notation").fill("charged: 93350, 93352x2\nday: 2026-03-02\n")
        seen.page.get_by_role("button", name="Review").click()
        expect(seen.page.locator("#card-1 h3")).to_contain_text("93352 is charged 2 times")
