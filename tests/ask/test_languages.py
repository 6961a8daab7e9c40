"""Questions in other languages: codes, products and numbers in every sentence, and the topic words of each catalog."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from cds_service.ask.asker import Asker
from cds_service.ask.kinds import KINDS
from cds_service.ask.lexicon import plain_words
from cds_service.ask.readers import Reader
from cds_service.ask.spans import Recognizer, cleaned
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import LANGUAGES
from cds_service.languages.update import compiled
from cds_service.review.advisor import Advisor
from cds_service.wiring import create_asker, create_case_reader, create_catalogs
from hooks.publish.ask import knowledge

WORDS = knowledge().words
LOOK_UP, PAIR, UNITS = (WORDS.topics[each].asked for each in ("look-up", "pair", "units"))
SPANISH = {
    LOOK_UP: "qué NDC, qué es, significado",
    PAIR: "junto, juntos, el mismo día",
    UNITS: "cuántas unidades, unidades",
    WORDS.settings["hospital outpatient"].asked: "hospital, paciente ambulatorio",
    WORDS.fillers_asked: "el, la, de, para, tiene, puedo, facturar, y, con, se, dieron",
    WORDS.negations_asked: "sin, no",
    "stress echo": "eco de estrés",
}
CHINESE = {LOOK_UP: "是什么、NDC", PAIR: "一起，同一天", WORDS.fillers_asked: "的, 和, 可以, 收费, 吗"}  # noqa: RUF001
ARABIC = {PAIR: "معا، في نفس اليوم", WORDS.fillers_asked: "و"}
IN_TEST = {"es": SPANISH, "zh-Hans": CHINESE, "ar": ARABIC}


def catalogs_in(folder: Path) -> Catalogs:
    for language in LANGUAGES[1:]:
        catalog = Catalog(locale=language.cldr, fuzzy=False)
        for message, translation in IN_TEST.get(language.tag, {}).items():
            catalog.add(message, translation)
        (folder / f"{language.tag}.mo").write_bytes(compiled(catalog))
    return Catalogs(folder)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Catalogs:
    return catalogs_in(tmp_path_factory.mktemp("catalogs"))


@pytest.fixture(scope="module")
def asker(plain_advisor: Advisor, catalogs: Catalogs) -> Asker:
    return create_asker(plain_advisor, catalogs)


@pytest.mark.parametrize(
    ("question", "spans", "begin"),
    [
        ("¿Qué NDC tiene Definity?", ["topic=look-up", "product=Definity"], "products:definity"),
        ("¿Puedo facturar 93350 y 93351 juntos?", ["code=93350", "topic=pair", "code=93351"], "rule:pair-conflict"),
        ("Definity的NDC是什么?", ["product=Definity", "topic=look-up"], "products:definity"),
        ("93350和93351可以一起收费吗?", ["code=93350", "code=93351", "topic=pair"], "rule:pair-conflict"),
        ("93350 و 93351 معا؟", ["code=93350", "code=93351", "topic=pair"], "rule:pair-conflict"),
        ("٩٣٣٥٠ و93351 معا", ["code=93350", "code=93351", "topic=pair"], "rule:pair-conflict"),
        ("Cuántas unidades de Q9957 para 1,3 mL", ["topic=units", "code=Q9957", "amount=1.3 mL"], "rule:"),
    ],
)
def test_a_question_in_another_language_is_answered(asker: Asker, question: str, spans: list[str], begin: str) -> None:
    answer = asker.ask(question)
    assert {f"{each.kind}={each.value}" for each in answer.understood} >= set(spans)
    assert answer.not_understood == ()
    assert not answer.is_partial
    assert any(each.id.startswith(begin) for each in answer.answer)


def test_what_is_known_of_an_unknown_language_is_answered_in_part(asker: Asker) -> None:
    answer = asker.ask("Mikä on 93352 ja Definity?")
    assert answer.answered
    assert answer.is_partial
    assert "Mikä" in answer.not_understood[0]
    assert not asker.ask("What is 93352?").is_partial


def test_the_language_of_the_page_counts_first(catalogs: Catalogs) -> None:
    reader = Reader(knowledge(), (), catalogs.template)
    spanish = next(each for each in LANGUAGES if each.tag == "es")
    assert [each.value for each in reader.read("93350 juntos", spanish).of("topic")] == ["pair"]
    assert [each.value for each in reader.read("93350 juntos").of("topic")] == ["pair"]
    assert reader.read("93350 zzzz", spanish) == reader.english.read("93350 zzzz")


def test_an_english_question_reads_no_catalog() -> None:
    def fails(text: str, _: object) -> str:
        raise AssertionError(text)

    reader = Reader(knowledge(), (), fails)
    assert reader.read("Can I bill 93352 alone?").not_understood == ()


def test_a_description_in_another_language_is_read_with_its_names(plain_advisor: Advisor, catalogs: Catalogs) -> None:
    case = create_case_reader(plain_advisor, catalogs).read("eco de estrés con Definity 1,3 mL, Medicare", False)
    assert {(each.kind, each.value) for each in case.understood} >= {
        ("study", "stress echo"),
        ("product", "Definity"),
        ("amount", "1.3 mL"),
        ("payer", "Medicare"),
    }


DENIED = [
    "eco de estrés con Doppler, no se usó Definity",
    "eco de estrés, Definity 1,3 mL no se administró",
    "eco de estrés sin Definity",
    "échocardiographie d'effort, Definity n'a pas été utilisé",
    "échocardiographie d'effort sans Definity",
    "Belastungsecho, Definity wurde nicht gegeben",
    "Belastungsecho ohne Definity",
    "стресс-эхокардиография, Definity не вводили",
    "стресс-эхокардиография без Definity",
    "siêu âm tim gắng sức, không dùng Definity",
    "siêu âm tim gắng sức, Definity không được dùng",
    "负荷超声心动图,未使用Definity",
    "负荷超声心动图。Definity没有使用。",
    "تخطيط صدى القلب بالجهد، لم يستخدم Definity",
    "تخطيط صدى القلب بالجهد بدون Definity",
    "부하 심초음파, Definity를 사용하지 않음",
    "부하 심초음파, Definity 없이",
    "stress echo, hindi ginamit ang Definity",
    "stress echo na walang Definity",
]
TOLD = [
    "eco de estrés, se usó Definity 1,3 mL, no hubo síntomas",
    "Belastungsecho mit Definity, ohne Doppler",
    "Belastungsecho, ohne 93320, mit Definity",
    "eco de estrés sin 93320, se usó Definity 1,3 mL",
    "стресс-эхокардиография, введён Definity; без Doppler",
    "siêu âm tim gắng sức, có dùng Definity, không có triệu chứng",
    "负荷超声心动图,使用Definity,没有胸痛",
    "부하 심초음파, Definity 사용, 증상 없음",
]


def products_in(advisor: Advisor, text: str) -> list[bool]:
    """Denials of the products of a description, with the catalogs as they are."""
    case = create_case_reader(advisor, create_catalogs()).read(text, False)
    return [each.negated for each in case.understood if each.kind == "product"]


@pytest.mark.parametrize("text", DENIED)
def test_a_product_that_was_denied_in_any_language_is_not_taken_for_given(plain_advisor: Advisor, text: str) -> None:
    assert products_in(plain_advisor, text) == [True]


@pytest.mark.parametrize("text", TOLD)
def test_a_denial_ends_with_its_clause(plain_advisor: Advisor, text: str) -> None:
    assert products_in(plain_advisor, text) == [False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Definity의 NDC", ("definity", "의", "ndc")),
        ("和93351一起", ("和", "93351", "一", "起")),
        ("وDefinity", ("و", "definity")),
        ("l'écho d\N{RIGHT SINGLE QUOTATION MARK}effort", ("l'écho", "d'effort")),
        ("the owner's echoes", ("the", "owner", "echoe")),
    ],
)
def test_words_of_scripts_without_spaces_are_apart(text: str, words: tuple[str, ...]) -> None:
    assert plain_words(cleaned(text)) == words


@pytest.mark.parametrize(
    ("text", "amounts"),
    [("1,3 mL", ["1.3 mL"]), ("2,0 ml", ["2 mL"]), ("Q9957 1,200 mL", []), ("1.3毫升 0,5 mL的", ["0.5 mL"])],
)
def test_a_decimal_comma_is_no_other_amount(text: str, amounts: list[str]) -> None:
    assert [each.value for each in Recognizer(knowledge(), ()).read(cleaned(text)).of("amount")] == amounts


def test_every_kind_has_its_words(asker: Asker) -> None:
    named = {kind for kind, _, _ in knowledge().names}
    assert named
    assert named <= KINDS.keys()
    kinds = {each.kind for text in WORDS.examples for each in asker.ask(text).understood}
    assert kinds
    assert kinds <= KINDS.keys()
