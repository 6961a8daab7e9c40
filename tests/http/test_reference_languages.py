"""The reference pages in ten languages: no English is left in a made-up one, and what is left says so."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import pytest
import requests
from flask.testing import FlaskClient

import hooks
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import LANGUAGES
from hooks.codes.tables import PRODUCTS, STRESS_DRUGS
from tests.http.test_patient import LETTERS, language_of_page, pseudo, pseudo_catalogs
from tests.http.test_reference import JSON, PATHS, get
from tests.support.speaking import app_with

TAGS = [language.tag for language in LANGUAGES]
ASKED = [
    "/ask",
    "/ask?q=Can+I+bill+93352+alone",
    "/ask?q=93350+and+93306+same+day",
    "/ask?q=Units+of+Q9957+for+1.3+mL",
    "/ask?q=93352-26+in+a+hospital",
    "/ask?q=Which+code+for+stress+echo+with+contrast+in+a+hospital",
    "/ask?q=What+is+an+MUE",
    "/ask?q=Will+Aetna+pay+93352",
    "/ask?q=What+is+the+NDC+of+Definitty",
]
SEARCHES = ["/codes?q=zzzz", "/codes?q=Definitty", "/codes?q=Can+93352+be+billed+alone%3F"]


class _Left(HTMLParser):
    """Collects the text of a page in its own language, and what has no translation."""

    VOID: ClassVar = {"meta", "link", "input", "br"}
    SHOWN: ClassVar = {"aria-label", "data-label", "alt", "placeholder"}

    def __init__(self) -> None:
        super().__init__()
        self.nested: list[bool] = []  # True within what is not to be translated, or is in another language on purpose
        self.untranslated = 0
        self.left: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.untranslated += named.get("class") == "untranslated"
        is_data = tag == "script" or (tag == "option" and "lang" in named)
        is_other = named.get("translate") == "no" or named.get("class") == "english" or self._is_choice(named)
        apart = is_data or is_other
        if tag not in self.VOID:
            self.nested.append(apart or any(self.nested[-1:]))
        self.left += [value for name, value in attrs if name in self.SHOWN and value]

    @staticmethod
    def _is_choice(named: dict[str, str | None]) -> bool:
        """True for the name of a language in the switcher."""
        return "lang=" in (named.get("href") or "") and named.get("lang") in TAGS

    def handle_endtag(self, _tag: str) -> None:
        self.nested.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not self.nested[-1]:
            self.left.append(data.strip())


# Names of products and drugs in cells, units, and the words of dates and lists.
FACTS = {
    word.lower() for each in (*PRODUCTS, *STRESS_DRUGS) for text in (each.name, *each.words) for word in text.split()
} | {"ml", "mg", "rxnorm", "tháng", "năm", "và", "hoặc"}
ABBREVIATION = re.compile(r"[A-Z0-9]{1,8}s?|[A-Z]\w*\d\w*|\d+x|x\d+")
# Names of rules stand in titles, and what was searched is repeated.
QUERIES = ("zzzz", "Definitty", r"Can 93352 be billed alone\?", "contrast")
NAMES = re.compile("|".join([*(each.id for each in hooks.all_rules()), *QUERIES]))


def english_in(seen: _Left) -> set[str]:
    """The words of English letters that a page in the pseudo-language holds, without names and abbreviations."""
    words = {word for text in seen.left for word in re.findall(r"[^\W_]+", NAMES.sub("", text))}
    plain = {word for word in words if any(letter in LETTERS for letter in word)}
    return {word for word in plain if word.lower() not in FACTS and not ABBREVIATION.fullmatch(word)}


def seen_on(client: FlaskClient, path: str, tag: str = "vi") -> _Left:
    response = client.get(f"{path}{'&' if '?' in path else '?'}lang={tag}")
    assert response.status_code in {200, 404}, path
    assert language_of_page(response) == tag
    return left_in(response.text)


def left_in(html: str) -> _Left:
    """The texts of a page in its own language."""
    seen = _Left()
    seen.feed(html)
    return seen


@pytest.fixture(scope="module")
def client_of_pseudo(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return app_with(pseudo_catalogs(tmp_path_factory.mktemp("pseudo"))).test_client()


@pytest.mark.repeats(4)
@pytest.mark.parametrize("path", [*PATHS, *SEARCHES, *ASKED, "/claim", "/codes/nope", "/rules/nope", "/modifiers/nope"])
def test_in_a_pseudo_language_no_english_is_left(client_of_pseudo: FlaskClient, path: str) -> None:
    seen = seen_on(client_of_pseudo, path)
    assert len(seen.left) > 10
    assert english_in(seen) == set()
    assert seen.untranslated == 0


def test_what_has_no_translation_is_marked_as_english_and_the_page_says_so(tmp_path: Path) -> None:
    """Catalogs with one message: the rest falls back."""
    client = app_with(pseudo_catalogs(tmp_path, only="Sources")).test_client()
    text = client.get("/codes/93352?lang=vi").text
    assert f'<h2 id="sources-title">{pseudo("Sources")}</h2>' in text
    assert '<span class="untranslated" lang="en" dir="ltr">Skip to content</span>' in text
    assert '<span class="english" lang="en" dir="ltr">Some sentences are not translated yet.' in text
    assert seen_on(client, "/codes/93352").untranslated > 50


@pytest.mark.parametrize(
    "path", ["/codes", "/codes/93352", "/modifiers", "/rules/pair-conflict", "/glossary", "/tables"]
)
def test_the_json_is_english_in_every_language(server: str, path: str) -> None:
    english = get(server, path, **JSON)
    for tag in ("ar", "zh-CN"):
        other = requests.get(f"{server}{path}?lang={tag}", headers=JSON | {"Cookie": "lang=vi"}, timeout=30)
        assert other.status_code == 200
        assert other.content == english.content
        assert "Set-Cookie" not in other.headers


@pytest.mark.parametrize("path", ["/codes?q=93352", "/codes/93352", "/modifiers/26", "/rules", "/glossary", "/tables"])
def test_a_page_speaks_the_language_that_is_asked_for_and_offers_all(server: str, path: str) -> None:
    response = get(server, f"{path}{'&' if '?' in path else '?'}lang=ar")
    assert '<html lang="ar" dir="rtl">' in response.text
    assert response.headers["Content-Language"] == "ar, en"
    assert "lang=ar" in response.headers["Set-Cookie"]
    assert {"Accept", "Accept-Language", "Cookie"} <= set(response.headers["Vary"].split(", "))
    (choice,) = re.findall(r'<nav class="languages".*?</nav>', response.text, re.DOTALL)
    assert re.findall(r'lang=([\w-]+)" lang="([\w-]+)"', choice) == [(tag, tag) for tag in TAGS]
    assert ("q=93352&amp;lang=vi" in choice) == ("q=" in path), "a search stays"
    assert "A machine translated this page. No person who knows this field has checked" in response.text
    english = get(server, path, **{"Accept-Language": "en"})
    assert '<html lang="en">' in english.text
    assert "machine translated" not in english.text


@pytest.mark.parametrize("tag", ["", "xx", "%3Cb%3E"])
def test_a_language_that_is_not_spoken_is_a_bad_request(server: str, tag: str) -> None:
    for path in ("/codes", "/codes/93352", "/tables"):
        page, members = get(server, f"{path}?lang={tag}"), get(server, f"{path}?lang={tag}", **JSON)
        assert (page.status_code, members.status_code) == (400, 400)
        assert members.json()["issue"][0]["expression"] == ["lang"]


def test_pages_that_speak_english_only_do_not_change_with_the_language(server: str) -> None:
    for path in ("/claim/notation", "/fhir", "/openapi.json"):
        html = {"Accept": "text/html"}
        own, other = get(server, path, **html), get(server, path, **html, Cookie="lang=vi")
        assert own.text == other.text
        assert 'class="languages"' not in own.text


def test_no_catalog_is_read_for_english(tmp_path: Path) -> None:
    """The folder has no catalogs, so that reading one is an error."""
    app = app_with(Catalogs(tmp_path))
    for path in ("/codes", "/codes/93352", "/rules/pair-conflict", "/glossary", "/tables", "/codes/nope"):
        assert app.test_client().get(path).status_code in {200, 404}
    assert app.test_client().get("/codes?lang=vi").status_code == 500
