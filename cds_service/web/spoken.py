"""Says the texts of a page in the page's language: functions and filters of the templates.

English is said as it is, and no catalog is read for it. What has no translation is said in English and marked as
English; names of documents and the like, which no language translates, are marked as not to be translated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, render_template, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from cds_service.languages.catalogs import Catalogs, Sentence
from cds_service.languages.facts import one_line
from cds_service.languages.known import ENGLISH, LANGUAGES, Language
from cds_service.languages.messages import PLACEHOLDER, Message, Money, Value, written
from cds_service.languages.scripts import translations
from cds_service.languages.worded import Worded, counted, english_text, in_english, name
from cds_service.web import languages
from cds_service.web.languages import PARAMETER

_UNTRANSLATED = Markup('<span class="untranslated" lang="en" dir="ltr">{}</span>')
_NAME = Markup('<span lang="en" dir="ltr" translate="no">{}</span>')
# The place of HTML in a text while the text is escaped.
_MARK = "\ue000{}\ue001"
_IN_ENGLISH = Markup(' lang="en" dir="ltr" translate="no"')
# What the page's scripts say, as data: it runs nothing, so that the content security policy allows it.
_SCRIPT_WORDS = Markup('<script type="application/json" id="script-words">{}</script>')
_STATIC = Path(__file__).parent / "static"


def page_language() -> Language:
    """The language of the page that is being made; English where a page does not choose."""
    found: Language = g.get("language", ENGLISH)
    return found


def speak(language: Language) -> None:
    """Make a language that of the page that is being made."""
    g.language = language


def page(template: str, status: int = 200, **content: Any) -> Response:
    """A page in the language of the request, which offers the other languages. Raises UnknownLanguage."""
    language = languages.requested()
    speak(language)
    text = render_template(template, speaks=True, **content)
    response = Response(text, status, content_type="text/html; charset=utf-8")
    return languages.in_language(response, language, keep=PARAMETER in request.args)


@dataclass(frozen=True)
class Speaker:
    """Says texts in the language of the page, from the catalogs."""

    catalogs: Catalogs

    def register(self, app: Flask) -> None:
        """Give the templates their functions and filters."""
        app.jinja_env.globals |= {
            "in_words": self.words,
            "in_label": self.label,
            "number_of": self.number_of,
            "script_words": self.script_words,
            "page_language": page_language,
            "every_language": LANGUAGES,
            "in_language": in_language,
            "is_checked": lambda: self.catalogs.is_checked(page_language()),
            "is_incomplete": lambda: g.get("untranslated", False),
            "english_only": lambda: "" if page_language().is_english else _IN_ENGLISH,
        }
        app.jinja_env.filters |= {
            "said": self.said,
            "labeled": self.labeled,
            "named": named,
            "day": day,
            "amount": amount,
            "dollars": dollars,
        }

    def words(self, text: str, **values: Value) -> Markup:
        """A message of a template; values that are HTML stay HTML."""
        if page_language().is_english:
            return _filled(text, values)
        html = {key: value for key, value in values.items() if isinstance(value, Markup)}
        plain = {**values, **{key: name(_MARK.format(key)) for key in html}}
        found = self.said(Worded(english_text(text, plain), Message(one_line(text), values=plain)))
        for key, value in html.items():
            found = found.replace(_MARK.format(key), value)
        return found

    def label(self, text: str, **values: Value) -> str:
        """A message of a template for an attribute or a title, which cannot be marked."""
        return self._sentence(Worded(english_text(text, values), Message(one_line(text), values=values))).text

    def number_of(self, count: int, one: str, many: str, **values: Value) -> Markup:
        """A number with what it counts."""
        return self.said(counted(one, many, count, **values))

    def script_words(self, *scripts: str) -> Markup:
        """The translations of what the page's scripts say (their names), as data; nothing on an English page."""
        language = page_language()
        if language.is_english:
            return Markup()
        found = {text: said for each in scripts for text, said in self._script_words(each, language)}
        g.untranslated = g.get("untranslated", False) or None in found.values()
        return _SCRIPT_WORDS.format(htmlsafe_json_dumps({text: said for text, said in found.items() if said}))

    def _script_words(self, script: str, language: Language) -> Iterable[tuple[str, Any]]:
        return translations(_STATIC / f"{script}.js", self.catalogs, language).items()

    def said(self, text: str) -> Markup:
        """A text of the page's data, in the page's language or marked as English."""
        sentence = self._sentence(text)
        if sentence.is_english and not page_language().is_english:
            g.untranslated = True
            return _UNTRANSLATED.format(sentence.text)
        return escape(sentence.text)

    def labeled(self, text: str) -> str:
        """A text of the page's data for an attribute or a title."""
        return self._sentence(text).text

    def _sentence(self, text: str) -> Sentence:
        return self.catalogs.say_text(text, page_language())


def named(text: str) -> Markup:
    """A name that no language translates, such as that of a document or a rule."""
    return escape(str(text)) if page_language().is_english else _NAME.format(text)


def day(value: date) -> str:
    """A day as the page's language writes it; in English as the tables do."""
    language = page_language()
    return value.isoformat() if language.is_english else written(value, language)


def amount(value: int) -> str:
    """A large number as the page's language writes it."""
    return written(value, page_language())


def dollars(value: Decimal) -> str:
    """An amount of US dollars as the page's language writes it."""
    return written(Money(value), page_language())


def in_language(language: Language) -> str:
    """The address of this page in another language, as a query."""
    others = [(key, each) for key, each in request.args.items() if key != PARAMETER]
    return "?" + urlencode([*others, (PARAMETER, language.tag)])


def _filled(text: str, values: dict[str, Value]) -> Markup:
    """The English of a template, which is HTML as the template's other text is."""
    return Markup(PLACEHOLDER.sub(lambda found: str(_html(values[found[1]])), text))  # noqa: S704


def _html(value: Value) -> Markup:
    return value if isinstance(value, Markup) else escape(in_english(value))
