"""The browser fixtures; without a browser the tests of this folder are skipped, and the run ends with a note."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import CHROMIUM, Looking, looking
from tests.support.running import Service

Look = Callable[..., AbstractContextManager[Looking]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        here = Path(__file__).parent
        left_out = [item for item in items if here in item.path.parents]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def look(browser: Browser, service_process: Service) -> Look:
    """Opens pages of the running service: `with look(width=360) as seen`."""

    def opened(**screen: Any) -> AbstractContextManager[Looking]:
        return looking(browser, service_process.address, **screen)

    return opened
