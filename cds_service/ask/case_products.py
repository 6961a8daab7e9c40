"""The agents and drugs that a description says were given, with their doses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cds_service.ask.case_knowledge import CaseKnowledge
from cds_service.ask.lexicon import plain_words
from cds_service.ask.negation import clause_before, clause_behind
from cds_service.ask.spans import Span

_KINDS = {"product", "drug", "ndc"}
_AMOUNTS = {"amount", "discarded"}


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent or drug that was given: its name in billers' notation, its dose and what was discarded (`1.3 mL`)."""

    name: str
    dose: str = ""
    discarded: str = ""

    def given(self, nothing_discarded: bool) -> str:
        """The administration in billers' notation."""
        dose = f"{self.name} {self.dose}".rstrip()
        if self.discarded.endswith("mL"):
            return f"{dose}, {self.discarded} discarded"
        return f"{dose}, nothing discarded" if nothing_discarded and self.dose.endswith("mL") else dose


class Products(NamedTuple):
    """What was given, each once; the spans of products that were denied, and of those not said to have been given."""

    agents: tuple[Agent, ...]
    denied: frozenset[Span]
    unsure: frozenset[Span]


def products_in(text: str, spans: Iterable[Span], knowledge: CaseKnowledge) -> Products:
    """The products of a description; one whose amount is denied is denied."""
    told = [each for each in spans if each.kind in _KINDS | _AMOUNTS]
    owners = _owners(text, told)
    found: dict[str, dict[str, str]] = {}
    denied, unsure = set[Span](), set[Span]()
    for span in (each for each in told if each.kind in _KINDS):
        amounts = [each for each in told if owners.get(each) is span]
        name = _name(span, knowledge)
        if span.negated or any(each.negated for each in amounts):
            denied.add(span)
            continue
        if not name or _is_unsure(text, span, told, amounts, knowledge):
            unsure.add(span)
            continue
        of_agent = found.setdefault(name, {})
        of_agent.update({each.kind: each.value for each in amounts})
    agents = (Agent(name, each.get("amount", ""), each.get("discarded", "")) for name, each in found.items())
    return Products(tuple(agents), frozenset(denied), frozenset(unsure))


def _name(span: Span, knowledge: CaseKnowledge) -> str:
    """The name in billers' notation; empty for an NDC that names none, or several."""
    known = knowledge.recognized
    codes = sorted(known.named_by(span.value)) if span.kind == "ndc" else known.codes_of[span.value]
    names = {known.given_as[each] for each in codes if each in known.given_as}
    return names.pop() if len(names) == 1 else ""


def _owners(text: str, told: list[Span]) -> dict[Span, Span]:
    """The product of each amount: the one right behind it, else the one before it, else the next."""
    products = [each for each in told if each.kind in _KINDS]
    found: dict[Span, Span] = {}
    for span in told:
        if span.kind not in _AMOUNTS or not products:
            continue
        behind = next((each for each in products if each.start >= span.end), None)
        before = next((each for each in reversed(products) if each.end <= span.start), None)
        is_right_behind = behind is not None and plain_words(text[span.end : behind.start]) in {(), ("of",)}
        is_apart = behind is not None and any(each in ",;." for each in text[span.end : behind.start])
        chosen = behind if is_right_behind and not is_apart else before or behind
        if chosen is not None:
            found[span] = chosen
    return found


def _is_unsure(text: str, span: Span, told: list[Span], amounts: list[Span], knowledge: CaseKnowledge) -> bool:
    """True if the clause says that it was ordered or considered, and not that it was given."""
    words = knowledge.words
    others = [each for each in told if each is not span and each not in amounts]
    start = max((each.end for each in others if each.end <= span.start), default=0)
    end = min((each.start for each in others if each.start >= span.end), default=len(text))
    clause = {*plain_words(clause_before(text[start : span.start])), *plain_words(clause_behind(text[span.end : end]))}
    given = {word for each in words.given for word in plain_words(each)}
    unsure = {word for each in words.unsure for word in plain_words(each)}
    return bool(clause & unsure) and not clause & given
