"""The law of the layout: no billing code in the machine, no HTTP in the knowledge."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks import all_rules
from hooks.codes.tables import PRODUCTS
from tests.conftest import SAMPLES
from tests.support.running import ROOT
from tests.support.sources import by_folder

MACHINE = sorted((ROOT / "cds_service").rglob("*.py"))
PAGE_FILES = sorted(
    path for ending in ("html", "js", "css", "svg") for path in (ROOT / "cds_service").rglob(f"*.{ending}")
)
KNOWLEDGE = sorted((ROOT / "hooks").rglob("*.py"))
MAY_IMPORT_KNOWLEDGE = {"app.py", "main.py", "wiring.py"}
HTTP = {"flask", "werkzeug", "granian", "requests", "urllib", "http"}
BILLING_CODE = re.compile(r"\b(?:9[0-9]{4}|[0-9]{4}T|[ACJQ][0-9]{4})\b")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@by_folder(MACHINE)
def test_the_machine_knows_no_billing_code(paths: list[Path]) -> None:
    assert paths
    assert {path: found for path in paths if (found := BILLING_CODE.findall(path.read_text()))} == {}


NAMES_OF_KNOWLEDGE = {
    *(word.lower() for product in PRODUCTS for word in (product.name, *product.words)),
    *(rule.id for rule in all_rules()),
    *(path.stem for path in SAMPLES),
}


@pytest.mark.parametrize("path", PAGE_FILES, ids=str)
def test_the_pages_name_no_billing_code_product_rule_or_sample(path: Path) -> None:
    text = path.read_text().lower()
    assert BILLING_CODE.findall(text.upper()) == []
    assert [name for name in NAMES_OF_KNOWLEDGE if re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_page_files_of_every_kind_are_checked() -> None:
    assert {path.suffix for path in PAGE_FILES} == {".html", ".js", ".css", ".svg"}


@by_folder(MACHINE)
def test_only_the_composition_root_and_the_command_line_know_the_knowledge(paths: list[Path]) -> None:
    assert paths
    knowing = [path for path in paths if any(name.split(".")[0] == "hooks" for name in imports(path))]
    assert {path.name for path in knowing} <= MAY_IMPORT_KNOWLEDGE


@by_folder(KNOWLEDGE)
def test_the_knowledge_knows_no_http(paths: list[Path]) -> None:
    named = {name for path in paths for name in imports(path)}
    assert named
    assert not {name.split(".")[0] for name in named} & HTTP
    assert {".".join(name.split(".")[:2]) for name in named}.isdisjoint(
        {"cds_service.web", "cds_service.app", "cds_service.fhir"}
    )


CORE = [
    path for path in MACHINE if path.name in {"case.py", "tables.py", "rules.py", "cards.py", "read.py", "actions.py"}
]


TODAY = re.compile(r"\b(today|utcnow)\(|datetime\.now\(|date\.today")


@by_folder([*CORE, *KNOWLEDGE])
def test_no_rule_reads_todays_date(paths: list[Path]) -> None:
    assert paths
    assert [path for path in paths if TODAY.search(path.read_text())] == []


def test_the_top_level_is_what_people_expect() -> None:
    expected = {"pyproject.toml", "README.md", "cds_service", "hooks", "sample_bundles", "tests"}
    beside = {"Makefile", "LICENSE", "CHANGELOG.md", ".ci", ".gitignore", ".pre-commit-config.yaml", "deploy"}
    unseen = {path.name for path in ROOT.iterdir()} & (expected | beside)
    assert unseen == expected | beside
