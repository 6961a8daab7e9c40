"""Messages of the pages' scripts: found by the extractor, translated as data, with each plural form by its category."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from cds_service.languages.catalogs import Catalogs
from cds_service.languages.extraction import Domain, template_of
from cds_service.languages.known import LANGUAGES, Language
from cds_service.languages.scripts import messages_in, translations
from cds_service.languages.update import compiled, read_catalog

SCRIPT = """
import { inWords, numberOf } from "../language.js";
const one = (fix) => el("p", {}, inWords("Accepted: {fix}", { fix: fix.label }), `x ${inWords("Inside.")} y`);
const few = a < b ? numberOf(list.length, "{count} line", "{count} lines") : /\\d+/.test(a);
const long = inWords("A " + "long one.");
const none = inWords("JW"), other = say("Not a message.");
"""
RUSSIAN, ARABIC, TAGALOG = (next(each for each in LANGUAGES if each.tag == tag) for tag in ("ru", "ar", "tl"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "one.js"
    path.write_text(SCRIPT)
    return path


def catalogs_with(folder: Path, language: Language, *forms: str) -> Catalogs:
    catalog = Catalog(locale=language.cldr, fuzzy=False)
    catalog.add("Inside.", "<Внутри>")
    catalog.add(("{count} line", "{count} lines"), forms)
    (folder / f"{language.tag}.mo").write_bytes(compiled(catalog))
    return Catalogs(folder)


def test_the_catalogs_and_the_page_find_the_same_messages(script: Path) -> None:
    found = {each.text for each in messages_in(script)}
    assert found == {"Accepted: {fix}", "Inside.", "{count} line", "A long one."}
    domain = Domain("a test", script.parent, {"**.js": "javascript"}, script.parent)
    in_catalog = {each.id if isinstance(each.id, str) else each.id[0] for each in template_of(domain) if each.id}
    assert in_catalog == found


def test_each_plural_form_is_named_by_its_category(script: Path, tmp_path: Path) -> None:
    said = translations(script, catalogs_with(tmp_path, RUSSIAN, "one", "few", "many"), RUSSIAN)
    assert said["{count} line"] == {"one": "one", "few": "few", "many": "many"}
    assert said["Inside."] == "<Внутри>"
    assert said["Accepted: {fix}"] is None
    arabic = translations(script, catalogs_with(tmp_path, ARABIC, *"012345"), ARABIC)["{count} line"]
    assert arabic == {"zero": "0", "one": "1", "two": "2", "few": "3", "many": "4", "other": "5"}


def test_a_rule_of_gettext_that_differs_from_that_of_browsers_is_kept(script: Path, tmp_path: Path) -> None:
    """In Tagalog, browsers count 1, 2, 3, 5 as one; a catalog may count 1 alone."""
    head = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n'
    forms = 'msgid "{count} line"\nmsgid_plural "{count} lines"\nmsgstr[0] "one"\nmsgstr[1] "more"\n'
    (tmp_path / "tl.po").write_text(f"{head}\n{forms}")
    (tmp_path / "tl.mo").write_bytes(compiled(read_catalog(tmp_path / "tl.po", TAGALOG)))
    said = translations(script, Catalogs(tmp_path), TAGALOG)["{count} line"]
    assert said == {"one": "more", "other": "more", "0": "one", "1": "one"}


def test_a_count_without_all_its_forms_has_no_translation(script: Path, tmp_path: Path) -> None:
    assert translations(script, catalogs_with(tmp_path, RUSSIAN, "one", "", ""), RUSSIAN)["{count} line"] is None
