"""The agents and drugs that a description says were given, with their doses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cds_service.ask.case_knowledge import CaseKnowledge, CaseWords
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
    """The agents and drugs that were given, each once; the spans of denied ones, and of those not said to be given."""

    agents: tuple[Agent, ...]
    denied: frozenset[Span]
    unsure: frozenset[Span]


def products_in(
    text: str, spans: Iterable[Span], doubtful: frozenset[Span], knowledge: CaseKnowledge, answers_from: int
) -> Products:
    """The products of a description; one whose amount is denied is denied.

    `doubtful` spans are no evidence. `answers_from` is the place in the text from which it answers questions. A dose
    that is stated twice, with different numbers, or beside mL of which the text does not say whose they are, is not
    known, unless an answer states it.
    """
    told = [each for each in spans if each.kind in _KINDS | _AMOUNTS]
    owners = _owners(text, told, knowledge.words)
    found: dict[str, dict[str, list[Span]]] = {}
    denied, unsure = set[Span](), set[Span]()
    for span in (each for each in told if each.kind in _KINDS):
        amounts = [each for each in told if owners.get(each) is span]
        name = _name(span, knowledge)
        if span.negated or any(each.negated for each in amounts):
            denied.add(span)
        elif not name or span in doubtful or _is_unsure(text, span, told, amounts, knowledge):
            unsure.add(span)
        else:
            of_agent = found.setdefault(name, {kind: [] for kind in _AMOUNTS})
            for each in amounts:
                of_agent[each.kind].append(each)
    doses_from = answers_from if any(_is_stray(text, each, owners, knowledge.words) for each in told) else 0
    agents = (
        Agent(
            name,
            dose=_stated([each for each in amounts["amount"] if each.start >= doses_from], answers_from),
            discarded=_stated(amounts["discarded"], answers_from),
        )
        for name, amounts in found.items()
    )
    return Products(tuple(agents), frozenset(denied), frozenset(unsure))


def _stated(amounts: list[Span], answers_from: int) -> str:
    """The amount that is stated, an answer's first; empty if there are several."""
    answers = {each.value for each in amounts if each.start >= answers_from}
    values = answers or {each.value for each in amounts}
    return values.pop() if len(values) == 1 else ""


def _name(span: Span, knowledge: CaseKnowledge) -> str:
    """The name in billers' notation; empty for an NDC that names none, or several."""
    known = knowledge.recognized
    codes = sorted(known.named_by(span.value)) if span.kind == "ndc" else known.codes_of[span.value]
    names = {known.given_as[each] for each in codes if each in known.given_as}
    return names.pop() if len(names) == 1 else ""


def _owners(text: str, told: list[Span], words: CaseWords) -> dict[Span, Span]:
    """The product of each amount, where the text says whose it is; an amount of something else has none."""
    products = [each for each in told if each.kind in _KINDS]
    found: dict[Span, Span] = {}
    for span in (each for each in told if each.kind in _AMOUNTS):
        owner = _owner(text, span, told, words)
        if owner is None and span.kind == "discarded" and len({each.value for each in products}) == 1:
            owner = products[0]
        if owner is not None:
            found[span] = owner
    return found


def _is_stray(text: str, span: Span, owners: dict[Span, Span], words: CaseWords) -> bool:
    """True for mL that are of no product, and not of another fluid."""
    is_dose = span.kind == "amount" and span.value.endswith("mL") and not span.negated
    return is_dose and span not in owners and not _is_other(text, span, words)


def _is_other(text: str, span: Span, words: CaseWords) -> bool:
    """True for the amount of another fluid (`8 mL of saline`), and for the size of a vial."""
    behind = plain_words(text[span.end :])
    return bool(behind) and behind[: 1 + (behind[0] == "of")][-1] in words.not_dose


def _owner(text: str, span: Span, told: list[Span], words: CaseWords) -> Span | None:
    """The product right behind an amount (`1.3 mL of X`), else the one before it, with only words of a dose between."""
    products = [each for each in told if each.kind in _KINDS]
    behind = next((each for each in products if each.start >= span.end), None)
    if behind is not None and text[span.end : behind.start].split() in ([], ["of"]):
        return behind
    if _is_other(text, span, words):
        return None
    before = next((each for each in reversed(products) if each.end <= span.start), None)
    if before is None:
        return None
    amounts = [each for each in told if each.kind in _AMOUNTS and before.end <= each.start < span.start]
    edges = [before.end, *(edge for each in amounts for edge in (each.start, each.end)), span.start]
    between = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    is_dose = {*plain_words(" ".join(between))} <= {word for each in words.dose for word in plain_words(each)}
    return before if is_dose else None


def _is_unsure(text: str, span: Span, told: list[Span], amounts: list[Span], knowledge: CaseKnowledge) -> bool:
    """True if the clause says that it was ordered, considered or discarded, and not that it was given."""
    words = knowledge.words
    others = [each for each in told if each is not span and each not in amounts]
    start = max((each.end for each in others if each.end <= span.start), default=0)
    end = min((each.start for each in others if each.start >= span.end), default=len(text))
    clause = {*plain_words(clause_before(text[start : span.start])), *plain_words(clause_behind(text[span.end : end]))}
    given = {word for each in words.given for word in plain_words(each)}
    unsure = {word for each in words.unsure for word in plain_words(each)}
    is_waste_alone = bool(amounts) and all(each.kind == "discarded" for each in amounts)
    return (bool(clause & unsure) or is_waste_alone) and not clause & given
