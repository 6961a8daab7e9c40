"""Scopes of rules, sources as they are cited, and texts that are cut at a word."""

import time
from datetime import date
from typing import Any

import pytest

import hooks
from cds_service.core import work_limit
from cds_service.core.case import Case, Line, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.core.rules import Because, Passed, Scope, scope_of
from cds_service.core.site import SiteSource
from cds_service.core.tables import Source
from cds_service.core.union_find import DisjointSet
from cds_service.errors import TooMuchWork
from cds_service.languages.worded import shortened

SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 3)
ECHO = Scope(codes=frozenset({"93350"}))


def line(code: str, day: date | None = SECOND, *, under_review: bool = True) -> Line:
    concept = Concept(codes=(Code(BILLING, code),))
    return Line(origin=Origin("claim", code), code=code, concept=concept, day=day, under_review=under_review)


@pytest.mark.parametrize(
    ("stage", "lines", "is_covered"),
    [
        ("claim", [line("93350")], True),
        ("claim", [line("93350", None)], True),
        ("claim", [line("99213")], False),
        ("claim", [], False),
        ("claim", [line("99213"), line("93350", under_review=False)], True),
        ("claim", [line("99213"), line("93350", THIRD, under_review=False)], False),
        ("claim", [line("99213", None), line("93350", None, under_review=False)], False),
        ("order", [line("93350")], True),
        ("order", [line("99213"), line("93350", under_review=False)], False),
    ],
)
def test_a_scope_covers_charges_of_what_is_under_review(stage: Any, lines: list[Line], is_covered: bool) -> None:
    assert ECHO.covers(Case(stage=stage, lines=Records(lines))) is is_covered


def test_a_scope_covers_its_topics() -> None:
    nothing = Case(stage="claim")
    assert Scope(topics=(lambda _: False, lambda _: True)).covers(nothing)
    assert not Scope(topics=(lambda _: False,)).covers(nothing)
    assert not scope_of([]).covers(nothing)


def test_a_long_text_is_cut_at_a_word() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 12) == "one two…"
    assert shortened("one two three", 9) == "one two…"
    assert shortened("one two three", 8) == "one…"
    assert shortened("onetwothree", 8) == "onetwot…"


def test_a_source_is_cited_with_its_year_once_and_its_age() -> None:
    old = Source(publisher="ASE", document="Guideline", year=2018)
    dated = Source(publisher="CMS", document="Addendum B, April 2026", year=2026, verified_through=THIRD)
    assert (old.label, old.checked) == ("ASE, Guideline (2018)", "published 2018")
    assert (dated.label, dated.checked) == ("CMS, Addendum B, April 2026", "verified through 2026-03-03")


def test_a_source_of_the_site_is_as_old_as_it_says() -> None:
    written = SiteSource(publisher="Payer", document="Policy", date=SECOND)
    verified = SiteSource(publisher="Payer", document="Policy", date=SECOND, verified_through=THIRD)
    assert (written.label, written.checked) == ("Payer, Policy, 2026-03-02", "dated 2026-03-02")
    assert (verified.label, verified.checked) == ("Payer, Policy, 2026-03-02", "verified through 2026-03-03")


def test_names_are_of_one_set_if_others_lead_from_one_to_the_other() -> None:
    names = DisjointSet()
    names.union("a", "b")
    names.union("c", "d")
    assert "a" in names
    assert "e" not in names
    assert names.find("a") == names.find("b") != names.find("c")
    names.union("b", "c")
    assert len({names.find(each) for each in "abcd"}) == 1
    assert names.find("e") == "e"
    assert "e" in names


@pytest.mark.parametrize(("spare", "is_whole"), [(0, True), (1, False)])
def test_reasons_in_one_sentence_take_180_characters(spare: int, is_whole: bool) -> None:
    """The sum of what passed, with room kept for the number of the others."""
    first, last = "a" * 60, "c" * 20
    room = 180 - len(first) - len("; ") - len("; and 1 more")
    reasons = [first, "b" * (room + spare), last]
    passes = [Passed(lambda text: Because(text, ()), each) for each in reasons]
    text = hooks.all_rules()[0].reason_of(passes).text
    assert text == (f"{first}; {reasons[1]}; and 1 more" if is_whole else f"{first}; and 2 more")
    assert len(text) <= 180


def test_work_is_limited_in_time_of_the_processor_and_not_of_the_clock() -> None:
    work_limit.check()  # nothing is limited
    with work_limit.at_most(0.02):
        time.sleep(0.05)
        work_limit.check()
        with pytest.raises(TooMuchWork, match="more time to compare"):
            while True:
                work_limit.check()
    with work_limit.at_most(0.0), work_limit.at_most(None):
        time.sleep(0.001)
        work_limit.check()
