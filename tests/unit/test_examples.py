"""Of laws that many examples show, `make test` takes some examples, and `make test-rest` the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.examples import CHOICES, is_left_out
from tests.support.running import ROOT

pytestmark = pytest.mark.exhaustive
FILES = ("tests/http/test_address.py", "tests/rules/test_adding_a_rule.py", "tests/unit/test_tables.py")


@pytest.fixture(scope="module")
def chosen() -> dict[str, list[str]]:
    """The tests of each choice."""
    return {choice: collected(choice) for choice in CHOICES}


def collected(choice: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--examples", choice, *FILES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_each_test_is_run_by_one_of_the_two(chosen: dict[str, list[str]]) -> None:
    assert sorted([*chosen["some"], *chosen["rest"]]) == sorted(chosen["all"])
    assert set(chosen["some"]).isdisjoint(chosen["rest"])


def test_of_each_law_some_examples_are_taken_first(chosen: dict[str, list[str]]) -> None:
    laws = {each.partition("[")[0] for each in chosen["some"]}
    assert laws, "tests are collected"
    assert {each.partition("[")[0] for each in chosen["rest"]} - laws == {
        "tests/rules/test_adding_a_rule.py::test_a_code_is_closed",
        "tests/rules/test_adding_a_rule.py::test_a_rule_is_added",
        "tests/rules/test_adding_a_rule.py::test_a_rule_without_its_cases_is_refused",
        "tests/rules/test_adding_a_rule.py::test_a_typing_error_is_refused_with_file_and_line",
        "tests/rules/test_adding_a_rule.py::test_the_examples_are_in_the_projects_style",
    }
    served = [each for each in chosen["all"] if "test_names_and_ipv6_are_served_and_printed_as_urls[" in each]
    assert len(served) > 1
    assert [each for each in chosen["some"] if each in served] == served[::3]


def test_a_file_that_only_looks_at_everything_is_not_read_for_the_others(tmp_path: Path) -> None:
    marked, other = tmp_path / "test_all.py", tmp_path / "test_some.py"
    marked.write_text("import pytest\n\npytestmark = pytest.mark.exhaustive\n")
    other.write_text("import pytest\n\n\n@pytest.mark.exhaustive\ndef test_it() -> None:\n    assert True\n")
    assert [is_left_out(marked, choice) for choice in ("some", "rest", "all")] == [True, False, False]
    assert [is_left_out(other, choice) for choice in ("some", "rest", "all")] == [False, False, False]
