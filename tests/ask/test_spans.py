"""Parts of texts that are recognized, in questions and in descriptions of cases, with their places."""

from itertools import pairwise

import pytest

from cds_service.ask.asker import Asker
from cds_service.ask.spans import Span, cleaned
from cds_service.review.advisor import Advisor
from cds_service.wiring import create_asker


@pytest.fixture(scope="module")
def asker(plain_advisor: Advisor) -> Asker:
    return create_asker(plain_advisor)


def spans(asker: Asker, text: str) -> list[Span]:
    return list(asker.recognizer.read(cleaned(text)).spans)


def kinds(asker: Asker, text: str) -> list[tuple[str, str]]:
    return [(each.kind, each.value) for each in spans(asker, text)]


CASE = (
    "65 M, treadmill stress echo, continuous ECG, I supervised and read it, Definity 1.3 mL, 0.2 mL discarded, "
    "my office, Medicare, 2026-11-03"
)


@pytest.mark.parametrize(
    "part",
    [
        ("age", "65"),
        ("thing", "stress echo"),
        ("performed", "treadmill"),
        ("performed", "continuous ECG"),
        ("performed", "supervised"),
        ("performed", "interpreted"),
        ("product", "Definity"),
        ("amount", "1.3 mL"),
        ("discarded", "0.2 mL"),
        ("setting", "office"),
        ("payer", "Medicare"),
        ("day", "2026-11-03"),
    ],
)
def test_a_case_in_words_is_taken_apart(asker: Asker, part: tuple[str, str]) -> None:
    assert part in kinds(asker, CASE)


def test_a_span_tells_its_place(asker: Asker) -> None:
    found = spans(asker, CASE)
    assert len(found) > 1
    for each in found:
        assert CASE[each.start : each.end].strip(" ,") == CASE[each.start : each.end]
    assert len([one for one, other in pairwise(found) if one.end <= other.start]) == len(found) - 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("93352", [("code", "93352")]),
        ("93352-26", [("code", "93352-26")]),
        ("93352.26", [("code", "93352-26")]),
        ("93352/26", [("code", "93352-26")]),
        ("93352 26", [("code", "93352-26")]),
        ("93351TC", [("code", "93351-TC")]),
        ("q9957x2-jz", [("code", "Q9957x2-JZ")]),
        ("Q9957-JZ x2", [("code", "Q9957x2-JZ")]),
        ("93350/93352", [("code", "93350"), ("code", "93352")]),
        ("93016-93018", [("code", "93016"), ("code", "93018")]),
        ("0439t", [("code", "0439T")]),
        ("modifiers 26 and TC", [("modifier", "26"), ("modifier", "TC")]),
        ("a 59 modifier", [("modifier", "59")]),
        ("NDC 11994-011-04", [("ndc", "11994-011-04")]),
        ("11994-0011", [("ndc", "11994-0011")]),
        ("11994001104", [("ndc", "11994001104")]),
        ("1199401104", [("ndc", "1199401104")]),
        ("1.3mL", [("amount", "1.3 mL")]),
        (".5 cc", [("amount", "0.5 mL")]),
        ("two vials", [("amount", "2 vials")]),
        ("wasted 3 mL", [("discarded", "3 mL")]),
        ("3 mL was thrown away", [("discarded", "3 mL")]),
        ("3 units", [("units", "3")]),
        ("POS 22", [("place", "22")]),
        ("place of service 11", [("place", "11")]),
        ("TOB 0131", [("bill", "0131")]),
        ("11/3/2026", [("day", "2026-11-03")]),
        ("November 3rd, 2026", [("day", "2026-11-03")]),
        ("2026-02-30", []),
        ("70 yo", [("age", "70")]),
        ("R07.9", [("diagnosis", "R07.9")]),
        ("ASC", [("setting", "ambulatory surgical center")]),
        ("CAH", [("setting", "critical access hospital")]),
        ("BCBS", [("payer", "Blue Cross")]),
    ],
)
def test_forms(asker: Asker, text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(asker, text) == found


@pytest.mark.parametrize("text", ["123456", "$93350", "933501", "5551234567", "93.352"])
def test_other_numbers_are_no_codes(asker: Asker, text: str) -> None:
    assert not {"code", "ndc"} & {kind for kind, _ in kinds(asker, text)}


@pytest.mark.parametrize(
    ("text", "value", "negated"),
    [
        ("Definity not used: allergy", "Definity", True),
        ("no Definity", "Definity", True),
        ("without any Definity", "Definity", True),
        ("Definity was not given", "Definity", True),
        ("Definity used", "Definity", False),
        ("no problem, Definity given", "Definity", False),
        ("93350 without 93352", "93352", True),
        ("93350 without 93352", "93350", False),
    ],
)
def test_a_negation_belongs_to_the_word_beside_it(asker: Asker, text: str, value: str, negated: bool) -> None:
    (found,) = [each for each in spans(asker, text) if each.value == value]
    assert found.negated is negated


@pytest.mark.parametrize(
    ("written", "value"),
    [("definty", "Definity"), ("Optisson", "Optison"), ("lumasan", "Lumason"), ("regadenosen", "regadenoson")],
)
def test_a_corrected_word_is_marked(asker: Asker, written: str, value: str) -> None:
    (found,) = spans(asker, written)
    assert (found.value, found.corrected) == (value, True)
    answer = asker.ask(f"code for {written}")
    assert [(each.text, each.value) for each in answer.corrections] == [(written, value)]


@pytest.mark.parametrize("written", ["option", "visions", "definite", "93532", "abcde", "денситу"])
def test_a_word_of_its_own_is_not_corrected(asker: Asker, written: str) -> None:
    assert True not in {each.corrected for each in spans(asker, written)}


def test_unknown_words_are_listed(asker: Asker) -> None:
    answer = asker.ask("93352 for zorblatt gizmos, and quux")
    assert answer.not_understood == ("zorblatt gizmos", "quux")
    assert answer.answered
