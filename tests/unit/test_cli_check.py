"""`cds-service check` over files, folders, NDJSON and gzip: places of faults, and one line on all of it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.review.documents import EXPECTED, Document, documents_in
from tests.audit.test_exports import LOG
from tests.audit.test_runs import MISSING, REPEATED, write_export
from tests.http.test_review import as_bundle
from tests.support.notation import body_of, request_of

FLAGS, PASSES = body_of({"lines": "93350, Q9957x2"}), body_of({"lines": "93350, 93352, Q9957x2"})


def check(*arguments: Path | str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)], input=stdin)


def on_one_line(body: bytes) -> bytes:
    return json.dumps(json.loads(body)).encode()


def last_line(result: Result) -> str:
    return result.stdout.splitlines()[-1]


# --- places of faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", '{\n  "hook": "order-sign",\n  "é": x\n}', "a.json: line 3, column 8: expected JSON"),
        ("a.json", '{"hook": "order-sign"', "a.json: line 1, column 22: expected JSON"),
        ("a.json", "\n\n  nonsense", "a.json: line 3, column 3: expected JSON"),
        ("a.json", '{"value": NaN}', "a.json: line 1, column 11: expected JSON"),
        ("a.json", '\ufeff{"hook" 1}', "a.json: line 1, column 9: expected JSON"),
        (
            "a.ndjson",
            '{"resourceType": "Slot"}\n\n  {"resourceType": }\n',
            "a.ndjson: line 3, column 20: expected JSON",
        ),
        ("a.ndjson", '{"hook": 5}\n', "a.ndjson: line 1: expected JSON (a FHIR Bundle,"),
        ("a.ndjson.gz", "{\n", "a.ndjson.gz: line 1, column 2: expected JSON"),
    ],
)
def test_a_fault_names_file_line_and_column_and_no_content(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    result = check(path)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{tmp_path}/{expected}"), line
    assert "nonsense" not in line


def test_endless_nesting_has_no_column() -> None:
    faults: list[tuple[str, str]] = []
    assert not list(documents_in("a.json", b'{"a":' * 100_000, lambda *fault: faults.append(fault)))
    assert faults == [("a.json", f"{EXPECTED}; it is nested too deeply")]


def test_damaged_gzip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(FLAGS)[:-20])
    result = check(tmp_path / "a.json")
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path}/a.json: the gzip file is corrupt or truncated\n")


# --- inputs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people collect samples in: calls, a log of calls, a Bundle, gzip, a link, and a file cut off."""
    made = tmp_path / "samples"
    (made / "more").mkdir(parents=True)
    (made / "call.json").write_bytes(FLAGS)
    (made / "again.json").symlink_to(made / "call.json")
    bundle = json.dumps(as_bundle(request_of({"lines": "93350, 93352x2, Q9957x2"})))
    (made / "more" / "bundle.json").write_bytes(gzip.compress(bundle.encode()))
    log = [on_one_line(FLAGS), on_one_line(PASSES), *(json.dumps(line).encode() for line in LOG)]
    (made / "more" / "gateway.jsonl").write_bytes(b"\n".join(log) + b"\n")
    (made / "more" / "cut.json").write_bytes(FLAGS[:100])
    (made / "manifest.json").write_text("{}")
    return made


def test_a_folder_is_checked_with_one_line_on_all_of_it(folder: Path) -> None:
    result = check(folder)
    assert result.exit_code == 2
    (fault,) = result.stderr.splitlines()
    assert fault.startswith(f"{folder}/more/cut.json: line ")
    assert last_line(result) == "4 files, 4 cases: 3 findings, 3 warnings; 1 not read"
    for place in ("more/gateway.jsonl:1", "more/gateway.jsonl:2", "more/bundle.json", "again.json"):
        assert f"{folder}/{place}\n" in result.stdout
    assert "call.json" not in result.stdout, "it is the same file"


def test_files_are_checked_once_and_none_has_a_last_line_of_its_own(folder: Path) -> None:
    result = check(folder / "call.json", folder / "again.json", folder / "none.json")
    assert result.exit_code == 2
    assert "none.json: no such file" in result.stderr
    assert last_line(result) == "1 file, 1 case: 1 finding, 1 warning; 1 not read"
    assert "not read" not in check(folder / "call.json").stdout


def test_json_has_one_line_per_case_and_the_last_line_apart(folder: Path) -> None:
    (folder / "more" / "cut.json").unlink()
    result = check("--json", folder)
    assert result.exit_code == 1
    assert [len(json.loads(line).get("cards", [])) for line in result.stdout.splitlines()].count(1) == 2
    assert result.stderr == "4 files, 4 cases: 3 findings, 3 warnings; 0 not read\n".replace("4 files", "3 files")


def test_standard_input_may_be_ndjson_and_gzip() -> None:
    lines = on_one_line(FLAGS) + b"\n" + on_one_line(PASSES)
    assert last_line(check("-", stdin=gzip.compress(lines))) == "1 file, 2 cases: 1 finding, 1 warning; 0 not read"


