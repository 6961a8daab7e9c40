"""Both engines and `/review` return the same findings."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hooks
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.audit.test_exports import (
    AETNA,
    BY_ORGANIZATION,
    BY_REFERENCE,
    COMPLETE,
    billed,
    log_lines,
    odd_names,
)
from tests.audit.test_no_case import CVX, SNOMED, claim
from tests.audit.test_runs import DEFINITY, MISSING, REPEATED, write_export
from tests.support import synth
from tests.support.audits import audited, case_bundles, confusion, counts, findings, patients_of
from tests.support.running import ROOT

FEES = "code,setting,amount\n93350,,190\n93351,,240\n93352,,35.50\nQ9957,,60.25\nQ9950,,22.10\n"


def on_spark(export: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, as people type it."""
    arguments = ["audit", str(export), "--out", str(out), "--engine", "spark", "--master", "local[2]", *options]
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-m", "cds_service", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=environment,
    )


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated records with every planted error."""
    folder = tmp_path_factory.mktemp("synth") / "export"
    synth.write(synth.generate(1500, seed=21), folder, seed=21, manifest=False)
    return folder


@pytest.fixture(scope="module")
def outs(export: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of both audits: embedded, and Spark."""
    folder = tmp_path_factory.mktemp("audits")
    (folder / "fees.csv").write_text(FEES)
    options = ("--complete", ",".join(synth.COMPLETE), "--fees", str(folder / "fees.csv"))
    command = [sys.executable, "-m", "cds_service", "audit", str(export), "--out", str(folder / "embedded"), *options]
    embedded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert embedded.returncode == 0, embedded.stderr
    spark = on_spark(export, folder / "spark", *options)
    assert spark.returncode == 0, spark.stderr[-4000:]
    return folder / "embedded", folder / "spark"


def test_every_planted_error_is_found_and_nothing_else(export: Path, outs: tuple[Path, Path]) -> None:
    assert outs
    for out in outs:
        assert confusion(export, out) == (Counter(), Counter())
        spoke = {rule for row in findings(out) for rule in (row["rule"], *row["also_rules"])}
        assert spoke == {rule.id for rule in hooks.all_rules() if rule.set_up is None}


def test_both_engines_write_the_same(outs: tuple[Path, Path]) -> None:
    embedded, spark = outs
    assert findings(embedded) == findings(spark)
    assert counts(embedded) == counts(spark)
    assert (embedded / "findings.csv").read_bytes() == (spark / "findings.csv").read_bytes()


def test_both_set_the_same_lines_aside(outs: tuple[Path, Path]) -> None:
    found = [sorted(_rejects(out), key=json.dumps) for out in outs]
    assert found[0] == found[1]
    assert len(found[0]) >= len(synth.BAD_LINES)


def _rejects(out: Path) -> list[dict[str, Any]]:
    path = out / "rejects.ndjson"
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_both_summaries_say_the_same(outs: tuple[Path, Path]) -> None:
    said = [json.loads((out / "summary.json").read_text()) for out in outs]
    for part in ("total", "questions", "by", "trend", "passed", "notChecked", "rejects", "leftOut", "rules", "tables"):
        assert said[0][part] == said[1][part], part
    for fact in ("lines", "types", "cases", "patientsRead", "reviewed", "empty"):
        assert said[0]["facts"][fact] == said[1]["facts"][fact], fact
    assert outs
    for out in outs:
        assert "Contrast billed without 93352 or the supply code" in (out / "report.html").read_text()


def test_review_says_the_same(export: Path, outs: tuple[Path, Path]) -> None:
    """The answer of `/review` is made by `answer_bundle` and `report_of`; test_audit.py calls it over HTTP."""
    advisor: Advisor = create_advisor(Settings())
    known = frozenset(PREFETCH_KEYS[each] for each in synth.COMPLETE)
    patients = patients_of(export)
    found = findings(outs[1])
    said = [
        (finding.id, finding.rule, finding.indicator, finding.summary)
        for patient in {row["patient"] for row in found}
        for bundle in case_bundles(patients[patient], advisor, known)
        for finding in report_of(advisor.review_bundle(json.dumps(bundle).encode(), "claim", known)).findings
    ]
    assert Counter(said) == Counter((row["id"], row["rule"], row["indicator"], row["summary"]) for row in found)


