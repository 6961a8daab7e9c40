"""`cds-service audit` returns the findings of `/review`, for a generated year and for published records."""

import gzip
import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

import hooks
from cds_service.audit.fees import FeeTable
from cds_service.audit.output_files import DESCRIBED
from cds_service.audit.patients import ExportedRecord, entries_of, read_patient
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.support import synth
from tests.support.audits import audited, bundle_of, case_bundles, confusion, counts, findings, patients_of, rows
from tests.support.running import ROOT

KNOWN = frozenset(PREFETCH_KEYS[each] for each in synth.COMPLETE)
PATIENTS = 1500


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with every planted error in it."""
    folder = tmp_path_factory.mktemp("synth") / "export"
    synth.write(synth.generate(PATIENTS, seed=11), folder, seed=11)
    return folder


@pytest.fixture(scope="session")
def out(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its audit."""
    folder = tmp_path_factory.mktemp("audit") / "out"
    audited(export, folder, synth.COMPLETE)
    return folder


def test_every_planted_error_is_found_and_nothing_else(export: Path, out: Path) -> None:
    missed, extra = confusion(export, out)
    assert (missed, extra) == (Counter(), Counter())


def test_every_rule_speaks(out: Path) -> None:
    spoke = {rule for row in findings(out) for rule in (row["rule"], *row["also_rules"])}
    assert spoke == {rule.id for rule in hooks.all_rules() if rule.set_up is None}


SAID = ("id", "rule", "indicator", "summary")


def said_by_review(server: str, bundle: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    response = requests.post(
        f"{server}/review{query}", json=bundle, headers={"Content-Type": "application/fhir+json"}, timeout=30
    )
    assert response.status_code == 200, response.text
    return [_as_said(each) for each in response.json()["findings"]]


def _as_said(finding: dict[str, Any]) -> tuple[Any, ...]:
    """A finding with all that both tell of it: evidence and remedies included."""
    evidence = [(each["seen"], each["reference"]) for each in finding["evidence"]]
    fixes = [(each["label"], each["recommended"], tuple(each["changes"])) for each in finding["remedies"]]
    return *(finding[name] for name in SAID), finding["day"] and str(finding["day"]), tuple(evidence), tuple(fixes)


def test_review_says_the_same_of_every_case(export: Path, out: Path, server: str, advisor: Advisor) -> None:
    query = f"?stage=claim&complete={','.join(synth.COMPLETE)}"
    patients = patients_of(export)
    found = {row["patient"] for row in findings(out)}
    chosen = sorted(found) + sorted(set(patients) - found)[:60]
    said = [
        finding
        for patient in chosen
        for bundle in case_bundles(patients[patient], advisor, KNOWN)
        for finding in said_by_review(server, bundle, query)
    ]
    assert Counter(said) == Counter(_as_said(row | {"day": row["day"]}) for row in findings(out))


def test_the_split_into_cases_changes_nothing(export: Path, out: Path, server: str) -> None:
    """All records of a patient in one Bundle say what the patient's cases say."""
    query = f"?stage=claim&complete={','.join(synth.COMPLETE)}"
    patients = patients_of(export)
    found = sorted({row["patient"] for row in findings(out)})
    said = [
        finding
        for patient in found
        for finding in said_by_review(server, bundle_of(entries_of(patients[patient])), query)
    ]
    assert Counter(said) == Counter(_as_said(row) for row in findings(out))


def test_a_text_with_a_fault_is_named_and_an_older_version_is_not(advisor: Advisor) -> None:
    charge = {"resourceType": "ChargeItem", "id": "c", "status": "billable", "note": [{"text": "\x00"}]}
    older = charge | {"status": "planned", "note": []}
    newer = charge | {"meta": {"lastUpdated": "2026-03-18T00:00:00Z"}}
    patient = read_patient([ExportedRecord("ChargeItem", "c", json.dumps(each)) for each in (older, newer)], advisor)
    assert [(each.path, each.reason) for each in patient.skipped] == [
        ("ChargeItem/c", "expected text without control characters")
    ]


@pytest.mark.exhaustive
def test_what_is_not_looked_at_has_nothing_to_say(export: Path, out: Path, tmp_path: Path) -> None:
    make = partial(create_auditor, Settings(), FeeTable(), everything=True)
    summary = audited(export, tmp_path / "all", synth.COMPLETE, make=make, everything=True)
    assert findings(tmp_path / "all") == findings(out)
    every = counts(tmp_path / "all")
    assert [row for row in every if "empty" not in row] == [row for row in counts(out) if "empty" not in row]
    assert {row[0] for row in every if "empty" in row} == {""}, "no rule passed there"
    assert summary["facts"]["empty"] > summary["facts"]["reviewed"]
    assert summary["facts"]["cases"] > 3 * summary["facts"]["reviewed"], "most cases are not looked at otherwise"


def test_neither_order_nor_packing_nor_shards_matter(export: Path, out: Path, tmp_path: Path) -> None:
    lines = [line for path in sorted(export.glob("*.ndjson*")) for line in unpacked(path).splitlines()]
    kept = [line for line in lines if line not in {each.encode() for each in synth.BAD_LINES}]
    random.Random(1).shuffle(kept)
    folder = tmp_path / "mixed" / "deeper"
    folder.mkdir(parents=True)
    for number in range(7):
        content = b"\n".join(kept[number::7])
        name = f"part-{number}.ndjson"
        if number % 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    audited(tmp_path / "mixed", tmp_path / "other", synth.COMPLETE)
    assert findings(tmp_path / "other") == findings(out)
    assert counts(tmp_path / "other") == counts(out)


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).removeprefix(b"\xef\xbb\xbf")


