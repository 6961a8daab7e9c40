"""Charges in plain words for patients: as messages, and said in a language with the English beside it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from cds_service.core.terminology import Designation
from cds_service.languages.catalogs import Catalogs, Sentence
from cds_service.languages.known import LANGUAGES, Language
from cds_service.languages.messages import Message, message, plural
from cds_service.review.reference import Part


@dataclass(frozen=True)
class PlainWords:
    """A code in plain words: a short name and sentences about it."""

    name: Message
    about: tuple[Message, ...]


@dataclass(frozen=True)
class PatientWords:
    """The plain words of the knowledge, by code and by modifier; both return None for an unknown one."""

    of_code: Callable[[str], PlainWords | None]
    of_modifier: Callable[[str], Message | None]


@dataclass(frozen=True)
class Charge:
    """A charge to be explained. `units` are HCPCS units, None if not stated."""

    code: str
    modifiers: tuple[str, ...] = ()
    units: Decimal | None = None


class Said(Part):
    """A sentence: its text, the tag of the language of the text, and the English text."""

    text: str
    language: str
    english: str


class ExplainedCharge(Part, kw_only=True):
    """A charge in plain words. `known` is false for a code without plain words; the sentences then say so."""

    code: str
    modifiers: tuple[str, ...] = ()
    known: bool
    name: Said
    units: Said | None = None
    about: tuple[Said, ...]


class Explanation(Part, kw_only=True):
    """Charges in plain words. `checked`: a person who knows the field has checked the translation (or it is English).

    `complete` is false if a sentence had no translation, so that its text is the English one.
    """

    language: str
    checked: bool
    complete: bool
    charges: tuple[ExplainedCharge, ...]
    notes: tuple[Said, ...]


_NOTES = (
    message("This page is not a bill."),
    message("You do not have to pay anything because of this page."),
    message("It does not tell you what your insurance will pay."),
    message("This page is not medical advice."),
    message("Please ask your clinic if anything is not clear to you."),
)
_UNKNOWN = PlainWords(
    message("A charge that this page does not know"),
    (
        message("This page has no plain words for this code."),
        message("Please ask your clinic what the charge is for."),
    ),
)


@dataclass(frozen=True)
class Explainer:
    """Explains charges with the knowledge's plain words, in the languages of the catalogs."""

    words: PatientWords
    catalogs: Catalogs

    def explain(self, charges: Iterable[Charge], language: Language) -> Explanation:
        """All charges, in order; one with an unknown code says so."""
        missing: list[Message] = []

        def say(each: Message) -> Said:
            sentence = self.catalogs.say(each, language)
            if sentence.is_english and not language.is_english:
                missing.append(each)
            return said(sentence)

        explained = tuple(self._explained(each, say) for each in charges)
        notes = tuple(map(say, _NOTES))
        return Explanation(
            language=language.tag,
            checked=self.catalogs.is_checked(language),
            complete=not missing,
            charges=explained,
            notes=notes,
        )

    def names(self, code: str) -> tuple[Designation, ...]:
        """The short name of a code in each language that has it; none for an unknown code."""
        words = self.words.of_code(code)
        every = ((each, self.catalogs.say(words.name, each)) for each in LANGUAGES) if words else ()
        return tuple(
            Designation(language.tag, sentence.text, self.catalogs.is_checked(language))
            for language, sentence in every
            if language.is_english or not sentence.is_english
        )

    def _explained(self, charge: Charge, say: Callable[[Message], Said]) -> ExplainedCharge:
        found = self.words.of_code(charge.code)
        words = found or _UNKNOWN
        about = (*words.about, *self._modified(charge.modifiers))
        return ExplainedCharge(
            code=charge.code,
            modifiers=charge.modifiers,
            known=found is not None,
            name=say(words.name),
            units=None if charge.units is None else say(_counted(charge.units)),
            about=tuple(map(say, about)),
        )

    def _modified(self, modifiers: Iterable[str]) -> Iterator[Message]:
        for each in modifiers:
            known = self.words.of_modifier(each)
            yield known or message("This page does not know what {modifier} after the code means.", modifier=each)


def said(sentence: Sentence) -> Said:
    """A sentence as plain data."""
    return Said(sentence.text, sentence.language.tag, sentence.english)


def _counted(units: Decimal) -> Message:
    """The units of a line; a part of a unit has no plural form in every language."""
    if units == units.to_integral_value():
        return plural("{count} unit", "{count} units", int(units))
    return message("Units: {number}", number=units)
