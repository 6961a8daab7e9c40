"""Mutation testing itself: what is changed, what is not, and that no tree but a copy is touched."""

import json
from pathlib import Path

import pytest

from tests.mutants.__main__ import Result, verdict_on
from tests.mutants.accepted import accepted, outdated
from tests.mutants.judging import Coverage, Verdict, copied_tree, judged
from tests.mutants.making import Mutant, mutants_of
from tests.mutants.parts import CASES, LEFT_OUT, PARTS, judging_files
from tests.support.running import ROOT

pytestmark = pytest.mark.exhaustive

SOURCE = '''"""A module."""

from functools import cache


@cache
def price(units: int | None, limit: int = 3) -> int:
    """A price."""
    if units is not None and units <= limit:
        return units * 10
    return sum(each for each in (1, 2) if each in {2})
'''
TESTS = """
from module import price

def test_price():
    assert price(2) == 20
    assert price(9) == 2
"""


def changes(source: str) -> set[tuple[str, str]]:
    return {(made.was, made.becomes) for made in mutants_of("module.py", source) if made.is_python}


def test_decorated_functions_are_changed_and_annotations_are_not() -> None:
    found = changes(SOURCE)
    assert ("return units * 10", "return units + 10") in found
    assert ("if units is not None and units <= limit:", "if units is not None and units < limit:") in found
    assert ("if units is not None and units <= limit:", "if units is not None or units <= limit:") in found
    assert {becomes for was, becomes in found if was.startswith("def price")} == {
        "def price(units: int | None, limit: int = 4) -> int:",
        "def price(units: int | None, limit: int = 2) -> int:",
    }
    assert not [was for was, _ in found if was.startswith(("@", "from", '"""'))]


def test_filters_and_memberships_are_changed() -> None:
    last = {becomes for was, becomes in changes(SOURCE) if was.startswith("return sum")}
    assert "return sum(each for each in (1, 2) if not (each in {2}))" in last
    assert "return sum(each for each in (1, 2) if each not in {2})" in last


def test_a_guard_is_no_decision() -> None:
    """`strict=True` states that two lists are of one length, which is true of all that tests can bring about."""
    assert changes("pairs = [*zip(names, values, strict=True)]\n") == set()
    assert changes("class Record(Struct, gc=False):\n    pass\n") == set()
    assert changes("pairs = [*zip(names, values, other=True)]\n") != set()


