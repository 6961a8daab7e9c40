"""The room of languages: choice of a language, values in messages, catalogs read late, and fallbacks to English."""

import gettext
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from cds_service.app import create_app
from cds_service.errors import TableError, UnknownLanguage
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.extraction import Domain, template_of
from cds_service.languages.known import ENGLISH, LANGUAGES, Language, chosen, language_of
from cds_service.languages.messages import Message, Quantity, Value, english, filled, message, plural
from cds_service.languages.update import compiled, read_catalog, update
from cds_service.settings import Settings
from cds_service.wiring import create_catalogs
from tests.conftest import SAMPLES
from tests.documents.messages import DOMAINS
from tests.http.test_services import SERVICES
from tests.support.running import ROOT


def language(tag: str) -> Language:
    found = language_of(tag)
    assert found
    return found


# --- the choice -----------------------------------------------------------------------------------------------------


def test_there_are_ten_languages_each_with_its_own_name() -> None:
    assert [(each.tag, each.name) for each in LANGUAGES] == [
        ("en", "English"), ("es", "español"), ("zh-Hans", "中文 (简体)"), ("ru", "русский"), ("ar", "العربية"),
        ("vi", "Tiếng Việt"), ("fr", "français"), ("de", "Deutsch"), ("ko", "한국어"), ("tl", "Filipino"),
    ]  # fmt: skip
    assert [each.tag for each in LANGUAGES if each.direction == "rtl"] == ["ar"]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("vi", "vi"), ("VI", "vi"), (" vi-VN ", "vi"), ("es_MX", "es"), ("es-419", "es"), ("ar-EG", "ar"),
        ("zh", "zh-Hans"), ("zh-CN", "zh-Hans"), ("zh-Hans-US", "zh-Hans"), ("zh-SG", "zh-Hans"),
        ("zh-TW", None), ("zh-Hant", None), ("zh-Hant-HK", None), ("fil", "tl"), ("fil-PH", "tl"), ("tl-PH", "tl"),
        ("en-GB", "en"), ("pt", None), ("", None), ("*", None), ("../vi", None), ("v", None), ("vi\x00", None),
    ],
)  # fmt: skip
def test_a_tag_names_a_language(tag: str, expected: str | None) -> None:
    found = language_of(tag)
    assert (found.tag if found else None) == expected


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "expected"),
    [
        (None, None, [], "en"),
        ("vi", "ko", ["de"], "vi"),
        (None, "ko", ["de"], "ko"),
        (None, None, ["de", "fr"], "de"),
        (None, None, ["pt-BR", "zh-TW", "fr"], "fr"),
        (None, "nonsense", ["ru"], "ru"),
        (None, "", ["*"], "en"),
        ("en", "ko", ["de"], "en"),
    ],
)
def test_what_is_asked_comes_before_what_is_kept_before_what_is_accepted(
    asked: str | None, kept: str | None, accepted: list[str], expected: str
) -> None:
    assert chosen(asked, kept, accepted).tag == expected


@pytest.mark.parametrize("asked", ["", "xx", "zh-TW", "<b>", "vi,en"])
def test_a_language_that_is_asked_for_and_unknown_is_an_error(asked: str) -> None:
    with pytest.raises(UnknownLanguage, match="`lang`: expected one of en, es, zh-Hans, ru, ar, vi, fr, de, ko, tl"):
        chosen(asked, "vi", ["vi"])


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tag", "expected"),
    [
        (Decimal("1.5"), "de", "1,5"),
        (Decimal("1.5"), "en", "1.5"),
        (Decimal("0.0125"), "ru", "0,0125"),
        (1234, "es", "1.234"),
        (Quantity(Decimal("0.01"), "mg"), "fr", "0,01\N{NO-BREAK SPACE}mg"),
        (date(2026, 11, 3), "ko", "2026년 11월 3일"),
        (date(2026, 11, 3), "ru", "3 ноября 2026\N{NARROW NO-BREAK SPACE}г."),  # noqa: RUF001
        (date(2026, 11, 3), "ar", "3 نوفمبر 2026"),
        ("Definity {x}", "vi", "Definity {x}"),
        ("93352", "ar", "\N{LEFT-TO-RIGHT ISOLATE}93352\N{POP DIRECTIONAL ISOLATE}"),
    ],
)
def test_a_value_is_written_as_the_language_writes_it(value: Value, tag: str, expected: str) -> None:
    assert filled("{value}", {"value": value}, language(tag)) == expected


