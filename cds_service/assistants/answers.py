"""Answers of the tools as plain data: what was found, what passed and what was not checked, each with its sources."""

from collections.abc import Sequence
from typing import Any

import msgspec

from cds_service.cdshooks.cards import MOST_CARDS
from cds_service.cdshooks.messages import Message
from cds_service.core.finding_ids import finding_ids
from cds_service.review.advisor import Answer
from cds_service.review.articles import ArticleOnCode
from cds_service.review.payment import Payment
from cds_service.review.reference import Citation, CodePage, RuleSource, rule_sources
from cds_service.review.report import (
    EvidenceView,
    FindingView,
    FixView,
    InputWarning,
    PassedRule,
    QuestionView,
    Report,
    StatementView,
    UndecidedRule,
    empty_sentence,
    report_of,
)
from cds_service.review.typed_cases import ReviewedCase, TypedFix


class SuggestedFix(Message, kw_only=True):
    """A fix in billers' notation; several fixes of a finding are alternatives.

    `case_after` is the whole case with the fix made, where it was given in notation or by keys.
    """

    label: str
    recommended: bool
    changes: tuple[str, ...]
    case_after: str | None = None


class CitedFinding(Message, kw_only=True):
    """A finding with the sources that it rests on, each with the date through which it was verified.

    `detail` is the card's text, as Markdown. `siteStatements` are the site's own; the finding does not rest on them.
    """

    id: str
    rule: str
    indicator: str
    summary: str
    detail: str
    day: str | None = None
    evidence: tuple[EvidenceView, ...]
    sources: tuple[RuleSource, ...]
    fixes: tuple[SuggestedFix, ...] = ()
    question: QuestionView | None = None
    also_rules: tuple[str, ...] = ()
    site_statements: tuple[StatementView, ...] = ()


class ReviewAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """The result of a review. Rules in `notChecked` have not passed: each says what is missing.

    `empty`: nothing of an echo was found and nothing was checked; `sentence` says so. `notation` is the reviewed case.
    """

    empty: bool
    sentence: str
    findings: tuple[CitedFinding, ...]
    passed: tuple[PassedRule, ...]
    not_checked: tuple[UndecidedRule, ...]
    warnings: tuple[InputWarning, ...]
    notation: str | None = None


class CodeAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """A code's page, with Medicare's payments by the loaded tables, and the articles of the site's contractors."""

    page: CodePage
    payments: tuple[Payment, ...]
    articles: tuple[ArticleOnCode, ...]


class FoundCode(Message, kw_only=True):
    """A code that a search found, with the source of its description."""

    code: str
    kind: str
    description: str
    cited: Citation


class SearchAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """The codes that a search found, the best first. `corrected` is the query where its spelling was corrected."""

    query: str
    corrected: str = ""
    codes: tuple[FoundCode, ...]


def of_bundle(answer: Answer) -> ReviewAnswer:
    """The answer for a reviewed Bundle."""
    report = report_of(answer)
    return _review(answer, report, report.findings)


def of_case(reviewed: ReviewedCase) -> ReviewAnswer:
    """The answer for a case in notation or by keys."""
    report = reviewed.report
    return msgspec.structs.replace(_review(reviewed.answer, report, report.findings), notation=report.notation)


def _review(answer: Answer, report: Report, findings: Sequence[FindingView]) -> ReviewAnswer:
    sources = _sources_by_finding(answer)
    more = len(findings) - MOST_CARDS
    cut = InputWarning(location="findings", message=f"{more} more findings are not shown: an answer has {MOST_CARDS}")
    return ReviewAnswer(
        empty=report.empty,
        sentence=empty_sentence(answer) if report.empty else "",
        findings=tuple(_cited(each, sources[each.id]) for each in findings[:MOST_CARDS]),
        passed=report.passed,
        not_checked=report.not_checked,
        warnings=(*report.warnings, *((cut,) if more > 0 else ())),
    )


def _sources_by_finding(answer: Answer) -> dict[str, tuple[RuleSource, ...]]:
    """The sources of each finding, by its id."""
    findings = answer.review.findings
    named = zip(finding_ids(findings), findings, strict=True)
    return {finding_id: rule_sources(rule.sources_of(finding)) for finding_id, (rule, finding) in named}


def _cited(view: FindingView, sources: tuple[RuleSource, ...]) -> CitedFinding:
    kept = set(CitedFinding.__struct_fields__) - {"sources", "fixes"}
    members: dict[str, Any] = {name: getattr(view, name) for name in kept}
    return CitedFinding(**members, sources=sources, fixes=tuple(map(_fix, view.fixes)))


def _fix(view: FixView) -> SuggestedFix:
    after = view.notation if isinstance(view, TypedFix) else None
    return SuggestedFix(label=view.label, recommended=view.recommended, changes=view.changes, case_after=after)
