"""The claims that a question describes, reviewed by the rules as `cds-service claim` reviews them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cds_service.ask.answer import Sentence
from cds_service.ask.knowledge import Knowledge, Setting
from cds_service.ask.question import Question
from cds_service.core.changes import SetUnits
from cds_service.core.rules import Finding, Rule
from cds_service.errors import UnreadableCase
from cds_service.intake.fixes import applied
from cds_service.intake.writer import CaseWriter
from cds_service.languages.worded import Worded, capitalized, joined, prose, worded
from cds_service.review.advisor import Advisor
from cds_service.review.typed_cases import ReviewedCase, review_case

_WHOSE = {"professional": worded("practitioner's claim"), "institutional": worded("hospital's claim")}


class _Verdict(NamedTuple):
    """A sentence of a rule, in the order of the topic's rules; those with `passed` are reasons of passed rules."""

    rule: Rule
    text: str
    passed: bool
    sentence: Sentence


@dataclass(frozen=True)
class Reviewed:
    """The sentences of rules on the claims of a question, and the questions that would decide more."""

    sentences: tuple[Sentence, ...] = ()
    asked: tuple[str, ...] = ()
    depends_on_setting: bool = False


@dataclass
class _Case:
    """A claim of a question: its setting in words, and its keys in billers' notation."""

    label: Worded
    fields: dict[str, Any]
    verdicts: list[_Verdict] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClaimReviewer:
    """Reviews the claims that questions describe."""

    advisor: Advisor
    writer: CaseWriter
    knowledge: Knowledge

    def review(self, question: Question, rules: Collection[str], passes: Collection[str]) -> Reviewed:
        """The findings of some rules on the claims of a question, one for each setting; of `passes`, also reasons."""
        cases = list(self._cases(question))
        try:
            reviews = self._reviews(question, cases)
        except UnreadableCase as error:
            return Reviewed(asked=(str(error),))  # the tables answer alone
        asked: dict[str, None] = {}
        for case, reviewed in zip(cases, reviews, strict=True):
            case.verdicts.extend(_verdicts(reviewed, rules, passes, question))
            undecided = [each for rule, each in reviewed.answer.review.not_checked if rule.id in rules]
            asked.update((each.question.text, None) for each in undecided if each.question)
        said = [{(each.sentence.id, each.text) for each in case.verdicts} for case in cases]
        return Reviewed(tuple(_merged(cases, list(rules))), tuple(asked), any(each != said[0] for each in said))

    def _reviews(self, question: Question, cases: list[_Case]) -> list[ReviewedCase]:
        """The reviews of the cases. Units that a question leaves open are those of the amount, if a rule can tell."""
        reviews = []
        is_open = bool(question.amounts) and not question.has_units
        for case in cases:
            reviews.append(self._reviewed(case.fields))
            if is_open and (lines := _lines_with_units(reviews[-1])):
                return [self._reviewed({**each.fields, "lines": lines}) for each in cases]
        return reviews

    def _reviewed(self, fields: dict[str, Any]) -> ReviewedCase:
        return review_case(self.advisor, self.writer, self.writer.parsed(fields))

    def _cases(self, question: Question) -> Iterator[_Case]:
        lines = self._lines(question)
        if not lines:
            return
        base: dict[str, Any] = {"day": (question.day or self.knowledge.day).isoformat()}
        if len(question.payers) == 1:
            base["payer"] = question.payers[0]
        if given := self._given(question):
            base["given"] = given
        words = self.knowledge.words
        for name in question.settings[:1] or words.settings_if_none:
            setting: Setting = words.settings[name]
            for claim_type, keys in _claims(setting, question).items():
                label = joined(", ", (prose(name), _WHOSE[claim_type])) if len(setting.claims) > 1 else prose(name)
                yield _Case(label, {**base, "lines": lines, "claim_type": claim_type, **keys})

    def _lines(self, question: Question) -> list[str]:
        """The lines in the order of their codes; of a product with an amount, the line of its code."""
        lines = dict(question.lines)
        if question.amounts and not lines:
            lines = {code: code for code in question.codes if code in self.knowledge.given_as}
        words = self.knowledge.words
        if lines and all(self.knowledge.kinds.get(code) in words.beside_study for code in lines):
            lines[words.study] = words.study
        return [lines[code] for code in sorted(lines)]

    def _given(self, question: Question) -> list[str]:
        """The administration, if one product and one amount are named."""
        given = [code for code in question.products or question.codes if code in self.knowledge.given_as]
        if len(given) != 1 or len(question.amounts) != 1:
            return []
        discarded = [f"{each} discarded" for each in question.discarded[:1] if each.endswith("mL")]
        return [", ".join([f"{self.knowledge.given_as[given[0]]} {question.amounts[0]}", *discarded])]


