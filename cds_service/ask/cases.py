"""Cases described in words: what was understood, what is asked, and after confirmation the proposed lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.ask.case_facts import CaseFacts, CaseSpan, case_facts
from cds_service.ask.case_knowledge import BaseLine, CaseKnowledge, CaseQuestion
from cds_service.ask.case_lines import Decided, decide
from cds_service.ask.case_proposals import Proposal, ProposedLine, proposal
from cds_service.ask.readers import Reader, Translate, untranslated
from cds_service.core.rules import Finding, Rule
from cds_service.errors import BadRequest, UnreadableCase
from cds_service.intake.fixes import applied
from cds_service.intake.text import text_of
from cds_service.intake.writer import CaseWriter
from cds_service.languages.known import ENGLISH, Language
from cds_service.languages.worded import joined, prose, worded
from cds_service.review.advisor import Advisor

LONGEST_DESCRIPTION = 2_000  # characters
WORDS = "words"
_MOST = f"{LONGEST_DESCRIPTION:,}"
_TOO_LONG = worded("`{key}`: expected at most {most} characters", key=WORDS, most=_MOST)
# Kinds of spans that say nothing by themselves.
_UNUSED = {"modifier", "units"}


class AskedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer: `words` are added to the description behind a bar (`|`), with what is entered in place of `{}`.

    An answer that chooses between fixes of a rule has no words: `notation` is the claim after the fix.
    """

    label: str
    words: str = ""
    enter: str = ""
    notation: str = ""


class Asked(msgspec.Struct, frozen=True):
    """A question whose answer decides; `id` is stable."""

    id: str
    question: str
    answers: tuple[AskedAnswer, ...]


@dataclass(frozen=True)
class UnderstoodCase:
    """A description as it was understood. `words` is its text, in which the spans have their places.

    `proposal` is there once the understanding was confirmed, and nothing is asked.
    """

    words: str
    understood: tuple[CaseSpan, ...]
    not_understood: tuple[str, ...]
    asked: tuple[Asked, ...]
    notes: tuple[str, ...]
    proposal: Proposal | None = None