def test_an_edit_elsewhere_moves_no_mutant_in_the_order_of_samples() -> None:
    def ranks(source: str) -> set[str]:
        return {made.rank(1) for made in mutants_of("module.py", source)}

    assert ranks(SOURCE) == ranks(SOURCE.replace('"""A module."""', '"""A module,\nof three lines.\n"""'))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A tree of one module and one test."""
    folder = tmp_path / "tree" / "hooks"
    folder.mkdir(parents=True)
    (folder / "module.py").write_text(SOURCE)
    (folder / "test_module.py").write_text("import sys; sys.path.insert(0, 'hooks')\n" + TESTS)
    return tmp_path / "tree"


def outcomes_of(tree: Path, mutants: list[Mutant]) -> dict[str, str]:
    test = "hooks/test_module.py::test_price"
    lines = {"hooks/module.py": {"8": [0], "9": [0], "10": [0], "11": [0]}}
    coverage = Coverage([{"tests": [test], "seconds": [0.01], "modules": ["json"], "lines": lines, "at_import": {}}])
    return {each.mutant.becomes: each.outcome for each in judged(mutants, coverage, 2, tree)}


def test_what_tests_notice_is_killed_and_the_rest_survives(small: Path) -> None:
    wanted = {
        "return units + 10": "killed",
        "if units is not None and units < limit:": "survived",
        "def price(units: int | None, limit: int = 4) -> int:": "survived",
        "return sum(each for each in (1, 2) if each not in {2})": "killed",
    }
    mutants = [made for made in mutants_of("hooks/module.py", SOURCE) if made.becomes in wanted]
    before = {path: (path.read_text(), path.stat().st_mtime_ns) for path in small.rglob("*.py")}
    assert outcomes_of(small, mutants) == wanted
    assert {path: (path.read_text(), path.stat().st_mtime_ns) for path in small.rglob("*.py")} == before


def test_a_mutant_that_never_ends_is_noticed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutants.judging._START", 1)
    endless = SOURCE.replace("return units * 10", "while units * 10 != 20: pass\n        return 20")
    (small / "hooks" / "module.py").write_text(endless)
    mutants = [made for made in mutants_of("hooks/module.py", endless) if made.operator.endswith("NotEq_Eq")]
    assert len(mutants) == 1
    assert set(outcomes_of(small, mutants).values()) == {"hangs"}


def test_a_copy_goes_with_its_run() -> None:
    with copied_tree() as tree:
        assert (tree / "hooks" / "rules").is_dir()
        assert not (tree / ".venv").exists()
    assert not tree.exists()


def test_every_part_has_modules_and_every_test_file_that_is_left_out_exists() -> None:
    assert all(part.modules() for part in PARTS)
    files = [name for names in judging_files().values() for name in names]
    assert len(files) > 30
    assert not set(files) & set(LEFT_OUT)
    assert [name for name in LEFT_OUT if not (ROOT / name).exists()] == []


@pytest.mark.exhaustive
def test_the_cases_of_rules_are_where_judging_looks_for_them() -> None:
    assert CASES in judging_files()["tests/rules"]


def test_what_was_accepted_is_still_a_mutant() -> None:
    assert list(outdated(accepted())) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "hooks/coding/fixes.py", "was": "a", "becomes": "b"},
        {"module": "hooks/coding/fixes.py", "was": "a", "becomes": "b", "why": " "},
    ],
)
def test_what_is_accepted_has_its_reason(entry: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected becomes, module, was, why"):
        accepted(json.dumps([entry]))


def test_an_entry_may_be_of_one_place_in_a_line() -> None:
    entry = {"module": "module.py", "was": "units <= limit", "becomes": "units < limit", "why": "none"}
    (place,) = accepted(json.dumps([entry]))
    of_place = [made.becomes for made in mutants_of("module.py", SOURCE) if place.matches(made)]
    assert of_place == ["if units is not None and units < limit:"]


def test_an_entry_that_is_no_mutant_is_told() -> None:
    entry = {"module": "hooks/coding/fixes.py", "was": "return units", "becomes": "return 7", "why": "none"}
    gone = entry | {"module": "hooks/coding/none.py"}
    assert len(list(outdated(accepted(json.dumps([entry, gone]))))) == 2


def test_approved_texts_judge_what_is_published_before_other_tests() -> None:
    module = "hooks/publish/glance.py"
    tests = [
        "tests/unit/test_quick.py::test_it",
        "tests/unit/test_published.py::test_it",
        "tests/unit/test_far.py::test_it",
    ]
    lines = {module: {"8": [0], "9": [2]}}
    record = {"tests": tests, "seconds": [0.01] * 3, "modules": [], "lines": lines, "at_import": {}}
    coverage = Coverage([record])
    assert coverage.tests_of(module, 8, 8) == [tests[1], tests[0], tests[2]]
    assert coverage.tests_of("hooks/coding/waste.py", 8, 8) == []


@pytest.mark.parametrize(("unnoticed", "is_met"), [(2, True), (3, False)])
def test_parts_with_one_target_reach_it_together(unnoticed: int, is_met: bool) -> None:
    first, second, other = PARTS[0], PARTS[1], next(part for part in PARTS if part.target != PARTS[0].target)
    (mutant, *_) = mutants_of("module.py", SOURCE)
    outcomes = ["survived"] * unnoticed + ["killed"] * (10 - unnoticed)
    results = [
        Result(first, [Verdict(mutant, each) for each in outcomes], 0, 10),
        Result(second, [Verdict(mutant, "killed")] * 10, 0, 10),
        Result(other, [Verdict(mutant, "survived")], 0, 1),
    ]
    line, is_reached = verdict_on(results, first.target)
    assert (is_reached, line.endswith("MISSED")) == (is_met, not is_met)
    assert f"% of 20, target {first.target} %: {first.name}, {second.name}" in line
