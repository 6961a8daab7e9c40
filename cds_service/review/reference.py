"""The reference pages of codes and rules as plain data, rendered by the web pages and the command line.

`hooks.publish` builds the code pages and passes them as a `Reference`; rule pages are built here from the rules'
docstrings and tables.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

import msgspec

from cds_service.core.rules import Rule
from cds_service.core.site import SiteStatement
from cds_service.core.tables import Confidence, Entry, Source, Table
from cds_service.languages.messages import message
from cds_service.languages.worded import worded
from cds_service.review.advisor import Advisor

EntryT = TypeVar("EntryT", bound=Entry)


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of a page, with members in camelCase; members without a value are omitted."""


class Citation(Part, kw_only=True):
    """The source of a fact with its age and its confidence.

    `checked` is `verified through` a date of service, or the year of a publication that does not change. `release` is
    the day of the release that lists the fact, where its start is not known.
    """

    source: str
    url: str | None = None
    checked: str
    verified_through: date | None = None
    confidence: Confidence
    first: date | None = None
    last: date | None = None
    release: date | None = None

    @property
    def mark(self) -> str:
        """A note for facts that were not checked in the primary source; otherwise empty."""
        return _MARKS[self.confidence]

    @property
    def dates(self) -> str:
        """The dates between which the fact applies; empty if unknown."""
        first, last, release = self.first, self.last, self.release
        if first:
            both = worded("from {first} through {last}", first=first, last=last) if last else None
            return both or worded("from {first}", first=first)
        if release:
            return _listed_in(release, last)
        return worded("through {last}", last=last) if last else ""


_MARKS = {
    "seen": "",
    "secondary": worded("from a secondary source"),
    "memory": worded("from memory: verify before use"),
}

# The age of a source in words, as `Source.checked` writes it, with its facts apart.
AGES = (message("verified through {1}"), message("published {1}"))


def _listed_in(release: date, last: date | None) -> str:
    """The dates of a fact that a release lists without saying since when."""
    if last:
        return worded("in the release of {release}; since when is not known through {last}", release=release, last=last)
    return worded("in the release of {release}; since when is not known", release=release)


def cited(table: Table[EntryT], entry: EntryT) -> Citation:
    """The citation of a table entry."""
    source = table.source(entry)
    return Citation(
        source=source.label,
        url=source.url,
        checked=source.checked,
        verified_through=entry.verified_through,
        confidence=entry.confidence,
        first=entry.first,
        last=entry.last,
        release=entry.release,
    )


class Statement(Part):
    """A sentence with its source."""

    text: str
    cited: Citation


class Row(Part):
    """A table row with its source."""

    cells: tuple[str, ...]
    cited: Citation


class Grid(Part):
    """The part of a table about one code; `about` explains the columns."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Section(Part):
    """A section of a code page."""

    id: str
    title: str
    statements: tuple[Statement, ...] = ()
    grids: tuple[Grid, ...] = ()


class Change(Part):
    """A change to a code and its effective date."""

    day: date
    what: str
    source: str


class Topic(Part):
    """Short facts about a code under one heading."""

    id: str
    title: str
    facts: tuple[Statement, ...]


class ExampleClaim(Part, kw_only=True):
    """A claim in billers' notation to open on the page of claims, and what it shows.

    `rule` finds the fault of a wrong claim; of a right one it is the rule that asks for documentation only, if any.
    """

    right: bool
    what: str
    notation: str
    rule: str = ""


class Glance(Part, kw_only=True):
    """The top of a code's page: facts by heading, claims to try, and the modifiers for the code."""

    topics: tuple[Topic, ...]
    examples: tuple[ExampleClaim, ...] = ()
    modifiers: tuple[str, ...] = ()


class IndicatorValue(Part, kw_only=True):
    """An indicator of CMS's files with its value, such as `MAI 3`, and its meaning."""

    name: str
    words: str
    cited: Citation


class ModifierPage(Part, kw_only=True):
    """A modifier's page. `codes` are those of ours that it is for, `never` those that never take it."""

    modifier: str
    group: str
    words: str
    cited: Citation
    statements: tuple[Statement, ...] = ()
    codes: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    examples: tuple[ExampleClaim, ...] = ()


class CodePage(Part):
    """A code's page. `others` are search terms: product names, NDCs, synonyms."""

    code: str
    kind: str
    description: str
    cited: Citation
    glance: Glance
    sections: tuple[Section, ...]
    history: tuple[Change, ...]
    rules: tuple[str, ...]
    others: tuple[str, ...] = ()


class Footnotes:
    """The sources of a page, numbered in citation order."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self.every: list[Citation] = []

    def number(self, cited: Citation) -> int:
        """The number of a fact's source."""
        key = (cited.source, cited.checked)
        if key not in self._numbers:
            self.every.append(cited)
            self._numbers[key] = len(self.every)
        return self._numbers[key]


