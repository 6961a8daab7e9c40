"""Says the texts of an answer's data in a language, for the scripts of pages; programs get English.

Codes, names and notation are the same in each language. What has no translation stays English, and is told apart.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cds_service.ask.case_facts import CaseSpan
from cds_service.ask.case_proposals import ProposedLine
from cds_service.ask.cases import Asked, AskedAnswer
from cds_service.ask.kinds import KINDS, NAMED_IN_WORDS
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import Language
from cds_service.review.report import (
    AnswerView,
    Detail,
    EvidenceView,
    FindingView,
    FixView,
    InputWarning,
    PassedRule,
    QuestionView,
    UndecidedRule,
)
from cds_service.review.typed_cases import TypedFinding, TypedFix
from cds_service.sandbox.connect import QueryLog
from cds_service.sandbox.shown import ShownFinding, ShownNotation
from cds_service.sandbox.timeline import OtherRecords, StudyTimeline, Timeline, TimelineEntry
from cds_service.web.claim_reports import CaseProposed, CaseUnderstood, TypedClaimReport
from cds_service.web.markdown import as_html

# The members that are sentences or labels; each class stands for those that are made of it.
_TEXTS: Mapping[type[msgspec.Struct], tuple[str, ...]] = {
    AnswerView: ("label",),
    QuestionView: ("text",),
    EvidenceView: ("seen",),
    FixView: ("label", "changes"),
    TypedFix: ("label", "changes"),
    FindingView: ("summary",),
    TypedFinding: ("summary",),
    PassedRule: ("title", "reason"),
    UndecidedRule: ("title", "reason"),
    InputWarning: ("message",),
    TypedClaimReport: ("sentence",),
    CaseUnderstood: ("notes",),
    CaseProposed: ("sentence", "notes"),
    Asked: ("question",),
    AskedAnswer: ("label",),
    ProposedLine: ("reason",),
    ShownFinding: ("summary",),
    ShownNotation: ("left_out",),
    Timeline: ("payers", "setting"),
    StudyTimeline: ("title",),
    TimelineEntry: ("title", "detail"),
    OtherRecords: ("kind", "items"),
    QueryLog: ("fault",),
}
# Signs around a text that stays English, while it is a part of Markdown.
_BEGIN, _END = "\ue000", "\ue001"
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_IN_ENGLISH = r'<span class="untranslated" lang="en" dir="ltr">\1</span>'


@dataclass
class Saying:
    """Says the texts of one answer; `untranslated` are those that stay English.

    `details` say the details of findings, by their ids, text by text; others are said as a whole.
    """

    catalogs: Catalogs
    language: Language
    details: Mapping[str, Detail] = field(default_factory=dict)
    untranslated: dict[str, None] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """A text in the language; an empty one stays so."""
        sentence = self.catalogs.say_text(text, self.language)
        if sentence.is_english:
            self.untranslated[sentence.text] = None
        return sentence.text

    def marked(self, text: str) -> str:
        """A text in the language, between signs if it stays English."""
        sentence = self.catalogs.say_text(text, self.language)
        return f"{_BEGIN}{sentence.text}{_END}" if sentence.is_english else sentence.text

    def data(self, value: Any) -> Any:
        """Data with its texts in the language."""
        if isinstance(value, tuple):
            return tuple(map(self.data, value))
        if not isinstance(value, msgspec.Struct):
            return value
        texts = _TEXTS.get(type(value), ())
        said = {
            name: self.texts(found) if name in texts else self.data(found)
            for name, found in ((each, getattr(value, each)) for each in value.__struct_fields__)
        }
        return _FINISHED.get(type(value), _as_it_is)(msgspec.structs.replace(value, **said), self)

    def texts(self, value: Any) -> Any:
        """A text, or several."""
        return tuple(map(self.texts, value)) if isinstance(value, tuple) else self.text(value)


def _as_it_is(value: Any, _: Saying) -> Any:
    return value


def _with_html(finding: Any, saying: Saying) -> Any:
    """The finding with its detail, as Markdown and as HTML; each text that stays English is marked in the HTML."""
    make = saying.details.get(finding.id)
    detail = make(saying.marked) if make else saying.marked(finding.detail)
    html = _plain(_MARKED.sub(_IN_ENGLISH, as_html(detail)))
    return msgspec.structs.replace(finding, detail=_plain(detail), html=html)


def _plain(text: str) -> str:
    """A text without the signs; one that was cut has lost its second."""
    return text.replace(_BEGIN, "").replace(_END, "")


def _with_kind(span: CaseSpan, saying: Saying) -> CaseSpan:
    """The part with its kind, and with its value where that is a word and no name."""
    kind = saying.text(KINDS[span.kind])
    value = saying.text(span.value) if span.kind in NAMED_IN_WORDS else span.value
    return msgspec.structs.replace(span, kind=kind, value=value)


_FINISHED: Mapping[type[msgspec.Struct], Callable[[Any, Saying], Any]] = {
    TypedFinding: _with_html,
    ShownFinding: _with_html,
    CaseSpan: _with_kind,
}


def said(
    answer: msgspec.Struct, details: Mapping[str, Detail], catalogs: Catalogs, language: Language
) -> dict[str, Any]:
    """An answer in a language, with the texts that have no translation in `untranslated`; `details` are by finding."""
    saying = Saying(catalogs, language, details)
    spoken = saying.data(answer)
    names = zip(answer.__struct_encode_fields__, answer.__struct_fields__, strict=True)
    return {name: getattr(spoken, each) for name, each in names} | {"untranslated": list(saying.untranslated)}


def said_members(members: Mapping[str, Any], texts: tuple[str, ...], saying: Saying) -> dict[str, Any]:
    """The members of an answer that is no struct; those in `texts` are texts."""
    said = {name: saying.texts(value) if name in texts else saying.data(value) for name, value in members.items()}
    return said | {"untranslated": list(saying.untranslated)}
