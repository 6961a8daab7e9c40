"""The published texts about codes are those that were approved: `published.py` says how to approve a change."""

import pytest

from tests.unit.published import KINDS, approved, written


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_was_approved(kind: str) -> None:
    published = written(kind)
    assert len(published) > 10_000
    assert published == approved(kind).read_text(encoding="utf-8"), "`make docs`, then read the difference"
