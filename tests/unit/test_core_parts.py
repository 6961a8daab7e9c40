"""Scopes of rules, sources as they are cited, and texts that are cut at a word."""

from datetime import date
from typing import Any

import pytest

from cds_service.core.case import Case, Line, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.core.rules import Scope, scope_of
from cds_service.core.tables import Source
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
