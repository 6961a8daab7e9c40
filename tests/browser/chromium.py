"""The system's Chromium, and what a test sees of a page in it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright
from playwright.sync_api import Request as BrowserRequest

from tests.support.running import ROOT

Scheme = Literal["light", "dark"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(__file__).parent / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCREENSHOTS = ROOT / "build" / "screenshots"

# What one look at a page may weigh, as it travels, and how long it may stay white.
MOST_BYTES = 200 * 1024
MOST_MILLISECONDS = 10_000

# How long a test waits for a page to do what it should, in milliseconds.
PATIENCE = 10_000


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)


@dataclass
class Looking:
    """A page that somebody looks at, and what went wrong meanwhile.

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
        """Wait until the answer of the service is drawn."""
        if self.page.locator("#stage").count():
            self.page.wait_for_selector("#stage[aria-busy=false]")

    def keep(self, name: str, whole: bool = True) -> None:
        """A picture for those who review a change."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).inner_text().split())

    def barriers(self) -> list[str]:
        """What keeps people out, by axe-core: the rule and where."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = json.dumps({"runOnly": WCAG})
        found: dict[str, Any] = self.page.evaluate(f"axe.run(document, {options})")
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def bytes_taken(self) -> int:
        """What the page and all that belongs to it weighed on the way."""
        script = "performance.getEntries().map(each => each.transferSize || 0).reduce((a, b) => a + b, 0)"
        return int(self.page.evaluate(script))

    def milliseconds_to_paint(self) -> float:
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        self.page.wait_for_function(f"{paint} !== undefined")  # a page may be loaded before it is painted
        return float(self.page.evaluate(paint))

    def is_wider_than_the_screen(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@contextmanager
def looking(browser: Browser, address: str, width: int = 1280, scheme: Scheme = "light") -> Iterator[Looking]:
    """A page of its own. Whatever it writes to the console, and every call to elsewhere, is a fault of the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
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
    refused = [each for each in seen.faults if "the server responded with a status of 4" in each]
    assert [each for each in seen.faults if each not in refused] == []
    assert len(refused) == seen.refusals
    context.close()
