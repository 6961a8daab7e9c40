"""The claim page in a browser: eight cases from the page alone, form and text that follow each other, fixes, links."""

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from cds_service.fhir.validate import faults_in
from cds_service.review.typed_cases import ClaimExample
from hooks.publish.claims import EXAMPLES
from tests.browser.chromium import MOST_BYTES, MOST_MILLISECONDS, Looking
from tests.browser.conftest import Look

pytestmark = pytest.mark.repeats(9)

SENTENCES = [
    "add 93352", "add Q9957", "without a primary", "Q9957", "JW or JZ", "C8930", "93350 is not paid with 93351",
    "93352 never takes 26",
]  # fmt: skip
SCREENS = [(390, "light"), (1440, "dark")]


def opened(seen: Looking, text: str = "") -> None:
    seen.go(f"/claim#{quote(text)}" if text else "/claim")
    if text:
        expect(seen.page.locator("#verdict .verdict")).to_be_visible()
    seen.settle()


def typed(seen: Looking, row: int, name: str, text: str) -> None:
    seen.page.locator("#lines tbody tr").nth(row).get_by_label(name).fill(text)


def head(seen: Looking, text: str) -> None:
    expect(seen.page.locator("#verdict .head")).to_have_text(text)


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize(
    ("example", "sentence"), [*zip(EXAMPLES, SENTENCES, strict=False)], ids=[each.label for each in EXAMPLES[:8]]
)
def test_each_of_eight_cases_shows_its_fault(
    look: Look, example: ClaimExample, sentence: str, width: int, scheme: str
) -> None:
    with look(width=width, scheme=scheme) as seen:
        opened(seen)
        seen.page.get_by_role("link", name=example.label, exact=True).click()
        expect(seen.page.locator(".advice h3").first).to_contain_text(sentence)
        seen.settle()
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.keep(f"claim-{example.label.lower().replace(' ', '-')}-{width}-{scheme}")


def test_the_page_is_light_and_there_at_once(look: Look) -> None:
    with look() as seen:
        opened(seen)
        assert "Type the first code" in seen.text("#verdict")
        assert seen.page.get_by_label("Date of service").input_value() != "", "today, by the browser's clock"
        assert seen.bytes_taken() < MOST_BYTES
        assert seen.milliseconds_to_paint() < MOST_MILLISECONDS
        assert seen.barriers() == []


def test_a_claim_is_typed_into_the_form_and_the_text_follows(look: Look) -> None:
    with look() as seen:
        opened(seen)
        seen.page.get_by_label("Date of service").fill("2026-11-03")
        seen.page.get_by_label("Place of service").fill("11")
        seen.page.get_by_label("Payer").fill("Medicare")
        typed(seen, 0, "Code", "93351")
        seen.page.get_by_role("button", name="Add a line").click()
        typed(seen, 1, "Code", "93352")
        seen.page.locator("#lines tbody tr").nth(1).get_by_label("Code").press("Enter")
        typed(seen, 2, "Code", "q9957")
        typed(seen, 2, "Units", "2")
        seen.page.get_by_label("Agent", exact=True).fill("Definity")
        seen.page.get_by_label("mL given", exact=True).fill("1.3")
        seen.page.get_by_label("mL discarded", exact=True).fill("0.2")
        expect(seen.page.locator("#text")).to_have_value(
            "professional: 93351, 93352, Q9957x2\nplace: 11\npayer: Medicare\nday: 2026-11-03\n"
            "given: Definity 1.3 mL, 0.2 mL discarded\n"
        )
        head(seen, "1 finding")
        expect(seen.page.locator("#lines tr.cited")).to_have_count(1)


