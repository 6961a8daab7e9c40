"""Maps each sentence of the CDS Hooks specification to the tests that verify it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import yaml_files

# Where tests name sentences: all of the protocol, and who may call.
TESTS = ("tests/conformance/test_conformance.py", "tests/http/test_authentication.py", "tests/unit/test_tokens.py")

# Names the sentences that a test verifies: `@verifies("k@54")`.
verifies = pytest.mark.verifies


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the specification in our own words, and the names of the tests that show it.

    `not_applicable` says why it does not concern the service.
    """

    id: str
    level: str
    says: str
    tests: tuple[str, ...] = ()
    not_applicable: str = ""

    @property
    def applies(self) -> bool:
        return bool(self.tests)


def sentences() -> tuple[Sentence, ...]:
    """Every sentence, in the order of the specification."""
    entries = yaml_files.read(Path(__file__).parent / "sentences.yaml")
    return tuple(Sentence(**entry | {"tests": tuple(entry.get("tests", ()))}) for entry in entries)


def named_by(item: pytest.Item) -> Iterator[str]:
    """The sentences that a test names."""
    for mark in item.iter_markers("verifies"):
        yield from mark.args
