"""The sandbox and the insights in other languages in a browser: what scripts show, directions, and the choice."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import DESK, MOST_BYTES, PHONE, Looking, looking
from tests.browser.conftest import Look
from tests.browser.test_claim_languages import english_on, pseudo_address
from tests.browser.test_sandbox import CORRECTED, MISSING, ON_A_CLAIM, UNDECIDED
from tests.http.test_patient import pseudo
from tests.support.call_history import written
from tests.support.running import running

pytestmark = pytest.mark.exhaustive  # `make test` looks at these pages in English

__all__ = ["pseudo_address"]

# Names in the records of the samples, and what the service and FHIR name so.
RECORDED = re.compile(
    r"[\w-]+/[\w.:-]+|\b(?:Patient|Claim|ChargeItem|Procedure|MedicationAdministration|Coverage|Encounter|fhir|resources"
    r"|org|example|echo|http|new|review|claim|select|sign|order|encounter|discharge|POST|cds|services|curl|proc|[0-9a-f]{8})\b"
)


def opened(seen: Looking, name: str, tag: str) -> None:
    seen.go(f"/sandbox?sample={name}&lang={tag}")
    expect(seen.page.locator("#verdict .verdict")).to_be_visible()
    seen.page.evaluate("document.querySelectorAll('#stage details').forEach((each) => { each.open = true; })")


def left_of(seen: Looking) -> set[str]:
    """The English words of the page's own texts, without those of the record and of texts marked as English."""
    seen.page.evaluate(
        "document.querySelectorAll('.untranslated, .entry .title, .entry .detail, .other-records li, .facts dd, "
        "#case-facts, .change, button.ref, .where, .origin').forEach((each) => each.remove())"
    )
    return {word for word in english_on(seen) if not RECORDED.fullmatch(word)}


def unmarked(seen: Looking) -> list[str]:
    """Texts marked as English, without those of the validation of FHIR."""
    return list(
        seen.page.evaluate(
            "[...document.querySelectorAll('.untranslated')]"
            ".filter((each) => !each.closest('#validation, .faults'))"
            ".map((each) => each.textContent)"
        )
    )


@pytest.mark.parametrize("name", [MISSING, CORRECTED, ON_A_CLAIM, UNDECIDED])
def test_in_a_pseudo_language_no_english_is_left(browser: Browser, pseudo_address: str, name: str) -> None:
    with looking(browser, pseudo_address, width=DESK) as seen:
        opened(seen, name, "vi")
        seen.keep(f"sandbox-pseudo-{name.replace('/', '-')}")
        assert unmarked(seen) == []
        assert seen.page.locator("#case-title").inner_text() == seen.page.locator(
            f'.picker a[data-sample="{name}"]'
        ).first.get_attribute("data-about")
        assert left_of(seen) == set()


def test_what_is_done_is_said(browser: Browser, pseudo_address: str) -> None:
    with looking(browser, pseudo_address, width=DESK) as seen:
        opened(seen, MISSING, "vi")
        seen.page.locator("#cards .offer button.main").first.click()
        expect(seen.page.locator("#undo")).to_have_text(pseudo("Undo"))
        expect(seen.page.locator("#verdict .head")).to_have_text(pseudo("No cards"))
        seen.page.locator("#find").fill("zzzz")
        expect(seen.page.locator("#found")).to_have_text(pseudo("No case matches all of these words."))
        seen.page.locator("#find").fill("")
        seen.page.locator("#timeline .add button").click()
        expect(seen.page.locator("form.edit button.main")).to_have_text(pseudo("Save"))
        seen.page.locator("form.edit button[type=button]").first.click()
        seen.settle()
        seen.page.locator("#open-own").click()
        seen.page.locator("#own-form button.main").click()
        expect(seen.page.locator("#own-fault")).to_have_text(pseudo("Paste a case or choose a file."))
        seen.page.locator("#own .close").click()
        seen.page.locator("#open-connect").click()
        expect(seen.page.locator("#connect-body button.main")).to_have_text(pseudo("Find patients"))
        assert left_of(seen) == set()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_sandbox_from_right_to_left_is_open_to_everybody(look: Look, width: int) -> None:
    with look(width=width) as seen:
        opened(seen, MISSING, "ar")
        seen.keep(f"sandbox-ar-{width}")
        assert seen.page.locator("html").get_attribute("dir") == "rtl"
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        assert seen.bytes_taken() < MOST_BYTES
        heading = seen.page.locator("h1").bounding_box()
        assert heading
        assert heading["x"] + heading["width"] > width / 2
        seen.page.locator("#open-connect").click()
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []


def test_the_choice_of_a_language_stays_and_keeps_the_case(look: Look) -> None:
    with look(width=DESK) as seen:
        seen.go(f"/sandbox?sample={CORRECTED}")
        seen.page.get_by_role("link", name="Deutsch").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "de")
        assert f"sample={CORRECTED.replace('/', '%2F')}" in seen.page.url
        expect(seen.page.locator(f'.picker a[data-sample="{CORRECTED}"]')).to_have_attribute("aria-current", "true")
        assert "machine translated" in seen.text(".unchecked")
        seen.go("/sandbox")
        expect(seen.page.locator("html")).to_have_attribute("lang", "de")
        seen.page.locator(".unchecked a").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "en")
        seen.settle()


# --- the insights ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with some weeks behind it."""
    with running(tmp_path_factory.mktemp("filled")) as started:
        written(f"sqlite:///{started.database}")
        yield started.address


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_insights_from_right_to_left_are_open_to_everybody(browser: Browser, filled: str, width: int) -> None:
    with looking(browser, filled, width=width) as seen:
        seen.go("/insights?lang=ar")
        seen.keep(f"insights-ar-{width}")
        assert seen.page.locator("html").get_attribute("dir") == "rtl"
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.page.locator("form.filters button").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "ar")
        assert "lang=" not in seen.page.url, "the choice stays"