@dataclass(frozen=True, slots=True)
class Reference:
    """All code pages and modifier pages, and the indicators of CMS's files in words.

    `named_by` returns the codes that a query names, for example by NDC.
    """

    pages: tuple[CodePage, ...]
    named_by: Callable[[str], frozenset[str]]
    modifiers: tuple[ModifierPage, ...] = ()
    indicators: tuple[IndicatorValue, ...] = ()

    def page(self, code: str) -> CodePage | None:
        """The page of a code, case-insensitive."""
        wanted = code.strip().upper()
        return next((page for page in self.pages if page.code == wanted), None)

    def meaning(self, indicator: str) -> str:
        """An indicator with its value, such as `MAI 3`, in words; empty if it is not explained."""
        return next((each.words for each in self.indicators if each.name == indicator), "")

    def modifier(self, name: str) -> ModifierPage | None:
        """The page of a modifier, case-insensitive."""
        wanted = name.strip().upper()
        return next((page for page in self.modifiers if page.modifier == wanted), None)

    def search(self, query: str) -> tuple[CodePage, ...]:
        """The pages that match a query by code or words, best first; all in table order for an empty query."""
        ranked = [(rank, page) for page in self.pages if (rank := self._rank(page, query)) is not None]
        best = [found for found in ranked if found[0] < _IN_SENTENCES] or ranked
        return tuple(page for _, page in sorted(best, key=lambda found: found[0]))

    def _rank(self, page: CodePage, query: str) -> int | None:
        words = query.lower().split()
        if not words:
            return 0
        if page.code.lower() == words[0] or page.code in self.named_by(query):
            return 0
        if len(words) == 1 and page.code.lower().startswith(words[0]):
            return 1
        if _has_all(words, [page.description, page.kind, page.code, *page.others]):
            return 2
        return _IN_SENTENCES if _has_all(words, _sentences(page)) else None


_IN_SENTENCES = 3


def _has_all(words: Iterable[str], texts: Iterable[str]) -> bool:
    text = " ".join(texts).lower()
    return all(word in text for word in words)


def _sentences(page: CodePage) -> Iterator[str]:
    yield from (page.code, page.description)
    for section in page.sections:
        yield from (statement.text for statement in section.statements)


# --- the site's own statements -------------------------------------------------------------------------------------

SITE_SECTION = "site"


def with_statements(reference: Reference, statements: Sequence[SiteStatement]) -> Reference:
    """The reference with the site's own statements in a section of its own on the pages of their codes."""
    pages = (
        _with_statements(page, [each for each in statements if page.code in each.codes]) for page in reference.pages
    )
    return replace(reference, pages=tuple(pages))


def _with_statements(page: CodePage, statements: Sequence[SiteStatement]) -> CodePage:
    if not statements:
        return page
    own = Section(
        id=SITE_SECTION,
        title=worded("This site's own statements"),
        statements=tuple(Statement(text=_in_words(each), cited=_cited(each)) for each in statements),
    )
    return msgspec.structs.replace(page, sections=(*page.sections, own))


def _in_words(statement: SiteStatement) -> str:
    return f"{statement.text} ({statement.limits})" if statement.limits else statement.text


def _cited(statement: SiteStatement) -> Citation:
    return Citation(
        source=f"This site: {statement.source.label}",
        url=statement.source.url,
        checked=statement.source.checked,
        verified_through=statement.source.verified_through,
        confidence="seen",
        first=statement.first,
        last=statement.last,
    )


# --- rules ----------------------------------------------------------------------------------------------------------


class RuleSource(Part):
    """A source of a rule."""

    source: str
    url: str | None
    checked: str
    verified_through: date | None


class RulePage(Part):
    """A rule's page."""

    id: str
    title: str
    why: str
    flags: str
    passes: str
    at_order_time: str
    at_claim_time: str
    tables: tuple[str, ...]
    sources: tuple[RuleSource, ...]
    site: str = ""


def rule_page(rule: Rule, advisor: Advisor) -> RulePage:
    """The page of a rule, with this site's settings."""
    off, lowered = rule.id in advisor.site.rules_off, rule.id in advisor.site.rules_lowered
    return RulePage(
        id=rule.id,
        title=rule.title,
        why=rule.why,
        flags=rule.flags,
        passes=rule.passes,
        at_order_time=rule.indicator["order"],
        at_claim_time=rule.indicator["claim"],
        tables=tuple(table.title for table in rule.tables),
        sources=rule_sources(_sources(rule)),
        site=worded("switched off by this site") if off else worded("lowered to info by this site") if lowered else "",
    )


def _sources(rule: Rule) -> Iterator[Source]:
    """The sources of the rule, then of its tables, without duplicates."""
    seen: list[Source] = []
    for source in (*rule.sources, *(each for table in rule.tables for each in table.sources.values())):
        if source not in seen:
            seen.append(source)
            yield source


def rule_sources(sources: Iterable[Source]) -> tuple[RuleSource, ...]:
    """Sources as they are listed on a rule's page."""
    return tuple(
        RuleSource(source=each.label, url=each.url, checked=each.checked, verified_through=each.verified_through)
        for each in sources
    )