@pytest.mark.exhaustive
def test_the_form_follows_the_text(look: Look) -> None:
    with look() as seen:
        opened(seen)
        seen.page.locator("#text").fill("institutional: C8930, Q9957x2\nbill: 0131\nday: 2026-11-03\npayer: Medicare\n")
        head(seen, "No findings")
        expect(seen.page.get_by_label("Institutional")).to_be_checked()
        expect(seen.page.get_by_label("Type of bill")).to_have_value("0131")
        expect(seen.page.locator("#lines tbody tr").nth(1).get_by_label("Units")).to_have_value("2")
        seen.page.locator("#text").fill("professional: 93351-26 by A\nearlier: 93352\nday: 2026-11-03\n")
        expect(seen.page.locator("#also")).to_have_text("Only in the text below: earlier.")
        expect(seen.page.locator("#lines tbody tr .words").first).to_have_text("by A")
        typed(seen, 0, "Modifiers", "26 59")
        expect(seen.page.locator("#text")).to_have_value(re.compile(r"93351-26-59 by A\n(.|\n)*earlier: 93352"))


def test_a_column_is_pasted_from_a_spreadsheet(look: Look) -> None:
    with look() as seen:
        opened(seen)
        seen.page.evaluate("navigator.clipboard.writeText('93351\\t26\\t1\\n93352\\t\\t1\\nQ9957\\tJZ\\t2\\n')")
        seen.page.locator("#lines tbody tr").first.get_by_label("Code").focus()
        seen.page.keyboard.press("Control+V")
        expect(seen.page.locator("#text")).to_have_value(re.compile("93351x1-26, 93352x1, Q9957x2-JZ"))


def test_what_cannot_be_read_is_named_and_marked(look: Look) -> None:
    with look() as seen:
        seen.refusals = 1
        opened(seen)
        typed(seen, 0, "Code", "9335")
        expect(seen.page.locator("#fault")).to_have_text(
            "9335: a code has five characters: five digits, or a letter and digits"
        )
        expect(seen.page.locator("#lines tbody tr").first.get_by_label("Code")).to_have_attribute(
            "aria-invalid", "true"
        )
        typed(seen, 0, "Code", "93350")
        expect(seen.page.locator("#fault")).to_be_hidden()
        expect(seen.page.locator("#lines [aria-invalid]")).to_have_count(0)


def test_a_fix_is_accepted_and_taken_back_with_the_keyboard(look: Look) -> None:
    with look() as seen:
        opened(seen, EXAMPLES[0].notation)
        before = seen.page.locator("#text").input_value()
        fix = seen.page.locator(".advice .offer button").first
        fix.focus()
        seen.page.keyboard.press("Enter")
        head(seen, "No findings")
        expect(seen.page.locator("#lines tbody tr").nth(2).get_by_label("Code")).to_have_value("93352")
        expect(seen.page.locator("#verdict")).to_be_focused()
        seen.page.keyboard.press("Shift+Tab")
        expect(seen.page.locator("#undo")).to_be_focused()
        seen.page.keyboard.press("Enter")
        head(seen, "1 finding")
        assert seen.page.locator("#text").input_value() == before


def test_the_address_holds_the_claim_and_the_link_does_not_send_it(look: Look) -> None:
    with look() as seen:
        asked: list[str] = []
        seen.page.on("request", lambda request: asked.append(request.url))
        opened(seen, EXAMPLES[1].notation)
        seen.page.get_by_role("button", name="Copy link").click()
        expect(seen.page.get_by_role("button", name="Copied")).to_be_visible()
        link = seen.page.evaluate("navigator.clipboard.readText()")
        assert link == seen.page.url
        assert "93351" in link
        assert asked
        assert not [each for each in asked if "93351" in each.split("#")[0]]
        seen.page.goto("about:blank")
        seen.page.goto(link)
        head(seen, "1 finding")
        assert seen.page.locator("#text").input_value().startswith("professional: 93351, 93352\n")


@pytest.mark.exhaustive
def test_it_is_downloaded_as_a_bundle_and_opened_in_the_sandbox(look: Look, tmp_path: Path) -> None:
    with look() as seen:
        opened(seen, EXAMPLES[7].notation)
        with seen.page.expect_download() as download:
            seen.page.get_by_role("button", name="Download as a Bundle").click()
        path = tmp_path / "claim.json"
        download.value.save_as(path)
        assert json.loads(path.read_text())["resourceType"] == "Bundle"
        assert faults_in(path.read_bytes()) == ()
        seen.page.get_by_role("link", name="Open in the sandbox").click()
        expect(seen.page.locator("#case-title")).to_have_text("Your own case")
        expect(seen.page.locator("#card-1 h3")).to_contain_text("93352 never takes 26")


