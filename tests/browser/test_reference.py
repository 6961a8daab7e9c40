"""The pages of codes and rules in a browser."""

import re

import pytest

from tests.browser.chromium import MOST_BYTES, MOST_MILLISECONDS
from tests.browser.conftest import Look

PATHS = [
    "/ask",
    "/ask?q=93350 and 93306 same day",
    "/ask?q=will Aetna pay for definty",
    "/codes",
    "/codes?q=93350 93306",
    "/codes/93352",
    "/rules",
    "/rules/contrast-add-on-missing",
    "/glossary",
    "/codes/no-such-code",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [360, 1600])
def test_every_kind_of_page_is_open_to_everybody(look: Look, path: str, width: int, scheme: str) -> None:
    with look(width=width, scheme=scheme) as seen:
        seen.refusals = 1 if path.endswith("no-such-code") else 0
        seen.go(path)
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < MOST_BYTES
        assert seen.milliseconds_to_paint() < MOST_MILLISECONDS
        seen.keep(f"reference{re.sub('[^a-z0-9]', '-', path)}-{width}-{scheme}")


def test_a_question_is_typed_and_answered(look: Look) -> None:
    with look(width=390) as seen:
        seen.go("/codes")
        seen.page.get_by_role("link", name="Ask", exact=True).click()
        seen.page.get_by_role("searchbox").fill("units of Q9957 for 1.3 mL")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector(".answer")
        assert "rounded up to 2 units" in seen.text(".answer li:first-child")
        assert seen.page.get_by_role("searchbox").input_value() == "units of Q9957 for 1.3 mL"
        assert "1.3 mL amount" in seen.text(".reading")
