"""The comparable content of an answer."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from tests.fuzz.answers import EXACT
from tests.fuzz.bases import REVIEW
from tests.fuzz.places import related
from tests.support.ehr import about_echo, said

Json = dict[str, Any]

_ADDED = re.compile(r"\badd ([0-9A-Z]{5})\b", re.IGNORECASE)
_REMOVED = re.compile(r"\b(?:remove|replace) ([0-9A-Z]{5})\b", re.IGNORECASE)

# The rules that take a charge off because something is not there; it may be what could not be read.
_OF_ABSENCE = {"add-on-without-primary", "contrast-not-supported"}


@dataclass(frozen=True)
class Spoken:
    """Comparable content of an answer: its advice, without ids that are always new, and its warnings by path."""

    advice: Json
    warnings: tuple[tuple[str, str], ...]

    def warns_of(self, place: str) -> bool:
        """True if a warning names a path, or one around or within it."""
        return any(related(location, place) for location, _ in self.warnings)

    @cached_property
    def additions(self) -> frozenset[str]:
        """The codes that it would add."""
        return frozenset(_ADDED.findall(_text(self.advice)))

    @cached_property
    def removals(self) -> frozenset[str]:
        """The codes that it would take off."""
        return frozenset(_REMOVED.findall(_text(self.advice)))

    @cached_property
    def removals_for_absence(self) -> frozenset[str]:
        """The codes that it would take off because something is not there."""
        return frozenset(_REMOVED.findall(_text([each for each in self.advised if _rule(each) in _OF_ABSENCE])))

    @property
    def advised(self) -> list[Json]:
        """The cards, or the findings."""
        return list(self.advice.get("cards") or self.advice.get("findings") or ())

    @property
    def suggestions(self) -> list[Json]:
        """The suggestions that can be applied."""
        ways = [way for each in self.advised for way in each.get("suggestions") or each.get("remedies") or ()]
        return [way for way in ways if way["actions"]]

    @cached_property
    def in_words(self) -> Json:
        """The advice as people read it, without what can be carried out by itself."""
        return self.advice | {name: [_in_words(each) for each in self.advice[name]] for name in self._lists}

    @property
    def _lists(self) -> set[str]:
        return {"cards", "findings"} & set(self.advice)

    def difference(self, other: "Spoken") -> str:
        """A short text of the content that only one of two answers has."""
        old, new = self._statements, other._statements
        words = [f"-{each}" for each in old if each not in new][:3] + [f"+{each}" for each in new if each not in old][
            :3
        ]
        return " ".join(words) or "in its details"

    @property
    def _statements(self) -> list[str]:
        unchecked = [f"not checked {each['rule']}: {each['reason']}" for each in self.advice["notChecked"]]
        return [each["summary"] for each in self.advised] + unchecked


def spoken(path: str, body: bytes) -> Spoken:
    """The comparable content of an answer of a service or of `/review`; fetched and sent data count alike."""
    content = EXACT.decode(body.replace(b" in fhirServer.", b" in prefetch."))
    if path == REVIEW:
        advice = {name: content[name] for name in ("findings", "passed", "notChecked")}
        return Spoken(_bare(advice), _places(content["warnings"]))
    return Spoken(_bare(said(content)), _places(about_echo(content).get("warnings", [])))


def _places(warnings: list[Json]) -> tuple[tuple[str, str], ...]:
    return tuple((each["location"], each["message"]) for each in warnings)


def _bare(advice: Any) -> Any:
    """Advice without the client's own resources, which go back as they came, whatever the client writes into them."""
    if isinstance(advice, list):
        return [_bare(each) for each in advice]
    if not isinstance(advice, dict):
        return advice
    hidden = {"resource"} if advice.get("type") == "update" else set[str]()
    return {name: _bare(value) for name, value in advice.items() if name not in hidden}


def _in_words(advised: Json) -> Json:
    if "remedies" in advised:
        return advised | {"remedies": [way | {"actions": []} for way in advised["remedies"]]}
    return {name: value for name, value in advised.items() if name not in {"suggestions", "selectionBehavior"}}


def _text(advice: Any) -> str:
    return msgspec.json.encode(advice).decode()


def _rule(advised: Json) -> str:
    return str(advised["rule"] if "rule" in advised else advised["source"]["topic"]["code"])
