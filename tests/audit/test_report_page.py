"""The audit's report in a browser: fifty findings at a time, search and filters, on a desk and on a phone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from cds_service.audit.fees import load_fees
from cds_service.audit.html_report import render
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.browser.chromium import DESK, PHONE, Looking
from tests.support import synth
from tests.support.audits import audited, findings
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(3)

TALLEST = 15_000  # pixels of the page on a phone; all findings at once took 71,308


def _make() -> object:
    return create_auditor(Settings(), load_fees(ROOT / "deploy" / "fees.example.csv"), everything=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit with more findings than a page shows at a time."""
    folder = tmp_path_factory.mktemp("report")
    synth.write(synth.generate(1200, seed=11, error_share=0.7), folder / "export", seed=11)
    audited(folder / "export", folder / "out", ("MedicationAdministration", "Procedure"), make=_make)
    assert len(findings(folder / "out")) > 120
    return folder / "out"


@pytest.fixture(params=[DESK, PHONE])
def page(request: pytest.FixtureRequest, browser: Browser, out: Path) -> Iterator[Page]:
    opened, faults = browser.new_page(viewport={"width": request.param, "height": 900}), list[str]()
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda sent: faults.append(sent.url) if not sent.url.startswith("file:") else None)
    opened.goto(f"file://{out}/report.html")
    yield opened
    assert faults == []
    opened.close()


def shown(page: Page) -> int:
    return page.locator(".findings tbody tr:visible").count()


def width_of(page: Page) -> int:
    assert page.viewport_size
    return page.viewport_size["width"]


def test_fifty_findings_are_shown_at_a_time(page: Page, out: Path) -> None:
    total = len(findings(out))
    assert (shown(page), page.inner_text("#shown")) == (50, f"1 to 50 of {total}")
    assert page.is_disabled("#previous")
    page.click("#next")
    assert (shown(page), page.inner_text("#shown")) == (50, f"51 to 100 of {total}")
    for _ in range((total - 1) // 50 - 1):
        page.click("#next")
    assert page.is_disabled("#next")
    assert shown(page) == total % 50 or 50
    page.click("#previous")
    assert shown(page) == 50


def test_findings_are_filtered_and_searched(page: Page, out: Path) -> None:
    every = findings(out)
    page.click("#next")
    for name, value in (("payer", "Medicare"), ("practitioner", "Dr. Baker"), ("rule", "contrast-add-on-missing")):
        page.select_option(f"#{name}", value)
        every = [row for row in every if row[name] == value]
        assert page.inner_text("#shown").endswith(f" of {len(every)}"), "a filter begins with the first page"
    page.select_option("#worth", "25")
    worth = [row for row in every if row["value"] is not None and abs(row["value"]) >= 25]
    assert page.inner_text("#shown").endswith(f" of {len(worth)}")
    assert worth
    page.fill("#search", f"{worth[0]['patient']} 93352")
    assert page.inner_text("#shown") == "1 to 1 of 1"
    page.fill("#search", "no such patient")
    assert (shown(page), page.inner_text("#shown")) == (0, "No finding fits")
    page.click("#clear")
    assert page.inner_text("#shown").endswith(f" of {len(findings(out))}")


def test_a_finding_opens_with_its_evidence(page: Page) -> None:
    page.locator(".findings summary").first.click()
    opened = page.locator(".findings details[open]").first
    assert "Fix: " in opened.inner_text() or opened.locator("li").count()
    assert opened.locator(".small").is_visible()


@pytest.mark.exhaustive
def test_the_page_fits_the_screen_and_has_no_barriers(page: Page) -> None:
    looked = Looking(page, "")
    looked.keep(f"audit-report-{width_of(page)}")
    assert not looked.is_wider_than_the_screen()
    assert looked.barriers() == []
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height < {PHONE: TALLEST}.get(width_of(page), float("inf"))


def test_without_scripts_all_findings_are_shown(browser: Browser, out: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"file://{out}/report.html")
    assert opened.locator(".findings tbody tr").count() == len(findings(out))
    assert not opened.locator(".filters").is_visible()
    context.close()


def test_where_there_are_more_findings_than_the_page_has_it_says_where_they_are(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    html = render(summary, findings(out)[:3])
    assert html.count("<tr data-rule=") == 3
    assert "This page has the 3 most important findings, warnings and large estimates first." in html
    assert f"All {summary['total']['findings']:,} are in <code>findings.csv</code>" in html