def _claims(setting: Setting, question: Question) -> dict[str, dict[str, str]]:
    """The claims of a setting; a stated place of service or type of bill tells which one."""
    if question.place:
        return {"professional": {"place": question.place}}
    return {"institutional": {"bill": question.bill}} if question.bill else setting.claims


def _lines_with_units(reviewed: ReviewedCase) -> list[str]:
    """The lines with the units that a finding asks for; empty if none is about units."""
    for _, finding in reviewed.answer.review.findings:
        for fix in finding.fixes[:1]:
            if fix.changes and all(isinstance(each, SetUnits) for each in fix.changes):
                fixed = applied(reviewed.case, reviewed.written, fix.changes)
                return [str(line) for line in fixed.charges] if fixed else []
    return []


def _verdicts(
    reviewed: ReviewedCase, rules: Collection[str], passes: Collection[str], question: Question
) -> Iterator[_Verdict]:
    review = reviewed.answer.review
    for rule, finding in review.findings:
        named = {rule.id, *(each.id for each, _ in finding.also)}
        if named & set(rules) and _is_about(finding.summary, question):
            yield _Verdict(rule, finding.summary, False, _sentence(rule, finding.summary, "", finding))
    for rule, undecided in review.not_checked:
        if rule.id in rules and undecided.why == "table":
            text = worded("Not checked: {reason}.", reason=undecided.reason)
            yield _Verdict(rule, text, True, _sentence(rule, text, "not-checked"))
    every = [rule.id for rule, _ in (*review.findings, *review.passed)]
    for rule, passed in review.passed:
        if rule.id in passes:
            reason = rule.reason_of(passed).text
            if _is_about(reason, question) and not any(each in reason for each in every):  # left to another rule
                text = worded("{reason}.", reason=capitalized(reason))
                yield _Verdict(rule, text, True, _sentence(rule, text, "passed"))


def _is_about(text: str, question: Question) -> bool:
    return any(code in text for code in question.codes)


def _sentence(rule: Rule, text: str, verdict: str, finding: Finding | None = None) -> Sentence:
    source = (rule.sources_of(finding) if finding else rule.sources)[0]
    name = ":".join(filter(None, ("rule", rule.id, verdict)))
    return Sentence(text, source.label, source.verified_through, f"/rules/{rule.id}", name)


def _merged(cases: list[_Case], order: list[str]) -> Iterator[Sentence]:
    """The sentences in the order of the rules, findings first; one that holds in some settings only names them."""
    found: dict[tuple[str, str], tuple[_Verdict, list[Worded]]] = {}
    for case in cases:
        for each in case.verdicts:
            found.setdefault((each.sentence.id, each.text), (each, []))[1].append(case.label)
    rank = {rule: number for number, rule in enumerate(order)}
    for verdict, labels in sorted(found.values(), key=lambda each: (each[0].passed, rank.get(each[0].rule.id, 0))):
        sentence = verdict.sentence
        if len(labels) == len(cases):
            yield sentence
        else:
            yield Sentence(
                text=joined(": ", (capitalized(joined("; ", labels)), verdict.text)),
                source=sentence.source,
                verified_through=sentence.verified_through,
                link=sentence.link,
                id=sentence.id,
            )
