"""Mutants that were judged to be equivalent: the file, strictly read, and its entries among the mutants."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.mutants.making import Mutant, mutants_of
from tests.support.running import ROOT

FILE = Path(__file__).with_name("accepted.yaml")
_KEYS = {"module", "was", "becomes", "why"}


@dataclass(frozen=True)
class Accepted:
    """A change that alters nothing anyone can observe, and why: of whole lines, or of one place in a line."""

    module: str
    was: str
    becomes: str
    why: str

    def matches(self, mutant: Mutant) -> bool:
        """True for a mutant that is this change. Cheap for most others: their texts are not made."""
        if mutant.module != self.module or self.was.splitlines()[0] not in mutant.line:
            return False
        places = (found.start() for found in re.finditer(re.escape(self.was), mutant.was))
        return any(self._at(place, mutant.was) == mutant.becomes for place in places)

    def _at(self, place: int, text: str) -> str:
        return text[:place] + self.becomes + text[place + len(self.was) :]


def accepted(text: str | None = None) -> list[Accepted]:
    """The entries of the file. Raises ValueError if one lacks a key, has another, or gives no reason."""
    entries = yaml.safe_load(FILE.read_text() if text is None else text)
    for entry in entries:
        if entry.keys() != _KEYS or not all(str(value).strip() for value in entry.values()):
            raise ValueError(f"{entry}: expected {', '.join(sorted(_KEYS))}, each with a text")
    return [Accepted(**{key: str(value).strip() for key, value in entry.items()}) for entry in entries]


def outdated(entries: Iterable[Accepted]) -> Iterator[Accepted]:
    """The entries that are no mutant of the sources as they are."""
    for entry in entries:
        path = ROOT / entry.module
        made = mutants_of(entry.module, path.read_text()) if path.exists() else ()
        if not any(entry.matches(mutant) for mutant in made):
            yield entry
