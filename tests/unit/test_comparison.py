"""Findings and fixes are compared by the records that they cite and the changes that they make."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.core.case import Line, Order, Origin, Procedure
from cds_service.core.changes import AddLine, AddModifier, Change, RemoveLine, RemoveOrder, ReplaceCode, SetUnits
from cds_service.core.comparison import holds_in, is_part_of, places_of, records_of
from cds_service.core.concepts import Concept
from cds_service.core.rules import Evidence, Finding, Fix


def line(name: str) -> Line:
    return Line(origin=Origin("Claim/1", f"Claim/1 {name}", name), code="93350")


A, B, C = line("item[0]"), line("item[1]"), line("item[2]")
DONE = Procedure(origin=Origin("Procedure/1", "Procedure/1"), status="done", concept=Concept())
ORDER = Order(origin=Origin("Order/1", "Order/1"), kind="service", concept=Concept())


def fix(*changes: Change, recommended: bool = False) -> Fix:
    return Fix("label", changes, recommended)


def finding(*cited: Any, fixes: tuple[Fix, ...] = ()) -> Finding:
    return Finding(summary="summary", evidence=tuple(Evidence("seen", each) for each in cited), fixes=fixes)


def added(code: str, *modifiers: str, units: int = 1) -> AddLine:
    return AddLine(code=code, units=Decimal(units), modifiers=modifiers)


PARTS: dict[str, tuple[Fix, Fix, bool]] = {
    "itself": (fix(RemoveLine(A)), fix(RemoveLine(A)), True),
    "one of two changes": (fix(RemoveLine(A)), fix(RemoveLine(B), RemoveLine(A)), True),
    "two of one": (fix(RemoveLine(B), RemoveLine(A)), fix(RemoveLine(A)), False),
    "another line": (fix(RemoveLine(A)), fix(RemoveLine(B)), False),
    "another change of the line": (fix(SetUnits(A, Decimal(2))), fix(RemoveLine(A)), False),
    "other units of a line": (fix(SetUnits(A, Decimal(2))), fix(SetUnits(A, Decimal(3))), False),
    "another code": (fix(ReplaceCode(A, "93351")), fix(ReplaceCode(A, "C8928")), False),
    "another modifier": (fix(AddModifier(A, "JZ")), fix(AddModifier(A, "JW")), False),
    "a code to add": (fix(added("Q9957")), fix(added("Q9957", units=2)), True),
    "another code to add": (fix(added("Q9957")), fix(added("Q9956")), False),
    "a code to add with a modifier": (fix(added("Q9957")), fix(added("Q9957", "JZ")), True),
    "a code to add without its modifier": (fix(added("Q9957", "JZ")), fix(added("Q9957")), False),
    "an order": (fix(RemoveOrder(ORDER, "93352")), fix(RemoveOrder(ORDER, "93352")), True),
    "nothing": (fix(), fix(RemoveLine(A)), True),
}


@pytest.mark.parametrize(("one", "other", "expected"), PARTS.values(), ids=PARTS)
def test_a_fix_is_part_of_another(one: Fix, other: Fix, expected: bool) -> None:
    assert is_part_of(one, other) is expected


GO_A, GO_B, BOTH = fix(RemoveLine(A)), fix(RemoveLine(B)), fix(RemoveLine(A), RemoveLine(B))
ADVISED = fix(RemoveLine(A), recommended=True)
HOLDS: dict[str, tuple[Finding, list[Finding], bool]] = {
    "nothing is found": (finding(A), [], False),
    "the same charge": (finding(A), [finding(A)], True),
    "one of two charges": (finding(A, B), [finding(A)], False),
    "each charge by another": (finding(A, B), [finding(A), finding(B, C)], True),
    "a record that is no charge need not be cited": (finding(A, DONE), [finding(A)], True),
    "a finding of no charge": (finding(DONE), [finding(A)], True),
    "a fix that is not offered": (finding(A, fixes=(GO_A,)), [finding(A)], False),
    "a fix that is offered": (finding(A, fixes=(GO_A,)), [finding(A, fixes=(BOTH,))], True),
    "a fix by two together": (finding(A, fixes=(BOTH,)), [finding(fixes=(GO_A,)), finding(fixes=(GO_B,))], True),
    "a fix by one of two": (finding(A, fixes=(BOTH,)), [finding(fixes=(GO_A,)), finding(fixes=(GO_A,))], False),
    "two ways to do half of it": (finding(A, fixes=(BOTH,)), [finding(fixes=(GO_A, GO_B))], False),
    "both alternatives": (finding(A, fixes=(GO_A, GO_B)), [finding(fixes=(GO_B, GO_A))], True),
    "one of two alternatives": (finding(A, fixes=(GO_A, GO_B)), [finding(fixes=(GO_A,))], False),
    "alternatives of two findings": (
        finding(A, fixes=(GO_A, GO_B)),
        [finding(fixes=(GO_A,)), finding(fixes=(GO_B,))],
        False,
    ),
    "the recommended one of two": (finding(A, fixes=(ADVISED, GO_B)), [finding(fixes=(GO_A,))], True),
    "not the recommended one": (finding(A, fixes=(ADVISED, GO_B)), [finding(fixes=(GO_B,))], False),
}


@pytest.mark.parametrize(("one", "others", "expected"), HOLDS.values(), ids=HOLDS)
def test_a_finding_holds_where_others_offer_as_much(one: Finding, others: list[Finding], expected: bool) -> None:
    assert holds_in(one, others) is expected


def test_a_change_is_made_on_a_record_or_beside_one() -> None:
    assert places_of(RemoveLine(A)) == {("Claim/1", "item[0]")}
    assert places_of(RemoveOrder(ORDER, "93352")) == {("Order/1", "")}
    assert places_of(AddLine(code="93352", units=None, sibling=B)) == {("Claim/1", "item[1]")}
    assert places_of(AddLine(code="93352", units=None)) == set()
    assert records_of(finding(A, DONE)) == {("Claim/1", "item[0]"), ("Procedure/1", "")}
