"""`cds-service check` over 837 files: claims, segments, what is set aside, folders, gzip and standard input."""

import gzip
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.review.claim_files import WITHOUT_RECORD
from tests.support.edi import EdiClaim, EdiLine, edi, lines
from tests.support.notation import body_of

MISSING = EdiClaim("MISSING", lines("93351, Q9957x2-JZ"), member="M1")
RIGHT = EdiClaim("RIGHT", lines("93350, 93352, Q9957x2-JZ"), member="M2")
OFFICE = EdiClaim("OFFICE", lines("99213"), member="M3")
BROKEN = EdiClaim("BROKEN", (EdiLine("93350", charge="a hundred"),), total="100", member="M4")
VOID = EdiClaim("VOID", lines("93350"), frequency="8", member="M5")


def check(*arguments: Path | str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "claims.837"
    path.write_bytes(edi(MISSING, RIGHT, OFFICE, OFFICE, VOID))
    return path


def test_claims_findings_and_segments_are_named(file: Path) -> None:
    result = check(file)
    assert result.exit_code == 1, result.output
    told = result.stdout.splitlines()
    assert told[:3] == [str(file), f"  {WITHOUT_RECORD}", "claim MISSING, ST*0201 segment 18 (CLM)"]
    assert "WARNING: Contrast was given at this stress echo: add 93352." in told
    assert "  Segments: ST*0201 segment 21 (SV1); ST*0201 segment 24 (SV1)" in told
    assert "      add 93352: ST*0201, LX*3, SV1 and DTP after segment 25" in told
    assert "claim RIGHT, ST*0201 segment 33 (CLM)" in told
    assert any(each.startswith("  no findings; ") for each in told)
    void = "claim VOID, ST*0201 segment 68 (CLM): not reviewed: CLM05-3 is 8: it voids an earlier claim"
    assert void in result.stdout.replace("\n", " ")
    assert "  2 claims hold nothing of an echo, so nothing was checked there" in told
    assert told[-1] == "1 file, 4 cases: 1 finding, 1 warning; 0 not read"
    assert result.stdout.count(WITHOUT_RECORD) == 1
    assert "OFFICE" not in result.stdout


def test_what_needs_the_record_is_counted_and_not_listed(file: Path) -> None:
    told = check(file).stdout
    assert "1 not checked without the record" in told
    assert "not checked  supply-units-mismatch" not in told


def test_json_has_a_line_for_each_claim_and_each_part_set_aside(file: Path) -> None:
    result = check("--json", file)
    every = [json.loads(each) for each in result.stdout.splitlines()]
    assert [each["claim"] for each in every] == ["MISSING", "RIGHT", "OFFICE", "OFFICE", "VOID"]
    assert [len(each["findings"]) for each in every[:4]] == [1, 0, 0, 0]
    assert every[4]["fault"] is False
    assert result.stderr == "1 file, 4 cases: 1 finding, 1 warning; 0 not read\n"


def test_a_broken_claim_is_one_line_with_its_segment_and_no_value(tmp_path: Path) -> None:
    path = tmp_path / "claims.837"
    path.write_bytes(edi(BROKEN, RIGHT))
    result = check(path)
    assert result.exit_code == 2
    assert result.stderr == f"{path}: ST*0201 segment 21 (SV1): SV102: expected a number; claim rejected\n"
    assert "claim RIGHT" in result.stdout


def test_claims_set_aside_for_one_fault_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "claims.837"
    path.write_bytes(edi(RIGHT, MISSING, OFFICE).replace(b"SE*", b"SE*1"))
    result = check(path)
    assert result.exit_code == 2
    assert [each.partition("(SE): ")[2] for each in result.stderr.splitlines()] == [
        "SE01: expected 56, the number of segments read; one may be missing or added; claim rejected",
        "2 more claims are rejected for this reason",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (edi(RIGHT).replace(b"ST*837*", b"ST*835*"), "found an 835 (remittance advice)"),
        (edi(RIGHT).replace(b"ST*837*0201*005010X222A1", b"ST*837*0201*005010X224A2"), "found an 837D (dental claims)"),
        (b"ISA*00*", "ISA: expected 16 elements"),
        (b"%PDF-1.7", "expected JSON"),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "claims.837"
    path.write_bytes(content)
    result = check(path)
    assert (result.exit_code, result.stdout) == (2, "")
    (told,) = result.stderr.splitlines()
    assert told.startswith(f"{path}: ")
    assert expected in told


def test_a_folder_standard_input_and_gzip_are_read(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_bytes(body_of({"lines": "93350, Q9957x2"}))
    (tmp_path / "claims.txt").write_bytes(edi(MISSING))
    (tmp_path / "more.edi.gz").write_bytes(gzip.compress(edi(RIGHT)))
    (tmp_path / "notes.txt").write_bytes(b"not read")
    result = check(tmp_path)
    assert result.stdout.splitlines()[-1] == "3 files, 3 cases: 2 findings, 2 warnings; 0 not read"
    assert check("-", stdin=edi(MISSING)).stdout.splitlines()[0] == "-"
    assert check("-", stdin=edi(MISSING)).exit_code == 1


def test_strict_validates_the_bundle_that_a_claim_becomes(tmp_path: Path) -> None:
    path = tmp_path / "claims.837"
    every = [
        MISSING,
        RIGHT,
        EdiClaim("H", lines("93350"), kind="institutional", facility="13", others=[("S", "CI", "X")]),
    ]
    path.write_bytes(edi(*every))
    told = [json.loads(each) for each in check("--strict", "--json", path).stdout.splitlines()]
    assert [each["warnings"] for each in told] == [[], [], []]


FOLDER = Path(os.environ.get("CORPUS_DIR", "/nonexistent")).parent / "x12"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="CORPUS_DIR has no sibling x12")
def test_published_files_are_read_and_valid() -> None:
    result = check("--strict", "--json", FOLDER)
    told = {each["claim"]: each for each in map(json.loads, result.stdout.splitlines())}
    assert {name: [found["rule"] for found in each["findings"]] for name, each in told.items()} == {
        "756048Q": [],
        "W392-49141": [],
        "CLMNO12345": [],
        "ECHO1": ["contrast-add-on-missing", "supply-waste-modifier"],
        "ECHO2": ["hospital-contrast-code"],
    }
    warned = {name: [each["message"] for each in one["warnings"]] for name, one in told.items() if one["warnings"]}
    assert warned.keys() == {"W392-49141"}
    assert warned["W392-49141"][0].startswith("CLM05: its parts are separated by another character")
    assert len(warned["W392-49141"]) == 1
    assert result.stderr == "5 files, 5 cases: 3 findings, 3 warnings; 0 not read\n"
