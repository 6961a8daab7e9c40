"""Loads a site's own statements, in the form of our guidance: sources, and entries that cite one of them.

The site's file names it (`statements`). It is checked at start, and every fault is one line with the file, the line
and the expected value. `deploy/statements.example.yaml` explains every member.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cds_service.core import strict_yaml
from cds_service.core.checked_file import CheckedFile, Part
from cds_service.core.site import SiteSource, SiteStatement
from cds_service.errors import Faults, SettingsError

MOST_STATEMENTS = 1_000  # of one site
LONGEST_TEXT = 600  # characters of a statement: a card quotes it whole
EARLIEST = date(1980, 1, 1)  # an earlier date is a typing error

Day = date  # a source has a member of that name

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PREFIX = "site:"
_AHEAD = timedelta(hours=14)  # the first time zone to enter a day


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementWords:
    """The names allowed in statements: codes, rules, payers (in lower case), settings and topics."""

    codes: Collection[str]
    rules: Collection[str]
    payers: Collection[str]
    settings: Collection[str]
    topics: Collection[str]


class _File(Part, kw_only=True):
    title: str = ""
    sources: dict[str, Any]
    entries: list[Any]


class _Source(Part, kw_only=True):
    publisher: str
    document: str
    date: Day
    url: str | None = None
    verified_through: Day | None = None


class _Entry(Part, kw_only=True):
    id: str
    code: str
    also: tuple[str, ...] = ()
    text: str
    source: str
    first: Day
    last: Day | None = None
    payers: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    topic: str | None = None


def load_statements(path: Path, words: StatementWords) -> tuple[SiteStatement, ...]:
    """Load a site's statements. Raises SettingsError with all faults, in one line each."""
    return _Loader(strict_yaml.read(path, SettingsError), words).statements()


class _Loader(CheckedFile):
    def __init__(self, document: strict_yaml.Document, words: StatementWords) -> None:
        super().__init__(document)
        self.words = words
        self.today = (datetime.now(UTC) + _AHEAD).date()
        self.faults = Faults()

    def statements(self) -> tuple[SiteStatement, ...]:
        """The statements of the file. Raises SettingsError with the faults of all sources and entries."""
        file = self.convert(self.document.data, _File, "$")
        if len(file.entries) > MOST_STATEMENTS:
            raise self.fault("$.entries", f"expected at most {MOST_STATEMENTS:,} entries")
        sources = {
            name: self.faults.attempt(partial(self._source, raw, f"$.sources.{name}"))
            for name, raw in file.sources.items()
        }
        found = [
            self.faults.attempt(partial(self._statement, raw, sources, f"$.entries[{number}]"))
            for number, raw in enumerate(file.entries)
        ]
        self.faults.add(self._repeated(found))
        self.faults.raise_all()
        return tuple(each for each in found if each)

    def _source(self, raw: Any, path: str) -> SiteSource:
        source = self.convert(raw, _Source, path)
        within = Faults()
        for name in ("publisher", "document"):
            within.attempt(partial(self._text, getattr(source, name), name, f"{path}.{name}"))
        if not EARLIEST <= source.date <= self.today:
            text = f"expected `date` to be the day of the document, from {EARLIEST} to today"
            within.add([str(self.fault(f"{path}.date", text))])
        if source.verified_through and source.verified_through < source.date:
            within.add([str(self.fault(f"{path}.verified_through", "expected it to be no earlier than `date`"))])
        if source.url is not None and not re.fullmatch(r"https?://[^\s\"'<>]+", source.url):
            within.add([str(self.fault(f"{path}.url", "expected an address that begins with https://"))])
        within.raise_all()
        return SiteSource(
            publisher=_plain(source.publisher),
            document=_plain(source.document),
            date=source.date,
            url=source.url,
            verified_through=source.verified_through,
        )

    def _statement(self, raw: Any, sources: dict[str, SiteSource | None], path: str) -> SiteStatement | None:
        entry = self.convert(raw, _Entry, path)
        within = Faults()
        within.add(map(str, self._entry_faults(entry, sources, path)))
        within.add(map(str, self._unknown_words(entry, path)))
        within.attempt(partial(self._text, entry.text, "text", f"{path}.text"))
        within.raise_all()
        source = sources[entry.source]
        if source is None:  # its own fault is known
            return None
        return SiteStatement(
            id=f"{_PREFIX}{entry.id}",
            text=_plain(entry.text),
            codes=tuple(dict.fromkeys((entry.code, *entry.also))),
            source=source,
            first=entry.first,
            last=entry.last,
            payers=frozenset(map(_name, entry.payers)),
            settings=frozenset(entry.settings),
            rules=frozenset(entry.rules),
            topic=entry.topic or "",
        )

    def _entry_faults(self, entry: _Entry, sources: dict[str, Any], path: str) -> Iterator[SettingsError]:
        if not _ID.fullmatch(entry.id):
            text = "expected `id` to be small letters and digits with hyphens, such as letter-of-may"
            yield self.fault(f"{path}.id", text)
        if entry.source not in sources:
            yield self.fault(f"{path}.source", f"expected `source` to be one of {_listed(sources)}")
        if entry.first < EARLIEST:
            yield self.fault(f"{path}.first", f"expected `first` to be no earlier than {EARLIEST}")
        if entry.last and entry.last < entry.first:
            yield self.fault(f"{path}.last", "expected `last` to be no earlier than `first`")
        if entry.topic is not None and entry.topic not in self.words.topics:
            yield self.fault(f"{path}.topic", f"expected `topic` to be one of {_listed(self.words.topics)}")

    def _unknown_words(self, entry: _Entry, path: str) -> Iterator[SettingsError]:
        codes = {f"{path}.code": entry.code} | {f"{path}.also[{n}]": code for n, code in enumerate(entry.also)}
        for where, code in codes.items():
            if code not in self.words.codes:
                yield self.fault(where, f"`{code}` is not a code in scope; `cds-service codes` lists them")
        for number, each in enumerate(entry.rules):
            if each not in self.words.rules:
                yield self.fault(f"{path}.rules[{number}]", f"unknown rule `{each}`; `cds-service rules` lists them")
        for number, each in enumerate(entry.settings):
            if each not in self.words.settings:
                text = f"unknown setting `{each}`; expected one of {_listed(self.words.settings)}"
                yield self.fault(f"{path}.settings[{number}]", text)
        for number, each in enumerate(entry.payers):
            if _name(each) not in self.words.payers:
                text = f"unknown payer `{each}`; expected one of {_listed(self.words.payers)}, as in the site's file"
                yield self.fault(f"{path}.payers[{number}]", text)

    def _text(self, text: str, name: str, path: str) -> None:
        if not 0 < len(_plain(text)) <= LONGEST_TEXT:
            raise self.fault(path, f"expected `{name}` to have 1 to {LONGEST_TEXT} characters")
        if not _plain(text).isprintable():
            raise self.fault(path, f"expected `{name}` without control characters")

    def _repeated(self, found: list[SiteStatement | None]) -> Iterator[str]:
        ids = [each and each.id for each in found]
        for number, each in enumerate(ids):
            if each and each in ids[:number]:
                yield str(
                    self.fault(f"$.entries[{number}].id", f"the id `{each.removeprefix(_PREFIX)}` is given twice")
                )


def _plain(text: str) -> str:
    return " ".join(text.split())


def _name(payer: str) -> str:
    return payer.strip().lower()


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
