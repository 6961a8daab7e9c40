"""Records of one kind: whatever is asked of them is what comparing each of them would find."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cds_service.core.case import Line, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]
CODES = ("93350", "93352")


def line(made: tuple[Any, ...]) -> Line:
    number, code, day, is_reviewed, links = made
    return Line(
        origin=Origin("Claim/1", f"item {number}", str(number)),
        identity=f"Line/{number}",
        code=code,
        concept=Concept(codes=(Code(BILLING, code),)),
        day=day,
        under_review=is_reviewed,
        links=frozenset(links),
    )


LINES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(CODES),
        st.sampled_from([None, *DAYS]),
        st.booleans(),
        st.sampled_from([(), ("P1",)]),
    ).map(line),
    max_size=8,
)


def is_add_on(charged: Concept) -> bool:
    return "93352" in charged.values(BILLING)


@given(LINES, st.frozensets(st.sampled_from(DAYS)))
def test_records_are_found_as_by_looking_at_each(lines: list[Line], days: frozenset[date]) -> None:
    records: Records[Line] = Records(lines)
    near = [each for each in lines if each.day is None or each.day in days]
    add_ons = [each for each in lines if each.code == "93352"]
    reviewed = [each for each in lines if each.under_review]
    assert list(records) == lines
    assert list(records.near(days)) == near
    assert list(records.matching(is_add_on)) == add_ons
    assert list(records.under_review()) == reviewed
    assert list(records.matching_near(days, is_add_on)) == [
        each for each in add_ons if each in near or each in reviewed
    ]
    assert list(records.candidates_on(days)) == [each for each in lines if each in near or each.links]
    assert records.has_match_under_review(is_add_on) is any(each in add_ons for each in reviewed)
    assert list(records.under_review_or_matching(is_add_on)) == [
        each for each in lines if each in add_ons or each in reviewed
    ]
    names = frozenset({"Line/1", "Line/9"})
    assert list(records.identified_by(names)) == [each for each in lines if each.identity in names]


@given(LINES)
def test_records_are_a_sequence_whose_items_are_made_once(lines: list[Line]) -> None:
    made: list[Line] = []

    def make(item: Line) -> Line:
        made.append(item)
        return item

    records = Records(lines, make)
    assert (len(records), records == lines, records == [*lines, None], records == 1) == (len(lines), True, False, False)
    assert list(records[1:3]) == lines[1:3]
    assert list(records[-1:]) == lines[-1:]
    assert len(made) == len(lines)
