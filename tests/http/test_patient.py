"""Charges in plain words for patients: the page of a code, the lines of a claim, and the language of both."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
from babel.messages.catalog import Catalog
from werkzeug.test import TestResponse

from cds_service import app as composition
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.extraction import template_of
from cds_service.languages.known import LANGUAGES
from cds_service.languages.messages import PLACEHOLDER
from cds_service.languages.update import compiled
from cds_service.settings import Settings
from hooks.codes.tables import CODES, PRODUCTS, STRESS_DRUGS
from tests.documents.messages import DOMAINS
from tests.http.test_reference import CODE_NUMBERS, JSON, get, page_of

TAGS = [language.tag for language in LANGUAGES]
LINES = "professional: 93351-26, 93352, Q9957x2-JZ, 99213x1.5-ZZ"
CLAIM = f"{LINES}\nday: 2026-11-03"


def explained(server: str, code: str, tag: str) -> dict[str, Any]:
    response = get(server, f"/codes/{code}/patient?lang={tag}", **JSON)
    assert response.status_code == 200
    return dict(response.json())


# --- the page of a code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_every_code_has_a_page_that_is_sound_and_linked_from_its_own(server: str, code: str) -> None:
    response = get(server, f"/codes/{code}/patient")
    assert response.status_code == 200
    page = page_of(response)
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert len(set(page.ids)) == len(page.ids)
    assert f"/codes/{code}" in page.links
    assert f"/codes/{code}/patient" in page_of(get(server, f"/codes/{code}")).links
    for said in ("This page is not a bill.", "This page is not medical advice.", "Please ask your clinic"):
        assert said in page.text
    assert "{" not in page.text


@pytest.mark.parametrize("tag", TAGS)
def test_the_page_is_in_the_language_with_the_english_beside_it(server: str, tag: str) -> None:
    response = get(server, f"/codes/Q9957/patient?lang={tag}")
    assert response.headers["Content-Language"] == ("en" if tag == "en" else f"{tag}, en")
    direction = "rtl" if tag == "ar" else "ltr"
    assert f'<html lang="{tag}" dir="{direction}">' in response.text
    assert response.text.count("Its brand name is Definity.") == 1
    assert response.text.count("Definity") == (1 if tag == "en" else 2)
    members = explained(server, "Q9957", tag)
    assert (members["language"], members["checked"], members["complete"]) == (tag, tag == "en", True)
    (charge,) = members["charges"]
    assert {each["language"] for each in charge["about"]} == {tag}
    assert [each["text"] == each["english"] for each in charge["about"]] == [tag == "en"] * 5


@pytest.mark.parametrize("tag", TAGS[1:])
def test_a_translation_that_no_one_checked_says_so_in_both_languages(server: str, tag: str) -> None:
    text = get(server, f"/codes/93352/patient?lang={tag}").text
    assert text.count("A machine translated this page.") == 1
    assert "No person who knows this field has checked the translation yet." in text
    assert text.count('<a href="/codes/93352/patient?lang=en"') == 2, "in the notice and among the languages"
    assert "A machine translated" not in get(server, "/codes/93352/patient?lang=en").text


def test_facts_are_those_of_the_tables(server: str) -> None:
    drugs = {drug.code: (drug.name, f"{drug.mg_per_unit}\N{NO-BREAK SPACE}mg") for drug in STRESS_DRUGS}
    products = {product.code: (product.name, "1\N{NO-BREAK SPACE}mL") for product in PRODUCTS}
    assert len(drugs | products) > 8
    for code, facts in (drugs | products).items():
        name, amount = facts
        text = get(server, f"/codes/{code}/patient").text
        assert name in text
        assert amount in text


@pytest.mark.parametrize("code", ["99213", "nonsense", "9335"])
def test_an_unknown_code_is_a_404_as_on_the_other_pages(server: str, code: str) -> None:
    page, members = get(server, f"/codes/{code}/patient"), get(server, f"/codes/{code}/patient", **JSON)
    assert (page.status_code, members.status_code) == (404, 404)
    assert page.text == get(server, f"/codes/{code}").text
    assert members.json() == get(server, f"/codes/{code}", **JSON).json()


# --- the language ---------------------------------------------------------------------------------------------------


def language_of_page(response: requests.Response | TestResponse) -> str:
    (tag,) = re.findall(r'<html lang="([^"]+)"', response.text)
    return str(tag)


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "expected"),
    [
        ("", "", "", "en"),
        ("", "", "vi,en;q=0.5", "vi"),
        ("", "", "pt;q=0.9, zh-CN;q=0.8, en;q=0.1", "zh-Hans"),
        ("", "", "zh-TW, en;q=0.4", "en"),
        ("", "", "de;q=0, ko;q=0.1", "ko"),
        ("", "", ";;q=é,,", "en"),
        ("", "ko", "vi", "ko"),
        ("", "nonsense", "vi", "vi"),
        ("", "../../vi", "", "en"),
        ("?lang=ar", "ko", "vi", "ar"),
        ("?lang=fil", "", "", "tl"),
        ("?lang=EN-us", "ko", "vi", "en"),
    ],
)
def test_the_language_is_asked_for_kept_or_accepted(
    server: str, query: str, cookie: str, accepted: str, expected: str
) -> None:
    headers = {"Accept-Language": accepted.encode("latin-1")} | ({"Cookie": f"lang={cookie}"} if cookie else {})
    response = requests.get(f"{server}/codes/93352/patient{query}", headers=headers, timeout=30)
    assert language_of_page(response) == expected
    assert {"Accept", "Accept-Language", "Cookie"} <= set(response.headers["Vary"].split(", "))


def test_the_choice_is_kept_in_a_cookie_that_names_a_language_only(server: str) -> None:
    session = requests.Session()
    assert "Set-Cookie" not in session.get(f"{server}/codes/93352/patient", timeout=30).headers
    chosen = session.get(f"{server}/codes/93352/patient?lang=zh-CN", timeout=30)
    name, *attributes = re.split(r"; *", chosen.headers["Set-Cookie"])
    assert name == "lang=zh-Hans"
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=31536000"} <= set(attributes)
    assert language_of_page(session.get(f"{server}/codes/Q9957/patient", timeout=30)) == "zh-Hans"


@pytest.mark.parametrize("tag", ["", "xx", "zh-TW", "%3Cb%3E"])
def test_a_language_that_is_not_spoken_is_a_bad_request(server: str, tag: str) -> None:
    response = get(server, f"/codes/93352/patient?lang={tag}", **JSON)
    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["expression"] == ["lang"]
    assert issue["diagnostics"] == f"`lang`: expected one of {', '.join(TAGS)}"
    assert requests.post(f"{server}/claim/patient", data={"text": CLAIM, "lang": tag}, timeout=30).status_code == 400


# --- the lines of a claim -------------------------------------------------------------------------------------------


def test_every_line_of_a_claim_is_explained_and_an_unknown_one_says_so(server: str) -> None:
    response = requests.post(f"{server}/claim/patient?lang=ru", json={"text": CLAIM}, timeout=30)
    assert response.status_code == 200
    charges = response.json()["charges"]
    assert [(each["code"], each["known"]) for each in charges] == [
        ("93351", True), ("93352", True), ("Q9957", True), ("99213", False),
    ]  # fmt: skip
    said = [[sentence["english"] for sentence in each["about"]] for each in charges]
    assert said[0][-1] == "This line is only for the work of the doctor, not for the equipment."
    assert said[2][-1] == "None of the drug was thrown away."
    assert said[3] == [
        "This page has no plain words for this code.",
        "Please ask your clinic what the charge is for.",
        "This page does not know what ZZ after the code means.",
    ]
    assert [each.get("units", {}).get("text") for each in charges] == [None, None, "2 единицы", "Единицы: 1,5"]


@pytest.mark.parametrize("tag", TAGS)
def test_a_form_gets_the_page(server: str, tag: str) -> None:
    response = requests.post(f"{server}/claim/patient", data={"text": CLAIM, "lang": tag}, timeout=30)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert language_of_page(response) == tag
    page = page_of(response)
    for each in ("93351-26", "93352", "Q9957-JZ", "99213-ZZ", "November 3, 2026"):
        assert each in page.text
    assert "Nothing that was entered is stored." in page.text
    assert "?" not in " ".join(page.links), "nothing of the claim is in an address"


def test_a_claim_without_lines_says_so(server: str) -> None:
    response = requests.post(f"{server}/claim/patient", data={"text": "given: Definity 1.3 mL"}, timeout=30)
    assert response.status_code == 200
    assert "No charges were entered." in response.text


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        ("lang=vi", "x-www-form-urlencoded", 400, "`text`: expected"),
        ("text=93350&text=93351", "x-www-form-urlencoded", 400, "`text`: expected"),
        ("text=93350&name=Jane", "x-www-form-urlencoded", 400, "`text`: expected"),
        ("text=93350&a=1&b=2", "x-www-form-urlencoded", 400, "expected a form"),
        ("text=%ff", "x-www-form-urlencoded", 400, "expected a form"),
        (b"text=\xff", "x-www-form-urlencoded", 400, "expected a form"),
        ("text=lines%3A+9335", "x-www-form-urlencoded", 400, "9335"),
        ('{"lines": "9335"}', "json", 400, "9335"),
        ('{"text": 5}', "json", 400, "`text`: expected"),
        ("93350", "xml", 415, "expected a body of type application/json or application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_claim_is_refused(server: str, body: str | bytes, kind: str, status: int, said: str) -> None:
    headers = {"Content-Type": f"application/{kind}", "Accept": "application/json"}
    response = requests.post(f"{server}/claim/patient", data=body, headers=headers, timeout=30)
    assert response.status_code == status
    assert said in response.json()["issue"][0]["diagnostics"]


def test_nothing_of_a_claim_is_logged(server: str, server_log: Path) -> None:
    mark = "Zzyzx-Patient"
    for body in ({"text": f"professional: 93350\npayer: {mark}", "lang": "vi"}, {"text": f"{mark} 93350"}):
        requests.post(f"{server}/claim/patient", data=body, timeout=30)
    assert mark not in server_log.read_text()


# --- a pseudo-language: no English sentence is left -----------------------------------------------------------------

LETTERS = {letter: 0x1D5D4 + at for at, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}  # mathematical letters
LETTERS |= {letter: 0x1D5EE + at for at, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}


def pseudo(text: str) -> str:
    """The text in other letters, with its placeholders."""
    other = str.maketrans({letter: chr(code) for letter, code in LETTERS.items()})
    parts = re.split(r"({\w+})", text)
    return "".join(part if PLACEHOLDER.fullmatch(part) else part.translate(other) for part in parts)


def pseudo_catalogs(folder: Path, only: str = "", without: str = "", said: Callable[[str], str] = pseudo) -> Catalogs:
    """Catalogs of all messages, of `only` one, or `without` one, in which Vietnamese is the pseudo-language."""
    folders = []
    for number, domain in enumerate(DOMAINS):
        catalog = Catalog(locale="vi", fuzzy=False, language_team="checked by no one")
        for each in template_of(domain):
            if (only and each.id != only) or (without and each.id == without):
                continue
            if isinstance(each.id, tuple):
                catalog.add(each.id, (said(each.id[1]),))
            elif each.id:
                catalog.add(each.id, said(str(each.id)))
        folders.append(folder / str(number))
        folders[-1].mkdir()
        for language in LANGUAGES[1:]:
            nothing = Catalog(locale=language.cldr, fuzzy=False)
            (folders[-1] / f"{language.tag}.mo").write_bytes(compiled(nothing))
        (folders[-1] / "vi.mo").write_bytes(compiled(catalog))
    return Catalogs(*folders)


class _Left(HTMLParser):
    """Collects the text of a page in its own language: not the English beside it, other languages, or codes."""

    VOID: ClassVar = {"meta", "link", "input", "br"}
    SHOWN: ClassVar = {"title", "alt", "placeholder", "aria-label"}

    def __init__(self) -> None:
        super().__init__()
        self.nested: list[bool] = []  # True within what is not of the page's language
        self.left: list[str] = []
        self.english_without_need: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_other = named.get("lang", "vi") != "vi" or named.get("translate") == "no"
        if named.get("lang") == "en" and named.get("class") != "english" and "href" not in named and tag != "button":
            self.english_without_need.append(named)
        if tag not in self.VOID:
            self.nested.append(is_other or any(self.nested[-1:]))
        self.left += [value for name, value in attrs if name in self.SHOWN and value]

    def handle_endtag(self, _tag: str) -> None:
        self.nested.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not self.nested[-1]:
            self.left.append(data.strip())


FACTS = {each.name for each in PRODUCTS} | {each.name for each in STRESS_DRUGS} | {"mL", "mg", "ZZ", "tháng"}
# The page names its own language in the switcher.
OWN_NAMES = {"Tiếng Việt"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("checked", [False, True])
def test_in_a_pseudo_language_no_english_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checked: bool
) -> None:
    catalogs = pseudo_catalogs(tmp_path)
    monkeypatch.setattr(catalogs.__class__, "is_checked", lambda *_: checked)
    monkeypatch.setattr(composition, "create_catalogs", lambda: catalogs)
    client = composition.create_app(Settings(mode="development")).test_client()
    pages = {code: client.get(f"/codes/{code}/patient?lang=vi") for code in sorted({entry.code for entry in CODES})}
    every_modifier = ", ".join(f"93350-{each}" for each in ("26", "TC", "52", "59", "76", "JW", "JZ", "ZZ"))
    for name, text in {
        "claim": f"{LINES}, {every_modifier}",
        "units": "lines: 93350, Q9957x1",
        "empty": "payer: Medicare",
    }.items():
        pages[name] = client.post("/claim/patient", data={"text": f"{text}\nday: 2026-11-03", "lang": "vi"})
    assert len(pages) > 60
    for name, response in pages.items():
        assert response.status_code == 200, name
        seen = _Left()
        seen.feed(response.text)
        words = {word for text in seen.left if text not in OWN_NAMES for word in re.findall(r"[^\W\d_]+", text)}
        assert len(words) > 10, name
        english = {word for word in words if word not in FACTS and any(letter in LETTERS for letter in word)}
        assert english == set(), name
        assert seen.english_without_need == [], name
