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
_CHARGED = re.compile(r"(.*?) (?:is )?(?:charged|ordered)\b")
_CODE = re.compile(r"\b[0-9A-Z]{5}\b")

# The rules that take a charge off because something is not there; it may be what could not be read.
NO_CONTRAST_ON_RECORD = "contrast-not-supported"
ABOUT_ABSENCE = frozenset({"add-on-without-primary", NO_CONTRAST_ON_RECORD})

_BILLED = "ExplanationOfBenefit: reviewed as billed charges"
_NOT_SENT = re.compile(r"not understood: (.*) was not sent")
_UNNAMED_PAYER = "states neither a type of plan nor a payor's name"


@dataclass(frozen=True)
class Spoken:
    """Comparable content of an answer: its advice, without ids that are always new, and its warnings by path."""

    advice: Json
    warnings: tuple[tuple[str, str], ...]

    def warns_of(self, place: str) -> bool:
        """True if a warning names a path, or one around or within it."""
        return any(related(location, place) for location, _ in self.warnings)

    def has_no_need_of(self, message: str, base: "Spoken") -> bool:
        """True if a warning of the base belongs to advice that this answer does not give, or is given elsewhere.

        That billed charges cannot be changed is said once, where a finding cites some. A payer that was not understood
        is told if advice depends on it.
        """
        if message.startswith(_BILLED):
            cites = "ExplanationOfBenefit" in _text(self.advised)
            return not cites or any(each == message for _, each in self.warnings)
        of_reference = _NOT_SENT.match(message)
        reason = f"names {of_reference[1]}, which was not sent" if of_reference else _UNNAMED_PAYER
        return (of_reference is not None or _UNNAMED_PAYER in message) and (
            base.leaves_open(reason) and not self.leaves_open(reason)
        )

    def leaves_open(self, reason: str) -> bool:
        """True if a rule was not checked for a reason with these words."""
        return any(reason in each["reason"] for each in self.advice["notChecked"])

    @cached_property
    def additions(self) -> frozenset[str]:
        """The codes that it would add."""
        return frozenset(_ADDED.findall(_text(self.advice)))

    @cached_property
    def removals(self) -> frozenset[str]:
        """The codes that it would take off."""
        return frozenset(_REMOVED.findall(_text(self.advice)))

    def removals_for_lack_of(self, rules: frozenset[str]) -> frozenset[str]:
        """The codes that rules of absence would take off: those of a fix, and those of a finding that says "remove
        them" of all that it names as charged.
        """
        found = [each for each in self.advised if _rule(each) in rules]
        named = (_CHARGED.match(each["summary"]) for each in found)
        charged = (code for match in named if match for code in _CODE.findall(match[1]))
        return frozenset(_REMOVED.findall(_text(found))) | frozenset(charged)

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