def test_an_audit_is_not_overwritten_and_strictness_holds(
    export: Path, outs: tuple[Path, Path], tmp_path: Path
) -> None:
    again = on_spark(export, outs[1])
    assert again.returncode == 2
    assert "use --overwrite" in again.stderr
    strict = on_spark(export, tmp_path / "strict", "--strict")
    assert strict.returncode == 2
    assert ".ndjson" in strict.stderr
    assert not (tmp_path / "strict").exists()


def test_spark_and_embedded_audits_can_be_compared(outs: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "cds_service", "audit", "diff", *map(str, outs)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_manifest_and_other_peoples_records_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    synth.write(synth.generate(60, seed=4), folder, seed=4)
    if "CORPUS_DIR" in os.environ:
        add_corpus(folder, Path(os.environ["CORPUS_DIR"]))
    audited(folder, tmp_path / "embedded")
    result = on_spark(folder / "manifest.json", tmp_path / "spark")
    assert result.returncode == 0, result.stderr[-2000:]
    assert findings(tmp_path / "spark") == findings(tmp_path / "embedded")
    assert counts(tmp_path / "spark") == counts(tmp_path / "embedded")


def test_an_export_as_exporters_leave_it_is_read_alike(tmp_path: Path) -> None:
    """A log, a link, gzip under any name, a damaged line in such a file, and payers that are elsewhere."""
    export = write_export(tmp_path / "export", DEFINITY, MISSING, REPEATED)
    with (export / "MedicationAdministration.ndjson").open("a") as given:
        given.write('{"resourceType": "Observation", "id": "cut')
    odd_names(export)
    (export / "log.ndjson").write_text(log_lines())
    (export / "again.ndjson").symlink_to(export / "ChargeItem.ndjson")
    known = [billed(BY_REFERENCE), BY_ORGANIZATION, AETNA]
    elsewhere = [each | {"id": "other", "patient": {"reference": "Patient/q"}} for each in [billed(BY_REFERENCE)]]
    (export / "Claims.jsonl").write_text("\n".join(map(json.dumps, [*known, *elsewhere])))
    audited(export, tmp_path / "embedded", COMPLETE)
    result = on_spark(export, tmp_path / "spark", "--complete", ",".join(COMPLETE))
    assert result.returncode == 0, result.stderr[-2000:]
    for out in (tmp_path / "embedded", tmp_path / "spark"):
        assert {"Aetna", "not in the export"} <= {row["payer"] for row in findings(out)}
    assert findings(tmp_path / "spark") == findings(tmp_path / "embedded")
    assert counts(tmp_path / "spark") == counts(tmp_path / "embedded")
    embedded, spark = (json.loads((tmp_path / each / "summary.json").read_text()) for each in ("embedded", "spark"))
    assert embedded["notes"] == spark["notes"]
    assert embedded["facts"] == spark["facts"]
    (reject,) = _rejects(tmp_path / "spark")
    assert reject["place"].startswith("part-00001:")
    assert _rejects(tmp_path / "embedded") == [reject]


def add_corpus(folder: Path, corpus: Path) -> None:
    """Put other people's records beside the generated ones."""
    examples = [json.loads(path.read_text()) for path in sorted((corpus / "hl7-r4-examples").glob("*.json"))]
    (folder / "hl7.ndjson").write_text("\n".join(json.dumps(each) for each in examples))
    (folder / "synthea.ndjson").write_bytes((corpus / "synthea-echo.ndjson").read_bytes())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["output"] += [{"url": "hl7.ndjson"}, {"url": "synthea.ndjson"}]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_both_say_why_no_case_was_about_an_echo(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    (export / "Claim.ndjson").write_text(json.dumps(claim((SNOMED, "185349003"), (SNOMED, "10"), (CVX, "140"))))
    summary = audited(export, tmp_path / "embedded")
    assert on_spark(export, tmp_path / "spark").returncode == 0
    assert json.loads((tmp_path / "spark" / "summary.json").read_text())["notes"] == summary["notes"]
    assert summary["notes"] == ["0 cases: the claims carry only SNOMED CT and CVX codes."]
