"""`/claim` and `/ask` in other languages in a browser: directions, barriers, the switcher, and what the scripts say."""

import re
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from cds_service.review.typed_cases import ClaimExample
from hooks.publish.claims import EXAMPLES
from tests.browser.chromium import DESK, MOST_BYTES, PHONE, Looking, looking
from tests.browser.conftest import Look
from tests.http.test_claim_languages import SOURCES
from tests.http.test_patient import LETTERS, pseudo_catalogs
from tests.http.test_reference_languages import ABBREVIATION, FACTS, NAMES
from tests.support.speaking import app_with

pytestmark = pytest.mark.exhaustive  # `make test` looks at these pages in English

FAULTY, UNITS = EXAMPLES[0], EXAMPLES[3]
WORDS = "65 M, treadmill stress echo, I supervised and read it, Optison not used, Definty 1.3 mL, my office, Medicare"

# The text of a page in its own language: not what is marked as English or as a name.
OWN_TEXT = """() => {
  const texts = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent);
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches("script, noscript, datalist, textarea, code")) return;
    if (node.translate === false || node.matches(".english, .languages a, option[lang]")) return;
    for (const name of ["aria-label", "placeholder", "data-label"]) texts.push(node.getAttribute(name) ?? "");
    node.childNodes.forEach(walk);
  };
  walk(document.body);
  return texts;
}"""


@pytest.fixture(scope="module")
def pseudo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service with catalogs in which Vietnamese is the pseudo-language."""
    app = app_with(pseudo_catalogs(tmp_path_factory.mktemp("pseudo")))
    served = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()


def english_on(seen: Looking) -> set[str]:
    texts = seen.page.evaluate(OWN_TEXT)
    words = {word for text in texts for word in re.findall(r"[^\W_]+", NAMES.sub("", SOURCES.sub("", text)))}
    plain = {word for word in words if any(letter in LETTERS for letter in word)}
    return {word for word in plain if word.lower() not in FACTS and not ABBREVIATION.fullmatch(word)}


def checked(seen: Looking, text: str, tag: str) -> None:
    seen.go(f"/claim?lang={tag}#{quote(text)}")
    expect(seen.page.locator("#verdict .verdict")).to_be_visible()
    seen.settle()


@pytest.mark.parametrize("example", [FAULTY, UNITS, EXAMPLES[8]], ids=lambda each: str(each.label))
def test_after_a_check_no_english_is_left(browser: Browser, pseudo_address: str, example: ClaimExample) -> None:
    with looking(browser, pseudo_address, width=DESK) as seen:
        checked(seen, example.notation, "vi")
        seen.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert english_on(seen) == set()
        assert seen.page.locator(".untranslated").count() == 0
        expect(seen.page.locator("#partly")).to_be_hidden()
        seen.keep("claim-pseudo")


def test_what_is_done_and_read_is_said(browser: Browser, pseudo_address: str) -> None:
    with looking(browser, pseudo_address, width=DESK) as seen:
        checked(seen, FAULTY.notation, "vi")
        seen.page.locator(".offer button.main").first.click()
        expect(seen.page.locator("#undo")).to_be_visible()
        seen.settle()
        seen.page.locator("#in-words > summary").click()
        seen.page.locator("#words").fill(WORDS)
        seen.page.locator("#words-form button[type=submit]").click()
        expect(seen.page.locator("#words-read .question").first).to_be_visible()
        assert english_on(seen) - set(re.findall(r"\w+", WORDS)) == set()
        assert seen.page.locator(".untranslated").count() == 0
        seen.keep("claim-pseudo-words")


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("tag", ["ar", "de"])
def test_a_checked_claim_fits_the_screen_and_is_open_to_everybody(look: Look, tag: str, width: int) -> None:
    with look(width=width) as seen:
        checked(seen, FAULTY.notation, tag)
        seen.page.locator("#passed summary").first.click()
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        assert seen.bytes_taken() < MOST_BYTES
        seen.keep(f"claim-{tag}-{width}")
        verdict, form = seen.page.locator("#verdict").bounding_box(), seen.page.locator("#claim").bounding_box()
        assert verdict
        assert form
        beside = width == DESK
        assert (verdict["x"] < form["x"]) == (beside and tag == "ar")


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("query", ["", "?q=93350+and+93306+same+day+quux"])
def test_questions_from_right_to_left_are_open_to_everybody(look: Look, query: str, width: int) -> None:
    with look(width=width) as seen:
        seen.go(f"/ask{query}{'&' if query else '?'}lang=ar")
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        seen.keep(f"ask-ar-{'answer-' if query else ''}{width}")


def test_what_was_typed_stays_when_the_language_is_switched(look: Look) -> None:
    with look(width=DESK) as seen:
        checked(seen, FAULTY.notation, "en")
        seen.page.locator("#in-words > summary").click()
        seen.page.locator("#words").fill("stress echo")
        seen.page.get_by_role("link", name="Deutsch").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "de")
        expect(seen.page.locator("#text")).to_have_value(FAULTY.notation)
        expect(seen.page.locator("#verdict .verdict")).to_be_visible()
        expect(seen.page.locator("#words")).to_have_value("stress echo")
        assert seen.page.evaluate("sessionStorage.length") == 0
        expect(seen.page.locator(".unchecked")).to_be_visible()
        seen.page.locator(".unchecked").get_by_role("link").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "en")
        expect(seen.page.locator("#text")).to_have_value(FAULTY.notation)


def test_what_has_no_translation_is_marked_where_it_is_shown(browser: Browser, pseudo_address: str) -> None:
    """Korean has no messages in these catalogs."""
    with looking(browser, pseudo_address, width=DESK) as seen:
        checked(seen, FAULTY.notation, "ko")
        head = seen.page.locator("#verdict .head .untranslated")
        expect(head).to_have_text("1 finding")
        expect(head).to_have_attribute("lang", "en")
        expect(seen.page.locator(".advice h3 .untranslated")).to_be_visible()
        expect(seen.page.locator("#partly")).to_be_visible()
