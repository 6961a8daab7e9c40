"""The system's Chromium, and a page in it as the tests see it."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect
from playwright.sync_api import Request as BrowserRequest

from cds_service.languages.known import LANGUAGES

Scheme = Literal["light", "dark"]

# Neither colors nor the width change what the other does to a page: each is tried, and not every pair.
SCREENS: tuple[tuple[int, Scheme], ...] = ((360, "light"), (1600, "dark"))
PHONE, DESK = 390, 1440
# Every language on a phone, where room is scarce; at a desk one of each direction and kind of script.
LANGUAGES_ON_SCREENS = [*((each.tag, PHONE) for each in LANGUAGES), *((tag, DESK) for tag in ("ar", "zh-Hans", "vi"))]

# The shell draws and runs pages as Chromium does, without its windows, in half of the CPU time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCREENSHOTS = os.environ.get("SCREENSHOTS")

# Limits for one page load: bytes transferred, and milliseconds until the first paint.
MOST_BYTES = 200 * 1024
MOST_MILLISECONDS = 10_000

# Time that a test waits for a page to change, in milliseconds.
PATIENCE = 10_000


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)


@dataclass
class Looking:
    """A page in the browser, and the faults it had meanwhile.

    `refusals` is the number of calls that the service is expected to refuse: the browser writes each to its console.
    """

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)
    refusals: int = 0

    def go(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the answer is shown."""
        if self.page.locator("#stage").count():
            self.page.wait_for_selector("#stage[aria-busy=false]")

    def keep(self, name: str, whole: bool = True) -> None:
        """Save a screenshot for reviewers, where the environment names a folder for them: drawing takes a second."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=whole)

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).inner_text().split())

    def barriers(self) -> list[str]:
        """Accessibility violations of WCAG 2.2 AA found by axe-core: the rule and the element."""
        # While a part fades in, its contrast is that of neither state.
        self.page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
        found: dict[str, Any] = Axe().run(self.page, options={"runOnly": WCAG, "resultTypes": ["violations"]}).response
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def bytes_taken(self) -> int:
        """Size of the page with all its parts, as transferred."""
        script = "performance.getEntries().map(each => each.transferSize || 0).reduce((a, b) => a + b, 0)"
        return int(self.page.evaluate(script))

    def milliseconds_to_paint(self) -> float:
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        self.page.wait_for_function(f"{paint} !== undefined")  # a page may be loaded before it is painted
        return float(self.page.evaluate(paint))

    def is_wider_than_the_screen(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def refused(seen: Looking) -> list[str]:
    """Calls that the service refused, as the console tells of them."""
    return [each for each in seen.faults if "the server responded with a status of 4" in each]


@contextmanager
def looking(browser: Browser, address: str, width: int = 1280, scheme: Scheme = "light") -> Iterator[Looking]:
    """A new page. Console errors and requests to other origins fail the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page = context.new_page()
    seen = Looking(page, address)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.faults.append(f"console: {message.text}")

    def on_request(request: BrowserRequest) -> None:
        if not request.url.startswith((f"{address}/", "blob:")):
            seen.faults.append(f"called {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.faults.append(f"error: {error}"))
    page.on("request", on_request)
    yield seen
    # A page may show a first refusal while a second call is under way, and the console tells of each after its answer.
    deadline = time.monotonic() + PATIENCE / 1000
    while len(refused(seen)) < seen.refusals and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    page.wait_for_load_state("networkidle")
    assert seen.faults == refused(seen)
    assert len(seen.faults) == seen.refusals
    context.close()
