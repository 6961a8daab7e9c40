"""The usual corrections: which of several lines is kept, what a new line is charged beside, what is left in a vial."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.core.case import Line, Origin
from cds_service.review.advisor import Advisor
from hooks.coding.claims import units_of_a_day
from hooks.coding.fixes import add_code, hospital_alternative, keep_units, supply_choices, supply_notes
from hooks.coding.studies import Study, studies
from hooks.coding.waste import leftover_of
from tests.rules.test_cases import advise
from tests.support.notation import parse_line


def line(written: str, number: int = 0, **members: Any) -> Line:
    code, modifiers, units = parse_line(written)
    return Line(origin=Origin("claim", written, str(number)), code=code, modifiers=modifiers, units=units, **members)


KEPT: dict[str, tuple[list[Line], str, list[str]]] = {
    "the line with the right units": ([line("J1250x2"), line("J1250")], "1", ["remove J1250x2"]),
    "none has the right units": ([line("J1250x3"), line("J1250x2")], "1", ["set J1250 to 1 unit", "remove J1250x3"]),
    "the only line": ([line("J1250x3")], "2", ["set J1250 to 2 units"]),
    "the only line is right": ([line("J1250x3")], "3", []),
    "the line without a modifier": (
        [line("J1250-59"), line("J1250x2")],
        "1",
        ["set J1250 to 1 unit", "remove J1250-59"],
    ),
    "a line that is submitted": ([line("J1250x2"), line("J1250", open=False)], "1", ["remove J1250x2"]),
    "a line that is submitted and is wrong": ([line("J1250"), line("J1250x2", open=False)], "1", []),
    "two lines that are submitted": ([line("J1250", 1, open=False), line("J1250", 2, open=False)], "1", []),
    "another line has no code system": ([line("J1250"), line("J1250x2", certain=False)], "1", []),
    "the line that is right has no code system": (
        [line("J1250", certain=False), line("J1250x2")],
        "1",
        ["remove J1250x2"],
    ),
    "the line that is wrong has no code system": ([line("J1250x2", certain=False)], "1", []),
}


@pytest.mark.parametrize(("lines", "units", "changes"), KEPT.values(), ids=KEPT)
def test_of_several_lines_one_is_kept(lines: list[Line], units: str, changes: list[str]) -> None:
    assert [str(each) for each in keep_units(lines, Decimal(units))] == changes
    assert [str(each) for each in keep_units(lines[::-1], Decimal(units))] == changes


# --- studies --------------------------------------------------------------------------------------------------------


def only_study(advisor: Advisor, case: dict[str, Any]) -> tuple[Study, Any]:
    read = advise(advisor, case).parsed.case
    (study,) = studies(read)
    return study, read


LEFT: dict[str, tuple[str, list[str], tuple[int, int, int] | None]] = {
    "a part of a vial": ("Q9950", ["Lumason 2 mL"], (2, 3, 3)),
    "a whole vial": ("Q9950", ["Lumason 5 mL"], (5, 0, 0)),
    "more than a vial": ("Q9950", ["Lumason 3 mL", "Lumason 3 mL"], (6, 4, 4)),
    "one vial or two": ("Q9950", ["Lumason 2 mL", "Lumason 2 mL"], (4, 1, 6)),
    "one vial, two or three": ("Q9950", ["Lumason 1 mL", "Lumason 1 mL", "Lumason 1 mL"], (3, 2, 12)),
    "a part of a milliliter": ("Q9957", ["Definity 1.3 mL"], (2, 0, 0)),
    "less than a unit of what is left": ("Q9957", ["Definity 0.8 mL"], (1, 1, 1)),
    "the record states what was discarded": ("Q9950", ["Lumason 2 mL, 1 mL discarded"], (2, 1, 1)),
    "the record states that nothing was discarded": ("Q9950", ["Lumason 2 mL, nothing discarded"], (2, 0, 0)),
    "the record states it for one of two doses": ("Q9950", ["Lumason 2 mL, 1 mL discarded", "Lumason 2 mL"], (4, 1, 1)),
    "a rest that rounding covers": ("Q9957", ["Definity 1.3 mL, 0.2 mL discarded"], (2, 0, 0)),
    "no dose": ("Q9950", ["Lumason"], None),
    "a dose of another product": ("Q9957", ["Lumason 2 mL"], None),
    "a dose that was stopped": ("Q9950", ["Lumason 2 mL status stopped"], None),
}


@pytest.mark.parametrize(("code", "given", "expected"), LEFT.values(), ids=LEFT)
def test_so_much_is_left_in_the_vials(
    advisor: Advisor, code: str, given: list[str], expected: tuple[int, int, int] | None
) -> None:
    study, _ = only_study(advisor, {"lines": "93350, 93352", "given": given})
    left = leftover_of(code, study)
    assert (left and (left.units, left.least, left.most)) == (expected and tuple(map(Decimal, expected)))
    assert (left.recorded_ml is not None if left else False) is ("discarded" in str(given))


def test_a_code_is_added_beside_the_charge_of_the_study(advisor: Advisor) -> None:
    case = {"professional": "93352 by A, 93350 by A in E1", "place": 11, "done": ["93350"]}
    study, read = only_study(advisor, case)
    added = add_code(study, read, "Q9957", Decimal(2))
    assert added.sibling is not None
    assert (added.sibling.code, added.is_supply, added.encounter) == ("93350", True, "Encounter/E1")
    assert (added.performers, str(added.day)) == (added.sibling.performers, "2026-03-02")
    assert add_code(study, read, "93320", None, study.lines_for("93352")[0]).sibling == study.lines_for("93352")[0]
    assert not add_code(study, read, "93320", None).is_supply


def test_a_code_is_added_to_no_claim_where_none_is(advisor: Advisor) -> None:
    read = advise(advisor, {"lines": "99213", "done": ["93350"]}).parsed.case
    (study,) = studies(read)
    added = add_code(study, read, "93350", Decimal(1))
    assert (added.sibling, added.performers, added.encounter) == (None, frozenset(), read.encounter)
    assert len(added.references) == 1


CHOICES: dict[str, tuple[dict[str, Any], list[list[str]]]] = {
    "the dose": ({"lines": "93350, 93352", "given": ["Definity 1.3 mL"]}, [["add Q9957x2"]]),
    "a supply is charged": ({"lines": "93350, Q9957", "given": ["Definity 1.3 mL"]}, []),
    "the facility's supply": ({"professional": "93350-26", "place": 22, "given": ["Definity 1.3 mL"]}, []),
    "two agents": (
        {"lines": "93350", "given": ["Definity 1.3 mL", "Lumason 2 mL"]},
        [["add Q9950x2", "add Q9957x2"]],
    ),
    "the product is not known": (
        {"lines": "93350", "given": ["RxNorm 283753 1.3 mL"]},
        [["add Q9956x2"], ["add Q9957x2"]],
    ),
    "a practice's Medicare claim, with nothing left": (
        {"professional": "93350", "place": 11, "payer": "Medicare", "given": ["Definity 1.3 mL"]},
        [["add Q9957x2-JZ"]],
    ),
    "a practice's Medicare claim, with a part left": (
        {"professional": "93350", "place": 11, "payer": "Medicare", "given": ["Lumason 2 mL"]},
        [["add Q9950x2", "add Q9950x3-JW"], ["add Q9950x2"]],
    ),
    "a practice's Medicare claim, with a part recorded as discarded": (
        {"professional": "93350", "place": 11, "payer": "Medicare", "given": ["Lumason 2 mL, 3 mL discarded"]},
        [["add Q9950x2", "add Q9950x3-JW"]],
    ),
}


@pytest.mark.parametrize(("case", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_supply_that_is_due(advisor: Advisor, case: dict[str, Any], expected: list[list[str]]) -> None:
    study, read = only_study(advisor, case)
    assert [[str(each) for each in lines] for lines in supply_choices(study, read)] == expected


DEFINITY, LUMASON = (
    "Q9957: 1.3 mL given, rounded up to 2 units of 1 mL.",
    "Q9950: 2 mL given, rounded up to 2 units of 1 mL.",
)
NOTES: dict[str, list[str]] = {
    "the dose": [DEFINITY],
    "a supply is charged": [],
    "the facility's supply": [],
    "two agents": [LUMASON, DEFINITY],
    "the product is not known": [
        "The record does not identify the product. Choose the one used: Q9956 (octafluoropropane microspheres "
        "(Optison), 1 mL); Q9957 (perflutren lipid microspheres (Definity), 1 mL)."
    ],
    "a practice's Medicare claim, with nothing left": [
        DEFINITY,
        "One vial of Definity holds 1.5 mL (from memory: verify), so the rounded units cover the whole vial: no amount "
        "is left to charge with JW; report JZ.",
    ],
    "a practice's Medicare claim, with a part left": [
        LUMASON,
        "One vial of Lumason holds 5 mL, so 3 mL were left in the opened vials. Charge them with JW on a separate line "
        "only if they were discarded and the record documents it.",
    ],
    "a practice's Medicare claim, with a part recorded as discarded": [
        LUMASON,
        "The record states 3 mL discarded: charge 3 with JW on a separate line.",
    ],
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_units_of_a_supply_are_explained(advisor: Advisor, name: str) -> None:
    assert [str(note) for note in supply_notes(*only_study(advisor, CHOICES[name][0]))] == NOTES[name]


HOSPITAL: dict[str, tuple[dict[str, Any], str]] = {
    "charges of an unknown payer": ({"lines": "93350"}, "replace 93350 by C8928"),
    "charges to Medicare": ({"lines": "93351", "payer": "Medicare"}, "replace 93351 by C8930"),
    "charges to another payer": ({"lines": "93351", "payer": "Aetna"}, "None"),
    "a practice's claim": ({"professional": "93350"}, "None"),
    "the professional component": ({"lines": "93350-26"}, "None"),
    "the technical component": ({"lines": "93350-TC"}, "None"),
    "a code without its code system": ({"lines": "93350 bare"}, "None"),
    "a charge that was billed": ({"lines": "99213", "earlier": "93350 status billed"}, "None"),
}


@pytest.mark.parametrize(("case", "expected"), HOSPITAL.values(), ids=HOSPITAL)
def test_the_hospitals_code_instead(advisor: Advisor, case: dict[str, Any], expected: str) -> None:
    study, read = only_study(advisor, case)
    assert str(hospital_alternative(study, read)) == expected


@pytest.mark.parametrize(
    ("units", "first", "last", "of_a_day"),
    [("4", 2, None, "4"), ("4", 2, 2, "4"), ("4", 2, 3, "2"), ("5", 2, 3, "3"), ("4", None, 3, "4"), ("9", 2, 4, "3")],
)
def test_units_of_a_period_are_of_its_days(units: str, first: int | None, last: int | None, of_a_day: str) -> None:
    charged = line(f"J1250x{units}", day=first and date(2026, 3, first), last_day=last and date(2026, 3, last))
    assert units_of_a_day(charged) == Decimal(of_a_day)
