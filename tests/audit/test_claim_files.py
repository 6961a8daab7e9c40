"""Audits of folders of 837 files: the same as of their claims as FHIR, versions, what is set aside, and other files."""

import gzip
import json
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from cds_service.audit.exports import open_export
from cds_service.errors import UnreadableInput
from cds_service.intake.x12.bundle import bundle_of
from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.file_loops import read_claims, survey
from cds_service.review.advisor import Advisor
from cds_service.review.claim_files import ReviewedClaim, review_claims
from tests.audit.test_runs import MISSING as RECORDED
from tests.audit.test_runs import write_export
from tests.support.audits import audited, counts, findings
from tests.support.edi import EdiClaim, EdiLine, Style, edi, group, interchange, lines, transaction
from tests.support.forked import run

MISSING = EdiClaim("MISSING", lines("93351, Q9957x2-JZ"), member="M1", rendering="1000000001")
RIGHT = EdiClaim("RIGHT", lines("93350, 93352, Q9957x2-JZ"), member="M2")
HOSPITAL = EdiClaim("HOSPITAL", lines("93350, Q9957x2"), kind="institutional", facility="13", filing="MA", member="M3")
OFFICE = EdiClaim("OFFICE", lines("99213"), member="M4")
BROKEN = EdiClaim("BROKEN", (EdiLine("93350", charge="a hundred"),), total="100", member="M5")
CLAIMS = (MISSING, RIGHT, HOSPITAL, OFFICE, BROKEN)


