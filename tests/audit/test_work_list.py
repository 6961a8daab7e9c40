"""The audit's work list: one line for each finding, safe in a spreadsheet, the same in each run."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.audit import work_list
from cds_service.audit.summary import DRILL_DOWN_ROWS
from tests.audit.test_runs import CLEAN, DEFINITY, FEES, MISSING, REPEATED, write_export
from tests.support.audits import audited, findings
from tests.support.forked import run
from tests.support.running import ROOT

NAMES = [name for name, _ in work_list.COLUMNS]
assert NAMES
ON_CLAIM = {"professional": "93350, 93352, Q9957x3", "place": "11", "payer": "Aetna PPO", **DEFINITY}


def rows_of(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf"), "the mark by which spreadsheets know UTF-8"
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit with fees: a code missing, a code repeated, units on a claim, and a clean case."""
    folder = tmp_path_factory.mktemp("work-list")
    (folder / "fees.csv").write_text(FEES)
    export = write_export(folder / "export", MISSING, REPEATED, ON_CLAIM, CLEAN)
    result = run("audit", str(export), "--out", str(folder / "out"), "--fees", str(folder / "fees.csv"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode().splitlines()[-1] == f"{folder}/out/findings.csv"
    return folder / "out"


def test_each_finding_is_a_line(audit: Path) -> None:
    listed = rows_of(audit / "findings.csv")
    assert list(listed[0]) == NAMES
    assert {row["id"] for row in listed} == {row["id"] for row in findings(audit)}
    by_rule = {row["rule"]: row for row in listed}
    missing = by_rule["contrast-add-on-missing"]
    assert missing["what to do"] == "Add 93352 or Medicare hospital claim: C8928 for 93350"
    assert (missing["direction"], missing["estimated worth"]) == ("under", "35.50")
    assert (missing["patient"], missing["date"], missing["claim"]) == ("Patient/p0", "2026-03-02", "")
    assert "ChargeItem/line-1-0: 93350" in missing["line"]
    units = by_rule["supply-units-mismatch"]
    assert (units["claim"], units["payer"]) == ("Claim/claim-professional-2", "not in the export")
    assert units["line"] == "Claim/claim-professional-2 item 3: Q9957x3"
    assert (units["direction"], units["estimated worth"]) == ("over", "60.00"), "an amount has no sign"


def test_two_runs_write_the_same_file(audit: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING, REPEATED, ON_CLAIM, CLEAN)
    for name in ("one", "two"):
        audited(export, tmp_path / name)
    one, two = (tmp_path / name / "findings.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert [row["id"] for row in rows_of(one)] == [row["id"] for row in rows_of(audit / "findings.csv")]


def test_the_columns_are_explained() -> None:
    text = (ROOT / "cds_service" / "audit" / "README.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in text] == []


# --- spreadsheets ---------------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "rule": "pair-conflict",
    "also_rules": [],
    "patient": "Patient/1",
    "claims": [],
    "lines": [],
    "day": date(2026, 3, 2),
    "payer": None,
    "practitioner": None,
    "remedies": [],
    "direction": "none",
    "value": None,
    "summary": "a sentence",
    "indicator": "info",
    "id": "0123",
}


def read_back(**members: Any) -> dict[str, str]:
    text = b"".join(work_list.encoded([ROW | members])).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    return row


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
@pytest.mark.parametrize("name", ["patient", "payer", "practitioner", "summary"])
def test_no_cell_is_a_formula(name: str, sign: str) -> None:
    row = read_back(**{name: f'{sign}HYPERLINK("https://example.org")'})
    assert row
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values())
    assert f"'{sign}HYPERLINK" in "".join(row.values())


def test_a_name_stays_as_it_is_written() -> None:
    assert read_back(payer='Büro "A", B; C\nD')["payer"] == 'Büro "A", B; C\nD'


@pytest.mark.parametrize(
    ("fixes", "expected"),
    [
        ([], ""),
        ([("Add 93350", False), ("Remove 93352", False)], "Add 93350 or Remove 93352"),
        ([("Add 93350", True), ("Remove 93352", False)], "Add 93350"),
    ],
)
def test_what_to_do_is_the_fix_that_the_record_supports(fixes: list[tuple[str, bool]], expected: str) -> None:
    remedies = [{"label": label, "recommended": recommended, "changes": []} for label, recommended in fixes]
    assert read_back(remedies=remedies)["what to do"] == expected


def test_an_estimate_of_nothing_is_not_an_unknown_one() -> None:
    assert read_back(value=Decimal("0.00"))["estimated worth"] == "0.00"
    assert read_back(value=None)["estimated worth"] == ""


def test_rules_that_share_a_fix_share_a_line() -> None:
    assert read_back(also_rules=["code-not-active"])["rule"] == "pair-conflict, code-not-active"


def test_many_findings_are_written_in_parts() -> None:
    parts = list(work_list.encoded(ROW for _ in range(2500)))
    assert len(parts) == 4
    assert b"".join(parts).count(b"\r\n") == 2501


# --- what is new ----------------------------------------------------------------------------------------------------


def test_what_is_new_is_exported(tmp_path: Path) -> None:
    before, after = write_export(tmp_path / "a", MISSING), write_export(tmp_path / "b", MISSING, REPEATED)
    audited(before, tmp_path / "before")
    audited(after, tmp_path / "after")
    new = tmp_path / "new.csv"
    result = run("audit", "diff", str(tmp_path / "before"), str(tmp_path / "after"), "--csv", str(new))
    assert result.returncode == 1, result.stderr
    assert [row["rule"] for row in rows_of(new)] == ["add-on-repeated"]
    nothing = run("audit", "diff", str(tmp_path / "after"), str(tmp_path / "after"), "--csv", str(new))
    assert nothing.returncode == 0, nothing.stderr
    assert rows_of(new) == []


def test_a_list_that_cannot_be_written_is_one_line(audit: Path, tmp_path: Path) -> None:
    result = run("audit", "diff", str(audit), str(audit), "--csv", str(tmp_path / "none" / "new.csv"))
    assert result.returncode == 2
    assert result.stderr.decode() == f"Error: {tmp_path}/none/new.csv: No such file or directory\n"


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_report_has_no_more_findings_than_it_says() -> None:
    from cds_service.audit.summary import DRILL_DOWN  # noqa: PLC0415

    assert DRILL_DOWN.endswith(f"LIMIT {DRILL_DOWN_ROWS}")
