"""A review as plain data: findings, passed rules, undecided questions and warnings.

Used by `/review`, for billing systems without CDS Hooks, and by the command line. The output is deterministic: it has
no uuids or timestamps, and a finding's id is a hash of its content.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from cds_service.cdshooks.actions import ActionRoom, fhir_actions
from cds_service.cdshooks.cards import MOST_SEEN, MOST_STATEMENTS, also_rules, detail_of
from cds_service.cdshooks.messages import Action, Message
from cds_service.core.finding_ids import finding_ids
from cds_service.core.rules import WARNING, Evidence, Finding, Fix, Passed, Question, Rule, Undecided, Why
from cds_service.core.site import SiteStatement
from cds_service.fhir.sources import SkippedItem
from cds_service.languages.worded import counted, shortened, worded
from cds_service.review.advisor import ReviewResult

SWITCHED_OFF = worded("switched off by this site")
Day = date  # a statement has a member of that name
NOTHING_FOUND = worded("nothing of an echo was found, so nothing was checked")


class EvidenceView(Message):
    """A fact that supports a finding, the record that states it, and its path in the input."""

    seen: str
    reference: str
    location: str


class FixView(Message):
    """A fix, in billers' notation and as FHIR actions.

    `actions` is empty if the changes cannot be expressed on the received resources, or if the answer would be too long.
    `segments` tells where in an X12 file they are made.
    """

    label: str
    recommended: bool
    changes: tuple[str, ...]
    actions: tuple[Action, ...]
    segments: tuple[str, ...] | None = None


class AnswerView(Message):
    """An answer to a question, and the keys of billers' notation that it sets in the case.

    A value of null is for a person to enter.
    """

    label: str
    set: Mapping[str, str | tuple[str, ...] | None]


class QuestionView(Message):
    """A question to a person, with the answers that decide what is open or lead to the next question."""

    text: str
    answers: tuple[AnswerView, ...]


class StatementView(Message, kw_only=True):
    """A statement of the site's own that a finding quotes, with its source and the dates of service it holds for."""

    id: str
    text: str
    source: str
    date: Day
    url: str | None = None
    verified_through: Day | None = None
    first: Day
    last: Day | None = None


class FindingView(Message):
    """A finding. `id` stays the same while rule, evidence and fixes do.

    `also_rules` are rules with a finding that its fixes repair too: one fix, one finding. `site_statements` are those
    of the site's own that it quotes; they change nothing in it.
    """

    id: str
    rule: str
    indicator: str
    summary: str
    detail: str
    evidence: tuple[EvidenceView, ...]
    fixes: tuple[FixView, ...] = msgspec.field(name="remedies")  # public name, part of the /review format
    day: str | None = None
    question: QuestionView | None = None
    also_rules: tuple[str, ...] = ()
    site_statements: tuple[StatementView, ...] = ()


class PassedRule(Message):
    """A rule without findings, and the reason for that in this case."""

    rule: str
    title: str
    reason: str
    evidence: tuple[EvidenceView, ...]


class UndecidedRule(Message):
    """An open question of a rule, with the kind of reason and its text; `site`: rule off.

    `question` asks for what is missing, if an answer would decide it.
    """

    rule: str
    title: str
    why: Why | Literal["site"]
    reason: str
    evidence: tuple[EvidenceView, ...]
    question: QuestionView | None = None


class InputWarning(Message):
    """A skipped resource or element, and the reason."""

    location: str
    message: str


class Report(msgspec.Struct, rename="camel", kw_only=True):
    """The result of a review; empty lists are included.

    `empty`: nothing of an echo was found, so nothing was checked, and no rule passed.
    """

    empty: bool
    findings: tuple[FindingView, ...]
    passed: tuple[PassedRule, ...]
    not_checked: tuple[UndecidedRule, ...]
    warnings: tuple[InputWarning, ...]


def report_of(result: ReviewResult, faults: tuple[SkippedItem, ...] = ()) -> Report:
    """The report of a review, warnings first. `faults` are strict validation errors."""
    review = result.review
    found = _finding_views(result)
    off = [
        UndecidedRule(rule=rule.id, title=rule.title, why="site", reason=_off_because(rule, result), evidence=())
        for rule in review.switched_off
    ]
    return Report(
        empty=review.empty,
        findings=tuple(sorted(found, key=lambda each: (each.indicator != WARNING, each.rule))),
        passed=tuple(_passed(rule, passes) for rule, passes in review.passed),
        not_checked=(*(_unchecked(rule, each) for rule, each in review.not_checked), *off),
        warnings=tuple(InputWarning(location=each.path, message=each.reason) for each in (*result.skipped, *faults)),
    )


def of_rule(report: Report, rule_id: str) -> Report:
    """The part of a report that one rule has a say in."""
    return msgspec.structs.replace(
        report,
        findings=tuple(each for each in report.findings if rule_id in (each.rule, *each.also_rules)),
        passed=tuple(each for each in report.passed if each.rule == rule_id),
        not_checked=tuple(each for each in report.not_checked if each.rule == rule_id),
        warnings=(),
    )


def _off_because(rule: Rule, result: ReviewResult) -> str:
    if rule.set_up is None or rule.id in result.parsed.case.site.rules_off:
        return SWITCHED_OFF
    return rule.set_up.missing


