"""The law of the layout: the machine knows no billing code, the knowledge knows no HTTP."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import ROOT

MACHINE = sorted((ROOT / "cds_service").rglob("*.py"))
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


@pytest.mark.parametrize("path", MACHINE, ids=str)
def test_the_machine_knows_no_billing_code(path: Path) -> None:
    assert BILLING_CODE.findall(path.read_text()) == []


@pytest.mark.parametrize("path", MACHINE, ids=str)
def test_only_the_composition_root_and_the_command_line_know_the_knowledge(path: Path) -> None:
    knows = any(name.split(".")[0] == "hooks" for name in imports(path))
    assert not knows or path.name in MAY_IMPORT_KNOWLEDGE


@pytest.mark.parametrize("path", KNOWLEDGE, ids=str)
def test_the_knowledge_knows_no_http(path: Path) -> None:
    named = set(imports(path))
    assert not {name.split(".")[0] for name in named} & HTTP
    assert not [name for name in named if name.startswith(("cds_service.web", "cds_service.app", "cds_service.fhir"))]


CORE = [
    path for path in MACHINE if path.name in {"case.py", "tables.py", "rules.py", "cards.py", "read.py", "actions.py"}
]


@pytest.mark.parametrize("path", [*CORE, *KNOWLEDGE], ids=str)
def test_no_rule_reads_todays_date(path: Path) -> None:
    assert not re.search(r"\b(today|utcnow)\(|datetime\.now\(|date\.today", path.read_text())


def test_the_top_level_is_what_people_expect() -> None:
    expected = {"pyproject.toml", "README.md", "cds_service", "hooks", "sample_bundles", "tests"}
    beside = {"Makefile", "LICENSE", "CHANGELOG.md", ".ci", ".gitignore", ".pre-commit-config.yaml", "deploy"}
    unseen = {path.name for path in ROOT.iterdir()} & (expected | beside)
    assert unseen == expected | beside
