"""A review as plain data: findings, passed rules, undecided questions and warnings.

Used by `/review`, for billing systems without CDS Hooks, and by the command line. The output is deterministic: it has
no uuids or timestamps, and a finding's id is a hash of its content.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from cds_service.cdshooks.actions import fhir_actions
from cds_service.cdshooks.cards import detail_of
from cds_service.cdshooks.messages import Action, Message
from cds_service.core.case import Case
from cds_service.core.finding_ids import finding_ids
from cds_service.core.notation import shortened
from cds_service.core.rules import WARNING, Evidence, Finding, Fix, Rule, Undecided, Why
from cds_service.fhir.sources import SkippedItem
from cds_service.review.advisor import ReviewResult

SWITCHED_OFF = "switched off by this site"
NOTHING_FOUND = "nothing of an echo was found, so nothing was checked"


class EvidenceView(Message):
    """A fact that supports a finding, the record that states it, and its path in the input."""

    seen: str
    reference: str
    location: str


class FixView(Message):
    """A fix, in billers' notation and as FHIR actions.

    `actions` is empty if the changes cannot be expressed on the received resources. `segments` tells where in an X12
    file they are made.
    """

    label: str
    recommended: bool
    changes: tuple[str, ...]
    actions: tuple[Action, ...]
    segments: tuple[str, ...] | None = None


class FindingView(Message):
    """A finding. `id` stays the same while rule, evidence and fixes do."""

    id: str
    rule: str
    indicator: str
    summary: str
    detail: str
    evidence: tuple[EvidenceView, ...]
    fixes: tuple[FixView, ...] = msgspec.field(name="remedies")  # public name, part of the /review format
    day: str | None = None


class PassedRule(Message):
    """A rule without findings."""

    rule: str
    title: str


class UndecidedRule(Message):
    """A question that a rule could not decide, with the kind of reason and its text; `site`: rule off."""

    rule: str
    title: str
    why: Why | Literal["site"]
    reason: str
    evidence: tuple[EvidenceView, ...]


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
    found = [each for _, each in findings_with_views(result)]
    off = [
        UndecidedRule(rule=rule.id, title=rule.title, why="site", reason=_off_because(rule, result), evidence=())
        for rule in review.switched_off
    ]
    return Report(
        empty=review.empty,
        findings=tuple(sorted(found, key=lambda each: (each.indicator != WARNING, each.rule))),
        passed=tuple(PassedRule(rule=rule.id, title=rule.title) for rule in review.passed),
        not_checked=(*(_unchecked(rule, each) for rule, each in review.not_checked), *off),
        warnings=tuple(InputWarning(location=each.path, message=each.reason) for each in (*result.skipped, *faults)),
    )


def _off_because(rule: Rule, result: ReviewResult) -> str:
    if rule.set_up is None or rule.id in result.parsed.case.site.rules_off:
        return SWITCHED_OFF
    return rule.set_up.missing


def empty_sentence(result: ReviewResult) -> str:
    """A sentence for a review without anything to check, with the number of records not understood."""
    unclear = len({record.origin for each in result.review.unclear for record in each.records})
    if not unclear:
        return f"{NOTHING_FOUND}; see the warnings" if result.skipped else NOTHING_FOUND
    records = "1 record was" if unclear == 1 else f"{unclear} records were"
    return f"{NOTHING_FOUND}; {records} not understood, see the warnings"


def findings_with_views(result: ReviewResult) -> list[tuple[Finding, FindingView]]:
    """The findings of a review, each with its view, in rule order."""
    findings = result.review.findings
    ids = finding_ids(findings)
    return [
        (finding, _finding_view(finding_id, rule, finding, result))
        for finding_id, (rule, finding) in zip(ids, findings, strict=True)
    ]


def _finding_view(finding_id: str, rule: Rule, finding: Finding, result: ReviewResult) -> FindingView:
    case, raw = result.parsed.case, result.parsed.raw
    return FindingView(
        id=finding_id,
        rule=rule.id,
        indicator=rule.indicator_of(finding, result.stage),
        summary=shortened(finding.summary),
        detail=detail_of(rule, finding),
        evidence=tuple(_evidence_view(each) for each in finding.evidence),
        fixes=tuple(_fix_view(fix, case, raw) for fix in finding.fixes),
        day=finding.day.isoformat() if finding.day else None,
    )


def _evidence_view(evidence: Evidence) -> EvidenceView:
    origin = evidence.record.origin
    location = f"{origin.resource}.{origin.within}" if origin.within else origin.resource
    return EvidenceView(seen=evidence.seen, reference=origin.reference, location=location)


def _fix_view(fix: Fix, case: Case, raw: Mapping[str, msgspec.Raw]) -> FixView:
    return FixView(
        label=shortened(fix.label),
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
        evidence=tuple(_evidence_view(item) for item in each.evidence),
    )
