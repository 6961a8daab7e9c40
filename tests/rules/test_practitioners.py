"""Two records are of one practitioner unless what they name can be compared and differs; an index finds the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.core.case import Line, Origin
from hooks.coding.practitioners import ByPractitioner, may_be_same_practitioner
from hooks.coding.study_group import Group, GroupsByBiller

A, B = "Practitioner/A", "Practitioner/B"
ROLE, OTHER_ROLE = "PractitionerRole/1", "PractitionerRole/2"
NPI, OTHER_NPI, LOCAL = "urn:npi|1", "urn:npi|2", "urn:local|1"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({A}, {A}, True),
        ({A}, {B}, False),
        ({A}, set(), True),
        (set(), set(), True),
        ({A, B}, {B}, True),
        ({A, NPI}, {B, NPI}, True),
        ({A}, {ROLE}, True),
        ({ROLE}, {OTHER_ROLE}, True),
        ({A}, {NPI}, True),
        ({NPI}, {OTHER_NPI}, False),
        ({NPI}, {LOCAL}, True),
        ({A, ROLE}, {B, OTHER_ROLE}, False),
        ({A, NPI}, {OTHER_NPI}, False),
    ],
)
def test_two_records_may_be_of_one_practitioner(one: set[str], other: set[str], expected: bool) -> None:
    assert may_be_same_practitioner(frozenset(one), frozenset(other)) is expected
    assert may_be_same_practitioner(frozenset(other), frozenset(one)) is expected


NAMED = st.frozensets(st.sampled_from([A, B, ROLE, OTHER_ROLE, NPI, OTHER_NPI, LOCAL]), max_size=3)


@given(st.lists(NAMED, max_size=12), NAMED)
def test_the_index_finds_what_comparing_each_finds(items: list[frozenset[str]], performers: frozenset[str]) -> None:
    numbered = list(enumerate(items))
    index = ByPractitioner(numbered, lambda item: item[1])
    expected = [item for item in numbered if may_be_same_practitioner(item[1], performers)]
    assert sorted(set(index.may_be_of(performers))) == sorted(set(expected))
    assert sorted(index) == sorted(numbered)


def charge(number: int, performers: frozenset[str]) -> Line:
    return Line(origin=Origin("claim", f"item {number}"), code="93350", performers=performers)


@given(st.lists(NAMED, max_size=14), NAMED, st.integers(0, 13), NAMED)
def test_many_groups_are_searched_as_few_are(
    billers: list[frozenset[str]], performers: frozenset[str], grows: int, more: frozenset[str]
) -> None:
    """Before and after one of them gets a further practitioner, in the order of their creation."""
    groups = [Group("stress", [charge(number, names)]) for number, names in enumerate(billers)]
    index = GroupsByBiller()
    for group in groups:
        index.note(group)
    record = charge(99, performers)
    expected = [group for group in groups if may_be_same_practitioner(group.billers, performers)]
    assert set(index.that_may_take(record)) == set(expected)
    for group in groups[grows : grows + 1]:
        group.add(charge(98, more))
        index.note(group)
    expected = [group for group in groups if may_be_same_practitioner(group.billers, performers)]
    assert set(index.that_may_take(record)) == set(expected)
    assert set(index.that_may_take(charge(97, frozenset()))) == set(groups)
