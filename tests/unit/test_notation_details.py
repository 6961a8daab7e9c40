"""Billers' notation in detail: how items are read and written again, and what is said of those that cannot be."""

from typing import Any

import pytest

from cds_service.errors import UnreadableCase
from cds_service.intake.fields import form_of
from cds_service.intake.items import ALLOWED, STATUSES
from cds_service.intake.text import is_notation, text_of
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter

WRITER = CaseWriter({"Definity": "11994-011-04", "Imagent": "Q9955"}, {"93351": "A name of ours"})
EVERY = ("charge", "claim", "given", "done", "ordered", "observed", "reported")
KEYS = dict(zip(EVERY, ("charged", "professional", "given", "done", "ordered", "observed", "reported"), strict=True))


def read(text: str) -> TypedCase:
    return WRITER.parsed_text(text)


def again(text: str) -> str:
    """A case as it is written again."""
    return text_of(read(text)).rstrip("\n")


def refusal(text: str) -> UnreadableCase:
    with pytest.raises(UnreadableCase) as caught:
        read(text)
    return caught.value


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("given: Definity 1.3mL", "given: Definity 1.3 mL"),
        ("given: Definity .5mL", "given: Definity 0.5 mL"),
        ("given: Definity 1.3 ML", "given: Definity 1.3 mL"),
        ("given: definity", "given: Definity"),
        ("given: Definity 2 vials", "given: Definity 2 vials"),
        ("given: Q9957 1.3 mL", "given: Q9957 1.3 mL"),
        ("given: J1250 250mg", "given: J1250 250 mg"),
        ("given: J1250", "given: J1250"),
        ("given: RxNorm 283753", "given: RxNorm 283753"),
        ("given: rxnorm 283753 4 mcg", "given: RxNorm 283753 4 mcg"),
        ("given: RxNorm 283753 4mcg", "given: RxNorm 283753 4 mcg"),
        ("given: Definity 1 mL, Imagent 2 mL, 1 mL discarded", "given: Definity 1 mL, Imagent 2 mL, 1 mL discarded"),
        ("given: RxNorm 283753 + NDC 11994-011-04 5 mL", "given: RxNorm 283753 + NDC 11994-011-04 5 mL"),
        ("given: words Definity 2 mL", 'given: words "Definity" 2 mL'),
        ("given: words Definity 2", 'given: words "Definity 2"'),
        ('given: words "saline 5" 2 mL', 'given: words "saline 5" 2 mL'),
        ("given: Definity 1 mL, 500 uL discarded", "given: Definity 1 mL, 0.5 mL discarded"),
        ("given: Definity 1 mL, 0.2mL wasted", "given: Definity 1 mL, 0.2 mL discarded"),
        ("given: Definity 1 mL, .001 L discarded", "given: Definity 1 mL, 1 mL discarded"),
        ("given: Definity 1 mL, 1 cc Discarded", "given: Definity 1 mL, 1 mL discarded"),
        ("given: Definity 1 mL, none discarded", "given: Definity 1 mL, 0 mL discarded"),
        ("given: Definity 1 mL, Nothing wasted", "given: Definity 1 mL, 0 mL discarded"),
        ("done: words stress echo, with contrast", 'done: words "stress echo, with contrast"'),
        ("done: words a + b", 'done: words "a + b"'),
        ("done: word stress echo on 2026-03-02", 'done: words "stress echo on 2026-03-02"'),
        ('done: words "a, b" on 2026-03-02, 93306', 'done: words "a, b" on 2026-03-02, 93306'),
        ("observed: LOINC 8867-4 for a as b in c", "observed: LOINC 8867-4 for a as b in c"),
        ("observed: loinc 18107-3 + SNOMED 80146002", "observed: LOINC 18107-3 + SNOMED 80146002"),
        ("charged: 93351 on 2026-03", "charged: 93351 on 2026-03"),
        ("charged: c8928-tc", "charged: C8928-TC"),
        ("charged: 93351x2.50", "charged: 93351x2.5"),
        ("charged: 93351 dx i10+R07.9 bare", "charged: 93351 dx i10+R07.9 bare"),
        ("ordered: 93351 planned 2026-03-03 status active", "ordered: 93351 status active planned 2026-03-03"),
        ("ordered: Definity status cancelled", "ordered: Definity status cancelled"),
        ("ordered: 93351 status revoked", "ordered: 93351 status revoked"),
        ("ordered: words Definity", 'ordered: words "Definity"'),
        ("charged: 93350, , 93352,", "charged: 93350, 93352"),
        ("93350; 93352\n93306", "charged: 93350, 93352, 93306"),
        ("professional: 93350\nplace: 11\nbill: 0131\ninstitutional: 93351", None),
        ("claim_type: institutional\nbill: 851", "claim_type: institutional\nbill: 851"),
        ("claim_type: institutional\ncharged: 93350", "institutional: 93350"),
        ("payer: Medicare + SOPT 121", "payer: Medicare + SOPT 121"),
        ("payer: SOPT 121", "payer: SOPT 121"),
        ("done: none\ngiven: NONE", "given: none\ndone: none"),
        ("known: [procedures, coverages]", "done: none\nknown: coverages"),
        ("known: procedures\ndone: 93351", "done: 93351"),
        ("done: '  93351   on   2026-03-02 '", "done: 93351 on 2026-03-02"),
        ("\ufeffcharged: 93350", "charged: 93350"),
        ("charged: ~\ngiven:\ndone: null", ""),
        ("reported: words A conclusion", 'reported: words "A conclusion"'),
    ],
)  # fmt: skip
def test_an_item_is_read_and_written_again(text: str, written: str | None) -> None:
    assert again(text) == (again(again(text)) if written is None else written)
    assert read(text_of(read(text))) == read(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("given: 1 mL", "1 mL: expected a billing code, a product (Definity, Imagent), RxNorm, NDC, SNOMED, LOINC"),
        ("given: Definitee", "did you mean Definity?"),
        ("done: Snomet 1", "did you mean SNOMED?"),
        ("given: Definity 1.3", "1.3: expected a unit behind the number, such as 1.3 mL"),
        ("given: Definity and 2", "2: expected a unit behind the number, such as 1.3 mL"),
        ("given: Definity 2 mm", "mm: expected a unit: mL, uL, µL, L, cc, mg, mcg, ug, µg, g, vial, vials, dose, unit"),
        ("given: Definity +2 mL", "+2: expected a number from 0 to 100,000, such as 1.3"),
        ("given: Definity 100000.1 mL", "100000.1: expected a number from 0 to 100,000"),
        ("given: discarded", "discarded: expected a volume, such as 0.2 mL discarded, or nothing discarded"),
        ("given: 1 mL discarded", "1 mL discarded: expected the product given before it"),
        ("given: Definity 1 mL, Definity 1 mL discarded", "Definity 1 mL discarded: expected a volume"),
        ("given: Definity 1 mL, 1 discarded", "1: expected a unit behind the number"),
        ("given: RxNorm 1 + 1 mL", "+: expected a code before and behind it"),
        ("done: + 93351", "+: expected a code before and behind it"),
        ('done: words ""', "words: expected a text behind it"),
        ('done: words "a" b c', "b: expected nothing behind the quotation mark"),
        ("done: LOINC", "LOINC: expected a code of LOINC behind `LOINC`"),
        ("given: LOINC 8867-4 mL", "8867-4 mL: expected a code of LOINC behind `LOINC`"),
        ("done: LOINC 8867", "8867: expected a code of LOINC behind `LOINC`"),
        ("done: SNOMED 012345", "012345: expected a code of SNOMED behind `SNOMED`"),
        ("charged: 93351 93352", "93352: expected a comma between two codes"),
        ("charged: 93351 93352-26", "93352-26: expected a comma between two codes"),
        ("charged: 93351 x2", "x2: units follow the code without a space, such as 93351x2"),
        ("charged: 93351 X", "X: units follow the code without a space, such as 93351x2"),
        ("professional: 93351 as A", "as: expected one of on, for, by, in, ndc, dx, bare"),
        ("professional: 93351 please", "please: expected a comma, or one of on, for, by, in, ndc, dx, bare"),
        ("ordered: 93351 for A", "for: expected one of on, as, in, status, planned, dx"),
        ("ordered: 93351 planned 2026-03", "2026-03: expected a date such as 2026-11-03"),
        ("charged: 93351 on 2026-13", "2026-13: expected a date such as 2026-11-03"),
        ("charged: 93351 bare bare", "bare: is written twice behind one item"),
        ("charged: 93351 dx I10+", "expected an ICD-10-CM code such as I10 or R07.9"),
        ("ordered: 93351 status completedly", f"completedly: expected a status: {', '.join(STATUSES['ordered'])}"),
        ("ordered: Definity status revoked", f"revoked: expected a status: {', '.join(STATUSES['drug'])}"),
        ("ordered: RxNorm 1 status revoked", f"revoked: expected a status: {', '.join(STATUSES['drug'])}"),
        ("given: Definity status billed", f"billed: expected a status: {', '.join(STATUSES['given'])}"),
        ("done: 93351 status draft", f"draft: expected a status: {', '.join(STATUSES['done'])}"),
        ("done: 93351 as A, 93306 as A", "A: two records have this name behind `as`"),
        ("earlier: 93351 as A, 93306 as A", "A: two records have this name behind `as`"),
        ("given: Definity as A, Definity as A", "A: two records have this name behind `as`"),
        ("reported: words \"x\" as A, words \"y\" as A", "A: two records have this name behind `as`"),
        ("claim_type: institutional\nprofessional: 93350", "institutional: `claim_type` is for `lines`;"),
        ("claim_type: professional\ncharged: 93350\ninstitutional: 1", "1: a code has five characters"),
        ("charged: 93350\nbill: 0131\nprofessional: 93351", "0131: a type of bill belongs to an institutional claim"),
        ("payer: SOPT 1 + SOPT 2", "SOPT 1 + SOPT 2: expected a payer's name, a code such as SOPT 121, or both"),
        ("payer: A + B", "A + B: expected a payer's name, a code such as SOPT 121, or both with a + between them"),
        ("payer: SOPT 123456", "SOPT 123456: expected a code of the payer typology behind SOPT"),
        (f"payer: {'A' * 101}", "expected a payer's name of at most 100 characters"),
        ("charged: 93350\ncolor: red", "color: expected one of the keys hook, claim_type, place, payer, day"),
        ("known: [procedures, none]", "none: expected procedures, medicationAdministrations, chargeItems, coverages"),
        ("hook: review", "review: expected claim or order"),
    ],
)  # fmt: skip
def test_a_fault_is_said(text: str, sentence: str) -> None:
    assert sentence in str(refusal(text))