def test_a_placeholder_without_its_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="product"):
        english(message("Its name is {product}."))


# --- catalogs -------------------------------------------------------------------------------------------------------

RUSSIAN = {
    0: "0 единиц", 1: "1 единица", 2: "2 единицы", 4: "4 единицы", 5: "5 единиц", 11: "11 единиц", 21: "21 единица",
    22: "22 единицы", 100: "100 единиц", 1234: "1\N{NO-BREAK SPACE}234 единицы",
}  # fmt: skip
ARABIC = {
    0: "وحدة",
    1: "وحدة واحدة",
    2: "وحدتان",
    3: "وحدات",
    10: "وحدات",
    11: "وحدة",
    99: "وحدة",
    100: "وحدة",
    103: "وحدات",
}


def units(count: int, tag: str) -> str:
    return create_catalogs().say(plural("{count} unit", "{count} units", count), language(tag)).text


@pytest.mark.parametrize(("count", "expected"), RUSSIAN.items())
def test_the_plural_forms_of_russian(count: int, expected: str) -> None:
    assert units(count, "ru") == expected


@pytest.mark.parametrize(("count", "expected"), ARABIC.items())
def test_the_plural_forms_of_arabic(count: int, expected: str) -> None:
    isolated = f"\N{LEFT-TO-RIGHT ISOLATE}{count}\N{POP DIRECTIONAL ISOLATE}"
    assert units(count, "ar").replace(f"({isolated})", "").replace(isolated, "").split() == expected.split()


@pytest.mark.parametrize(
    ("tag", "one", "two"),
    [
        ("en", "1 unit", "2 units"), ("es", "1 unidad", "2 unidades"), ("fr", "1 unité", "2 unités"),
        ("de", "1 Einheit", "2 Einheiten"), ("vi", "1 đơn vị", "2 đơn vị"), ("ko", "1 단위", "2 단위"),
        ("zh-Hans", "1 个单位", "2 个单位"), ("tl", "1 yunit", "2 yunit"),
    ],
)  # fmt: skip
def test_the_plural_forms_of_the_other_languages(tag: str, one: str, two: str) -> None:
    assert (units(1, tag), units(2, tag)) == (one, two)
    assert units(0, "fr") == "0 unité"


def folder_with(folder: Path, tag: str, *entries: tuple[str, str, bool], team: str = "checked by no one") -> Path:
    """A folder with the compiled catalog of one language: message, translation, fuzzy."""
    catalog = Catalog(locale=language(tag).cldr, fuzzy=False, language_team=team)
    for text, translation, is_fuzzy in entries:
        catalog.add(text, translation, flags=["fuzzy"] if is_fuzzy else [])
    folder.mkdir(exist_ok=True)
    (folder / f"{tag}.mo").write_bytes(compiled(catalog))
    return folder


def test_a_sentence_without_a_current_translation_is_said_in_english(tmp_path: Path) -> None:
    vietnamese = language("vi")
    one = folder_with(
        tmp_path / "one", "vi", ("Known.", "Biết.", False), ("Changed.", "Cũ.", True), ("Empty.", "", False)
    )
    two = folder_with(tmp_path / "two", "vi", ("Second {n}.", "Hai {n}.", False), ("Same.", "Same.", False))
    catalogs = Catalogs(one, two)
    said = {text: catalogs.say(message(text, n=2), vietnamese) for text in ("Known.", "Second {n}.", "Same.")}
    assert [each.text for each in said.values()] == ["Biết.", "Hai 2.", "Same."]
    assert {each.language for each in said.values()} == {vietnamese}
    for text in ("Changed.", "Empty.", "New."):
        sentence = catalogs.say(Message(text), vietnamese)
        assert (sentence.text, sentence.language, sentence.is_english) == (text, ENGLISH, True)
    assert catalogs.say(plural("{count} part", "{count} parts", 2), vietnamese).text == "2 parts"


