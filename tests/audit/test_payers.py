"""A payer's export: explanations of benefits instead of claims, and patients who are contained."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.audits import audited, findings
from tests.unit.test_billed_claims import claim, eob
from tests.unit.test_patients import OTHER, person


def export_of(folder: Path, *resources: Any) -> Path:
    folder.mkdir()
    (folder / "all.ndjson").write_text("\n".join(json.dumps(each) for each in resources))
    return folder


def contained(patient: Any, **members: Any) -> dict[str, Any]:
    return {"patient": {"reference": "#patient"}, "contained": [patient]} | members


ONE = person(identifier=[{"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1S00E00AA00"}])


def test_an_explanation_of_benefits_is_audited_once_and_not_beside_its_claim(tmp_path: Path) -> None:
    explained = eob("93351", "93352", "93352", id="e1", claim={"reference": "Claim/c1"})
    alone = audited(export_of(tmp_path / "alone", explained), tmp_path / "a")
    assert alone["facts"]["reviewed"] == 1
    (found,) = [row for row in findings(tmp_path / "a") if row["rule"] == "add-on-repeated"]
    assert (found["setting"], found["codes"], found["month"]) == ("professional", ["93352"], "2026-03")
    audited(export_of(tmp_path / "both", explained, claim("Claim", "93351", "93352", id="c1")), tmp_path / "b")
    assert "add-on-repeated" not in {row["rule"] for row in findings(tmp_path / "b")}


def test_contained_patients_are_patients_of_their_own(tmp_path: Path) -> None:
    """An add-on without a primary stays one, though another patient has the primary on that day."""
    own = [
        claim("Claim", "93350", id="c1", **contained(ONE)),
        claim("Claim", "93352", id="c2", **contained(ONE)),
        claim("Claim", "93352", id="c3", **contained(OTHER)),
    ]
    summary = audited(export_of(tmp_path / "export", *own), tmp_path / "out")
    assert summary["facts"]["patientsRead"] == 2
    without = [row["evidence"] for row in findings(tmp_path / "out") if row["rule"] == "add-on-without-primary"]
    assert [each[0]["reference"] for each in without] == ["Claim/c3 item 1"]


def test_the_report_names_the_charges_that_are_not_read(tmp_path: Path) -> None:
    resources = [{"resourceType": kind, "id": "1"} for kind in ("Invoice", "Account", "Appointment")]
    summary = audited(export_of(tmp_path / "export", eob(), *resources), tmp_path / "out")
    assert summary["notes"] == [
        "Account is not read; its charges were not reviewed.",
        "Invoice is not read; its charges were not reviewed.",
    ]


@pytest.mark.skipif("CORPUS_DIR" not in os.environ, reason="CORPUS_DIR names no corpus of FHIR resources")
def test_the_payers_of_the_corpus_are_audited_without_a_reject(tmp_path: Path) -> None:
    files = sorted((Path(os.environ["CORPUS_DIR"]) / "payers").glob("*.json"))
    export = export_of(tmp_path / "export", *(json.loads(path.read_text()) for path in files))
    summary = audited(export, tmp_path / "out")
    (note,) = summary["notes"]
    assert summary["facts"]["lines"] == 5
    assert note.startswith("0 cases: the claims carry revenue, CPT, HCPCS and NDC codes")
    assert (tmp_path / "out" / "rejects.ndjson").read_text() == ""
