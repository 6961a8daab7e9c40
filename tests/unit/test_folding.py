"""One fix, one finding: what one fix repairs is one card, with evidence, reasons and sources of both rules."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from cds_service.cdshooks.messages import Card
from cds_service.core.case import Case, Line, Order, Origin
from cds_service.core.changes import (
    AddLine,
    AddModifier,
    Change,
    RemoveLine,
    RemoveModifier,
    RemoveOrder,
    ReplaceCode,
    SetUnits,
    made,
)
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.finding_ids import finding_ids
from cds_service.core.folding import MOST_TRIED, Found, folded
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Rule, Verdict, rule
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from hooks.codes.sources import ASE_2018, L38786, NORIDIAN_JZ_2024
from hooks.coding.override_reasons import MISSING_CHARGE, WRONG_CHARGE
from tests.rules.test_cases import CASES, advise

DAY = date(2026, 3, 2)


def line(number: int, code: str, units: int | None = None, **members: Any) -> Line:
    return Line(
        origin=Origin(f"r{number}", f"ChargeItem/{number}"),
        code=code,
        concept=Concept((Code(BILLING, code),)),
        units=None if units is None else Decimal(units),
        day=DAY,
        under_review=True,
        **members,
    )


def case_of(*lines: Line) -> Case:
    return Case(stage="claim").with_records(lines=lines)


Check = Callable[[Case], Iterator[Verdict]]


def rule_of(name: str, check: Check, source: Any = L38786, reasons: Any = WRONG_CHARGE) -> Rule:
    def declared(case: Case) -> Iterator[Verdict]:
        """A rule for this test.

        Why:
            It has a reason of its own.

        Flags:
            What the test says.

        Passes:
            All else.
        """
        yield from check(case)

    declared.__name__ = name
    made_rule = rule(
        order=INFO, claim=WARNING, tables=(), sources=(source,), override_reasons=reasons, about=("A0001",)
    )(declared)
    return replace(made_rule, why=f"{name} has a reason of its own.")


def finding(lines: list[Line], *fixes: Fix, **members: Any) -> Finding:
    return Finding(
        summary=f"{lines[0].code} is wrong.",
        evidence=tuple(Evidence(f"{each} is charged", each) for each in lines),
        fixes=fixes,
        **members,
    )


def removed(*lines: Line, recommended: bool = False) -> Fix:
    return Fix("Remove it", tuple(map(RemoveLine, lines)), recommended)


def where(code: str, *fixes: Callable[[Line], Fix], most: int = 0) -> Check:
    """A rule that flags lines of a code with more units than `most`."""

    def check(case: Case) -> Iterator[Verdict]:
        for each in case.lines:
            if each.code == code and (each.units or 0) >= most:
                yield finding([each], *(fix(each) for fix in fixes))

    return check


def found_in(case: Case, *rules: Rule) -> list[Found]:
    return [(each, verdict) for each in rules for verdict in each.check(case) if isinstance(verdict, Finding)]


def rules_of(found: tuple[Found, ...]) -> list[tuple[str, ...]]:
    return [(each.id, *(other.id for other, _ in shown.also)) for each, shown in found]


# --- the law --------------------------------------------------------------------------------------------------------


def test_two_rules_with_one_fix_share_a_finding() -> None:
    case = case_of(line(1, "A0001"))
    one, two = rule_of("one", where("A0001", removed)), rule_of("two", where("A0001", removed))
    assert rules_of(folded(found_in(case, one, two), case)) == [("one", "two")]


def test_the_recommended_fix_keeps_its_rule() -> None:
    case = case_of(line(1, "A0001"))
    sure = rule_of("sure", where("A0001", lambda each: removed(each, recommended=True)))
    weak = rule_of("weak", where("A0001", removed))
    assert rules_of(folded(found_in(case, weak, sure), case)) == [("sure", "weak")]


def test_a_consequence_without_a_fix_is_folded_into_its_cause() -> None:
    """Units over a limit, since the volume was entered: the corrected units are within the limit."""
    case = case_of(line(1, "A0001", 130))
    volume = rule_of("volume", where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(2)),)), most=3))
    limit = rule_of("limit", where("A0001", most=10))
    assert rules_of(folded(found_in(case, limit, volume), case)) == [("volume", "limit")]


def test_a_consequence_is_folded_before_its_cause_is() -> None:
    """The fix of the cause repairs it, and not every fix of what repairs the cause."""
    case = case_of(line(1, "A0001", 130), line(2, "B0001"))
    other = case.lines[1]

    def set_to(units: int, *more: Change) -> Callable[[Line], Fix]:
        return lambda each: Fix("Set", (SetUnits(each, Decimal(units)), *more))

    consequence = rule_of("consequence", where("A0001", most=10))
    cause = rule_of("cause", where("A0001", set_to(2), most=20))
    root = rule_of("root", where("A0001", set_to(2, RemoveLine(other)), set_to(15), most=100))
    found = folded(found_in(case, consequence, cause, root), case)
    assert [(each[0], set(each[1:])) for each in rules_of(found)] == [("root", {"cause", "consequence"})]


def test_evidence_is_that_of_all_findings_folded_into_one() -> None:
    case = case_of(line(1, "A0001", 130), line(2, "B0001"))
    both = rule_of("both", lambda case: iter([finding(list(case.lines), removed(*case.lines), removed(case.lines[0]))]))
    one = rule_of("one", where("A0001", removed))
    (alone,) = found_in(case, both)
    assert [str(each.record) for each in alone[1].cited] == ["A0001x130", "B0001"]
    seen = Evidence("B0001 is charged as well", case.lines[1])
    with_other = replace(alone[1], evidence=alone[1].evidence[:1], also=((one, replace(alone[1], evidence=(seen,))),))
    assert [each.seen for each in with_other.cited] == ["A0001x130 is charged", "B0001 is charged as well"]


def test_what_the_fix_leaves_is_a_finding_of_its_own() -> None:
    """The corrected units are still over the limit."""
    case = case_of(line(1, "A0001", 130))
    volume = rule_of("volume", where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(12)),)), most=13))
    limit = rule_of("limit", where("A0001", most=10))
    assert rules_of(folded(found_in(case, limit, volume), case)) == [("limit",), ("volume",)]


def test_an_alternative_that_leaves_the_fault_keeps_two_findings() -> None:
    """To add the primary, or to remove the add-on: only one of the two makes the other finding moot."""
    case = case_of(line(1, "A0001"))
    lonely = rule_of(
        "lonely", where("A0001", removed, lambda each: Fix("Add", (AddLine(code="B0001", units=None, sibling=each),)))
    )
    bare = rule_of("bare", where("A0001"))
    assert rules_of(folded(found_in(case, lonely, bare), case)) == [("lonely",), ("bare",)]


def test_another_fix_keeps_two_findings() -> None:
    case = case_of(line(1, "A0001", 3))
    gone = rule_of("gone", where("A0001", removed))
    less = rule_of("less", where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(1)),)), most=2))
    assert rules_of(folded(found_in(case, gone, less), case)) == [("gone",), ("less",)]


def test_findings_on_different_records_stay_apart() -> None:
    case = case_of(line(1, "A0001"), line(2, "B0001"))
    one, two = rule_of("one", where("A0001", removed)), rule_of("two", where("B0001", removed))
    assert rules_of(folded(found_in(case, one, two), case)) == [("one",), ("two",)]


def test_what_is_folded_into_a_folded_finding_is_not_lost() -> None:
    case = case_of(line(1, "A0001"), line(2, "B0001"))

    def both(case: Case) -> Iterator[Verdict]:
        if len(case.lines) == 2:
            yield finding(list(case.lines), removed(*case.lines, recommended=True))

    wide, one = rule_of("wide", both), rule_of("one", where("A0001", removed))
    bare = rule_of("bare", where("A0001"))
    assert rules_of(folded(found_in(case, bare, one, wide), case)) == [("wide", "bare", "one")]


def test_the_order_of_rules_does_not_matter() -> None:
    case = case_of(line(1, "A0001", 130), line(2, "B0001"))
    rules = [
        rule_of("volume", where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(2)),), True), most=3)),
        rule_of("limit", where("A0001", most=10)),
        rule_of("other", where("B0001", removed)),
        rule_of("again", where("B0001", lambda each: removed(each, recommended=True))),
    ]
    forward, backward = (folded(found_in(case, *order), case) for order in (rules, rules[::-1]))
    assert sorted(rules_of(forward)) == sorted(rules_of(backward)) == [("again", "other"), ("volume", "limit")]


def test_trials_do_not_grow_with_the_claim() -> None:
    """Of many consequences some stay findings of their own: each trial runs a rule over the whole claim."""
    case = case_of(*(line(number, "A0001", 130) for number in range(200)))
    asked: list[int] = []
    fix = where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(2)),)), most=3)

    def limit(case: Case) -> Iterator[Verdict]:
        asked.append(1)
        yield from where("A0001", most=10)(case)

    found = found_in(case, rule_of("volume", fix), rule_of("limit", limit))
    asked.clear()
    assert len(folded(found, case)) == 400 - MOST_TRIED
    assert len(asked) == MOST_TRIED


def test_a_single_finding_is_not_touched() -> None:
    case = case_of(line(1, "A0001"))
    found = found_in(case, rule_of("one", where("A0001", removed)))
    assert folded(found, case) == tuple(found)


def test_the_id_of_a_finding_stays_when_another_is_folded_into_it() -> None:
    case = case_of(line(1, "A0001"))
    one, two = rule_of("one", where("A0001", removed)), rule_of("two", where("A0001", removed))
    alone, together = found_in(case, one), folded(found_in(case, one, two), case)
    assert finding_ids(together) == finding_ids(alone)


def test_an_id_is_the_same_in_every_version() -> None:
    """Feedback and work lists of years keep it: it hangs on the rule, what it cites and what it fixes, and no more."""
    case = case_of(line(1, "A0001"))
    found = found_in(case, rule_of("one", where("A0001", removed)))
    assert finding_ids([*found, *found]) == ["7299a2ecced35863", "7299a2ecced35863-2"]


# --- changes made for trial -----------------------------------------------------------------------------------------


def test_changes_are_made_one_after_the_other() -> None:
    case = case_of(line(1, "A0001", 3, modifiers=("26",)), line(2, "B0001"))
    first, second = case.lines
    changes: list[Change] = [
        RemoveModifier(first, "26"),
        ReplaceCode(first, "A0002"),
        SetUnits(first, Decimal(1)),
        AddModifier(first, "JZ"),
        RemoveLine(second),
        AddLine(code="C0001", units=Decimal(2), sibling=first, day=DAY),
    ]
    after = made(case, changes)
    assert [str(each) for each in after.lines] == ["A0002-JZ", "C0001x2"]
    assert [each.concept.values(BILLING) for each in after.lines] == [("A0002",), ("C0001",)]
    assert [each.under_review for each in after.lines] == [True, True]
    assert [str(each) for each in case.lines] == ["A0001x3-26", "B0001"], "the case itself stays"


def test_a_line_that_is_added_has_a_day_of_its_own_or_that_of_the_line_beside_it() -> None:
    case = case_of(line(1, "A0001"))
    (beside,) = case.lines
    later = date(2026, 3, 9)
    added = [AddLine(code="B0001", units=None, sibling=beside, day=day) for day in (None, later)]
    assert [each.day for each in made(case, added).lines] == [DAY, DAY, later]
    assert [each.day for each in made(case, [AddLine(code="B0001", units=None, day=later)]).lines] == [DAY, later]


def test_an_order_is_withdrawn() -> None:
    order = Order(origin=Origin("o", "ServiceRequest/1"), kind="service", concept=Concept())
    case = Case(stage="order").with_records(orders=[order])
    assert list(made(case, [RemoveOrder(order, "A0001")]).orders) == []


# --- on cards and in reports ----------------------------------------------------------------------------------------

C_CODE = {"institutional": "C8930, 93351, Q9957x2", "payer": "Medicare", "given": ["Definity 1.3 mL"]}


def card_of(advisor: Advisor, case: dict[str, Any], rule_id: str) -> Card:
    cards = advise(advisor, case).response.cards
    (card,) = [each for each in cards if each.source.topic and each.source.topic.code == rule_id]
    return card


def test_a_code_that_the_c_code_covers_is_removed_once(advisor: Advisor) -> None:
    report = report_of(advise(advisor, C_CODE))
    (shown,) = [each for each in report.findings if "remove 93351" in "; ".join(each.fixes[0].changes)]
    assert {shown.rule, *shown.also_rules} == {"hospital-contrast-code", "pair-conflict"}
    assert not {"hospital-contrast-code", "pair-conflict"} & {each.rule for each in report.passed}


def test_the_shared_card_has_both_reasons_sources_and_overrides(advisor: Advisor) -> None:
    rules = {each.id: each for each in advisor.rules}
    card = card_of(advisor, C_CODE, "hospital-contrast-code")
    detail = card.detail or ""
    for each in (rules["hospital-contrast-code"], rules["pair-conflict"]):
        assert each.why in detail
    assert "NCCI procedure-to-procedure edits" in detail
    assert "OPPS" in detail
    assert "The same fix also repairs" in detail
    assert {each.code for each in card.override_reasons or ()} == {
        each.code for each in WRONG_CHARGE if each.only != "order"
    }
    assert card.extension is not None
    (names,) = card.extension.values()
    assert names["alsoRules"] == ("pair-conflict",)


def test_override_reasons_are_those_of_both() -> None:
    case = case_of(line(1, "A0001"))
    one = rule_of("one", where("A0001", removed), ASE_2018, WRONG_CHARGE)
    two = rule_of("two", where("A0001", removed), NORIDIAN_JZ_2024, MISSING_CHARGE)
    ((kept, shown),) = folded(found_in(case, one, two), case)
    assert set(kept.overrides_of(shown, "claim")) == {*one.reasons_at("claim"), *two.reasons_at("claim")}
    assert kept.sources_of(shown) == (ASE_2018, NORIDIAN_JZ_2024)


def test_the_louder_of_two_rules_is_heard() -> None:
    case = case_of(line(1, "A0001"))
    quiet = rule_of(
        "quiet", lambda case: iter([finding([*case.lines], removed(*case.lines, recommended=True), indicator=INFO)])
    )
    loud = rule_of("loud", where("A0001", removed))
    ((kept, shown),) = folded(found_in(case, quiet, loud), case)
    assert (kept.id, kept.indicator_of(shown, "claim")) == ("quiet", WARNING)


def test_of_two_rules_with_one_fix_the_louder_keeps_the_card() -> None:
    case = case_of(line(1, "A0001"))
    quiet = rule_of("quiet", lambda case: iter([finding([*case.lines], removed(*case.lines), indicator=INFO)]))
    loud = rule_of("loud", where("A0001", removed))
    for rules in ((quiet, loud), (loud, quiet)):
        assert rules_of(folded(found_in(case, *rules), case)) == [("loud", "quiet")]


@pytest.mark.parametrize(("weaker", "is_folded"), [(23, True), (24, False)])
def test_the_strongest_findings_at_a_record_may_repair_another(weaker: int, is_folded: bool) -> None:
    """Of many at one record, 24 are looked at: the one that repairs it is the weakest here."""
    case = case_of(line(1, "A0001", 130))
    consequence = rule_of("consequence", where("A0001", most=100))
    cause = rule_of("cause", where("A0001", lambda each: Fix("Set", (SetUnits(each, Decimal(2)),))))
    others = [
        rule_of(
            f"other{number}",
            where("A0001", lambda each: Fix("Add", (AddModifier(each, "59"), AddModifier(each, "76")))),
        )
        for number in range(weaker)
    ]
    found = folded(found_in(case, consequence, *others, cause), case)
    assert (("cause", "consequence") in rules_of(found)) == is_folded


def test_a_volume_entered_as_units_is_one_card(advisor: Advisor) -> None:
    case = {"lines": "93350, 93352, Q9957x130", "given": ["Definity 1.3 mL"], "day": "2026-04-01"}
    report = report_of(advise(advisor, case))
    (shown,) = [each for each in report.findings if "Q9957" in each.summary]
    assert (shown.rule, shown.also_rules) == ("supply-units-mismatch", ("units-over-limit",))


def test_no_two_cards_offer_the_same_changes_alone(advisor: Advisor) -> None:
    pairs = 0
    for case in (case for by_expectation in CASES.values() for case in by_expectation["flags"]):
        findings = [each for each in report_of(advise(advisor, case)).findings if each.fixes]
        offered = [tuple(sorted(tuple(sorted(fix.changes)) for fix in each.fixes)) for each in findings]
        records = [frozenset(seen.reference for seen in each.evidence) for each in findings]
        for (mine, seen), (other, also_seen) in combinations(zip(offered, records, strict=True), 2):
            assert mine != other or not seen & also_seen, findings
            pairs += 1
    assert pairs
