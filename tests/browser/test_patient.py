"""The pages for patients in a browser: in each script, on a phone, at a desk and on paper."""

import re

import pytest
from playwright.sync_api import expect

from cds_service.languages.known import LANGUAGES
from cds_service.languages.messages import english
from hooks.codes.tables import CODES
from hooks.publish.patient import plain_words
from tests.browser.chromium import DESK, LANGUAGES_ON_SCREENS, MOST_BYTES, PHONE, SCREENS, Scheme
from tests.browser.conftest import Look

pytestmark = pytest.mark.repeats(18)

TAGS = [language.tag for language in LANGUAGES]
CLAIM = "professional: 93351-26, 93352, Q9957x2-JZ, 99213\nday: 2026-11-03"
# A character of each script, and a font that draws it; DejaVu, which every Debian has, draws none of the last two.
FONTS = {"ar": "Noto Sans Arabic", "zh-Hans": "Noto Sans CJK", "ko": "Noto Sans CJK", "vi": ""}


@pytest.mark.parametrize("tag", ["ar", "zh-Hans", "vi", "en"])
@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_of_a_code_is_open_to_everybody(look: Look, width: int, tag: str, scheme: Scheme) -> None:
    with look(width=width, scheme=scheme) as seen:
        seen.go(f"/codes/93352/patient?lang={tag}")
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < MOST_BYTES
        seen.keep(f"patient-{tag}-{width}-{scheme}")


@pytest.mark.parametrize("tag", TAGS[1:])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_each_language_is_drawn_in_its_direction_beside_the_english(look: Look, width: int, tag: str) -> None:
    with look(width=width) as seen:
        seen.go(f"/codes/Q9957/patient?lang={tag}")
        assert not seen.is_wider_than_the_screen()
        pairs = seen.page.locator(".charge .pair")
        assert pairs.count() > 4
        english = pairs.locator(".english")
        assert english.count() == pairs.count()
        own, beside = pairs.nth(1).locator(":scope > *").nth(0).bounding_box(), english.nth(1).bounding_box()
        assert own
        assert beside
        follows = own["y"] + own["height"] <= beside["y"] + 1
        assert follows == (width == PHONE), "one below the other on a phone, side by side at a desk"
        assert (own["x"] > beside["x"]) == (tag == "ar" and width == DESK), "Arabic begins at the right"


@pytest.mark.parametrize("tag", FONTS)
def test_there_is_a_font_for_each_script(look: Look, tag: str) -> None:
    with look(width=DESK) as seen:
        seen.go(f"/codes/93352/patient?lang={tag}")
        session = seen.page.context.new_cdp_session(seen.page)
        session.send("DOM.enable")
        session.send("CSS.enable")
        root = session.send("DOM.getDocument")["root"]["nodeId"]
        node = session.send("DOM.querySelector", {"nodeId": root, "selector": ".charge h2"})["nodeId"]
        fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        assert fonts
        assert sum(each["glyphCount"] for each in fonts if FONTS[tag] in each["familyName"]) > 5, fonts


def pages_of(pdf: bytes) -> int:
    """The number of sheets of a document that Chromium printed."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def words_of(code: str) -> int:
    """The length of what is said about a code, in English."""
    words = plain_words(code)
    return sum(len(english(each)) for each in words.about) if words else 0


LONGEST = max((entry.code for entry in CODES), key=words_of)


@pytest.mark.parametrize("tag", TAGS)
def test_the_longest_page_of_a_code_fits_one_sheet(look: Look, tag: str) -> None:
    with look(width=DESK) as seen:
        seen.go(f"/codes/{LONGEST}/patient?lang={tag}")
        assert pages_of(seen.page.pdf(format="Letter")) == 1


@pytest.mark.parametrize(("tag", "width"), LANGUAGES_ON_SCREENS)
def test_the_charges_of_a_claim_are_explained_on_one_sheet(look: Look, width: int, tag: str) -> None:
    with look(width=width) as seen:
        seen.go("/claim")
        seen.page.locator("#text").fill(CLAIM)
        expect(seen.page.locator("#verdict .verdict")).to_be_visible()
        seen.page.locator("#patient-lang").select_option(tag)
        with seen.page.context.expect_page() as opened:
            seen.page.get_by_role("button", name="Explain these charges to the patient").click()
        page = opened.value
        page.wait_for_load_state()
        assert page.url.endswith("/claim/patient"), "nothing of the claim is in the address"
        assert page.locator("html").get_attribute("lang") == tag
        assert page.locator(".charge .code").all_inner_texts() == ["93351-26", "93352", "Q9957-JZ", "99213"]
        assert pages_of(page.pdf(format="Letter")) == 1
        seen.page = page
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        seen.keep(f"patient-claim-{tag}-{width}")
        page.get_by_role("button", name="English", exact=True).click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        assert page.locator(".charge .code").all_inner_texts() == ["93351-26", "93352", "Q9957-JZ", "99213"]


def test_the_language_stays_chosen(look: Look) -> None:
    with look(width=DESK) as seen:
        seen.go("/codes/93352")
        seen.page.get_by_role("link", name="A page for the patient").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "en")
        seen.page.get_by_role("link", name="Tiếng Việt").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "vi")
        seen.go("/codes/93350/patient")
        expect(seen.page.locator("html")).to_have_attribute("lang", "vi")
        seen.go("/claim")
        expect(seen.page.locator("#patient-lang")).to_have_value("vi")
