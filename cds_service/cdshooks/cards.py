"""Converts findings to CDS Hooks cards, within the limits of the specification."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from cds_service.cdshooks.actions import ActionRoom, allowed_changes, fhir_actions
from cds_service.cdshooks.messages import Card, CardSource, Coding, Link, Suggestion
from cds_service.core.case import Case
from cds_service.core.changes import AddLine, Change
from cds_service.core.finding_ids import finding_ids
from cds_service.core.review import Review
from cds_service.core.rules import Finding, Fix, Rule
from cds_service.core.tables import Source
from cds_service.languages.worded import SUMMARY_LIMIT, capitalized, joined, shortened, worded

MOST_CARDS = 50  # of one answer, the warnings first
MOST_SEEN = 12  # pieces of evidence in a detail
MOST_FOLDED = 10  # findings that share a card, in its detail
NOTE_LIMIT = 1000  # characters of a note in a detail
MOST_STATEMENTS = 5  # of the site, in a detail

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~])")
_NOT_IN_CODE = re.compile(r"[`\s<>]+")


# Says a text in the reader's language, as plain text. `str` says it in English.
Say = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class CardMaker:
    """Builds the cards of one response.

    `raw` is the original JSON by path. `page_base` is the base URL of the rule pages, empty if there is none. With
    `read_only`, fixes that lack units or a date get no suggestion. `extension` names the member of a card's extension
    that carries the finding's id. `say` says a text as the card's reader reads it, in English by default.
    """

    case: Case
    raw: Mapping[str, msgspec.Raw]
    canonical_base: str
    page_base: str = ""
    read_only: bool = False
    extension: str = ""
    room: ActionRoom = field(default_factory=ActionRoom)
    say: Say = str

    def cards(self, review: Review) -> tuple[Card, ...]:
        """One card per finding, warnings first, as far as an answer goes."""
        stage = self.case.stage
        named = zip(finding_ids(review.findings), review.findings, strict=True)
        ranked = sorted(named, key=lambda each: each[1][0].indicator_of(each[1][1], stage) != "warning")
        return tuple(self._card(finding_id, rule, finding) for finding_id, (rule, finding) in ranked[:MOST_CARDS])

    def _card(self, finding_id: str, rule: Rule, finding: Finding) -> Card:
        suggestions = tuple(self._suggestions(finding.fixes))
        return Card(
            uuid=str(uuid.uuid4()),
            summary=shortened(self.say(finding.summary)),
            detail=detail_of(rule, finding, self.say),
            indicator=rule.indicator_of(finding, self.case.stage),
            source=self._source(rule, finding),
            suggestions=suggestions or None,
            selection_behavior="at-most-one" if suggestions else None,
            override_reasons=self._reasons(rule, finding),
            links=self._links(rule, finding),
            extension={self.extension: _names(finding_id, finding)} if self.extension else None,
        )

    def _source(self, rule: Rule, finding: Finding) -> CardSource:
        source = rule.sources_of(finding)[0]
        topic = Coding(system=f"{self.canonical_base}/CodeSystem/rule", code=rule.id, display=self.say(rule.title))
        return CardSource(label=source.label, url=source.url, topic=topic)

    def _reasons(self, rule: Rule, finding: Finding) -> tuple[Coding, ...] | None:
        system = reason_system(self.canonical_base)
        reasons = rule.overrides_of(finding, self.case.stage)
        return tuple(Coding(system=system, code=each.code, display=self.say(each.display)) for each in reasons) or None

    def _links(self, rule: Rule, finding: Finding) -> tuple[Link, ...] | None:
        if not self.page_base:
            return None
        labels = {rule.id: _ABOUT} | {other.id: worded("About {rule}", rule=other.id) for other, _ in finding.also}
        return tuple(
            Link(label=self.say(label), url=f"{self.page_base}/rules/{rule_id}", type="absolute", auto_launchable=False)
            for rule_id, label in labels.items()
        )

    def _suggestions(self, fixes: tuple[Fix, ...]) -> Iterator[Suggestion]:
        """The suggestions for fixes that can be expressed as actions.

        If the site accepts only part of a fix, the label names that part; fixes that become equal are merged.
        """
        offered: list[list[Change]] = []
        for fix in fixes:
            changes = allowed_changes(fix.changes, self.case)
            if changes in offered or (self.read_only and any(_lacks_details(change) for change in changes)):
                continue
            offered.append(changes)
            actions = fhir_actions(changes, self.case, self.raw, self.room, self.say)
            if actions:
                yield Suggestion(
                    label=shortened(self.say(fix.label if len(changes) == len(fix.changes) else _label(changes))),
                    uuid=str(uuid.uuid4()),
                    is_recommended=fix.recommended,
                    actions=actions,
                )


def _names(finding_id: str, finding: Finding) -> dict[str, Any]:
    """The finding's id, and the rules of the findings folded into it."""
    also = also_rules(finding)
    return {"finding": finding_id} | ({"alsoRules": also} if also else {})


