"""The shapes of what `hooks.publish.ask` hands over: statements of the tables, and words with their meanings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from cds_service.ask.answer import Sentence
from cds_service.core import strict_yaml
from cds_service.core.tables import Confidence
from cds_service.errors import TableError

# A case as keys of billers' notation.
Keys = Mapping[str, str]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of a table. `subjects` are the codes, modifier or term that it is about, its entry's own first.

    `codes` are all codes of its entry, `mentioned` those that its text is about together.

    `topics` are the table's name, or the section of a code's page, and others that it answers. `claim_type` is
    empty if the statement is about claims of both types, else `professional` or `facility`. `is_listed` is
    false for the statement that a table lists nothing. `first` and `last` are the
    dates of service between which it applies, None if not known.
    """

    id: str
    text: str
    source: str
    link: str
    topics: tuple[str, ...]
    subjects: tuple[str, ...]
    codes: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    claim_type: str = ""
    is_listed: bool = True
    verified_through: date | None = None
    confidence: Confidence = "seen"
    first: date | None = None
    last: date | None = None

    def in_force(self, day: date | None) -> bool:
        """True if the statement applies on a date of service; without one, if it has no end."""
        if day is None:
            return self.last is None
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    @property
    def subject(self) -> str:
        """The code, modifier or term of its entry."""
        return self.subjects[0]

    @property
    def sentence(self) -> Sentence:
        """The statement as a sentence of an answer."""
        return Sentence(self.text, self.source, self.verified_through, self.link, self.id, self.confidence)


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subject of questions: its words, the topics of the facts that answer, the rules to quote, and glossary terms.

    `passes`: the rules whose reasons for a pass are quoted too. `whole`: the facts answer without a code too. `asked`
    are the words that are translated: alternatives with commas between them.
    """

    words: tuple[str, ...]
    facts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    whole: bool = False
    asked: str = ""


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A setting: its words, the keys of the claims that are made there, by claim type, and its word in a search.

    `asked` are the words that are translated.
    """

    words: tuple[str, ...]
    claims: dict[str, dict[str, str]]
    search: str = ""
    asked: str = ""


class Decline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Questions that are declined, and the sentence for them.

    `words` are patterns: a pattern fits if each of its parts is in the question, in any order. A part is a word or
    phrase, or the kind of a span behind `@`, such as `@payer`, or a span, such as `@payer=NAME`. `unless` are such
    patterns too: with one of them, the question is not declined.
    """

    text: str
    words: tuple[tuple[str, ...], ...]
    unless: tuple[tuple[str, ...], ...] = ()


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value and the words for it. `terms` are terms of the glossary that explain it."""

    words: tuple[str, ...]
    terms: tuple[str, ...] = ()


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of questions, as the file has them.

    `things` map synonyms to words of the codes' descriptions, `fillers` are words without a meaning of their own,
    `fillers_asked` and `negations_asked` those that are translated, `spelled` words that are never
    taken for misspelled ones. `defaults` names the topics of questions without one:
    `code`, `pair`, `modifier`, `amount`, `discarded`, `setting`, `claim`. `settings_if_none` are the settings that are
    answered for if none is named, `tables_of` is the payer whose tables these are. `study` is a line to put beside
    codes that are asked about without one, if all are of the kinds `beside_study`. `examples` are questions to try.
    """

    topics: dict[str, Topic]
    settings: dict[str, Setting]
    payers: dict[str, Named]
    modifiers: dict[str, Named]
    performed: dict[str, Named]
    things: dict[str, Named]
    declines: dict[str, Decline]
    negations: tuple[str, ...]
    fillers: str
    fillers_asked: str
    negations_asked: str
    spelled: str
    unknown_code: str
    nothing_found: str
    not_text: str
    ask_setting: str
    tables_of: str
    other_payer: str
    ask_day: str
    defaults: dict[str, str]
    settings_if_none: tuple[str, ...]
    study: str
    beside_study: tuple[str, ...]
    examples: tuple[str, ...]


def load_words(path: Path) -> Words:
    """The words of a file. Raises TableError, which names the file and what was expected."""
    return strict_yaml.read_as(path, Words, TableError)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Words, statements and names.

    `names` are kind, value and phrase of what the tables name (products, drugs, glossary terms); `codes_of` the codes
    of a product or drug, `given_as` its name in billers' notation, `kinds` the kind of a code. `pair` makes the
    statements on two codes for a day. `named_by` gives the codes that an NDC names. `day` is the newest day for which
    all tables were verified.
    """

    words: Words
    facts: tuple[Fact, ...]
    names: tuple[tuple[str, str, str], ...]
    codes_of: Mapping[str, tuple[str, ...]]
    given_as: Mapping[str, str]
    pair: Callable[[str, str, date | None], tuple[Fact, ...]]
    named_by: Callable[[str], frozenset[str]]
    day: date
    kinds: Mapping[str, str]
    modifiers: frozenset[str] = field(default_factory=frozenset)