def test_an_open_question_is_answered_by_a_button(look: Look) -> None:
    with look() as seen:
        opened(
            seen,
            "professional: 93351, 93352, Q9957x2\nplace: 11\nday: 2026-11-03\ngiven: Definity 1.3 mL\ndone: 93351\n",
        )
        question = seen.page.get_by_role("group", name="Who pays?")
        expect(question).to_have_count(1)
        assert seen.barriers() == []
        seen.keep("claim-question")
        question.get_by_role("button", name="Medicare (fee for service)").click()
        expect(seen.page.get_by_label("Payer")).to_have_value("Medicare")
        expect(question).to_have_count(0)
        head(seen, "1 finding")
        seen.page.locator("#undo").click()
        expect(seen.page.get_by_label("Payer")).to_have_value("")
        expect(seen.page.locator("#verdict .verdict")).to_have_class("verdict info")  # what is open is no pass


def test_a_question_decides_between_fixes(look: Look) -> None:
    with look() as seen:
        opened(
            seen,
            "professional: 93351, 93352, Q9950x2\nplace: 11\npayer: Medicare\nday: 2026-11-03\ngiven: Lumason 2 mL\n",
        )
        question = seen.page.locator(".advice").get_by_role("group", name="Was anything discarded?")
        question.get_by_role("button", name="Nothing was discarded").click()
        head(seen, "No findings")
        expect(seen.page.locator("#text")).to_have_value(re.compile("Q9950x2-JZ"))


def test_what_a_person_has_to_enter_is_left_to_its_field(look: Look) -> None:
    with look() as seen:
        opened(
            seen,
            "professional: 93351, 93352, Q9957x2-JZ\nplace: 11\npayer: Medicare\nday: 2026-11-03\ngiven: Definity\n",
        )
        seen.page.get_by_role("group", name="How many mL of Definity were given?").get_by_role("button").first.click()
        expect(seen.page.get_by_label("mL given", exact=True)).to_be_focused()


def test_a_claim_is_printed_with_its_verdict(look: Look) -> None:
    with look() as seen:
        opened(seen, EXAMPLES[0].notation)
        seen.page.emulate_media(media="print")
        assert "professional: 93351, Q9957x2-JZ" in seen.text("#printed")
        assert seen.page.locator(".advice h3").first.is_visible()
        assert not seen.page.locator("#claim").is_visible()
        seen.keep("claim-print")


@pytest.mark.exhaustive
@pytest.mark.parametrize("width", [390, 1280])
def test_the_notation_is_explained(look: Look, width: int) -> None:
    with look(width=width) as seen:
        opened(seen)
        seen.page.get_by_role("link", name="How to write it").click()
        expect(seen.page.get_by_role("heading", name="Billers' notation")).to_be_visible()
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.keep(f"notation-{width}")


def test_it_is_the_first_page_in_the_navigation(look: Look) -> None:
    with look() as seen:
        seen.go("/rules")
        expect(seen.page.get_by_role("navigation", name="Pages").get_by_role("link").first).to_have_text("Claim")


# --- in words -------------------------------------------------------------------------------------------------------

DESCRIBED = (
    "65 M, treadmill stress echo, continuous ECG, I supervised and read it, Definty 1.3 mL, Optison not used, my office"
)


