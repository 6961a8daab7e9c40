"""Facts of sentences set apart, and texts that know their message."""

import pickle
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from babel.messages.catalog import Catalog

from cds_service.languages.catalogs import Catalogs
from cds_service.languages.facts import has_words, with_facts_apart
from cds_service.languages.known import LANGUAGES, Language
from cds_service.languages.messages import Money, Month, Quantity
from cds_service.languages.update import compiled
from cds_service.languages.worded import (
    Worded,
    capitalized,
    counted,
    fact,
    joined,
    listed,
    name,
    plain_text,
    prose,
    shortened,
    worded,
)

GERMAN, ARABIC = (next(each for each in LANGUAGES if each.tag == tag) for tag in ("de", "ar"))
ML, RVU = Quantity(Decimal(2), "mL"), Quantity(Decimal("1.3"), "RVU")
NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("text", "apart", "values"),
    [
        ("such as 93350 and 93351-26.", "such as {1} and {2}.", ["93350", "93351-26"]),
        ("never on 93352, 0439T or Q9957x2-JZ", "never on {1} or {2}", ["93352, 0439T", "Q9957x2-JZ"]),
        (
            "2 mL of a vial, 1.3 RVU",
            "{1} of a vial, {2}",
            [ML, RVU],
        ),
        ("from 2026-12-31, type 85x", "from {1}, type {2}", [date(2026, 12, 31), "85x"]),
        ("$1,200.50 at 1.25 (40%)", "{1} at {2} ({3})", [Money(Decimal("1200.50")), Decimal("1.25"), "40%"]),
        ("with {product} and 1 unit", "with {product} and {1} unit", ["1"]),
        ("no\n  fact", "no fact", []),
    ],
)
def test_facts_of_a_sentence_are_set_apart(text: str, apart: str, values: list[object]) -> None:
    found = with_facts_apart(text)
    assert found.text == apart
    assert list(found.values.values()) == values
    assert list(found.values) == [str(number + 1) for number in range(len(values))]


@pytest.mark.parametrize(
    ("text", "expected"), [("MUE", False), ("{codes}, X", False), ("a {code}", False), ("an", True)]
)
def test_words_are_told_from_facts(text: str, expected: bool) -> None:
    assert has_words(text) == expected


Translations = dict[str | tuple[str, str], str | tuple[str, ...]]


def said(tmp_path: Path, language: Language, text: str, messages: Translations) -> str:
    catalog = Catalog(locale=language.cldr, fuzzy=False)
    for message, translation in messages.items():
        catalog.add(message, translation)
    (tmp_path / f"{language.tag}.mo").write_bytes(compiled(catalog))
    return Catalogs(tmp_path).say_text(text, language).text


def test_a_text_is_said_with_its_parts_and_facts(tmp_path: Path) -> None:
    units = counted("{count} unit", "{count} units", Decimal("1.5"))
    text = worded("With {product}: {units}; {rest}.", product="Definity", units=units, rest=prose("from 1.3 mL"))
    assert text == "With Definity: 1.5 units; from 1.3 mL."
    messages: Translations = {
        "With {product}: {units}; {rest}.": "{rest}; {units}: mit {product}.",
        ("{count} unit", "{count} units"): ("{count} Einheit", "{count} Einheiten"),
        "from {1}": "ab {1}",
    }
    assert said(tmp_path, GERMAN, text, messages) == f"ab 1,3{NBSP}mL; 1,5 Einheiten: mit Definity."
    assert said(tmp_path, GERMAN, text, {**messages, "from {1}": ""}) == text, "as a whole in English"


def test_facts_are_written_as_the_language_does(tmp_path: Path) -> None:
    row = joined(" / ", (Money(Decimal("1200.5")), Month(date(2026, 10, 1)), name("JW"), fact(Decimal("1.5"))))
    assert row == "$1,200.50 / October 2026 / JW / 1.5"
    assert said(tmp_path, GERMAN, row, {}) == f"1.200,50{NBSP}$ / Oktober 2026 / JW / 1,5"
    isolated = said(tmp_path, ARABIC, prose("from 93352"), {"from {1}": "من {1}"})
    assert isolated == "من \N{LEFT-TO-RIGHT ISOLATE}93352\N{POP DIRECTIONAL ISOLATE}"


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        (listed(("93350", "93351", "93352")), "93350, 93351 and 93352", "93350, 93351 und 93352"),
        (listed(("93350", worded("{number} more", number=2)), "or"), "93350 or 2 more", "93350 oder 2 weitere"),
        (listed(["93350"]), "93350", "93350"),
        (capitalized(worded("{number} more", number=2)), "2 more", "2 weitere"),
        (capitalized(worded("remove {line}", line="93352-26")), "Remove 93352-26", "Entfernen Sie 93352-26"),
        (shortened(worded("remove {line}", line="93352-26"), 12), "remove…", "entfernen…"),
        (shortened(worded("remove {line}", line="93352-26"), 16), "remove 93352-26", "entfernen Sie…"),
        (capitalized(name("definity")), "Definity", "Definity"),
        (shortened(name("a name of two"), 9), "a name…", "a name…"),
        (worded("{line}{on_day}", line="93352", on_day=joined(" ", ("", worded("on {day}", day=date(2026, 3, 2))))),
         "93352 on 2026-03-02", "93352 am 2. März 2026"),
    ],
)  # fmt: skip
def test_a_list_a_capital_and_a_cut_keep_the_message(tmp_path: Path, text: Worded, english: str, german: str) -> None:
    messages: Translations = {
        "{number} more": "{number} weitere",
        "remove {line}": "entfernen Sie {line}",
        "on {day}": "am {day}",
    }
    assert text == english
    assert said(tmp_path, GERMAN, text, messages) == german


def test_a_cut_value_from_left_to_right_ends_where_it_is_cut(tmp_path: Path) -> None:
    text = shortened(worded("remove {lines} and more", lines="93352-26 Q9957x2"), 22)
    found = said(tmp_path, ARABIC, text, {"remove {lines} and more": "إزالة {lines} والمزيد"})
    assert found == "إزالة \N{LEFT-TO-RIGHT ISOLATE}93352-26\N{POP DIRECTIONAL ISOLATE}…"
    assert len(found) <= 22


def test_a_text_is_its_english_and_keeps_its_message_in_another_process(tmp_path: Path) -> None:
    text = capitalized(worded("remove {lines} at 5%", lines=listed(("93352", "Q9957"))))
    assert {text: 1}["Remove 93352 and Q9957 at 5%"] == 1
    copy = pickle.loads(pickle.dumps(text))
    assert copy == text
    assert said(tmp_path, GERMAN, copy, {"remove {lines} at 5%": "5% ohne {lines}"}) == "5% ohne 93352 und Q9957"


def test_json_holds_the_text(tmp_path: Path) -> None:
    assert msgspec.json.encode({"a": worded("from {day}", day=date(2026, 1, 2))}, enc_hook=plain_text) == (
        b'{"a":"from 2026-01-02"}'
    )
    with pytest.raises(NotImplementedError, match="expected plain data"):
        plain_text(tmp_path)
