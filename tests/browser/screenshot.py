"""Takes the README's picture of a card from the running page: `make screenshot`."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import launched, looking
from tests.support.running import running

SAMPLE = "contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border"


def take(path: Path) -> None:
    """Write a picture of the first card of a sample, as the sandbox shows it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), CDS_MODE="development") as service,
        sync_playwright() as playwright,
    ):
        browser = launched(playwright)
        with looking(browser, service.address, width=1100) as seen:
            seen.go(f"/sandbox?sample={SAMPLE}")
            seen.page.locator("#card-1").screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
