"""A browser for the tests of this folder; where the system has none they are left out, and the run ends saying so."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import CHROMIUM, Looking, launched, looking
from tests.running import Service

_LEFT_OUT: list[pytest.Item] = []

Look = Callable[..., AbstractContextManager[Looking]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        here = Path(__file__).parent
        _LEFT_OUT[:] = [item for item in items if here in item.path.parents]
        items[:] = [item for item in items if item not in _LEFT_OUT]
        config.hook.pytest_deselected(items=_LEFT_OUT)


def pytest_unconfigure() -> None:
    if _LEFT_OUT:
        hint = "install `chromium` (Debian: apt-get install chromium)"
        sys.stdout.write(f"\n{len(_LEFT_OUT)} tests in a browser were left out: {hint}\n")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def look(browser: Browser, service_process: Service) -> Look:
    """Opens pages of the running service: `with look(width=360) as seen`."""

    def opened(**screen: Any) -> AbstractContextManager[Looking]:
        return looking(browser, service_process.address, **screen)

    return opened