def described(seen: Looking, text: str) -> None:
    seen.page.get_by_text("Describe the case in words").click()
    seen.page.get_by_label("In words", exact=True).fill(text)
    seen.page.get_by_role("button", name="Read it").click()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_a_case_in_words_is_marked_asked_confirmed_and_taken(look: Look, width: int, scheme: str) -> None:
    with look(width=width, scheme=scheme) as seen:
        opened(seen)
        described(seen, f"{DESCRIBED}, flurbinox given")
        expect(seen.page.get_by_role("heading", name="How it is understood")).to_be_focused()
        expect(seen.page.locator("mark.negated")).to_contain_text("not product")
        expect(seen.page.locator("mark.corrected")).to_contain_text("spelling corrected")
        expect(seen.page.locator(".words-notes")).to_contain_text("Not understood: flurbinox")
        expect(seen.page.locator("#words-confirm")).to_have_count(0)
        assert seen.barriers() == []
        seen.keep(f"words-asked-{width}-{scheme}")
        payer = seen.page.get_by_role("group", name="Who pays?")
        payer.get_by_role("button", name="Medicare (fee for service)").click()
        expect(seen.page.locator("#words")).to_have_value(re.compile(r" \| Medicare$"))
        seen.page.get_by_label("Enter the date of service").fill("2026-11-03")
        seen.page.get_by_role("button", name="Add", exact=True).click()
        expect(seen.page.locator("#words-confirm")).to_be_visible()
        expect(seen.page.locator(".proposed")).to_have_count(0)
        seen.page.locator("#words-confirm").click()
        expect(seen.page.locator(".proposed code")).to_have_text(["93351", "93352", "Q9957x2-JZ"])
        expect(seen.page.locator(".proposed li").nth(1)).to_contain_text("verified through")
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.keep(f"words-proposed-{width}-{scheme}")
        seen.page.locator("#words-take").click()
        head(seen, "No findings")
        expect(seen.page.locator("#lines tbody tr").nth(2).get_by_label("Code")).to_have_value("Q9957")
        seen.page.locator("#undo").click()
        expect(seen.page.locator("#text")).to_have_value("")


def test_a_case_in_words_is_described_with_the_keyboard_alone(look: Look) -> None:
    with look() as seen:
        opened(seen)
        seen.page.get_by_text("Describe the case in words").focus()
        seen.page.keyboard.press("Enter")
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.type("stress echo, office, S&I, continuous ECG, no contrast, Aetna, 2026-11-03")
        seen.page.keyboard.press("Tab")  # how to write it
        seen.page.keyboard.press("Tab")
        expect(seen.page.get_by_role("button", name="Read it")).to_be_focused()
        seen.page.keyboard.press("Enter")
        expect(seen.page.get_by_role("heading", name="How it is understood")).to_be_focused()
        seen.page.keyboard.press("Tab")
        expect(seen.page.locator("#words-confirm")).to_be_focused()
        seen.page.keyboard.press("Enter")
        expect(seen.page.get_by_role("heading", name="Proposed lines")).to_be_focused()
        expect(seen.page.locator(".proposed code")).to_have_text(["93351"])


def test_what_was_read_is_gone_once_the_words_change(look: Look) -> None:
    with look() as seen:
        opened(seen)
        described(seen, "stress echo, office, S&I, continuous ECG, no contrast, Aetna, 2026-11-03")
        expect(seen.page.locator("#words-confirm")).to_be_visible()
        seen.page.locator("#words").press("End")
        seen.page.keyboard.type(" and Optison")
        expect(seen.page.locator("#words-confirm")).to_have_count(0)
        expect(seen.page.locator("#words-read")).to_be_empty()


def test_hostile_words_are_shown_as_text_and_long_ones_are_refused(look: Look) -> None:
    with look() as seen:
        seen.refusals = 1
        opened(seen)
        described(seen, "🫀 <img src=x onerror=alert(1)> stress echo, <b>office</b>")
        expect(seen.page.locator(".marked")).to_contain_text("<img src=x onerror=alert(1)>")
        expect(seen.page.locator(".marked img, .marked b")).to_have_count(0)
        expect(seen.page.locator("mark").first).to_contain_text("stress echo")
        seen.page.locator("#words").fill("stress echo, " * 8_000)
        seen.page.get_by_role("button", name="Read it").click()
        expect(seen.page.locator("#words-fault")).to_have_text("words: expected at most 2,000 characters")


def test_an_example_in_words_is_read_with_a_click(look: Look) -> None:
    with look() as seen:
        opened(seen)
        seen.page.get_by_text("Describe the case in words").click()
        seen.page.locator("[data-description]").first.click()
        expect(seen.page.locator("#words-confirm")).to_be_visible()
