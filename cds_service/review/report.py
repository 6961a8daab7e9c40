"""A review as plain data: findings, what passed, what was not checked and what was left out.

For billing systems that speak no CDS Hooks, and for the command line. The same input gives the same output, byte for
byte: there is no uuid and no clock in it, and a finding's id is made of what it says.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from cds_service.cdshooks.actions import fhir_actions
from cds_service.cdshooks.cards import detail_of
from cds_service.cdshooks.messages import Action, Message
from cds_service.core.case import Case
from cds_service.core.finding_ids import finding_ids
from cds_service.core.rules import WARNING, Evidence, Finding, Fix, Rule, Undecided, Why
from cds_service.fhir.sources import SkippedItem
from cds_service.review.advisor import ReviewResult

SWITCHED_OFF = "switched off by this site"


class EvidenceView(Message):
    """A fact that a finding rests on: what was seen, in which record, and where that stands in the input."""

    seen: str
    reference: str
    location: str


class FixView(Message):
    """A way to mend a fault: in billers' words, and as changes to FHIR resources.

    `actions` is empty where the changes cannot be written into the resources that came.
    """

    label: str
    recommended: bool
    changes: tuple[str, ...]
    actions: tuple[Action, ...]


class FindingView(Message):
    """A fault. `id` stays the same as long as rule, evidence and remedies do."""

    id: str
    rule: str
    indicator: str
    summary: str
    detail: str
    evidence: tuple[EvidenceView, ...]
    fixes: tuple[FixView, ...] = msgspec.field(name="remedies")  # the name that users of `/review` rely on
    day: str | None = None


class PassedRule(Message):
    """A rule that had nothing to say."""

    rule: str
    title: str


class UndecidedRule(Message):
    """A question that a rule could not answer, and why, as a kind and in words; `site`: switched off there."""

    rule: str
    title: str
    why: Why | Literal["site"]
    reason: str
    evidence: tuple[EvidenceView, ...]


class InputWarning(Message):
    """Something that was left out, and why."""

    location: str
    message: str


class Report(msgspec.Struct, rename="camel", kw_only=True):
    """All that a review says; a list without members is there, and empty."""

    findings: tuple[FindingView, ...]
    passed: tuple[PassedRule, ...]
    not_checked: tuple[UndecidedRule, ...]
    warnings: tuple[InputWarning, ...]


def report_of(result: ReviewResult, faults: tuple[SkippedItem, ...] = ()) -> Report:
    """The report of a review, warnings first. `faults` are those of strict validation."""
    review = result.review
    found = [each for _, each in found_in(result)]
    off = [
        UndecidedRule(rule=rule.id, title=rule.title, why="site", reason=SWITCHED_OFF, evidence=())
        for rule in review.switched_off
    ]
    return Report(
        findings=tuple(sorted(found, key=lambda each: (each.indicator != WARNING, each.rule))),
        passed=tuple(PassedRule(rule=rule.id, title=rule.title) for rule in review.passed),
        not_checked=(*(_unchecked(rule, each) for rule, each in review.not_checked), *off),
        warnings=tuple(InputWarning(location=each.place, message=each.reason) for each in (*result.skipped, *faults)),
    )


def found_in(result: ReviewResult) -> list[tuple[Finding, FindingView]]:
    """Each finding of a review beside what is said of it, in the order of the rules."""
    findings = result.review.findings
    ids = finding_ids(findings)
    return [
        (finding, _found(finding_id, rule, finding, result))
        for finding_id, (rule, finding) in zip(ids, findings, strict=True)
    ]


def _found(finding_id: str, rule: Rule, finding: Finding, result: ReviewResult) -> FindingView:
    case, raw = result.parsed.case, result.parsed.raw
    return FindingView(
        id=finding_id,
        rule=rule.id,
        indicator=rule.indicator_of(finding, result.stage),
        summary=finding.summary,
        detail=detail_of(rule, finding),
        evidence=tuple(_seen(each) for each in finding.evidence),
        fixes=tuple(_fix_view(fix, case, raw) for fix in finding.fixes),
        day=finding.day.isoformat() if finding.day else None,
    )


def _seen(evidence: Evidence) -> EvidenceView:
    origin = evidence.record.origin
    location = f"{origin.resource}.{origin.within}" if origin.within else origin.resource
    return EvidenceView(seen=evidence.seen, reference=origin.reference, location=location)


def _fix_view(fix: Fix, case: Case, raw: Mapping[str, msgspec.Raw]) -> FixView:
    return FixView(
        label=fix.label,
        recommended=fix.recommended,
        changes=tuple(str(change) for change in fix.changes),
        actions=fhir_actions(fix.changes, case, raw),
    )


def _unchecked(rule: Rule, each: Undecided) -> UndecidedRule:
    return UndecidedRule(
        rule=rule.id,
        title=rule.title,
        why=each.why,
        reason=each.reason,
        evidence=tuple(_seen(item) for item in each.evidence),
    )
