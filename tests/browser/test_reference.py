"""The pages of codes and rules in a browser."""

import pytest

from tests.browser.chromium import MOST_BYTES, MOST_MILLISECONDS
from tests.browser.conftest import Look

PATHS = ["/codes", "/codes/93352", "/rules", "/rules/contrast-add-on-missing", "/glossary", "/codes/no-such-code"]


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
        seen.keep(f"reference{path.replace('/', '-')}-{width}-{scheme}")