def test_absence_is_not_concluded_where_a_line_of_an_unknown_type_is_lost(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(export, folder, ignore=shutil.ignore_patterns("manifest.json"))
    (folder / "more.ndjson").write_text("{cut off")
    summary = audited(folder, tmp_path / "out", synth.COMPLETE)
    assert len([note for note in summary["notes"] if "missing records are not treated as absent" in note]) == len(
        synth.COMPLETE
    )
    missed, extra = confusion(export, tmp_path / "out")
    absent = {rule for scenario in synth.PLANTED if scenario.absent for rule in scenario.rules}
    assert {rule for _, rule in missed} == absent
    assert extra == Counter()


def test_the_files_have_the_documented_columns(out: Path) -> None:
    assert DESCRIBED
    for name, columns in DESCRIBED.items():
        described = rows(out / name, "SELECT column_name FROM (DESCRIBE SELECT * FROM data)")
        assert [row["column_name"] for row in described] == [column for column, _, _ in columns]


def test_the_columns_are_explained() -> None:
    text = (ROOT / "cds_service" / "audit" / "README.md").read_text()
    assert DESCRIBED
    for columns in DESCRIBED.values():
        assert columns
        assert [column for column, _, _ in columns if f"`{column}`" not in text] == []


def test_the_example_of_the_readme_works(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text().replace("\\\n", "")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    .venv/bin/") and "/tmp/year" in line]
    assert len(commands) == 2
    for command in commands:
        arguments = command.replace("/tmp/year", str(tmp_path)).replace("--patients 2000", "--patients 200").split()
        program = [sys.executable, "-m", "cds_service"] if "cds-service" in arguments[0] else [sys.executable]
        result = subprocess.run([*program, *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    missed, extra = confusion(tmp_path / "export", tmp_path / "audit")
    assert (missed, extra) == (Counter(), Counter())
    assert "undercharged" in result.stdout


def test_the_report_answers_the_first_questions_in_a_browser(out: Path, tmp_path: Path, browser: Browser) -> None:
    """The page stands by itself: nothing is loaded from elsewhere, its table can be narrowed, no other script runs."""
    text = (out / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#)', text), "nothing from elsewhere"
    foreign = '<script>document.title = \'taken over\'</script><p onclick="x()" style="color: red">'
    (tmp_path / "report.html").write_text(text.replace("</main>", f"{foreign}</main>"))
    summary = json.loads((out / "summary.json").read_text())
    expected = len([row for row in findings(out) if row["rule"] == "add-on-modifier"])
    assert expected
    page, faults = browser.new_page(), list[str]()
    page.on("console", lambda message: faults.append(message.text))
    page.goto(f"file://{out}/report.html")
    dom = page.content()
    page.select_option("#rule", "add-on-modifier")
    assert f"{expected} of " in page.inner_text("#shown")
    position = page.evaluate("getComputedStyle(document.querySelector('.skip')).position")
    assert position == "absolute", "it has its style"
    assert faults == []
    page.goto(f"file://{tmp_path}/report.html")
    assert page.title() == "Audit of contrast echo charges"
    assert len([each for each in faults if "Content Security Policy" in each]) >= 2
    page.close()
    assert summary["questions"]
    for question in summary["questions"]:
        assert re.search(
            rf'<div class="number">{question["findings"]}</div>\s*<div class="text">{question["text"]}<', dom
        )


def test_the_summary_says_how_it_was_made(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    assert summary["facts"]["lines"] > 10 * PATIENTS
    assert set(summary["rules"]) == {rule.id for rule in hooks.all_rules()}
    assert summary["tables"]["add_ons"]["version"]
    assert {row["name"] for row in summary["by"]["site"]} <= {*synth.SITES.values(), "not named"}
    assert sum(row["lines"] for row in summary["rejects"]) == len(synth.BAD_LINES)
    assert summary["total"]["findings"] == len(findings(out))