@pytest.mark.parametrize(
    "text",
    [
        "done: 93351 as A\ngiven: Definity as A",
        "charged: 93350\nplace: 11\nprofessional: 93351",
        "charged: 93350\nbill: 0131\ninstitutional: 93351",
        f"payer: {'A' * 100}",
    ],
)
def test_what_is_near_a_fault_is_read(text: str) -> None:
    case = read(text)
    assert read(text_of(case)) == case


def test_a_product_is_not_expected_where_there_is_none() -> None:
    with pytest.raises(
        UnreadableCase, match="expected a billing code, RxNorm, NDC, SNOMED, LOINC with a code, or words"
    ):
        CaseWriter().parsed_text("given: Definity")


def test_the_line_of_a_fault_is_that_of_its_key() -> None:
    for text, line, key in (
        ("day: 2026-03-02\n\ncharged: 9335", 3, "charged"),
        ("day: 2026-03-02\nday: 2026-03-03", 2, "day"),
        ("charged: 93350\n\npayer: a: b", 3, ""),
        ("charged: 93350\ngiven: {a: b}", 0, "given"),
        ("charged: [93350\n", 2, ""),
    ):
        caught = refusal(text)
        assert (caught.line, caught.key) == (line, key)
    caught = refusal("charged: 93350\npayer: a: b # c")
    assert (caught.line, caught.word) == (2, "payer: a: b # c")


