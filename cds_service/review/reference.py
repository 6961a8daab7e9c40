"""What the reference says of codes and rules, as plain data; pages and the command line only render it.

The knowledge fills the pages of the codes and hands them over as a `Reference`; the pages of the rules are made here,
of what each rule says of itself and of its samples, which are run live.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import msgspec

from cds_service.core.rules import Rule
from cds_service.core.tables import Confidence, Entry, Source, Table
from cds_service.review.advisor import Advisor

EntryT = TypeVar("EntryT", bound=Entry)


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of a page, with members in camelCase; what has no value is left out."""


class Citation(Part, kw_only=True):
    """On whose word a fact stands, through which date of service it was verified, and how sure it is."""

    source: str
    url: str | None = None
    verified_through: date
    confidence: Confidence
    first: date | None = None
    last: date | None = None

    @property
    def mark(self) -> str:
        """What a reader is told where the fact was not seen in its source."""
        return {"seen": "", "secondary": "from a secondary source", "memory": "from memory: verify"}[self.confidence]

    @property
    def dates(self) -> str:
        """From when to when the fact holds, empty where neither is known."""
        since = f"from {self.first}" if self.first else ""
        until = f"through {self.last}" if self.last else ""
        return " ".join(part for part in (since, until) if part)


def cited(table: Table[EntryT], entry: EntryT) -> Citation:
    """The citation of a table's entry."""
    source = table.source(entry)
    return Citation(
        source=source.label,
        url=source.url,
        verified_through=entry.verified_through,
        confidence=entry.confidence,
        first=entry.first,
        last=entry.last,
    )


class Statement(Part):
    """A sentence and on whose word it stands."""

    text: str
    cited: Citation


class Row(Part):
    """A row of a table: a cell for each column, and on whose word it stands."""

    cells: tuple[str, ...]
    cited: Citation


class Grid(Part):
    """A part of a table that concerns a code; `about` says what the columns mean."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Section(Part):
    """A part of a code's page."""

    id: str
    title: str
    statements: tuple[Statement, ...] = ()
    grids: tuple[Grid, ...] = ()


class Change(Part):
    """What began or ended for a code, and from which day."""

    day: date
    what: str
    source: str


class CodePage(Part):
    """All that is said of one code. `others` are words by which it is searched: product names, NDC, synonyms."""

    code: str
    kind: str
    description: str
    cited: Citation
    sections: tuple[Section, ...]
    history: tuple[Change, ...]
    rules: tuple[str, ...]
    others: tuple[str, ...] = ()


class Footnotes:
    """The sources of a page, numbered in the order in which they are cited."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, date], int] = {}
        self.every: list[Citation] = []

    def number(self, cited: Citation) -> int:
        """The number of a fact's source."""
        key = (cited.source, cited.verified_through)
        if key not in self._numbers:
            self.every.append(cited)
            self._numbers[key] = len(self.every)
        return self._numbers[key]


@dataclass(frozen=True, slots=True)
class Reference:
    """The pages of all codes, and what else a query may stand for: the knowledge tells which codes it names."""

    pages: tuple[CodePage, ...]
    named_by: Callable[[str], frozenset[str]]

    def page(self, code: str) -> CodePage | None:
        """The page of a code, in upper or lower case."""
        wanted = code.strip().upper()
        return next((page for page in self.pages if page.code == wanted), None)

    def search(self, query: str) -> tuple[CodePage, ...]:
        """The codes for a query by number or by words, the best first; all of them, in the table's order, for none."""
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


# --- rules ----------------------------------------------------------------------------------------------------------


class RuleSource(Part):
    """A document that a rule rests on."""

    source: str
    url: str | None
    verified_through: date


class RulePage(Part):
    """All that is said of one rule."""

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
    """What a rule says of itself, and what this site has made of it."""
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
        sources=tuple(_source(each) for each in _sources(rule)),
        site="switched off by this site" if off else "lowered to info by this site" if lowered else "",
    )


def _sources(rule: Rule) -> Iterator[Source]:
    """Those that the rule names, then those of its tables, each once."""
    seen: list[Source] = []
    for source in (*rule.sources, *(each for table in rule.tables for each in table.sources.values())):
        if source not in seen:
            seen.append(source)
            yield source


def _source(source: Source) -> RuleSource:
    return RuleSource(source=source.label, url=source.url, verified_through=source.verified_through)
