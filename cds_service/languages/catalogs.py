"""Catalogs of translations (gettext), and a message in a language."""

import gettext
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from babel.lists import format_list

from cds_service.languages.facts import has_words
from cds_service.languages.known import ENGLISH, Language
from cds_service.languages.messages import PLACEHOLDER, Message, Value, english, filled, written
from cds_service.languages.worded import (
    Capitalized,
    Content,
    Joined,
    Listed,
    Shortened,
    Worded,
    capitalized,
    content_of,
    shortened,
)

# The machine's own catalogs; those of the knowledge lie beside its tables.
CATALOGS = Path(__file__).parent / "catalogs"

# The header of a catalog that says who knows the field and has checked it; `Last-Translator` says who translated.
CHECKED_BY = "Language-Team"
NOT_CHECKED = "checked by no one"


@dataclass(frozen=True)
class Sentence:
    """A message in a language: its text, and the language of the text, which is English if there is no translation."""

    text: str
    language: Language
    english: str

    @property
    def is_english(self) -> bool:
        """True if the text is the English one."""
        return self.language.is_english


class _Missing(gettext.NullTranslations):
    """The end of a chain of catalogs: the empty text, so that English is told from a translation that equals it."""

    def gettext(self, message: str) -> str:  # noqa: ARG002  # the signature of gettext
        return ""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002
        return ""


class NotTranslatedError(Exception):
    """A part of a text has no translation, so that the whole text is said in English."""


class Catalogs:
    """The compiled catalogs of some folders, each read at its first use and kept."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self.read = cache(self._read)

    def say(self, message: Message, language: Language) -> Sentence:
        """The message in a language; in English if it has no translation there."""
        own = english(message)
        text = "" if language.is_english else self._translation(message, language)
        if not text:
            return Sentence(own, ENGLISH, own)
        return Sentence(filled(text, message.every_value, language), language, own)

    def say_text(self, text: str, language: Language) -> Sentence:
        """A text of a page in a language; as a whole in English if any part of it has no translation there.

        A text without words, such as a list of codes, is the same in every language.
        """
        try:
            return Sentence(self.speaker(language)(text), language, text)
        except NotTranslatedError:
            return Sentence(str(text), ENGLISH, text)

    def speaker(self, language: Language) -> Callable[[str], str]:
        """Says texts in a language, as plain text; where one has no translation, it raises NotTranslatedError.

        For what is shown in one language or in English as a whole. English needs no catalog.
        """
        return str if language.is_english else partial(self._said_in_full, language)

    def _said_in_full(self, language: Language, text: str) -> str:
        content = content_of(text)
        return str(text) if content is None else self._said(content, language).strip()

    def _said(self, content: Content, language: Language) -> str:
        match content:
            case Joined():
                return content.separator.join(self._value(each, language) for each in content.parts)
            case Listed():
                parts = [self._value(each, language) for each in content.parts]
                return str(format_list(parts, "or" if content.last == "or" else "standard", language.locale))
            case Capitalized():
                return capitalized(self._value(content.part, language))
            case Shortened():
                return shortened(self._value(content.part, language), content.limit)
        translation = self._translation(content, language) if has_words(content.text) else content.text
        if not translation:
            raise NotTranslatedError
        values = content.every_value
        return PLACEHOLDER.sub(lambda found: self._value(values[found[1]], language), translation)

    def _value(self, value: Value, language: Language) -> str:
        if not isinstance(value, Worded):
            return written(value, language)
        return str(value) if value.content is None else self._said(value.content, language)

    def is_checked(self, language: Language) -> bool:
        """True if a person who knows the field has checked every catalog of the language; English needs none."""
        if language.is_english:
            return True
        checked = (each.info().get(CHECKED_BY.lower(), NOT_CHECKED) for each in self.read(language))
        return all(by != NOT_CHECKED for by in checked)

    def template(self, text: str, language: Language, plural: str = "", count: int = 1) -> str:
        """The translation of a message with its placeholders; empty if there is none."""
        (first, *_) = self.read(language)
        return first.ngettext(text, plural, count) if plural else first.gettext(text)

    def _translation(self, message: Message, language: Language) -> str:
        if message.count is None:
            return self.template(message.text, language)
        return self.template(message.text, language, message.plural, message.count)

    def _read(self, language: Language) -> Sequence[gettext.GNUTranslations]:
        """The catalogs of a language, in the order of the folders; each knows the next."""
        found: list[gettext.GNUTranslations] = []
        for folder in self.folders:
            with (folder / f"{language.tag}.mo").open("rb") as compiled:
                found.append(gettext.GNUTranslations(compiled))
        for one, following in zip(found, [*found[1:], _Missing()], strict=True):
            one.add_fallback(following)
        return tuple(found)