def test_single_resources_are_reviewed_by_patient(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING, REPEATED)
    (export / "Slot.json").write_text('{"resourceType": "Slot", "id": "s"}')
    (export / "Invoice.json").write_text('{"resourceType": "Invoice", "id": "i"}')
    result = check(export)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "Slot" not in result.stdout, "no rule reads it"
    assert "Invoice is not read; its charges were not reviewed" in result.stdout
    assert f"{export} (Patient/p0)\n" in result.stdout
    assert f"{export} (Patient/p1)\n" in result.stdout
    assert last_line(result).endswith("3 cases: 2 findings, 2 warnings; 0 not read")


def test_a_medication_joins_the_resources_that_reference_it(tmp_path: Path) -> None:
    """The agent is named in a Medication only; without it nobody knows what was given."""
    request = request_of({"lines": "93350", "done": ["93350 as P1"], "given": ["Definity 1.3 mL for P1"]})
    lines: list[dict[str, Any]] = []
    for entry in as_bundle(request)["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "MedicationAdministration":
            concept = resource.pop("medicationCodeableConcept")
            resource["medicationReference"] = {"reference": "https://ehr.example.org/fhir/Medication/m"}
            lines.append({"resourceType": "Medication", "id": "m", "code": concept})
        lines.append(resource)
    path = tmp_path / "all.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert "add 93352 and Q9957" in check(path).stdout


def test_a_resource_alone_is_no_case(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"resourceType": "Patient", "id": "p"}')
    result = check(tmp_path / "a.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{tmp_path}/a.json: {EXPECTED}; found a single Patient\n"


def test_documents_know_their_kind() -> None:
    found = list(
        documents_in("a.ndjson", b'{"hook": "x"}\n{"resourceType": "Bundle"}\n{"resourceType": "Claim"}', print)
    )
    assert [(each.name, each.resource_type, each.is_single) for each in found] == [
        ("a.ndjson:1", None, False),
        ("a.ndjson:2", "Bundle", False),
        ("a.ndjson:3", "Claim", True),
    ]
    assert all(isinstance(each, Document) for each in found)


# --- neighbors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("add-on", "did you mean `add-on-modifier`, `add-on-repeated`, `add-on-without-primary`"),
        ("ADD_ON_MODIFIER", "did you mean `add-on-modifier`?"),
        ("add-on-modifer", "did you mean `add-on-modifier`"),
        ("zzz", "no rule `zzz`; `cds-service rules` lists all"),
    ],
)
def test_an_unknown_rule_has_suggestions(written: str, expected: str) -> None:
    result = CliRunner().invoke(main, ["rules", written])
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_help_of_audit_shows_its_options() -> None:
    text = CliRunner().invoke(main, ["audit", "--help"]).stdout
    for option in ("--out", "--complete", "--fees", "--engine", "--resume", "--strict"):
        assert f"\n  {option} " in text, option
    assert "  EXPORT\n" not in text


# --- the verdict of one rule ----------------------------------------------------------------------------------------


def test_why_a_case_passes(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(PASSES)
    result = check("--why", "add-on-without-primary", tmp_path / "case.json")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:4] == [
        "PASSED: add-on-without-primary: 93352 stands beside 93350 on 2026-03-02",
        "  - 93352 is charged (ChargeItem/line-2)",
        "  - 93350 is charged (ChargeItem/line-1)",
    ]


def test_why_a_rule_flags_and_why_another_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(FLAGS)
    flags = check("--why", "contrast-add-on-missing", tmp_path / "case.json").stdout
    assert "WARNING: Contrast was given at this stress echo: add 93352." in flags
    assert "Q9957x2 is charged" in flags
    asks = check("--why", "supply-units-mismatch", tmp_path / "case.json").stdout
    assert "NOT CHECKED: supply-units-mismatch: Q9957: no dose in mL is recorded" in asks
    assert "  - Q9957x2 is charged (ChargeItem/line-2)" in asks
    assert "How many mL of Definity were given? (Enter the mL given)" in asks


def test_why_as_json_is_the_part_of_the_report(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(PASSES)
    report = json.loads(check("--json", "--why", "supply-unspecified", tmp_path / "case.json").stdout)
    (passed,) = report["passed"]
    assert (passed["rule"], passed["reason"]) == ("supply-unspecified", "no charge for A9700 is under review")
    assert report["findings"] == report["notChecked"] == []


def test_a_rule_that_shares_a_finding_is_told_of_it(tmp_path: Path) -> None:
    case = {"institutional": "C8930, 93351, Q9957x2", "payer": "Medicare", "given": ["Definity 1.3 mL"]}
    (tmp_path / "case.json").write_bytes(body_of(case))
    result = check("--why", "pair-conflict", tmp_path / "case.json")
    assert "(hospital-contrast-code, pair-conflict)" in result.stdout


def test_an_unknown_rule_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(PASSES)
    result = check("--why", "pair-conflicts", tmp_path / "case.json")
    assert (result.exit_code, result.stderr) == (2, "--why: expected the id of a rule, such as pair-conflict\n")
    assert check("--why", "zzz", tmp_path / "case.json").stderr == "--why: expected the id of a rule: see `rules`\n"


def test_the_review_gives_reasons_and_questions(tmp_path: Path) -> None:
    bundle = as_bundle(request_of({"professional": "93351, 93352, Q9957x2", "place": 11}))
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    printed = check(tmp_path / "bundle.json").stdout
    assert "  passed       add-on-without-primary: 93352 stands beside 93351 on 2026-03-02" in printed
    assert "Who pays? (Medicare (fee for service) / Another payer)" in printed
