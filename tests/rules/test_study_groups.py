"""Records are sorted into studies: by reference; else by day, visit and practitioner; some may be of several."""

from typing import Any

import pytest

from cds_service.core.case import Administration, Order, Procedure, Record
from cds_service.review.advisor import Advisor
from hooks.coding.performed import are_hospital_codes
from hooks.coding.studies import studies
from tests.rules.test_cases import advise

NAMES: dict[type[Record], str] = {Procedure: "done ", Administration: "given ", Order: "ordered "}

# A case, and its studies: kind, day and records of each, and behind a bar those that may belong to another one.
SORTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all of one day": (
        {"lines": "93350, 93352, Q9957x2", "given": ["Definity 1.3 mL"], "done": ["93350"], "ordered": ["93350"]},
        ["stress 2026-03-02: 93350, 93352, Q9957x2, done 93350, given Definity, ordered 93350"],
    ),
    "93352 is for a stress echo": (
        {"lines": "93350, 93306, 93352"},
        ["rest 2026-03-02: 93306", "stress 2026-03-02: 93350, 93352"],
    ),
    "an agent of a day with two studies": (
        {"lines": "93350, 93306, Q9957x2"},
        ["rest 2026-03-02: 93306 | Q9957x2", "stress 2026-03-02: 93350 | Q9957x2"],
    ),
    "two lines of one practitioner, or of nobody": (
        {"lines": "93350, 93350-76"},
        ["stress 2026-03-02: 93350, 93350-76"],
    ),
    "two practitioners are two studies": (
        {"lines": "93350 by A, 93350-76 by B"},
        ["stress 2026-03-02: 93350", "stress 2026-03-02: 93350-76"],
    ),
    "an add-on goes with its practitioner": (
        {"lines": "93350 by A, 93350-76 by B, 93352 by A"},
        ["stress 2026-03-02: 93350, 93352", "stress 2026-03-02: 93350-76"],
    ),
    "an add-on of nobody may be of either": (
        {"lines": "93350 by A, 93350-76 by B, 93352"},
        ["stress 2026-03-02: 93350 | 93352", "stress 2026-03-02: 93350-76 | 93352"],
    ),
    "an add-on goes with its procedure": (
        {"lines": "93350 for P1, 93350-76 for P2, 93352 for P2"},
        ["stress 2026-03-02: 93350", "stress 2026-03-02: 93350-76, 93352"],
    ),
    "an add-on without a procedure may be of either": (
        {"lines": "93350 for P1, 93350-76 for P2, 93352"},
        ["stress 2026-03-02: 93350 | 93352", "stress 2026-03-02: 93350-76 | 93352"],
    ),
    "two lines for one procedure": ({"lines": "93350 for P1, 93350-76 for P1"}, ["stress 2026-03-02: 93350, 93350-76"]),
    "two days": (
        {"lines": "93350, 93350 on 2026-03-09, 93352 on 2026-03-09"},
        ["stress 2026-03-02: 93350", "stress 2026-03-09: 93350, 93352"],
    ),
    "what is of no study is kept by its day": (
        {"lines": "93352, Q9957x2", "given": ["Definity 1.3 mL"]},
        ["none 2026-03-02: 93352, Q9957x2, given Definity"],
    ),
    "what is of no study is kept by its practitioner": (
        {"lines": "93352 by A, Q9957x2 by B"},
        ["none 2026-03-02: 93352", "none 2026-03-02: Q9957x2"],
    ),
    "a record without a day goes with its visit": (
        {"lines": "93350 in E1, 93350 on 2026-03-09 in E2", "given": ["Definity 1.3 mL on 2026-03 in E2"]},
        ["stress 2026-03-02: 93350", "stress 2026-03-09: 93350, given Definity"],
    ),
    "a record without a day or a visit may be of either": (
        {"lines": "93350, 93350 on 2026-03-09", "given": ["Definity 1.3 mL on 2026-03"]},
        ["stress 2026-03-02: 93350 | given Definity", "stress 2026-03-09: 93350 | given Definity"],
    ),
    "the day after is another day": (
        {"lines": "93350", "given": ["Definity 1.3 mL on 2026-03-03"]},
        ["stress 2026-03-02: 93350", "none 2026-03-03: given Definity"],
    ),
    "a record without a day goes with the only study": (
        {"lines": "93350", "given": ["Definity 1.3 mL on 2026-03"]},
        ["stress 2026-03-02: 93350, given Definity"],
    ),
    "a line without a day goes with its practitioner": (
        {"lines": "93350 by A, 93352 by A on 2026-03"},
        ["stress 2026-03-02: 93350, 93352"],
    ),
    "a line without a day, of another practitioner": (
        {"lines": "93350 by A, 93352 by B on 2026-03"},
        ["stress 2026-03-02: 93350", "none None: 93352"],
    ),
    "a line without a day, of the same visit and of another practitioner": (
        {"lines": "93350 by A in E1, 93352 by B on 2026-03 in E1"},
        ["stress 2026-03-02: 93350", "none None: 93352"],
    ),
    "a charge without a procedure joins its practitioner's study": (
        {"lines": "93350 by A for P1, 93351 by A", "done": ["93350 as P1"]},
        ["stress 2026-03-02: 93350, 93351, done 93350"],
    ),
    "a charge of a procedure joins its practitioner's study": (
        {"lines": "93351 by A, 93350 by A for P1", "done": ["93350 as P1"]},
        ["stress 2026-03-02: 93350, 93351, done 93350"],
    ),
    "two procedures of one practitioner are two studies": (
        {"lines": "93350 by A for P1, 93351 by A for P2", "done": ["93350 as P1", "93351 as P2"]},
        ["stress 2026-03-02: 93350, done 93350", "stress 2026-03-02: 93351, done 93351"],
    ),
    "two practitioners of one procedure are of one study": (
        {"lines": "93350 by A for P1, 93351 by B for P1", "done": ["93350 as P1"]},
        ["stress 2026-03-02: 93350, 93351, done 93350"],
    ),
    "an order of another day goes with the procedure that it led to": (
        {"lines": "99213", "ordered": ["93350 as O1 on 2026-02-20"], "done": ["93350 for O1"]},
        ["stress 2026-03-02: done 93350, ordered 93350"],
    ),
    "an order of another kind led to another study": (
        {"lines": "99213", "ordered": ["93350 as O1 on 2026-02-20"], "done": ["93306 for O1"]},
        ["stress 2026-02-20: ordered 93350", "rest 2026-03-02: done 93306"],
    ),
    "the day for which a study is planned counts more than that of another order": (
        {"hook": "order", "ordered": ["93350 planned 2026-03-20", "93352"]},
        ["stress 2026-03-20: ordered 93350, ordered 93352"],
    ),
    "a record of another visit does not": (
        {"lines": "93350 in E1", "given": ["Definity 1.3 mL on 2026-03 in E2"]},
        ["stress 2026-03-02: 93350", "none None: given Definity"],
    ),
    "two codes of one practitioner": ({"lines": "93350 by A, 93351 by A"}, ["stress 2026-03-02: 93350, 93351"]),
    "who performed it may be another than who charges it": (
        {"lines": "93350 by A", "done": ["93350 by B"]},
        ["stress 2026-03-02: 93350, done 93350"],
    ),
    "nobody is named as performing it": (
        {"lines": "93350 by A", "done": ["93350"]},
        ["stress 2026-03-02: 93350, done 93350"],
    ),
    "a procedure goes with its practitioner's charge": (
        {"lines": "93350 by A, 93350-76 by B", "done": ["93350 by B as P2"]},
        ["stress 2026-03-02: 93350", "stress 2026-03-02: 93350-76, done 93350"],
    ),
    "a study of each kind": (
        {"lines": "93350", "ordered": ["93350"], "done": ["93306"]},
        ["rest 2026-03-02: done 93306", "stress 2026-03-02: 93350, ordered 93350"],
    ),
    "an order of another day and no visit": (
        {"lines": "93350", "ordered": ["93350 on 2026-02-20"]},
        ["stress 2026-02-20: ordered 93350", "stress 2026-03-02: 93350"],
    ),
    "an order of the same visit, written before": (
        {"lines": "93350 in E1", "ordered": ["93350 on 2026-02-20 in E1"]},
        ["stress 2026-03-02: 93350, ordered 93350"],
    ),
    "an order of the same visit, written afterwards": (
        {"lines": "93350 in E1", "ordered": ["93350 on 2026-03-20 in E1"]},
        ["stress 2026-03-02: 93350", "stress 2026-03-20: ordered 93350"],
    ),
    "an order of the same visit, for another day": (
        {"lines": "93350 in E1", "ordered": ["93350 planned 2026-03-20 in E1"]},
        ["stress 2026-03-02: 93350", "stress 2026-03-20: ordered 93350"],
    ),
    "the order of an agent, and two studies": (
        {"lines": "93350, 93306", "ordered": ["Definity"]},
        ["rest 2026-03-02: 93306 | ordered Definity", "stress 2026-03-02: 93350 | ordered Definity"],
    ),
    "the agent goes with 93352": (
        {"lines": "93350, 93306, 93352, Q9957x2", "given": ["Definity 1.3 mL"]},
        ["rest 2026-03-02: 93306", "stress 2026-03-02: 93350, 93352, Q9957x2, given Definity"],
    ),
    "the agent goes with the code that includes contrast": (
        {"lines": "93306, C8930", "given": ["Definity 1.3 mL"]},
        ["rest 2026-03-02: 93306", "stress 2026-03-02: C8930, given Definity"],
    ),
    "the agent goes with the procedure that used contrast": (
        {"lines": "93306, 93350", "given": ["Definity 1.3 mL"], "done": ["93306", "C8928"]},
        ["rest 2026-03-02: 93306, done 93306", "stress 2026-03-02: 93350, done C8928, given Definity"],
    ),
    "the visit tells the day": ({"lines": "93350 on 2026-03 in E1, 93352 in E1"}, ["stress 2026-03-02: 93350, 93352"]),
    "another visit tells no day": (
        {"lines": "93350 on 2026-03 in E1, 93352 in E2"},
        ["none 2026-03-02: 93352", "stress None: 93350"],
    ),
    "an add-on tells the day of the only study": (
        {"lines": "93350 on 2026-03, 93352"},
        ["stress 2026-03-02: 93350, 93352"],
    ),
    "an add-on of the day of no known study": (
        {"lines": "93350 on 2026-03, 93350 on 2026-03-09, 93352"},
        ["stress 2026-03-02: 93350, 93352", "stress 2026-03-09: 93350"],
    ),
    "orders of one session, of two days": (
        {"hook": "order", "ordered": ["93350 planned 2026-03-20", "Definity planned 2026-03-21"]},
        ["stress 2026-03-20: ordered 93350, ordered Definity"],
    ),
    "orders of one session, of two studies": (
        {
            "hook": "order",
            "ordered": ["93350 planned 2026-03-20", "93306 planned 2026-03-21", "Definity planned 2026-03-21"],
        },
        ["stress 2026-03-20: ordered 93350 | ordered Definity", "rest 2026-03-21: ordered 93306 | ordered Definity"],
    ),
    "an order goes with the procedure that it led to": (
        {"lines": "99213", "ordered": ["93350 as O1"], "done": ["93350 for O1"]},
        ["stress 2026-03-02: done 93350, ordered 93350"],
    ),
    "a procedure's day counts more than a charge's": (
        {"lines": "93350 for P1", "done": ["93350 as P1 on 2026-03-01"]},
        ["stress 2026-03-01: 93350, done 93350"],
    ),
    "an agent goes with its procedure": (
        {
            "lines": "93350 for P1, 93352 for P1",
            "done": ["93350 as P1", "93306 as P2"],
            "given": ["Definity 1.3 mL for P1"],
        },
        ["rest 2026-03-02: done 93306", "stress 2026-03-02: 93350, 93352, done 93350, given Definity"],
    ),
    "an agent goes with its procedure, also without a charge": (
        {
            "lines": "93350 for P1, 93352 for P1",
            "done": ["93350 as P1", "93306 as P2"],
            "given": ["Definity 1.3 mL for P2"],
        },
        ["rest 2026-03-02: done 93306, given Definity", "stress 2026-03-02: 93350, 93352, done 93350"],
    ),
    "the perfusion add-on may be of either kind": (
        {"lines": "93350, 0439T, 93306"},
        ["rest 2026-03-02: 93306 | 0439T", "stress 2026-03-02: 93350 | 0439T"],
    ),
    "an add-on of any kind goes with its practitioner": (
        {"lines": "93350 by A, 93306 by B, 93320 by B"},
        ["rest 2026-03-02: 93306, 93320", "stress 2026-03-02: 93350"],
    ),
    "an add-on of any kind without a practitioner": (
        {"lines": "93350 by A, 93306 by B, 93320"},
        ["rest 2026-03-02: 93306 | 93320", "stress 2026-03-02: 93350 | 93320"],
    ),
    "an add-on of any kind may be of the study without contrast": (
        {"lines": "93350 for P1, 93351 for P2, 93352 for P1, 93320"},
        ["stress 2026-03-02: 93350, 93352 | 93320", "stress 2026-03-02: 93351 | 93320"],
    ),
    "a second contrast add-on may be of the study without one": (
        {"lines": "93350 for P1, 93350-76 for P2, 93352 for P1, 93352"},
        ["stress 2026-03-02: 93350, 93352 | 93352", "stress 2026-03-02: 93350-76 | 93352"],
    ),
    "an agent may be of the study that has one by a reference": (
        {"lines": "93306 for P1, 93351 for P2, 93352 for P2, Q9957x2", "given": ["Definity 1.3 mL for P1"]},
        ["rest 2026-03-02: 93306, given Definity | Q9957x2", "stress 2026-03-02: 93351, 93352 | Q9957x2"],
    ),
    "an agent that was not given shows nothing": (
        {
            "lines": "93306 for P1, 93351 for P2, 93352 for P2, Q9957x2",
            "given": ["Definity 1.3 mL for P1 status not-done"],
        },
        ["rest 2026-03-02: 93306, given Definity", "stress 2026-03-02: 93351, 93352, Q9957x2"],
    ),
    "the two components of one study": (
        {"lines": "93350-26 by A, 93350-TC by B, 93352 by A, Q9957x2 by B"},
        ["stress 2026-03-02: 93350-26, 93350-TC, 93352, Q9957x2"],
    ),
    "a practitioner's claim and the hospital's": (
        {"professional": "93351-26 by A", "place": 22, "institutional": "C8930 by H, Q9957x2 by H"},
        ["stress 2026-03-02: 93351-26, C8930, Q9957x2"],
    ),
    "two practitioners' components and the hospital's": (
        {"professional": "93351-26 by A, 93351-26 by B", "place": 22, "institutional": "C8930 by H"},
        ["stress 2026-03-02: 93351-26", "stress 2026-03-02: 93351-26", "stress 2026-03-02: C8930"],
    ),
    "a component and the whole of two practitioners": (
        {"lines": "93350-26 by A, 93350 by B"},
        ["stress 2026-03-02: 93350-26", "stress 2026-03-02: 93350"],
    ),
    "whoever charges 93352 without a study charges its agent": (
        {"lines": "93350 by A, 93352 by B, Q9957x2 by B"},
        ["none 2026-03-02: 93352, Q9957x2", "stress 2026-03-02: 93350"],
    ),
    "a nurse gives the agent": (
        {"lines": "93351 by A, 93352 by A, Q9957x2 by N"},
        ["stress 2026-03-02: 93351, 93352, Q9957x2"],
    ),
    "an agent goes with the contrast add-on": (
        {"lines": "93350 for P1, 93350-76 for P2, 93352 for P1, Q9957x2", "given": ["Definity 1.3 mL"]},
        ["stress 2026-03-02: 93350, 93352, Q9957x2, given Definity", "stress 2026-03-02: 93350-76"],
    ),
    "an add-on goes with its practitioner, where the other's is not known": (
        {"lines": "93350 for P1 by A, 93350-76 for P2, 93352 by A"},
        ["stress 2026-03-02: 93350, 93352", "stress 2026-03-02: 93350-76"],
    ),
    "a supply without a day goes with the add-on": (
        {"lines": "Q9957x2 on 2026-03, 93352"},
        ["none 2026-03-02: 93352, Q9957x2"],
    ),
    "a supply of a visit without a day goes with the only add-on of no visit": (
        {"lines": "Q9957x2 on 2026-03 in E1, 93352"},
        ["none 2026-03-02: 93352, Q9957x2"],
    ),
    "a supply without a day, of another visit": (
        {"lines": "Q9957x2 on 2026-03 in E1, 93352 in E2"},
        ["none 2026-03-02: 93352", "none None: Q9957x2"],
    ),
    "an agent without a day, and add-ons of two days": (
        {"lines": "93352, 93352 on 2026-03-09", "given": ["Definity 1.3 mL on 2026-03"]},
        ["none 2026-03-02: 93352", "none 2026-03-09: 93352", "none None: given Definity"],
    ),
    "add-ons of two practitioners, and of no study": (
        {"lines": "93352 by A, 93352 by B, Q9957x2 by B"},
        ["none 2026-03-02: 93352", "none 2026-03-02: 93352, Q9957x2"],
    ),
    "a study is of the day of its own order, not of its drug's": (
        {"hook": "order", "ordered": ["Definity on 2026-03-01", "93350 on 2026-03-02"]},
        ["stress 2026-03-02: ordered 93350, ordered Definity"],
    ),
    "of many that say the same and may be of either, the first stand for all": (
        {"lines": "93350 for P1, 93350-76 for P2", "given": ["Definity 0.1 mL"] * 30},
        [
            f"stress 2026-03-02: 93350 | {', '.join(['given Definity'] * 24)}",
            f"stress 2026-03-02: 93350-76 | {', '.join(['given Definity'] * 24)}",
        ],
    ),
    "what may be of either waits for what a study gets by a reference, in whatever order they come": (
        {
            "lines": "93350 for P1, 93350-76 for P2",
            "given": ["Definity 0.1 mL in E1", "Definity 0.2 mL for P1 in E1", "Definity 0.1 mL in E1"],
        },
        [
            "stress 2026-03-02: 93350, given Definity, given Definity, given Definity",
            "stress 2026-03-02: 93350-76",
        ],
    ),
}


def test_a_hospital_code_names_the_stress_echo_only_where_no_other_code_does() -> None:
    assert are_hospital_codes(["C8930", "93306"])
    assert not are_hospital_codes(["C8930", "93351"])
    assert not are_hospital_codes(["93306"])


def label(record: Record) -> str:
    if isinstance(record, Procedure | Administration | Order):
        return NAMES[type(record)] + record.concept.codes[0].value.replace("11994-011-04", "Definity")
    return str(record)


def listed(records: tuple[Record, ...]) -> str:
    return ", ".join(sorted(map(label, records)))


@pytest.mark.parametrize(("case", "expected"), SORTED.values(), ids=SORTED)
def test_the_studies_are(advisor: Advisor, case: dict[str, Any], expected: list[str]) -> None:
    found = studies(advise(advisor, case).parsed.case)
    bars = [f" | {listed(each.ambiguous)}" if each.ambiguous else "" for each in found]
    assert [
        f"{each.kind} {each.day}: {listed(each.records)}{bar}" for each, bar in zip(found, bars, strict=True)
    ] == expected
