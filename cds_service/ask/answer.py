"""The answer to a question: sentences with their sources, and how the question was understood."""

from datetime import date

import msgspec

from cds_service.core.tables import Confidence


class Understood(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the question, its kind and its value. `corrected`: its spelling was corrected, to be confirmed."""

    text: str
    kind: str
    value: str
    corrected: bool = False


class Sentence(msgspec.Struct, frozen=True):
    """A statement of a table, or a finding of a rule, word for word.

    `verified_through` is the last date of service that its source was verified for, None if it is a publication that
    does not change. `link` is a path of this service. `id` is stable: the table's name and the entry's key.
    """

    text: str
    source: str
    verified_through: date | None
    link: str
    id: str
    confidence: Confidence = "seen"


class Answer(msgspec.Struct, frozen=True):
    """The answer to a question. `declined` says why there is none; `asked` are questions whose answers would decide."""

    question: str
    answered: bool
    understood: tuple[Understood, ...] = ()
    not_understood: tuple[str, ...] = ()
    answer: tuple[Sentence, ...] = ()
    asked: tuple[str, ...] = ()
    declined: str = ""

    @property
    def is_partial(self) -> bool:
        """True if the question was answered, and a part of it was not understood."""
        return self.answered and bool(self.not_understood)

    @property
    def corrections(self) -> tuple[Understood, ...]:
        """The parts of the question whose spelling was corrected."""
        return tuple(each for each in self.understood if each.corrected)