def empty_sentence(result: ReviewResult) -> str:
    """A sentence for a review without anything to check, with the number of records not understood."""
    unclear = len({record.origin for each in result.review.unclear for record in each.records})
    if not unclear:
        return worded("{nothing}; see the warnings", nothing=NOTHING_FOUND) if result.skipped else NOTHING_FOUND
    return counted(
        "{nothing}; {count} record was not understood, see the warnings",
        "{nothing}; {count} records were not understood, see the warnings",
        unclear,
        nothing=NOTHING_FOUND,
    )


class FixBrief(NamedTuple):
    """A fix in words."""

    label: str
    recommended: bool
    changes: tuple[str, ...]


class FindingBrief(NamedTuple):
    """A finding without its text and its FHIR actions: most of the work of a view, which an audit does not keep."""

    id: str
    rule: str
    indicator: str
    summary: str
    evidence: tuple[EvidenceView, ...]
    fixes: tuple[FixBrief, ...]
    also_rules: tuple[str, ...]


def findings_in_brief(result: ReviewResult) -> list[tuple[Finding, FindingBrief]]:
    """The findings of a review in brief, in rule order."""
    findings = result.review.findings
    return [
        (finding, _brief(finding_id, rule, finding, result))
        for finding_id, (rule, finding) in zip(finding_ids(findings), findings, strict=True)
    ]


def _brief(finding_id: str, rule: Rule, finding: Finding, result: ReviewResult) -> FindingBrief:
    return FindingBrief(
        id=finding_id,
        rule=rule.id,
        indicator=rule.indicator_of(finding, result.stage),
        summary=shortened(finding.summary),
        evidence=_evidence_views(finding.cited),
        fixes=tuple(map(_fix_brief, finding.fixes)),
        also_rules=also_rules(finding),
    )


def _fix_brief(fix: Fix) -> FixBrief:
    more = len(fix.changes) - MOST_SEEN
    shown = tuple(change.words for change in fix.changes[:MOST_SEEN])
    changes = (*shown, worded("and {number} more", number=more)) if more > 0 else shown
    return FixBrief(shortened(fix.label), fix.recommended, changes)


def _finding_views(result: ReviewResult) -> tuple[FindingView, ...]:
    room = ActionRoom()
    by_rule = (rule for rule, _ in result.review.findings)
    return tuple(
        _finding_view(brief, rule, finding, result, room)
        for rule, (finding, brief) in zip(by_rule, findings_in_brief(result), strict=True)
    )


def findings_by_id(result: ReviewResult) -> dict[str, Finding]:
    """The findings of a review by the ids of their views."""
    findings = result.review.findings
    return {finding_id: finding for finding_id, (_, finding) in zip(finding_ids(findings), findings, strict=True)}


# Makes the detail of a finding with a function that says each of its texts.
Detail = Callable[[Callable[[str], str]], str]


def details_of(result: ReviewResult) -> dict[str, Detail]:
    """Functions that make the detail of each finding, by its id, with the one that says texts."""
    findings = result.review.findings
    ids = finding_ids(findings)
    return {each: partial(detail_of, rule, finding) for each, (rule, finding) in zip(ids, findings, strict=True)}


def _finding_view(
    brief: FindingBrief, rule: Rule, finding: Finding, result: ReviewResult, room: ActionRoom
) -> FindingView:
    case, raw = result.parsed.case, result.parsed.raw
    fixes = (
        FixView(**in_words._asdict(), actions=fhir_actions(fix.changes, case, raw, room))
        for fix, in_words in zip(finding.fixes, brief.fixes, strict=True)
    )
    return FindingView(
        id=brief.id,
        rule=brief.rule,
        indicator=brief.indicator,
        summary=brief.summary,
        detail=detail_of(rule, finding),
        evidence=brief.evidence,
        fixes=tuple(fixes),
        day=finding.day.isoformat() if finding.day else None,
        question=_question_view(finding.question),
        also_rules=brief.also_rules,
        site_statements=tuple(map(_statement_view, finding.statements[:MOST_STATEMENTS])),
    )


def _statement_view(each: SiteStatement) -> StatementView:
    return StatementView(
        id=each.id,
        text=each.text,
        source=each.source.label,
        date=each.source.date,
        url=each.source.url,
        verified_through=each.source.verified_through,
        first=each.first,
        last=each.last,
    )


def _evidence_views(evidence: Sequence[Evidence]) -> tuple[EvidenceView, ...]:
    """The first pieces of evidence; the detail of a finding counts the others."""
    return tuple(map(_evidence_view, evidence[:MOST_SEEN]))


def _evidence_view(evidence: Evidence) -> EvidenceView:
    origin = evidence.record.origin
    location = f"{origin.resource}.{origin.within}" if origin.within else origin.resource
    return EvidenceView(seen=evidence.seen, reference=origin.reference, location=location)


def _question_view(question: Question | None) -> QuestionView | None:
    if question is None:
        return None
    answers = tuple(AnswerView(label=each.label, set=each.set) for each in question.answers)
    return QuestionView(text=question.text, answers=answers)


def _passed(rule: Rule, passes: Sequence[Passed]) -> PassedRule:
    because = rule.reason_of(passes)
    evidence = tuple(map(_evidence_view, because.evidence))
    return PassedRule(rule=rule.id, title=rule.title, reason=because.text, evidence=evidence)


def _unchecked(rule: Rule, each: Undecided) -> UndecidedRule:
    return UndecidedRule(
        rule=rule.id,
        title=rule.title,
        why=each.why,
        reason=each.reason,
        evidence=_evidence_views(each.evidence),
        question=_question_view(each.question),
    )
