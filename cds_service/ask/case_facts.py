"""A described case taken apart: what the text says, with the spans that say it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from cds_service.ask.case_knowledge import NOT, CaseKnowledge, ClaimKind
from cds_service.ask.case_people import with_people
from cds_service.ask.case_products import Agent, products_in
from cds_service.ask.spans import Reading, Span
from cds_service.core.notation import parse_line

# What stands behind this sign answers questions, and counts more than the text before it.
ANSWERS = "|"


class CaseSpan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recognized part of a description: `text[start:end]`, its kind and its value.

    `negated`: the text says that it is not so. `corrected`: its spelling was corrected. `unsure`: the text does not say
    that it happened, as of an agent that was only ordered.
    """

    start: int
    end: int
    text: str
    kind: str
    value: str
    negated: bool = False
    corrected: bool = False
    unsure: bool = False


@dataclass(frozen=True)
class CaseFacts:
    """The statements of a description; of two parts that contradict each other, neither is said."""

    reading: Reading
    spans: tuple[Span, ...]
    unsure: frozenset[Span]
    agents: tuple[Agent, ...]
    knowledge: CaseKnowledge

    @property
    def understood(self) -> tuple[CaseSpan, ...]:
        """The recognized parts, in order."""
        text = self.reading.text
        return tuple(
            CaseSpan(
                start=each.start,
                end=each.end,
                text=text[each.start : each.end],
                kind=each.kind,
                value=each.value,
                negated=each.negated,
                corrected=each.corrected,
                unsure=each in self.unsure,
            )
            for each in self.spans
        )

    @property
    def not_understood(self) -> tuple[str, ...]:
        """The words that were not understood."""
        return self.reading.not_understood

    # --- statements -------------------------------------------------------------------------------------------------

    @cached_property
    def said(self) -> dict[str, bool]:
        """The statements: true if said, false if denied; those neither said nor denied are missing."""
        before, answers = self._parts(self.spans)
        return self._statements(before) | self._statements(answers)

    def holds(self, statement: str) -> bool | None:
        """True if a statement (`X` or `not X`) holds, False if not, None if the text does not say."""
        found = self.said.get(statement.removeprefix(NOT))
        return found if found is None or not statement.startswith(NOT) else not found

    def _statements(self, spans: Iterable[Span]) -> dict[str, bool]:
        words = self.knowledge.words
        found: dict[str, set[bool]] = {}
        for span in spans:
            if span.kind != "performed" or span in self.unsure:
                continue
            stated = words.means.get(span.value, (span.value,))
            if span.negated and len(stated) > 1:
                continue  # a part of it may be so
            for each in stated:
                is_so = each.startswith(NOT) == span.negated
                found.setdefault(each.removeprefix(NOT), set()).add(is_so)
        said = {name: values.pop() for name, values in found.items() if len(values) == 1}
        for work, of_another in words.by_another.items():
            if said.get(of_another):
                for each in words.means.get(work, (work,)):
                    if said.pop(each, None) is not True:  # done by both: not certain
                        said[each] = False
        for name, causes in words.follows.items():
            if any(said.get(each) for each in causes):
                said.setdefault(name, True)
        return said

    # --- parts of the claim -----------------------------------------------------------------------------------------

    @cached_property
    def studies(self) -> tuple[str, ...]:
        """The studies that were done."""
        return tuple(dict.fromkeys(each.value for each in self._of("study")))

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The charge lines that the text names, in billers' notation."""
        return tuple(dict.fromkeys(each.value for each in self._of("code")))

    @property
    def names_study(self) -> bool:
        """True if a line of a study is named."""
        return any(parse_line(each).code in self.knowledge.studies for each in self.lines)

    @cached_property
    def payer(self) -> str:
        """The payer; empty if none is said, or several."""
        return self._only("payer")

    @cached_property
    def day(self) -> str:
        """The date of service as YYYY-MM-DD; empty if none is said, or several."""
        return self._only("day")

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """The diagnoses."""
        return tuple(dict.fromkeys(each.value for each in self._of("diagnosis")))

    @cached_property
    def claim_type(self) -> str:
        """`professional` or `institutional`; empty if not said."""
        return self._only("claim")

    @cached_property
    def claim_keys(self) -> dict[str, str]:
        """The keys of the claim in billers' notation (`claim_type`, `place`, `bill`); empty if they are not certain."""
        if place := self._only("place"):
            return {"claim_type": "professional", "place": place} if self.claim_type != "institutional" else {}
        if bill := self._only("bill"):
            is_hospital = self.claim_type != "professional"
            return {"claim_type": "institutional", "bill": bill.zfill(4)} if is_hospital else {}
        claims = self._claims_of_setting()
        wanted = self.claim_type or (next(iter(claims)) if len(claims) == 1 else "")
        if not claims and not self._of("setting") and wanted == "institutional":
            return {"claim_type": wanted}
        return {"claim_type": wanted, **claims[wanted]} if wanted in claims else {}

    @property
    def has_setting(self) -> bool:
        """True if a setting is said in which several claims are made, and not which of them."""
        return len(self._claims_of_setting()) > 1 and not self.claim_type

    @property
    def claim_kind(self) -> ClaimKind | None:
        """The kind of claim; None if it is not certain, or if the decision table does not know the place."""
        if self.claim_keys.get("claim_type") == "institutional":
            return "hospital"
        return self.knowledge.claim_kinds.get(self.claim_keys.get("place", ""))

    @cached_property
    def has_contrast(self) -> bool | None:
        """True if an agent was given, False if the text says that none was, None if it does not say."""
        for spans in reversed(self._parts(self.spans)):
            is_denied = self._statements(spans).get("contrast") is False
            is_given = any(each.value in self.knowledge.agents and self._is_so(each) for each in spans)
            if is_denied or is_given:
                return None if is_denied and is_given else is_given
        return None

    def _is_so(self, span: Span) -> bool:
        return span not in self.unsure and not span.negated

    def _claims_of_setting(self) -> dict[str, dict[str, str]]:
        setting = self._only("setting")
        return self.knowledge.recognized.words.settings[setting].claims if setting else {}

    def _only(self, kind: str) -> str:
        values = {each.value for each in self._of(kind)}
        return values.pop() if len(values) == 1 else ""

    def _of(self, kind: str) -> list[Span]:
        """The spans of a kind that the text does not deny; those of answers, if there are any."""
        before, answers = self._parts(each for each in self.spans if each.kind == kind and self._is_so(each))
        return answers or before

    def _parts(self, spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
        """The spans of the text, and those of answers."""
        bar = self.reading.text.find(ANSWERS)
        every = list(spans)
        return [each for each in every if bar < 0 or each.start < bar], [
            each for each in every if 0 <= bar < each.start
        ]


def case_facts(reading: Reading, knowledge: CaseKnowledge) -> CaseFacts:
    """The facts of a description's reading."""
    spans, unsure = with_people(reading, knowledge.words)
    bar = reading.text.find(ANSWERS)
    products = products_in(reading.text, spans, unsure, knowledge, bar if bar >= 0 else len(reading.text))
    denied = tuple(msgspec.structs.replace(each, negated=True) if each in products.denied else each for each in spans)
    return CaseFacts(reading, denied, unsure | products.unsure, products.agents, knowledge)
