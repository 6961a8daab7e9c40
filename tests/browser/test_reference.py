"""The pages of codes, rules, modifiers and the API in a browser."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from hooks.codes.tables import CODES
from hooks.publish.reference import reference
from tests.browser.chromium import DESK, MOST_BYTES, MOST_MILLISECONDS, PHONE, SCREENS, Scheme
from tests.browser.conftest import Look

pytestmark = pytest.mark.repeats(9)

PATHS = [
    "/ask", "/ask?q=93350 and 93306 same day", "/ask?q=will Aetna pay for definty", "/codes?q=93350 93306",
    "/codes", "/codes/93352", "/rules", "/rules/contrast-add-on-missing", "/modifiers", "/modifiers/JW", "/glossary",
    "/fhir", "/fhir/CodeSystem/rule", "/openapi.json", "/hooks/claim-review", "/codes/no-such-code", "/no-such-page",
]  # fmt: skip
LONGEST_ON_A_PHONE = 9_000  # pixels of a code's page
SCREEN = 900
API_MOST_BYTES = 2_500_000  # Swagger UI, which is loaded from here and kept by the browser


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_kind_of_page_is_open_to_everybody(look: Look, path: str, width: int, scheme: Scheme) -> None:
    with look(width=width, scheme=scheme) as seen:
        seen.refusals = 1 if "no-such" in path else 0
        seen.go(path)
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < MOST_BYTES
        assert seen.milliseconds_to_paint() < MOST_MILLISECONDS
        seen.keep(f"reference{re.sub('[^a-z0-9]', '-', path)}-{width}-{scheme}")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_tables_of_a_code_open_without_a_script(look: Look, width: int) -> None:
    with look(width=width) as seen:
        seen.go("/codes/93351")
        for summary in seen.page.locator("details.table > summary").all():
            summary.click()
        assert seen.page.locator("details.table:not([open])").count() == 0
        assert not seen.is_wider_than_the_screen()
        assert seen.barriers() == []
        seen.keep(f"reference-tables-{width}")


@pytest.mark.exhaustive
def test_the_page_of_every_code_fits_a_phone(look: Look) -> None:
    codes = sorted({entry.code for entry in CODES})
    assert codes
    with look(width=PHONE) as seen:
        for code in codes:
            seen.go(f"/codes/{code}")
            height = seen.page.evaluate("document.documentElement.scrollHeight")
            assert height < LONGEST_ON_A_PHONE, code
            assert not seen.is_wider_than_the_screen(), code


def test_the_facts_of_a_code_are_on_the_first_screen(look: Look) -> None:
    with look(width=DESK) as seen:
        seen.go("/codes/93352")
        assert seen.page.locator(".glance").evaluate("each => each.getBoundingClientRect().bottom") < SCREEN
        assert seen.page.locator(".glance .topic").count() == len(titles := GLANCE) + 1
        assert seen.page.locator(".glance .topic h2").all_inner_texts() == [*titles, "Claims to try"]
        seen.keep("reference-glance", whole=False)


GLANCE = [
    "Goes with", "Never with", "How often", "Who gives, who reads", "Need", "Setting", "Medicare payment", "Modifiers",
    "Another code instead",
]  # fmt: skip


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_claims_of_a_code_open_with_their_verdict(look: Look, width: int) -> None:
    page = reference().page("93352")
    assert page
    assert page.glance.examples
    for each in page.glance.examples:
        with look(width=width) as seen:
            seen.go("/codes/93352")
            seen.page.locator(f'.claims a[href="/claim#{quote(each.notation)}"]').click()
            expect(seen.page).to_have_url(re.compile("/claim#"))
            verdict = seen.page.locator("#verdict .verdict")
            expect(verdict).to_be_visible()
            seen.settle()
            advice = seen.page.locator("main .advice h3")
            if each.right:
                assert advice.count() == 0
            else:
                expect(advice.first).to_be_visible()
                expect(seen.page.locator(".advice").filter(has_text=each.rule).first).to_be_visible()
            assert not seen.is_wider_than_the_screen()


@pytest.mark.exhaustive
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_an_operation_is_tried_on_the_page_of_the_api(look: Look, width: int) -> None:
    with look(width=width) as seen:
        seen.go("/api")
        expect(seen.page.locator(".opblock").first).to_be_visible()
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < API_MOST_BYTES
        seen.keep(f"reference-api-{width}")
        seen.page.locator("#operations-Review-claim .opblock-summary-control").click()
        seen.page.get_by_role("button", name="Try it out").click()
        seen.page.locator("textarea.body-param__text").fill('{"text": "professional: 93306, 93352\\nday: 2026-11-03"}')
        seen.page.get_by_role("button", name="Execute").click()
        expect(seen.page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
        expect(seen.page.locator(".live-responses-table")).to_contain_text("add-on-without-primary")
        expect(seen.page.locator(".curl")).to_contain_text("curl -X 'POST'")
        expect(seen.page.locator(".curl-command .copy-to-clipboard")).to_be_visible()
        assert seen.page.locator(".errors-wrapper").count() == 0, "every reference of the document is resolved"
        assert not seen.is_wider_than_the_screen()


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
