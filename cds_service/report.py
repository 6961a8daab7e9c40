"""A review as plain data: findings, what passed, what was not checked and what was left out.

For billing systems that speak no CDS Hooks, and for the command line. The same input gives the same output, byte for
byte: there is no uuid and no clock in it, and a finding's id is made of what it says.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from cds_service.advice import Judged
from cds_service.cards import detail_of
from cds_service.case import Case
from cds_service.fhir import build
from cds_service.fhir.read import Unread
from cds_service.protocol import Action, Message
from cds_service.rules import WARNING, Evidence, Finding, NotChecked, Remedy, Rule, Why

SWITCHED_OFF = "switched off by this site"


class Seen(Message):
    """A fact that a finding rests on: what was seen, in which record, and where that stands in the input."""

    seen: str
    reference: str
    location: str


class Way(Message):
    """A way to mend a fault: in billers' words, and as changes to FHIR resources.

    `actions` is empty where the changes cannot be written into the resources that came.
    """

    label: str
    recommended: bool
    changes: tuple[str, ...]
    actions: tuple[Action, ...]


class Found(Message):
    """A fault. `id` stays the same as long as rule, evidence and remedies do."""

    id: str
    rule: str
    indicator: str
    summary: str
    detail: str
    evidence: tuple[Seen, ...]
    remedies: tuple[Way, ...]
    day: str | None = None


class Passed(Message):
    """A rule that had nothing to say."""

    rule: str
    title: str


class Unchecked(Message):
    """A question that a rule could not answer, and why, as a kind and in words; `site`: switched off there."""

    rule: str
    title: str
    why: Why | Literal["site"]
    reason: str
    evidence: tuple[Seen, ...]


class Warned(Message):
    """Something that was left out, and why."""

    location: str
    message: str


class Report(msgspec.Struct, rename="camel", kw_only=True):
    """All that a review says; a list without members is there, and empty."""

    findings: tuple[Found, ...]
    passed: tuple[Passed, ...]
    not_checked: tuple[Unchecked, ...]
    warnings: tuple[Warned, ...]


def report_of(judged: Judged, faults: tuple[Unread, ...] = ()) -> Report:
    """The report of a review, warnings first. `faults` are those of strict validation."""
    review = judged.review
    found = [each for _, each in found_in(judged)]
    off = [
        Unchecked(rule=rule.id, title=rule.title, why="site", reason=SWITCHED_OFF, evidence=())
        for rule in review.switched_off
    ]
    return Report(
        findings=tuple(sorted(found, key=lambda each: (each.indicator != WARNING, each.rule))),
        passed=tuple(Passed(rule=rule.id, title=rule.title) for rule in review.passed),
        not_checked=(*(_unchecked(rule, each) for rule, each in review.not_checked), *off),
        warnings=tuple(Warned(location=each.place, message=each.reason) for each in (*judged.unread, *faults)),
    )


def found_in(judged: Judged) -> list[tuple[Finding, Found]]:
    """Each finding of a review beside what is said of it, in the order of the rules."""
    findings = judged.review.findings
    said = _with_own_ids([_found(rule, finding, judged) for rule, finding in findings])
    return list(zip((finding for _, finding in findings), said, strict=True))


def _found(rule: Rule, finding: Finding, judged: Judged) -> Found:
    case, raw = judged.reading.case, judged.reading.raw
    return Found(
        id=_id(rule, finding),
        rule=rule.id,
        indicator=rule.indicator_of(finding, judged.stage),
        summary=finding.summary,
        detail=detail_of(rule, finding),
        evidence=tuple(_seen(each) for each in finding.evidence),
        remedies=tuple(_way(remedy, case, raw) for remedy in finding.remedies),
        day=finding.day.isoformat() if finding.day else None,
    )


def _seen(evidence: Evidence) -> Seen:
    origin = evidence.record.origin
    location = f"{origin.resource}.{origin.within}" if origin.within else origin.resource
    return Seen(seen=evidence.seen, reference=origin.reference, location=location)


def _way(remedy: Remedy, case: Case, raw: Mapping[str, msgspec.Raw]) -> Way:
    return Way(
        label=remedy.label,
        recommended=remedy.recommended,
        changes=tuple(str(change) for change in remedy.changes),
        actions=build.actions(remedy.changes, case, raw),
    )


def _unchecked(rule: Rule, each: NotChecked) -> Unchecked:
    return Unchecked(
        rule=rule.id,
        title=rule.title,
        why=each.why,
        reason=each.reason,
        evidence=tuple(_seen(item) for item in each.evidence),
    )


# --- ids ------------------------------------------------------------------------------------------------------------


def _id(rule: Rule, finding: Finding) -> str:
    """Sixteen hexadecimal digits made of the rule, the evidence and the remedies, in whatever order these came.

    Evidence counts by its reference and its place in the resource; where the resource stands says nothing.
    """
    origins = [(each.record.origin, each.seen) for each in finding.evidence]
    evidence = sorted(f"{origin.reference} {origin.within} {seen}" for origin, seen in origins)
    parts = [rule.id, *evidence, *sorted(str(remedy) for remedy in finding.remedies)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _with_own_ids(found: list[Found]) -> Iterator[Found]:
    """Findings that say the very same are told apart by a number."""
    count: dict[str, int] = {}
    for each in found:
        count[each.id] = count.get(each.id, 0) + 1
        number = count[each.id]
        yield msgspec.structs.replace(each, id=f"{each.id}-{number}") if number > 1 else each
