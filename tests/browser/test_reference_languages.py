"""The reference pages in other languages in a browser: directions, barriers, the choice, and what is not translated."""

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import DESK, LANGUAGES_ON_SCREENS, MOST_BYTES, PHONE
from tests.browser.conftest import Look

pytestmark = pytest.mark.exhaustive  # `make test` looks at these pages in English

PATHS = ["/codes", "/codes/93352", "/rules/contrast-add-on-missing", "/modifiers/JW", "/glossary", "/tables"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pages_from_right_to_left_are_open_to_everybody(look: Look, path: str, width: int) -> None:
    with look(width=width) as seen:
        seen.go(f"{path}?lang=ar")
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < MOST_BYTES
        seen.keep(f"reference-ar{path.replace('/', '-')}-{width}")


@pytest.mark.parametrize(("tag", "width"), LANGUAGES_ON_SCREENS)
def test_the_page_of_a_code_fits_the_screen_in_each_language(look: Look, width: int, tag: str) -> None:
    with look(width=width) as seen:
        seen.go(f"/codes/93352?lang={tag}")
        for summary in seen.page.locator("details.table > summary").all():
            summary.click()
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        seen.keep(f"reference-{tag}-93352-{width}")


@pytest.mark.parametrize("tag", ["ar", "de"])
def test_a_page_begins_at_the_side_at_which_its_language_does(look: Look, tag: str) -> None:
    with look(width=DESK) as seen:
        seen.go(f"/codes/93352?lang={tag}")
        name, heading = seen.page.locator("header .name").bounding_box(), seen.page.locator("h1 .code").bounding_box()
        assert name
        assert heading
        for box in (name, heading):
            assert (box["x"] > DESK / 2) == (tag == "ar")


def test_the_choice_stays_on_the_next_pages(look: Look) -> None:
    with look(width=DESK) as seen:
        seen.go("/codes/93352")
        seen.page.get_by_role("link", name="Tiếng Việt").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "vi")
        seen.page.locator("#rules a").first.click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "vi")
        seen.page.locator(".unchecked").get_by_role("link").click()
        expect(seen.page.locator("html")).to_have_attribute("lang", "en")
        expect(seen.page.locator(".unchecked")).to_have_count(0)
