"""The insights page in a browser, and how it fills from the sandbox."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import MOST_BYTES, MOST_MILLISECONDS, SCREENS, Scheme, looking
from tests.support.call_history import written
from tests.support.running import eventually, running


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with some weeks behind it."""
    with running(tmp_path_factory.mktemp("filled")) as started:
        written(f"sqlite:///{started.database}")
        yield started.address


@pytest.mark.repeats(3)
@pytest.mark.parametrize(("width", "scheme"), [*SCREENS, (1024, "light")])
def test_it_says_something_at_a_glance(browser: Browser, filled: str, width: int, scheme: Scheme) -> None:
    with looking(browser, filled, width, scheme) as seen:
        seen.go("/insights")
        assert seen.text(".figures").startswith("calls answered 11 without a card 45% cards issued 6 accepted 33%")
        assert seen.page.locator("svg.chart .bars rect").count() > 3
        assert seen.barriers() == []
        assert not seen.is_wider_than_the_screen()
        assert seen.bytes_taken() < MOST_BYTES
        assert seen.milliseconds_to_paint() < MOST_MILLISECONDS
        seen.keep(f"insights-{width}-{scheme}")


def test_it_is_filtered_and_downloaded(browser: Browser, filled: str) -> None:
    with looking(browser, filled) as seen:
        seen.go("/insights")
        seen.page.get_by_label("Rule", exact=True).select_option("contrast-supply-missing")
        seen.page.get_by_role("button", name="Show").click()
        expect(seen.page.locator(".figures")).to_contain_text("100%")
        assert seen.page.locator("#by-rule ~ table tbody tr").count() == 1
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("link", name="CSV").first.click()
        assert waiting.value.suggested_filename == "cards.csv"
        assert "contrast-supply-missing" in waiting.value.path().read_text()
        assert "contrast-add-on-missing" not in waiting.value.path().read_text()


def test_it_fills_from_the_sandbox(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("fills")) as started, looking(browser, started.address) as seen:
        seen.go("/insights")
        expect(seen.page.locator("#empty")).to_have_text("No calls yet")
        assert seen.barriers() == []
        seen.keep("insights-empty")
        seen.page.get_by_role("link", name="sandbox", exact=True).click()
        seen.settle()
        seen.page.get_by_role("button", name="Add 93352 and Q9957").click()
        expect(seen.page.locator("#done")).to_contain_text("Accepted")
        seen.page.get_by_role("link", name="Insights").click()

        def all_is_counted() -> bool:  # a call is stored soon after its answer
            seen.page.reload()
            figures = seen.text(".figures")
            return figures.startswith("calls answered 2 without a card 50% cards issued 1 accepted 100%")

        eventually(all_is_counted)
