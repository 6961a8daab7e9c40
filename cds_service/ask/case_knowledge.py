"""The shapes of what is known of described cases: the decision table, the words, the questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from cds_service.ask.knowledge import Knowledge
from cds_service.core import strict_yaml
from cds_service.core.tables import Entry, Table
from cds_service.errors import TableError

# A claim, as the decision table tells them apart: of a practitioner's own office, of a practitioner in a facility, of a
# hospital.
ClaimKind = Literal["practice", "practitioner", "hospital"]
NOT = "not "


class BaseLine(Entry, frozen=True, kw_only=True):
    """A row of the decision table: the line of a described study, or a line `beside` others.

    `claims` are the modifiers by the kinds of claim for which the row holds. `needs` are statements that decide: `X`,
    or `not X` where it must be denied. `if_said` are statements without which the row is passed over. `text` is the
    reason.
    """

    claims: dict[ClaimKind, tuple[str, ...]]
    text: str
    study: str = ""
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    if_said: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A code has a row for each study, kind of claim, and lines beside which it stands."""
        return f"{self.code} ({self.study or '+'.join(self.beside)}; {', '.join(sorted(self.claims))})"


class CaseAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer: its words are added to the description, with what a person enters in place of `{}`."""

    label: str
    words: str
    enter: Literal["", "date", "number"] = ""


class CaseQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question to a person, with its answers."""

    text: str
    answers: tuple[CaseAnswer, ...]


class Synonyms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words for a value; those of `things` of the questions' words belong to it too."""

    words: tuple[str, ...] = ()
    things: tuple[str, ...] = ()


class Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Remarks on what is not concluded from a description."""

    not_understood: str
    several: str
    unused: str
    no_row: str
    no_place: str
    no_supply: str
    named: str


class CaseWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of described cases, as the file has them.

    `names` are the words by kind and value. `means` are the statements of a value, if it states others than itself;
    `follows` the statements that follow from any of others. `by_another` are the values of work that another person
    did, `another` and `own` words for such a person and for the practitioner of the claim. `unsure` are words beside
    which a product was not necessarily given, unless one of `given` stands there. `dose` are words that may stand
    between a product and its amount, `not_dose` those behind an amount that is no dose of it. `no_payer`: words that
    name no payer.
    """

    names: dict[str, dict[str, Synonyms]]
    no_payer: tuple[str, ...]
    means: dict[str, tuple[str, ...]]
    follows: dict[str, tuple[str, ...]]
    by_another: dict[str, str]
    another: tuple[str, ...]
    own: tuple[str, ...]
    unsure: tuple[str, ...]
    given: tuple[str, ...]
    dose: tuple[str, ...]
    not_dose: tuple[str, ...]
    negations: tuple[str, ...]
    fillers: str
    questions: dict[str, CaseQuestion]
    notes: Notes
    examples: tuple[str, ...]


def load_case_words(path: Path) -> CaseWords:
    """The words of a file. Raises TableError, which names the file and what was expected."""
    return strict_yaml.read_as(path, CaseWords, TableError)


@dataclass(frozen=True, slots=True)
class CaseKnowledge:
    """The knowledge of described cases.

    `recognized` is what the recognizer knows. `claim_kinds` are the kinds of a practitioner's claim by place of
    service. `studies` are the codes of studies, `agents` the products that are contrast agents.
    """

    words: CaseWords
    recognized: Knowledge
    lines: Table[BaseLine]
    claim_kinds: Mapping[str, ClaimKind]
    studies: frozenset[str]
    agents: frozenset[str]
