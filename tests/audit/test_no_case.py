"""An export in which no case is about an echo: the summary says why, and no rule passed."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cds_service.audit import charged_systems
from cds_service.audit.charged_systems import why_no_case
from cds_service.audit.fees import FeeTable
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.audit.test_runs import write_export
from tests.support.audits import audited, counts
from tests.support.forked import run

SNOMED, CVX = "http://snomed.info/sct", "http://hl7.org/fhir/sid/cvx"
CPT, HCPCS = "http://www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.285"


def claim(*codings: tuple[str, str]) -> dict[str, Any]:
    """A Claim of one patient with a line for each code."""
    items = [
        {
            "sequence": number,
            "productOrService": {"coding": [{"system": system, "code": code}] if system else [{"code": code}]},
        }
        for number, (system, code) in enumerate(codings, 1)
    ]
    return {
        "resourceType": "Claim", "id": "c", "status": "active", "use": "claim", "created": "2026-03-02",
        "patient": {"reference": "Patient/p"}, "billablePeriod": {"start": "2026-03-02", "end": "2026-03-02"},
        "type": {"coding": [{"code": "professional"}]}, "item": items,
    }  # fmt: skip


def why(*resources: dict[str, Any]) -> str:
    """The sentence for an export of these resources."""
    types: dict[str, int] = {}
    for each in resources:
        types[each["resourceType"]] = types.get(each["resourceType"], 0) + 1
    return why_no_case(types, lambda most: [json.dumps(each) for each in resources][:most])


@pytest.mark.parametrize(
    ("codings", "expected"),
    [
        ([(SNOMED, "185349003"), (SNOMED, "1"), (CVX, "140")], "carry only SNOMED CT and CVX codes."),
        ([("urn:local", "4711")], "carry only codes of other systems."),
        ([(SNOMED, "1"), ("urn:local", "2"), ("", "3")],
         "carry only SNOMED CT codes, codes of other systems and codes without a system."),
        ([(CPT, "99213"), (CPT, "83036"), (HCPCS, "J1250")], "carry CPT and HCPCS codes, none of an echo."),
        ([], "carry no codes."),
    ],
)  # fmt: skip
def test_the_code_systems_of_the_lines_are_named(codings: list[tuple[str, str]], expected: str) -> None:
    assert why(claim(*codings)) == f"0 cases: the claims {expected}"


def test_without_charges_or_claims_the_sentence_says_so() -> None:
    assert why({"resourceType": "Patient", "id": "p"}) == "0 cases: the export holds no charges or claims."


def test_charge_items_are_charges() -> None:
    charge = {"resourceType": "ChargeItem", "code": {"coding": [{"system": CPT, "code": "99213"}]}}
    assert why(charge) == "0 cases: the charges carry CPT codes, none of an echo."
    assert why(charge, claim((CVX, "140"))) == (
        "0 cases: the charges and claims carry CPT and CVX codes, none of an echo."
    )


def test_lines_of_a_strange_shape_are_passed_over() -> None:
    broken = claim((CVX, "140")) | {"item": "none"}
    assert why(broken, claim((SNOMED, "1"))) == "0 cases: the claims carry only SNOMED CT codes."


def test_of_a_large_export_a_sample_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charged_systems, "MOST_RECORDS", 2)
    assert why(*[claim((CVX, "140"))] * 3) == "0 cases: 2 of the claims carry only CVX codes."
    assert why(*[claim((CVX, "140"))] * 2) == "0 cases: the claims carry only CVX codes."


def test_claims_that_were_all_rejected_are_named_as_such() -> None:
    assert why_no_case({"Claim": 2}, lambda _: ()) == "0 cases: all claims were rejected."
    assert why_no_case({"?": 2}, lambda _: ()) == "0 cases: no charge or claim could be read; lines were rejected."


# --- the audit ------------------------------------------------------------------------------------------------------


def test_text_json_and_report_say_why(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    (export / "Claim.ndjson").write_text(json.dumps(claim((SNOMED, "185349003"), (SNOMED, "10"), (CVX, "140"))))
    out = tmp_path / "out"
    result = run("audit", str(export), "--out", str(out))
    sentence = "0 cases: the claims carry only SNOMED CT and CVX codes."
    assert result.returncode == 0
    assert sentence in result.stdout.decode()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["notes"] == [sentence]
    assert (summary["facts"]["reviewed"], summary["passed"]) == (0, [])
    assert sentence in (out / "report.html").read_text()


def test_with_everything_such_cases_count_as_empty_and_pass_no_rule(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", {"lines": "99213"}, {"lines": "93350"})
    make = partial(create_auditor, Settings(), FeeTable(), everything=True)
    summary = audited(export, tmp_path / "out", make=make, everything=True)
    assert (summary["facts"]["reviewed"], summary["facts"]["empty"]) == (1, 1)
    assert summary["notes"] == []
    assert sum(row[-1] for row in counts(tmp_path / "out") if "empty" in row) == 1
    assert {each["cases"] for each in summary["passed"]} == {1}, "the echo only"