def write_claims(folder: Path, *claims: EdiClaim, name: str = "claims.837", **style: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(edi(*claims, style=Style(**style)))
    return folder


def as_fhir(folder: Path, *claims: EdiClaim) -> Path:
    """The same claims as an export of FHIR."""
    folder.mkdir()
    open_file = partial(BytesIO, edi(*claims))
    every = [each for each in read_claims(open_file, survey(open_file)) if isinstance(each, Claim)]
    resources = [entry["resource"] for each in every for entry in bundle_of(each)["entry"]]
    (folder / "all.ndjson").write_text("\n".join(json.dumps(each, default=float) for each in resources))
    return folder


def rejects(out: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in (out / "rejects.ndjson").read_text().splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_claims_are_audited_as_their_bundles_are(tmp_path: Path, out: Path) -> None:
    summary = audited(write_claims(tmp_path / "claims", *CLAIMS), out)
    audited(as_fhir(tmp_path / "fhir", *CLAIMS), tmp_path / "of-fhir")
    named = ("site", "practitioner")
    mine, theirs = (
        [{name: value for name, value in row.items() if name not in named} for row in findings(each)]
        for each in (out, tmp_path / "of-fhir")
    )
    assert mine == theirs
    assert {row["rule"] for row in mine} == {"contrast-add-on-missing", "hospital-contrast-code"}
    assert summary["facts"]["cases"] == 3, "one patient has nothing of an echo"
    assert summary["facts"]["types"] == {"Claim": 5, "Coverage": 4, "Organization": 1, "Patient": 4, "Practitioner": 1}
    (row,) = [row for row in findings(out) if row["rule"] == "contrast-add-on-missing"]
    assert (row["site"], row["practitioner"], row["payer"]) == ("SYNTHETIC CARDIOLOGY", "ANN READER", "MEDICARE")
    assert row["evidence"][0]["reference"] == "Claim/MISSING-P-20260302 item 1"


def test_findings_have_the_ids_of_check_and_review(tmp_path: Path, out: Path, plain_advisor: Advisor) -> None:
    audited(write_claims(tmp_path / "claims", *CLAIMS), out)
    reviewed = review_claims(plain_advisor, partial(BytesIO, edi(*CLAIMS)))
    told = [found.id for each in reviewed if isinstance(each, ReviewedClaim) for found in each.report.findings]
    assert sorted(told) == [row["id"] for row in findings(out)]


def test_a_broken_claim_is_rejected_with_its_segment(tmp_path: Path, out: Path) -> None:
    summary = audited(write_claims(tmp_path / "claims", *CLAIMS), out, complete=("Claim",))
    assert rejects(out) == [
        {"place": "claims.837: ST*0201 segment 67 (SV1)", "reason": "SV102: expected a number", "text": "BROKEN"}
    ]
    assert summary["rejects"] == [{"reason": "SV102: expected a number", "lines": 1}]
    assert "Claim was declared complete, but lines of this type may have been rejected" in summary["notes"][0]
    with pytest.raises(UnreadableInput, match=r"claims.837: ST\*0201 segment 67 \(SV1\): SV102: expected a number"):
        audited(tmp_path / "claims", tmp_path / "strict", strict=True)


def test_separators_gzip_and_files_beside_ndjson(tmp_path: Path, out: Path) -> None:
    folder = write_export(tmp_path / "export", RECORDED)
    write_claims(folder, MISSING, name="a.txt", element="|", component=">", terminator="\n", ending="")
    (folder / "b.dat").write_bytes(gzip.compress(edi(HOSPITAL)))
    summary = audited(folder, out)
    assert {row["rule"] for row in findings(out)} >= {"contrast-add-on-missing", "hospital-contrast-code"}
    assert {"a.txt", "b.dat", "ChargeItem.ndjson"} <= set(summary["about"]["files"])
    assert "Not read" not in str(summary["notes"])


def test_the_claims_of_a_patient_in_several_files_are_one_patient(tmp_path: Path, out: Path) -> None:
    folder = write_claims(tmp_path / "claims", replace(MISSING, number="A"), name="a.837")
    write_claims(folder, replace(HOSPITAL, number="B", member="M1"), name="b.837")
    summary = audited(folder, out)
    assert (summary["facts"]["patientsRead"], summary["facts"]["cases"]) == (1, 1)


# --- versions -------------------------------------------------------------------------------------------------------


def sent_at(folder: Path, time: str, *claims: EdiClaim) -> None:
    folder.mkdir(exist_ok=True)
    text = interchange(group(transaction(claims, time=time)))
    (folder / f"{time}.837").write_text(text)


def test_a_claim_that_was_corrected_counts_as_corrected(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "claims"
    corrected = replace(MISSING, lines=lines("93351, 93352, Q9957x2-JZ"), frequency="7", replaces="ICN1")
    sent_at(folder, "0900", MISSING)
    sent_at(folder, "1100", corrected)
    audited(folder, out)
    assert findings(out) == []
    sent_at(folder, "1200", MISSING)
    audited(folder, out, overwrite=True)
    assert [row["rule"] for row in findings(out)] == ["contrast-add-on-missing"]


def test_a_voided_claim_is_nothing(tmp_path: Path, out: Path) -> None:
    sent_at(tmp_path / "claims", "0900", MISSING)
    sent_at(tmp_path / "claims", "1000", replace(MISSING, frequency="8", replaces="ICN1"))
    summary = audited(tmp_path / "claims", out)
    assert (findings(out), summary["facts"]["cases"]) == ([], 0)


def test_the_same_file_twice_counts_once(tmp_path: Path, out: Path) -> None:
    folder = write_claims(tmp_path / "claims", *CLAIMS)
    write_claims(folder, *CLAIMS, name="copy.837")
    audited(folder, out)
    audited(write_claims(tmp_path / "once", *CLAIMS), tmp_path / "once-out")
    assert findings(out) == findings(tmp_path / "once-out")
    assert counts(out) == counts(tmp_path / "once-out")


def test_one_number_on_two_days_is_two_claims(tmp_path: Path, out: Path) -> None:
    april = tuple(replace(each, day="20260401") for each in MISSING.lines)
    audited(write_claims(tmp_path / "claims", MISSING, replace(MISSING, lines=april)), out)
    assert sorted(row["month"] for row in findings(out)) == ["2026-03", "2026-04"]


# --- files of other kinds -------------------------------------------------------------------------------------------


def test_other_sets_of_x12_are_named_and_not_read(tmp_path: Path, out: Path) -> None:
    folder = write_claims(tmp_path / "claims", MISSING)
    (folder / "remit.835").write_bytes(edi(RIGHT).replace(b"ST*837*", b"ST*835*"))
    (folder / "letter.txt").write_text("hello")
    summary = audited(folder, out)
    assert [note for note in summary["notes"] if "Not read" in note] == [
        "Not read: letter.txt; expected files that end in .ndjson, .jsonl, .ndjson.gz, .jsonl.gz, gzip of NDJSON, "
        "or X12.",
        "Not read: remit.835 is an 835 (remittance advice), not an 837.",
    ]
    assert rejects(out) == []


def test_one_file_is_audited_alone(tmp_path: Path, out: Path) -> None:
    folder = write_claims(tmp_path / "claims", *CLAIMS)
    audited(folder / "claims.837", out)
    audited(folder, tmp_path / "whole")
    assert findings(out) == findings(tmp_path / "whole")
    remit = tmp_path / "remit.835"
    remit.write_bytes(edi(RIGHT).replace(b"ST*837*", b"ST*835*"))
    with pytest.raises(UnreadableInput, match=r"remit.835: expected an 837P or 837I, found an 835"):
        open_export(remit)
    alone = tmp_path / "alone"
    alone.mkdir()
    remit.rename(alone / "remit.835")
    with pytest.raises(UnreadableInput, match="expected files that end in"):
        open_export(alone)


def test_a_truncated_file_is_read_up_to_its_end(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    content = edi(MISSING, RIGHT)
    (folder / "cut.837").write_bytes(content[: content.rindex(b"SV1")])
    audited(folder, out)
    assert [row["rule"] for row in findings(out)] == ["contrast-add-on-missing"]
    assert [each["place"] for each in rejects(out)] == ["cut.837: the end of the file", "cut.837: ST*0201 segment 42"]


def test_the_command_reads_a_folder_of_claims(tmp_path: Path) -> None:
    folder = write_claims(tmp_path / "claims", *CLAIMS)
    result = run("audit", str(folder), "--out", str(tmp_path / "out"), "--jobs", "1")
    assert result.returncode == 0, result.stderr
    assert b"3 cases reviewed: 2 findings" in result.stdout
    assert b"1 lines rejected" in result.stdout