class CaseReader:
    """Reads descriptions; made once, and shared by threads."""

    def __init__(
        self, advisor: Advisor, writer: CaseWriter, knowledge: CaseKnowledge, translate: Translate = untranslated
    ) -> None:
        self.knowledge = knowledge
        self._advisor = advisor
        self._writer = writer
        self._reader = Reader(knowledge.recognized, (), translate, tells=True)

    def read(self, text: str, confirmed: bool, language: Language = ENGLISH) -> UnderstoodCase:
        """A description; with its proposal if the understanding is confirmed and nothing is asked.

        Raises BadRequest for a text that is too long or holds no word, which names `words`.
        """
        facts = self._facts(text, language)
        decided = decide(facts, facts.claim_kind) if facts.claim_kind and not facts.names_study else Decided()
        asked = self._asked(facts, decided)
        found = self._proposed(facts, decided, nothing_discarded=False) if confirmed and not asked else None
        if found and (open_choices := self._choices(facts, decided, found)):
            asked, found = open_choices, None
        return UnderstoodCase(
            words=facts.reading.text,
            understood=facts.understood,
            not_understood=facts.not_understood,
            asked=asked,
            notes=tuple(self._notes(facts, decided, found)),
            proposal=found,
        )

    def _facts(self, text: str, language: Language) -> CaseFacts:
        if len(text) > LONGEST_DESCRIPTION:
            raise BadRequest(_TOO_LONG, WORDS)
        reading = self._reader.read(text, language)
        if not reading.words and not reading.spans:
            raise BadRequest(worded("`{key}`: expected a description of a case, in words", key=WORDS), WORDS)
        return case_facts(reading, self.knowledge)

    # --- asking -----------------------------------------------------------------------------------------------------

    def _asked(self, facts: CaseFacts, decided: Decided) -> tuple[Asked, ...]:
        wanted = {*decided.asked, *_missing(facts)}
        found: list[Asked] = []
        for key in self.knowledge.words.questions:
            if key == "amount":
                found += [self._question(key, each) for each in self._without_dose(facts)]
            elif key in wanted:
                found.append(self._question(key, ""))
        return tuple(found)

    def _without_dose(self, facts: CaseFacts) -> Iterator[str]:
        """The agents of which the mL are not said, where the claim may charge them."""
        if facts.claim_kind == "practitioner" or not facts.has_contrast:
            return
        yield from (
            each.name for each in facts.agents if each.name in self.knowledge.agents and not each.dose.endswith("mL")
        )

    def _question(self, key: str, product: str) -> Asked:
        question: CaseQuestion = self.knowledge.words.questions[key]
        return Asked(
            id=f"{key}:{product}" if product else key,
            question=prose(question.text, product=product),
            answers=tuple(
                AskedAnswer(each.label, each.words.replace("{product}", product), each.enter)
                for each in question.answers
            ),
        )

    def _choices(self, facts: CaseFacts, decided: Decided, found: Proposal) -> tuple[Asked, ...]:
        """The questions where the rules offer several fixes: whether anything was discarded, or which fix is right."""
        choices = tuple(_choice(rule, finding, found) for rule, finding in found.warnings if len(finding.fixes) > 1)
        if choices and self._is_decided_by_discard(facts, decided):
            return (self._question("discarded", ""),)
        return choices

    # --- proposing --------------------------------------------------------------------------------------------------

    def _proposed(self, facts: CaseFacts, decided: Decided, nothing_discarded: bool) -> Proposal | None:
        """The proposal; None without a line to begin with."""
        reasons = [*self._named(facts), *(_by_table(self.knowledge, line, row) for line, row in decided.lines.items())]
        if not reasons:
            return None
        fields = self._fields(facts, [each.line for each in reasons], nothing_discarded)
        try:
            return proposal(self._advisor, self._writer, fields, reasons)
        except UnreadableCase as error:
            raise BadRequest(
                joined(": ", (f"`{WORDS}`", *filter(None, (error.shown, error.expected)))), WORDS
            ) from None

    def _named(self, facts: CaseFacts) -> Iterator[ProposedLine]:
        note = self.knowledge.words.notes.named
        return (ProposedLine(each, note, "") for each in facts.lines)

    def _fields(self, facts: CaseFacts, lines: list[str], nothing_discarded: bool) -> dict[str, Any]:
        """The keys of the case in billers' notation."""
        fields: dict[str, Any] = {**facts.claim_keys, "lines": lines, "payer": facts.payer, "day": facts.day}
        codes = [each[:5] for each in lines]
        fields["done"] = [each for each in codes if each in self.knowledge.studies]
        fields["diagnoses"] = list(facts.diagnoses)
        is_nothing = nothing_discarded or facts.said.get("nothing discarded") is True
        given = [each.given(is_nothing) for each in facts.agents if facts.has_contrast or not self._is_agent(each.name)]
        if facts.has_contrast or not facts.not_understood:  # else an agent may be among the words not understood
            fields["given"] = given if facts.has_contrast else given or "none"
        return {key: value for key, value in fields.items() if value}

    def _is_agent(self, name: str) -> bool:
        return name in self.knowledge.agents

    def _is_decided_by_discard(self, facts: CaseFacts, decided: Decided) -> bool:
        """True if the words `nothing discarded` would decide between the fixes that are left."""
        if facts.said.get("nothing discarded") or any(each.discarded for each in facts.agents):
            return False
        found = self._proposed(facts, decided, nothing_discarded=True)
        return found is not None and not found.warnings

    # --- remarks ----------------------------------------------------------------------------------------------------

    def _notes(self, facts: CaseFacts, decided: Decided, found: Proposal | None) -> Iterator[str]:
        notes = self.knowledge.words.notes
        if facts.not_understood:
            yield prose(notes.not_understood, words=", ".join(facts.not_understood))
        if len({each.value for each in facts.spans if each.kind == "study" and not each.negated}) > 1:
            yield notes.several
        if unused := [facts.reading.text[each.start : each.end] for each in facts.spans if each.kind in _UNUSED]:
            yield prose(notes.unused, parts=", ".join(unused))
        yield from (prose(notes.no_row, study=prose(each)) for each in decided.no_row)
        if facts.claim_keys and not facts.claim_kind and not facts.names_study:
            yield notes.no_place
        if found is None:
            return
        yield from found.removed
        charged = {each.line[:5] for each in found.lines}
        for each in facts.agents if facts.has_contrast else ():
            if self._is_agent(each.name) and charged.isdisjoint(self.knowledge.recognized.codes_of[each.name]):
                yield prose(notes.no_supply, given=f"{each.name} {each.dose}".rstrip())


def _choice(rule: Rule, finding: Finding, found: Proposal) -> Asked:
    fixed = ((fix.label, applied(found.reviewed.case, found.reviewed.written, fix.changes)) for fix in finding.fixes)
    answers = tuple(AskedAnswer(label, notation=text_of(case)) for label, case in fixed if case is not None)
    return Asked(f"rule:{rule.id}", finding.summary, answers)


def _missing(facts: CaseFacts) -> Iterator[str]:
    """The parts of a case that are not said, by the keys of their questions."""
    if len(facts.studies) != 1 and not facts.names_study:
        yield "study"
    if not facts.claim_keys:
        yield "claim" if facts.has_setting else "place"
    if facts.has_contrast is None:
        yield "contrast"
    if not facts.payer:
        yield "payer"
    if not facts.day:
        yield "day"


def _by_table(knowledge: CaseKnowledge, line: str, row: BaseLine) -> ProposedLine:
    source = knowledge.lines.source(row)
    verified = row.verified_through or source.verified_through
    return ProposedLine(line, row.text, source.label, verified, f"/codes/{row.code}", row.confidence)
