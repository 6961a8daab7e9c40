"""Findings as cards. The only place where wording meets the limits of CDS Hooks."""

import re
import uuid
from collections.abc import Iterator
from datetime import date

import msgspec

from cds_service.case import Case
from cds_service.codes import Source
from cds_service.fhir import build
from cds_service.protocol import Card, CardSource, Coding, Suggestion
from cds_service.rules import Finding, Remedy, Review, Rule

SUMMARY_LIMIT = 139

# Why a user may set advice aside; the codes are ours, under <canonical base>/CodeSystem/override-reason.
OVERRIDE_REASONS = {
    "not-performed": "The service was not performed or the agent was not given",
    "charged-elsewhere": "It is charged on another claim or by another party",
    "payer-rule": "This payer asks for something else",
    "record-incorrect": "The record is wrong or incomplete and will be corrected",
    "not-applicable": "The advice does not fit this case",
}


def cards_of(review: Review, case: Case, raw: dict[str, msgspec.Raw], canonical_base: str) -> tuple[Card, ...]:
    """One card for each finding, warnings first. `raw` is the client's own JSON by place."""
    ranked = sorted(review.findings, key=lambda pair: pair[0].indicator_of(pair[1], case.stage) != "warning")
    return tuple(_card(rule, finding, case, raw, canonical_base) for rule, finding in ranked)


def _card(rule: Rule, finding: Finding, case: Case, raw: dict[str, msgspec.Raw], canonical_base: str) -> Card:
    suggestions = tuple(_suggestions(finding.remedies, case, raw))
    return Card(
        uuid=str(uuid.uuid4()),
        summary=shortened(finding.summary),
        detail=detail_of(rule, finding),
        indicator=rule.indicator_of(finding, case.stage),
        source=CardSource(
            label=rule.sources[0].label,
            url=rule.sources[0].url,
            topic=Coding(system=f"{canonical_base}/CodeSystem/rule", code=rule.id, display=rule.title),
        ),
        suggestions=suggestions or None,
        selection_behavior="at-most-one" if suggestions else None,
        override_reasons=tuple(
            Coding(system=f"{canonical_base}/CodeSystem/override-reason", code=code, display=display)
            for code, display in OVERRIDE_REASONS.items()
        ),
    )


def _suggestions(remedies: tuple[Remedy, ...], case: Case, raw: dict[str, msgspec.Raw]) -> Iterator[Suggestion]:
    """A remedy that cannot be carried out on the client's data is left to the words of the card."""
    for remedy in remedies:
        actions = build.actions(remedy.changes, case, raw)
        if actions:
            yield Suggestion(
                label=remedy.label,
                uuid=str(uuid.uuid4()),
                is_recommended=True if remedy.recommended else None,
                actions=actions,
            )


# --- wording --------------------------------------------------------------------------------------------------------


def shortened(text: str) -> str:
    """A sentence of fewer than 140 characters; a longer one ends at a word with an ellipsis."""
    if len(text) <= SUMMARY_LIMIT:
        return text
    return text[: SUMMARY_LIMIT - 1].rsplit(" ", 1)[0] + "…"


def detail_of(rule: Rule, finding: Finding) -> str:
    """What was seen, why it matters, and on whose word: Markdown without HTML."""
    seen = dict.fromkeys(
        f"- {plain_text(each.seen)} ({_code_span(each.record.origin.reference)})" for each in finding.evidence
    )
    day = f" on {finding.day.isoformat()}" if finding.day else ""
    parts = [f"**Seen{day}**\n\n" + "\n".join(seen)]
    if finding.checklist:
        parts.append(_table(finding.checklist))
    if finding.notes:
        parts.append("\n\n".join(plain_text(note) for note in finding.notes))
    parts.append(f"**Why**\n\n{rule.why}")
    parts.append("**Source**\n\n" + "\n".join(f"- {_cited(rule, source, finding.day)}" for source in rule.sources))
    return "\n\n".join(parts)


def _table(rows: tuple[tuple[str, str, str], ...]) -> str:
    """A checklist as a Markdown table; each reference is cited as evidence is."""
    lines = [
        f"| {plain_text(item)} | {plain_text(state)} | {_code_span(where) if where else ''} |"
        for item, state, where in rows
    ]
    return "\n".join(["| Item | State | Where |", "|---|---|---|", *lines])


def _cited(rule: Rule, source: Source, day: date | None) -> str:
    """A source; where a table rests on it and the date of service is beyond what was verified, the card says so."""
    checked = f"{source.label}, verified through {source.verified_through.isoformat()}"
    is_law = any(source in table.sources.values() for table in rule.tables)
    if is_law and day is not None and day > source.verified_through:
        return f"{checked}. The date of service is later: verify that it still holds"
    return checked


def plain_text(text: str) -> str:
    """Text in which Markdown and HTML of the sender have no effect."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def _code_span(text: str) -> str:
    return "`" + re.sub(r"[`\s<>]+", " ", text) + "`"
