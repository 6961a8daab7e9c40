"""The documents against the service: the definition of our hook, the README and the generated parts."""

import json
import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

import hooks
from cds_service.fhir.validate import faults_in
from cds_service.settings import Settings
from hooks.claim_review import ClaimReview
from tests.documents.generate import PARTS, generated
from tests.http.test_services import CLAIM_REVIEW, post
from tests.support.running import ROOT

README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    path for folder in (".", "deploy", "hooks", "cds_service/audit") for path in sorted((ROOT / folder).glob("*.md"))
]


@pytest.fixture(scope="module")
def definition(server: str) -> str:
    response = requests.get(f"{server}/hooks/claim-review", timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    return response.text


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, its head first."""
    part = text[text.index(heading) :]
    lines = re.search(r"(?:^\|.*\|$\n?)+", part, re.MULTILINE)
    assert lines
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[0].strip().splitlines()]
    return [rows[0], *rows[2:]]


def examples() -> list[dict[str, Any]]:
    text = hooks.hook_definitions()["claim-review"]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_the_definition_has_the_form_of_the_hook_library(definition: str) -> None:
    assert definition.startswith("# `org.example.claim-review`\n"), "the name that discovery lists"
    head, *rows = table(definition, "# `org.example.claim-review`")
    assert [cell.strip("| ") for cell in head] == ["Metadata", "Value"]
    metadata = {name.strip("| "): value.strip("| ") for name, value in rows}
    assert list(metadata) == ["specificationVersion", "hookVersion", "hookMaturity"]
    assert metadata["hookMaturity"] == "0 - Draft"
    assert "{" + "namespace}" not in definition


def test_the_version_is_that_of_discovery_and_in_the_change_log(server: str, definition: str) -> None:
    listed = requests.get(f"{server}/cds-services", timeout=10).json()["services"]
    (version,) = [each["hookVersion"] for each in listed if each["id"] == "contrast-echo-claim-review"]
    assert f"| hookVersion | {version} |" in definition
    head, *rows = table(definition, "## Change Log")
    assert [cell.strip("| ") for cell in head] == ["Version", "Description"]
    assert rows[-1][0].strip("| ") == version
    assert rows
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", row[0].strip("| ")) for row in rows)


def test_the_context_is_that_which_the_service_takes(definition: str) -> None:
    head, *rows = table(definition, "## Context")
    assert [cell.strip("| ") for cell in head] == ["Field", "Optionality", "Prefetch Token", "Type", "Description"]
    described = {row[0].strip("| `"): (row[1] == "REQUIRED", row[2], row[3].strip("*")) for row in rows}
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(ClaimReview)}
    sent = fields | {"userId": True}  # required of a client as in every hook; the service can do without it
    assert {name: required for name, (required, _, _) in described.items()} == sent
    assert {name for name, (_, token, _) in described.items() if token == "Yes"} == set(fields) - {"draftCharges"}
    kinds = {name: kind for name, (_, _, kind) in described.items()}
    assert kinds == dict.fromkeys(fields, "string") | {"draftCharges": "object"}


@pytest.mark.parametrize("example", examples(), ids=["charge-items", "claim"])
def test_an_example_is_valid_and_answered(server: str, example: dict[str, Any]) -> None:
    body = {"hook": "org.example.claim-review", "hookInstance": str(uuid.uuid4())} | example
    response = post(server, CLAIM_REVIEW, body)
    assert response.status_code == 200
    assert "warnings" not in str(response.json().get("extension"))
    assert faults_in(json.dumps(body).encode()) == ()


def test_the_readme_leads_to_the_definition() -> None:
    assert "(hooks/claim_review.md)" in README
    assert "/hooks/claim-review" in README


@pytest.mark.parametrize("path", PARTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_parts_are_up_to_date(path: Path) -> None:
    assert path.read_text() == generated(path), "run `make docs`"


def test_the_readme_is_short_and_shows_a_card() -> None:
    assert len(README.splitlines()) <= 130
    (picture,) = re.findall(r"!\[.+\]\((.+\.png)\)", README)
    assert (ROOT / picture).stat().st_size < 150_000


def test_links_lead_somewhere_and_never_into_python_source() -> None:
    links = [
        (document, target)
        for document in DOCUMENTS
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    ]
    assert len(links) > 20
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []
    assert [link for link in links if link[1].endswith(".py")] == [], "document a file format by an example file"


def test_make_help_lists_every_target() -> None:
    # Without the variables of a `make` that runs the tests: they would have this one announce its directory.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(["make", "help"], cwd=ROOT, env=outside, capture_output=True, text=True, check=True)
    printed = result.stdout
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"clean"}
    assert targets == {line.split()[0] for line in printed.splitlines()}


def test_the_readme_names_every_service_and_every_rule() -> None:
    assert hooks.all_services()
    for each in hooks.all_services():
        assert f"| `{each.id}` | `{each.hook.replace('{namespace}', '<namespace>')}` |" in README
    assert hooks.all_rules()
    for rule in hooks.all_rules():
        assert f"| `{rule.id}` |" in README


def test_every_setting_that_the_readme_speaks_of_is_one() -> None:
    assert set(re.findall(r"\bCDS_[A-Z_]+\b", README)) <= {f"CDS_{name.upper()}" for name in Settings.model_fields}