def test_limits_of_a_case_of_a_list_and_of_a_text() -> None:
    assert len(read(f"charged: {', '.join(['93350'] * 500)}").lines) == 500
    assert "expected at most 500 items" in str(refusal(f"charged: {', '.join(['93350'] * 501)}"))
    head = 'done: words "'
    assert len(str(read(f'{head}{"x" * 4992}"').done[0].names[0].value)) == 4992
    assert "expected a text of at most 5,000 characters" in str(refusal(f'{head}{"x" * 4993}"'))
    whole = "charged: 93350\n".ljust(50_000)
    assert len(read(whole).lines) == 1
    assert str(refusal(whole + " ")) == "expected a case of at most 50,000 characters"
    small = CaseWriter(most_items=2)
    assert len(small.parsed({"lines": ["93350", "93352"]}).lines) == 2
    with pytest.raises(UnreadableCase, match="expected at most 2 items"):
        small.parsed({"lines": ["93350", "93352", "93306"]})


@pytest.mark.parametrize(
    ("value", "is_read"),
    [
        (93350, True),
        ([93350, "93352"], True),
        ((93350,), True),
        (True, False),
        ([True], False),
        (1.5, False),
        (10**9 - 1, False),
        ("93350\t,\n93352", True),
        ("93350\x7f", False),
        ("93350\ud800", False),
    ],
    ids=range(10),
)
def test_keys_take_texts_and_numbers(value: Any, is_read: bool) -> None:
    if is_read:
        assert WRITER.parsed({"lines": value}).lines[0].code == "93350"
    else:
        with pytest.raises(UnreadableCase) as caught:
            WRITER.parsed({"lines": value})
        assert caught.value.key == "lines"
    with pytest.raises(UnreadableCase, match="a number of many digits: a place of service has two digits"):
        WRITER.parsed({"place": 10**9})
    with pytest.raises(UnreadableCase, match="999999999: a place of service has two digits"):
        WRITER.parsed({"place": 10**9 - 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("charged: 93350", True),
        ("  'done' : x", True),
        ('hello\n"payer": x', True),
        ("Dear charged: x", False),
        ("\ufeff \n{charged: x}", False),
        ("charged 93350", False),
        ("93350", False),
    ],
)
def test_notation_is_known_by_a_line_with_a_key(text: str, expected: bool) -> None:
    assert is_notation(text) == expected


