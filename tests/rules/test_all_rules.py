"""Checks of all rules and tables: complete, sourced, with cases and samples on both sides."""

import re
from datetime import date

import pytest

import hooks
from cds_service.core.rules import Rule
from cds_service.core.tables import Entry, Table
from hooks.codes import tables
from tests.conftest import SAMPLES
from tests.rules.test_cases import CASES

RULES = hooks.all_rules()
TABLES = [value for value in vars(tables).values() if isinstance(value, Table)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
class TestRule:
    def test_is_shown_to_flag_and_to_pass(self, rule: Rule) -> None:
        assert CASES[rule.id]["flags"]
        assert CASES[rule.id]["passes"]

    def test_has_samples_that_flag_and_pass(self, rule: Rule) -> None:
        kinds = {path.name.split("-")[0] for path in SAMPLES if path.parent.name == rule.id}
        assert kinds == {"flags", "passes"}

    def test_names_its_sources(self, rule: Rule) -> None:
        assert rule.sources
        assert rule.tables
        for source in rule.sources:
            assert source.publisher
            assert source.document
            assert 1990 < source.year <= (source.verified_through.year if source.verified_through else 2026)

    def test_never_louder_at_order_time(self, rule: Rule) -> None:
        assert not (rule.indicator["order"] == "warning" and rule.indicator["claim"] == "info")


def test_ids_are_unique_and_kebab_case() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert ids
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule_id) for rule_id in ids)


def test_every_case_file_is_of_a_rule() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


def test_every_sample_folder_is_of_a_rule() -> None:
    assert {path.parent.name for path in SAMPLES} <= {rule.id for rule in RULES}


def test_what_every_case_says_is_unique() -> None:
    for rule_id, by_expectation in CASES.items():
        said = [case["what"] for cases in by_expectation.values() for case in cases]
        assert len(set(said)) == len(said), rule_id


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_entry_is_sourced_and_dated(table: Table[Entry]) -> None:
    assert table.entries
    assert table
    for entry in table:
        assert table.source(entry).document
        assert table.source(entry).year >= 2010
        assert entry.verified_through is None or entry.verified_through.year >= table.source(entry).year
        assert not (entry.first and entry.release)


def test_every_code_that_a_table_names_is_described() -> None:
    named = {entry.code for entry in tables.ADD_ONS} | {entry.hospital_code for entry in tables.CROSSWALK}
    named |= {product.code for product in tables.PRODUCTS}
    named |= {entry.code for entry in (*tables.PC_TC, *tables.UNIT_LIMITS)}
    named |= {code for row in tables.PAIRS for code in (row.code, *row.never, *row.with_modifier, *row.notes)}
    named |= {code for entry in tables.WHOLE_SERVICES for code in (entry.code, entry.echo, *entry.parts)}
    named |= {entry.before for entry in tables.CODES if entry.before}
    assert named <= {entry.code for entry in tables.CODES}


def test_no_pair_is_both_never_paid_and_paid_with_a_modifier_or_written_both_ways() -> None:
    for setting in ("professional", "facility"):
        days = {row.start for row in tables.PAIRS}
        assert days
        for day in days:
            rows = [row for row in tables.PAIRS if row.setting == setting and row.in_force(day)]
            listed = [(row.code, code) for row in rows for code in (*row.never, *row.with_modifier)]
            assert len(set(listed)) == len(listed)
            assert not {(other, one) for one, other in listed} & set(listed)


@pytest.mark.parametrize(
    ("paid", "never", "with_modifier"),
    [
        ("93351", "93350 93015 93016 93017 93018", "93306 93307 93308 36000 96365 96374 96375 93040 93000 93005 93010"),
        ("93350", "93015", "93306 93307 93308 36000 96365 96374 96375 93040 93041 93042"),
        ("93352", "", "0439T"),
        ("C8928", "93350 93351 C8930", "36000 96374 93306 93308"),
        ("C8930", "93350 93351 93015 93016 93017 93018", "36000 96374 93306 93308"),
    ],
)
@pytest.mark.parametrize("setting", ["professional", "facility"])
def test_the_core_of_the_pairs(setting: str, paid: str, never: str, with_modifier: str) -> None:
    rows = [row for row in tables.PAIRS.history(paid) if row.setting == setting and row.in_force(date(2026, 6, 30))]
    assert set(never.split()) <= {code for row in rows for code in row.never}
    assert set(with_modifier.split()) <= {code for row in rows for code in row.with_modifier}


def test_what_may_stand_together_is_no_pair() -> None:
    listed = {(row.code, code) for row in tables.PAIRS for code in (*row.never, *row.with_modifier)}
    free = {("93350", part) for part in ("93016", "93017", "93018")}
    free |= {(echo, part) for echo in ("93350", "93351") for part in ("93320", "93321", "93325", "93356", "93352")}
    assert not listed & (free | {(other, one) for one, other in free})
