"""`hooks/README.md` teaches how to close a code and add a rule; its steps are run in a copy."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import ROOT

pytestmark = pytest.mark.exhaustive

README = (ROOT / "hooks" / "README.md").read_text()
BLOCKS = dict(re.findall(r"^```(?:python|yaml|sh)\n# (.+?)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
RULE = "hooks/rules/units_not_whole.py"
CASES = "tests/rules/units-not-whole.yaml"
ABOUT = "sample_bundles/units-not-whole/about.yaml"
CLOSED = "tests/rules/contrast-supply-missing.yaml, under `flags:`"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A copy of the files that an author of rules edits."""
    for name in ("cds_service", "hooks", "tests", "sample_bundles", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "Makefile",
        "LICENSE",
        ".ci",
        ".gitignore",
        ".pre-commit-config.yaml",
    ):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    yield tmp_path


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=tree, capture_output=True, text=True, check=False)


def run_tests(tree: Path, *names: str, only: str = "") -> subprocess.CompletedProcess[str]:
    chosen = ["-k", only] if only else []
    return python(tree, "pytest", "-q", "-p", "no:cacheprovider", *[f"tests/{name}" for name in names], *chosen)


def close_lumason(tree: Path, last: str) -> None:
    """The README's step: give the entry its last date of service."""
    table = tree / "hooks" / "codes" / "codes.yaml"
    lines = table.read_text().splitlines(keepends=True)
    (number,) = [i for i, line in enumerate(lines) if '- {code: "Q9950"' in line]
    lines[number] = lines[number].replace("words:", f"last: {last}, words:")
    table.write_text("".join(lines))


def add_rule(tree: Path) -> None:
    """The three steps of the README, and `make docs`."""
    (tree / RULE).write_text(BLOCKS[RULE])
    (tree / CASES).write_text(BLOCKS[CASES])
    for line in BLOCKS["samples"].splitlines():
        command = shlex.split(line)
        if command[0] == "cds-service":
            command = [sys.executable, "-m", "cds_service", *command[1:]]
        subprocess.run(command, cwd=tree, check=True)
    (tree / ABOUT).write_text(BLOCKS[ABOUT])
    written = python(tree, "tests.documents.generate")
    assert written.returncode == 0, written.stderr


def test_a_code_is_closed(tree: Path) -> None:
    cases = tree / "tests" / "rules" / "contrast-supply-missing.yaml"
    cases.write_text(cases.read_text().replace("flags:\n", "flags:\n" + BLOCKS[CLOSED], 1))
    before = run_tests(tree, "rules/test_cases.py", only="contrast-supply-missing")
    assert "contrast-supply-missing: Lumason on the day after" in before.stdout, "without the date the case fails"
    close_lumason(tree, "2027-12-31")
    after = run_tests(tree, "rules/test_cases.py", "rules/test_all_rules.py")
    assert after.returncode == 0, after.stdout
    page = python(tree, "cds_service", "codes", "Q9950").stdout
    assert "effective from 2016-01-01 through 2027-12-31" in page
    assert "2027-12-31  The code itself, through this day" in page


@pytest.mark.parametrize(
    ("last", "expected"),
    [("2027-31-12", "expected a date such as 2026-09-30"), ("2015-12-31", "expected `last` to be no earlier")],
)
def test_a_typing_error_is_refused_with_file_and_line(tree: Path, last: str, expected: str) -> None:
    close_lumason(tree, last)
    lines = (tree / "hooks" / "codes" / "codes.yaml").read_text().splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if '- {code: "Q9950"' in line)
    result = python(tree, "cds_service", "codes")
    assert f"codes.yaml: line {number}: " in result.stderr
    assert expected in result.stderr


def test_a_rule_is_added(tree: Path) -> None:
    """Every test that a rule touches: its own cases, the whole body, its samples, the documents and the pages."""
    add_rule(tree)
    chosen = ("rules/test_all_rules.py", "rules/test_override_reasons.py", "unit/test_floors.py", "unit/test_layout.py",
              "documents/test_documents.py",
        "documents/test_language.py", "http/test_terminology.py")  # fmt: skip
    body = run_tests(tree, *chosen)
    assert body.returncode == 0, body.stdout
    of_the_rule = ("rules/test_cases.py", "rules/test_scope.py", "unit/test_actions.py", "unit/test_cards.py",
                   "unit/test_outbound_fhir.py", "http/test_services.py", "http/test_reference.py",
                   "http/test_sandbox.py")  # fmt: skip
    shown = run_tests(tree, *of_the_rule, only="units-not-whole or units_not_whole")
    assert shown.returncode == 0, shown.stdout
    assert "no tests ran" not in shown.stdout
    page = python(tree, "cds_service", "rules", "units-not-whole").stdout
    assert "WARNING: Q9957 is charged with 1.3 units: round up to 2." in page
    strict = python(
        tree, "cds_service", "check", "--strict", "sample_bundles/units-not-whole/flags-volume-as-units.json"
    )
    assert strict.returncode == 1
    assert "skipped" not in strict.stdout
    passing = python(tree, "cds_service", "check", "sample_bundles/units-not-whole/passes-two-units.json")
    assert passing.returncode == 0


def test_a_rule_without_its_cases_is_refused(tree: Path) -> None:
    (tree / RULE).write_text(BLOCKS[RULE])
    result = run_tests(tree, "rules/test_all_rules.py")
    assert result.returncode == 1
    assert "units-not-whole" in result.stdout


def test_the_examples_are_in_the_projects_style(tmp_path: Path) -> None:
    path = tmp_path / "units_not_whole.py"
    path.write_text(BLOCKS[RULE])
    config = str(ROOT / "pyproject.toml")
    ruff = [sys.executable, "-m", "ruff", "check", "--config", config, "--no-cache", str(path)]
    result = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