def test_every_word_may_stand_behind_the_items_that_allow_it() -> None:
    values = {
        "on": "2026-03-03", "for": "A", "as": "B", "by": "C", "in": "D", "status": "unknown", "ndc": "11994-011-04",
        "dx": "I10", "bare": "", "planned": "2026-03-04",
    }  # fmt: skip
    for kind in EVERY:
        item = 'words "x"' if kind == "reported" else "93351"
        for word, value in values.items():
            text = f"{KEYS[kind]}: {item} {word} {value}".rstrip()
            if word in ALLOWED[kind]:
                assert again(text) == text
            else:
                assert f"{word}: expected one of {', '.join(ALLOWED[kind])}" in str(refusal(text))
        with_values = set(ALLOWED[kind]) - {"bare"}
        assert with_values
        for word in with_values:
            assert f"{word}: expected " in str(refusal(f"{KEYS[kind]}: {item} {word}"))
    assert {*values} == {word for words in ALLOWED.values() for word in words}


@pytest.mark.parametrize("value", ["a: b", "a #b", "#a", "null", "a:", '"a"', "a#b", "a:b", "~", "- a", "[a]", "a\\b"])
def test_a_payer_is_quoted_where_yaml_would_read_another(value: str) -> None:
    case = WRITER.parsed({"payer": value, "lines": "93350"})
    assert read(text_of(case)) == case
    is_plain = value in {"a#b", "a:b", "a\\b"}
    assert (f"payer: {value}\n" in text_of(case)) == is_plain


def test_a_payer_s_letters_stay_as_they_are_typed() -> None:
    assert text_of(WRITER.parsed({"payer": "Clínica # 1"})) == 'payer: "Clínica # 1"\n'
    assert text_of(WRITER.parsed({"payer": "Clínica"})) == "payer: Clínica\n"


def test_the_form_of_a_case_has_its_parts() -> None:
    case = read(
        "professional: 93351x2-26 dx I10, 93352\ngiven: Definity 1.30 mL on 2026-03-02, 0 mL discarded, Imagent"
    )
    assert form_of(case) == {
        "lines": [
            {"code": "93351", "modifiers": ["26"], "units": "2", "words": "dx I10"},
            {"code": "93352", "modifiers": [], "units": "", "words": ""},
        ],
        "given": [
            {"agent": "Definity", "dose": "1.3", "unit": "mL", "discarded": "0", "words": "on 2026-03-02"},
            {"agent": "Imagent", "dose": "", "unit": "", "discarded": "", "words": ""},
        ],
    }
    assert [line["code"] for line in form_of(read("charged: 93350\nprofessional: 93351"))["lines"]] == ["93350"]
    assert form_of(TypedCase()) == {"lines": [], "given": []}


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("ordered: 93351", "order"),
        ("ordered: 93351\ncharged: 93350", "claim"),
        ("hook: claim\nordered: 93351", "claim"),
        ("hook: order\ncharged: 93350", "order"),
        ("done: 93351", "claim"),
    ],
)
def test_the_stage_is_that_of_orders_where_nothing_is_charged(text: str, stage: str) -> None:
    assert read(text).stage == stage