def test_a_language_is_checked_only_if_each_of_its_catalogs_is(tmp_path: Path) -> None:
    by = "Ngoc Tran, cardiac sonographer, 2027-01-15"
    machine = folder_with(tmp_path / "machine", "vi", ("A.", "A.", False))
    checked = folder_with(tmp_path / "checked", "vi", ("A.", "A.", False), team=by)
    assert Catalogs(checked, checked).is_checked(language("vi"))
    assert not Catalogs(checked, machine).is_checked(language("vi"))
    assert not Catalogs(machine).is_checked(language("vi"))
    assert Catalogs(machine).is_checked(ENGLISH)


def test_a_catalog_is_read_at_its_first_use_and_never_for_english(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parse = gettext.GNUTranslations._parse

    def noted(self: gettext.GNUTranslations, stream: Any) -> None:
        read.append(Path(stream.name).name)
        parse(self, stream)

    monkeypatch.setattr(gettext.GNUTranslations, "_parse", noted)
    client = create_app(Settings(mode="development")).test_client()
    assert SAMPLES
    for path in SAMPLES[:5]:
        body = json.loads(path.read_bytes())
        response = client.post(SERVICES[body["hook"]], json=body, headers={"Accept-Language": "en-US, vi"})
        assert response.status_code == 200
    for page in ("/codes/93352/patient", "/codes/93352", "/claim"):
        assert client.get(page).status_code == 200
    assert read == []
    for _ in range(2):
        assert client.get("/codes/93352/patient?lang=vi").status_code == 200
    assert read == ["vi.mo", "vi.mo"], "that of the machine and that of the knowledge, once each"


# --- extraction and update ------------------------------------------------------------------------------------------

TABLE = """title: T
sources:
  own: {publisher: P, document: D, year: 2026}
entries:
  - {code: "93352", also: ["93350"], part: about, text: "From a table: {product}."}
"""


def domain(folder: Path) -> Domain:
    (folder / "pages").mkdir()
    (folder / "table.yaml").write_text(TABLE)
    (folder / "said.py").write_text(
        'x = message("From a module.", code=1), plural("{count} part", "{count} parts", 2)\n'
    )
    (folder / "pages" / "one.html").write_text('<p>{{ say(message("From a template.")) }}</p>')
    sources = {"*.yaml": "table:text", "*.py": "python", "pages/*.html": "jinja2"}
    return Domain("a test", folder, sources, folder / "catalogs")


def test_messages_are_found_in_modules_templates_and_tables(tmp_path: Path) -> None:
    template = template_of(domain(tmp_path))
    found = {each.id for each in template if each.id}
    expected = {"From a table: {product}.", "From a module.", "From a template.", ("{count} part", "{count} parts")}
    assert found == expected
    assert template["From a table: {product}."].auto_comments == ["For 93352, 93350"]


def test_a_table_that_is_no_strict_yaml_is_an_error(tmp_path: Path) -> None:
    made = domain(tmp_path)
    (tmp_path / "table.yaml").write_text(TABLE.replace('"93352"', "93352"))
    with pytest.raises(TableError, match="put `93352` in quotes"):
        template_of(made)


def test_a_changed_message_is_fuzzy_until_a_person_translates_it(tmp_path: Path) -> None:
    made, spanish = domain(tmp_path), language("es")
    assert len(update(made)) == 2 * (len(LANGUAGES) - 1)
    assert update(made) == ()
    path = made.catalogs / "es.po"
    written = path.read_text()
    assert "Last-Translator: machine, for this project" in written
    assert "Language-Team: checked by no one" in written
    path.write_text(
        written.replace('msgid "From a module."\nmsgstr ""', 'msgid "From a module."\nmsgstr "De un módulo."')
    )
    assert update(made) == (path.with_suffix(".mo"),)
    assert Catalogs(made.catalogs).say(Message("From a module."), spanish).text == "De un módulo."
    source = tmp_path / "said.py"
    source.write_text(source.read_text().replace("From a module.", "From the module."))
    assert path in update(made)
    changed = read_catalog(path, spanish)["From the module."]
    assert (changed.fuzzy, changed.string) == (True, "De un módulo.")
    assert Catalogs(made.catalogs).say(Message("From the module."), spanish).is_english
    assert update(made) == ()


@pytest.mark.parametrize("each", DOMAINS, ids=lambda each: each.name)
def test_the_catalogs_are_up_to_date(each: Domain) -> None:
    assert [str(path.relative_to(ROOT)) for path in update(each)] == [], "run `make messages`, and review what changed"
