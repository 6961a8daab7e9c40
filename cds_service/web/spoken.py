"""The language of the page that is being made, and its templates' functions and filters (`languages/speech.py`)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, render_template, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, LANGUAGES, Language
from cds_service.languages.scripts import translations
from cds_service.languages.speech import FILTERS, FUNCTIONS, Speech
from cds_service.web import languages
from cds_service.web.languages import PARAMETER

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
        app.jinja_env.globals |= {name: self._on_page(function) for name, function in FUNCTIONS.items()}
        app.jinja_env.globals |= {
            "script_words": self.script_words,
            "page_language": page_language,
            "every_language": LANGUAGES,
            "in_language": in_language,
        }
        app.jinja_env.filters |= {name: self._on_page(function) for name, function in FILTERS.items()}

    def speech(self) -> Speech:
        """Says the texts of the page that is being made."""
        language = page_language()
        found: Speech | None = g.get("speech")
        if found is None or found.language is not language:
            found = g.speech = Speech(self.catalogs, language)
        return found

    def script_words(self, *scripts: str) -> Markup:
        """The translations of what the page's scripts say (their names), as data; nothing on an English page."""
        language = page_language()
        if language.is_english:
            return Markup()
        found = {text: said for each in scripts for text, said in self._script_words(each, language)}
        self.speech().is_incomplete |= None in found.values()
        return _SCRIPT_WORDS.format(htmlsafe_json_dumps({text: said for text, said in found.items() if said}))

    def _script_words(self, script: str, language: Language) -> Iterable[tuple[str, Any]]:
        return translations(_STATIC / f"{script}.js", self.catalogs, language).items()

    def _on_page(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *texts, **values: function(self.speech(), *texts, **values)


def in_language(language: Language) -> str:
    """The address of this page in another language, as a query."""
    others = [(key, each) for key, each in request.args.items() if key != PARAMETER]
    return "?" + urlencode([*others, (PARAMETER, language.tag)])