def rules_on(card: Card) -> tuple[str, ...]:
    """The rules that share a card, the card's own first."""
    own = card.source.topic.code if card.source.topic else ""
    names: Mapping[str, Any] = next(iter((card.extension or {}).values()), {})
    return (own, *names.get("alsoRules", ()))


def also_rules(finding: Finding) -> tuple[str, ...]:
    """The rules of the findings folded into one."""
    return tuple(dict.fromkeys(rule.id for rule, _ in finding.also))


def _label(changes: Iterable[Change]) -> str:
    return capitalized(joined(", ", (change.words for change in changes)))


def _lacks_details(change: Change) -> bool:
    return isinstance(change, AddLine) and (change.units is None or change.day is None)


# --- wording --------------------------------------------------------------------------------------------------------


def reason_system(canonical_base: str) -> str:
    """The code system of our override reasons."""
    return f"{canonical_base}/CodeSystem/override-reason"


_ABOUT = worded("About this rule: rationale, triggers and sources")
_ALSO = worded("The same fix also repairs")
_WHY = worded("Why")
_SOURCE = worded("Source")
_COLUMNS = (worded("Item"), worded("State"), worded("Where"))
_LATER = worded("The date of service is later; confirm that it still applies")


def detail_of(rule: Rule, finding: Finding, say: Say = str) -> str:
    """The card's detail: evidence, rationale and sources, as Markdown without HTML; `say` says its texts.

    It stays short, whatever was sent: long texts are cut, and of much evidence only the first is listed.
    """
    seen = list(
        dict.fromkeys(
            f"- {_escaped(each.seen, say)} ({_code_span(each.record.origin.reference)})" for each in finding.cited
        )
    )
    _leave_out(seen, MOST_SEEN, say)
    on_day = worded("Seen on {day}", day=finding.day) if finding.day else worded("Seen")
    parts = [f"**{say(on_day)}**\n\n" + "\n".join(seen)]
    if finding.checklist:
        parts.append(_table(finding.checklist, say))
    folded_notes = (note for _, each in finding.also[:MOST_FOLDED] for note in each.notes)
    notes = tuple(dict.fromkeys((*finding.notes, *folded_notes)))
    if notes:
        parts.append("\n\n".join(_escaped(note, say, NOTE_LIMIT) for note in notes))
    if finding.also:
        also = [f"- {_escaped(each.summary, say)}" for _, each in finding.also]
        _leave_out(also, MOST_FOLDED, say)
        parts.append(f"**{say(_ALSO)}**\n\n" + "\n".join(also))
    parts += _statements(finding, say)
    why = dict.fromkeys((rule.why, *(other.why for other, _ in finding.also)))
    parts.append(f"**{say(_WHY)}**\n\n" + "\n\n".join(map(say, why)))
    cited = (f"- {_citation(rule, each, finding.day, say)}" for each in rule.sources_of(finding))
    parts.append(f"**{say(_SOURCE)}**\n\n" + "\n".join(cited))
    return "\n\n".join(parts)


def _escaped(text: str, say: Say, limit: int = SUMMARY_LIMIT) -> str:
    """A text as the reader reads it, cut, without Markdown."""
    return escape_markdown(shortened(say(text), limit))


def _leave_out(rows: list[str], most: int, say: Say) -> None:
    """Put the number of the rows that are too many in their place."""
    if len(rows) > most:
        rows[most:] = [f"- {say(worded('and {number} more', number=len(rows) - most))}"]


def _statements(finding: Finding, say: Say) -> Iterator[str]:
    """The site's own statements, each marked as such in a paragraph of its own."""
    for each in finding.statements[:MOST_STATEMENTS]:
        yield _escaped(each.quoted, say, NOTE_LIMIT)
    if len(finding.statements) > MOST_STATEMENTS:
        more = len(finding.statements) - MOST_STATEMENTS
        yield say(worded("And {number} more statements of this site, on the pages of the codes", number=more))


def _table(rows: tuple[tuple[str, str, str], ...], say: Say) -> str:
    """A checklist as a Markdown table, with references cited like evidence."""
    lines = [
        f"| {escape_markdown(say(item))} | {escape_markdown(say(state))} | {_code_span(where) if where else ''} |"
        for item, state, where in rows
    ]
    return "\n".join([f"| {' | '.join(map(say, _COLUMNS))} |", "|---|---|---|", *lines])


def _citation(rule: Rule, source: Source, day: date | None, say: Say) -> str:
    """A source citation, with a note if one of the tables uses it and the date of service is past its verification."""
    checked = f"{source.label}, {say(source.checked)}"
    is_later = day is not None and source.verified_through is not None and day > source.verified_through
    if is_later and any(source in table.sources.values() for table in rule.tables):
        return f"{checked}. {say(_LATER)}"
    return checked


def escape_markdown(text: str) -> str:
    """The text with Markdown and HTML escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _code_span(text: str) -> str:
    return "`" + _NOT_IN_CODE.sub(" ", text) + "`"
