"""Properties of every case: hypothesis generates claims, records and payers, right and wrong."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given, note, settings
from hypothesis import strategies as st

from cds_service.cdshooks.actions import fhir_actions
from cds_service.core.case import Origin
from cds_service.core.changes import AddLine, Change, RemoveLine, RemoveOrder, ReplaceCode
from cds_service.core.review import review
from cds_service.core.rules import Finding, Fix
from cds_service.review.advisor import Advisor, Answer
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of, service_of
from tests.unit.test_actions import ENCODER, apply

STUDY_LINES = ["93350", "93351", "93351-26", "93350-TC", "93306", "93308", "C8930", "C8928", "99213"]
CONTRAST_LINES = ["93352", "93352x2", "0439T"]
SUPPLY_LINES = [
    "Q9957x2", "Q9957", "Q9957x2-JZ", "Q9957-JW", "Q9950x2", "Q9950x5", "Q9950x2-JZ", "Q9950x3-JW", "Q9956x3", "A9700",
]  # fmt: skip
OTHER_LINES = ["93320", "93325"]
GIVEN = [
    "Definity 1.3 mL", "Definity 0.8 mL", "Definity 50 mL", "Definity", "Lumason 2 mL", "Optison 3 mL",
    "Optison 0.5 mL", "RxNorm 283753 1.3 mL", "words Definity 1.3 mL", "Definity status not-done",
    "Lumason status stopped",
]  # fmt: skip
DONE = ["93350", "93351", "93306", "0439T", "C8930", "SNOMED 433233004", "SNOMED 433231002", "93350 status not-done"]
NO_CONTRAST_DONE = ["93350", "93351", "93306", "SNOMED 433233004"]
PARTS = ["procedures", "chargeItems", "medicationAdministrations", "observations"]
CONTRAST_CODES = ("93352", "0439T", "Q99", "A9700", "C89")
PAYERS = [None, "Medicare", "Aetna", "Humana Medicare Advantage"]
DAYS = ["2026-03-02", "2023-07-01", "2023-06-30", "2015-12-31"]

FORMS = [
    ("lines", None),
    ("professional", None),
    ("professional", "11"),
    ("professional", "22"),
    ("institutional", None),
]


def cases(codes: list[str], given_agents: list[str], done: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "form": st.sampled_from(FORMS),
            "lines": st.lists(st.sampled_from(codes), min_size=1, max_size=5),
            "given": st.lists(st.sampled_from(given_agents), max_size=2) if given_agents else st.just([]),
            "done": st.lists(st.sampled_from(done), max_size=2),
            "known": st.lists(st.sampled_from(PARTS), unique=True),
            "payer": st.sampled_from(PAYERS),
            "day": st.sampled_from(DAYS),
        }
    ).map(case_of)


def case_of(made: dict[str, Any]) -> dict[str, Any]:
    (form, place), lines = made.pop("form"), made.pop("lines")
    return {name: value for name, value in made.items() if value} | {form: ", ".join(lines), "place": place}


EVERY_LINE = STUDY_LINES + CONTRAST_LINES + SUPPLY_LINES + OTHER_LINES
ANY_CASE = cases(EVERY_LINE, GIVEN, DONE)
NO_CONTRAST = cases(STUDY_LINES[:6] + OTHER_LINES, [], NO_CONTRAST_DONE)

CLAIM_AND_CHARGES = st.tuples(
    cases(EVERY_LINE, GIVEN, DONE).filter(lambda case: "lines" not in case),
    st.lists(st.sampled_from(EVERY_LINE), min_size=1, max_size=3),
).map(lambda parts: parts[0] | {"earlier": ", ".join(parts[1])})
LEFT_OFF = "Charged and not on the claim"

ADVISOR = create_advisor(Settings())

often = settings(max_examples=150, deadline=None, derandomize=True)


def advise(advisor: Advisor, request: dict[str, Any], service: str) -> Answer:
    return advisor.answer(SERVICES[service], json.dumps(request).encode())


def of_case(advisor: Advisor, case: dict[str, Any]) -> Answer:
    return advise(advisor, request_of(case), service_of(case))


def warnings(advice: Answer) -> set[str]:
    return {rule.id for rule, each in advice.review.findings if rule.indicator_of(each, advice.stage) == "warning"}


def chosen(finding: Finding) -> list[Fix]:
    """The recommended fix, else the first."""
    recommended = [fix for fix in finding.fixes if fix.recommended]
    return (recommended or list(finding.fixes))[:1]


def together(fixes: Iterable[Fix]) -> list[Change]:
    """The changes of several fixes, each once; a removed line is not changed as well."""
    every = {_what(change): change for fix in fixes for change in fix.changes}.values()
    gone = {change.line.origin for change in every if isinstance(change, RemoveLine)}
    return [change for change in every if isinstance(change, RemoveLine) or _origin(change) not in gone]


def _what(change: Change) -> tuple[Any, ...]:
    return type(change), str(change), _origin(change)


def _origin(change: Change) -> Origin | None:
    return None if isinstance(change, AddLine | RemoveOrder) else change.line.origin


def said(advice: Answer) -> list[tuple[Any, ...]]:
    """The findings in a canonical order, without the positions of their evidence."""
    return sorted(
        (
            rule.id,
            rule.indicator_of(each, advice.stage),
            sorted(each.summary.split()),
            sorted(sorted(str(change) for change in fix.changes) for fix in each.fixes),
        )
        for rule, each in advice.review.findings
    )


@often
@given(case=cases([*OTHER_LINES, "99213", "93016", "93000", "J1250x4", "Q9957"], GIVEN, [*DONE, "99213"]))
def test_what_does_not_concern_the_rules_is_nothing_to_any_of_them(case: dict[str, Any]) -> None:
    asked = of_case(ADVISOR, case)
    every = review(asked.parsed.case, ADVISOR.rules)
    running = [rule for rule in ADVISOR.rules if rule not in every.switched_off]
    expected = running if asked.review.empty else [rule for rule, _ in asked.review.passed]
    assert [rule.id for rule, _ in every.passed] == [rule.id for rule in expected]


@often
@given(case=ANY_CASE)
def test_a_claim_corrected_by_all_remedies_gives_no_new_warning(case: dict[str, Any]) -> None:
    note(str(case))
    request = request_of(case)
    before = advise(ADVISOR, request, service_of(case))
    changes = together(fix for _, each in before.review.findings for fix in chosen(each))
    added = {
        (rule.id, change.code, change.modifiers)
        for rule, each in before.review.findings
        for fix in chosen(each)
        for change in fix.changes
        if isinstance(change, AddLine)
    }
    assert len({line[1:] for line in added}) == len(added), "no two rules add the same charge"
    done = fhir_actions(changes, before.parsed.case, before.parsed.raw)
    after = apply(request, json.loads(ENCODER.encode(msgspec.to_builtins(done, str_keys=False))))
    assert warnings(advise(ADVISOR, after, service_of(case))) <= warnings(before)


@often
@given(case=CLAIM_AND_CHARGES)
def test_a_charge_on_record_that_is_added_to_the_claim_gives_no_new_warning(case: dict[str, Any]) -> None:
    note(str(case))
    request = request_of(case)
    before = advise(ADVISOR, request, service_of(case))
    mine = [each for _, each in before.review.findings if each.summary.startswith(LEFT_OFF)]
    others = [each for _, each in before.review.findings if each not in mine]
    assert not added_codes(mine) & added_codes(others), "no two rules add the same charge"
    changes = together(fix for each in mine for fix in chosen(each))
    done = fhir_actions(changes, before.parsed.case, before.parsed.raw)
    after = apply(request, json.loads(ENCODER.encode(msgspec.to_builtins(done, str_keys=False))))
    left = advise(ADVISOR, after, service_of(case))
    assert warnings(left) <= warnings(before)
    assert LEFT_OFF not in {each.summary[: len(LEFT_OFF)] for _, each in left.review.findings}


def added_codes(findings: Iterable[Finding]) -> set[str]:
    """The codes that the chosen fixes add."""
    changes = together(fix for each in findings for fix in chosen(each))
    return {change.code for change in changes if isinstance(change, AddLine)}


@often
@given(case=ANY_CASE)
def test_an_unrelated_line_changes_nothing(case: dict[str, Any]) -> None:
    form = next(name for name in ("lines", "professional", "institutional") if name in case)
    assert said(of_case(ADVISOR, case)) == said(of_case(ADVISOR, case | {form: f"{case[form]}, 99213"}))


@often
@given(case=ANY_CASE)
def test_the_order_of_lines_and_entries_does_not_matter(case: dict[str, Any]) -> None:
    form = next(name for name in ("lines", "professional", "institutional") if name in case)
    turned = case | {form: ", ".join(reversed(case[form].split(", ")))}
    turned |= {name: list(reversed(case[name])) for name in ("given", "done") if name in case}
    assert said(of_case(ADVISOR, case)) == said(of_case(ADVISOR, turned))


def test_without_a_sign_of_contrast_no_charge_for_it_is_suggested() -> None:
    suggested = set[str]()

    @often
    @given(case=NO_CONTRAST)
    def no_charge_for_contrast(case: dict[str, Any]) -> None:
        fixes = [fix for _, finding in of_case(ADVISOR, case).review.findings for fix in finding.fixes]
        changes = [change for fix in fixes for change in fix.changes if isinstance(change, AddLine | ReplaceCode)]
        for change in changes:
            assert not change.code.startswith(CONTRAST_CODES)
            suggested.add(change.code)

    no_charge_for_contrast()
    assert suggested


def test_findings_refer_to_records_of_the_input() -> None:
    seen = set[str]()

    @often
    @given(case=ANY_CASE)
    def refer(case: dict[str, Any]) -> None:
        advice = of_case(ADVISOR, case)
        for rule, finding in advice.review.findings:
            assert finding.evidence, rule.id
            for each in finding.evidence:
                assert each.record.origin.resource in advice.parsed.raw
            seen.add(rule.id)

    refer()
    assert seen


def test_every_card_keeps_to_the_limits() -> None:
    seen = set[str]()

    @often
    @given(case=ANY_CASE)
    def keep_to_the_limits(case: dict[str, Any]) -> None:
        for card in of_case(ADVISOR, case).response.cards:
            assert len(card.summary) < 140
            assert not card.summary.endswith("…")
            seen.add(card.summary)

    keep_to_the_limits()
    assert seen
