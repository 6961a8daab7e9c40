"""Audit runs: interrupted and resumed, with bad lines, with and without a fee table, and compared."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.audit.chunks import CHUNK_BYTES, Chunk, chunks_of, lines_of
from cds_service.audit.exports import open_export
from cds_service.cms.recognize import given
from cds_service.cms.store import add
from tests.http.test_review import as_bundle
from tests.support import cms_files, synth
from tests.support.audits import audited, confusion, counts, findings
from tests.support.forked import run
from tests.support.notation import request_of
from tests.support.running import ROOT

FEES = "code,setting,amount\n93350,,190\n93352,,35.50\nQ9957,professional,60\nQ9957,facility,0\nC8928,facility,600\n"


def write_export(folder: Path, *cases: dict[str, Any]) -> Path:
    """An export of one patient for each case, in billers' notation."""
    folder.mkdir()
    files: dict[str, list[str]] = {}
    for number, case in enumerate(cases):
        for entry in as_bundle(request_of(case))["entry"]:
            text = json.dumps(entry["resource"] | {"id": f"{entry['resource']['id']}-{number}"})
            text = text.replace("Patient/p1", f"Patient/p{number}").replace('Procedure/P1"', f'Procedure/P1-{number}"')
            files.setdefault(entry["resource"]["resourceType"], []).append(text)
    for kind, lines in files.items():
        (folder / f"{kind}.ndjson").write_text("\n".join(lines) + "\n")
    return folder


DEFINITY = {"done": ["93350 as P1"], "given": ["Definity 1.3 mL for P1"]}
MISSING = DEFINITY | {"lines": "93350, Q9957x2"}
REPEATED = DEFINITY | {"lines": "93350, 93352x2, Q9957x2"}
CLEAN = DEFINITY | {"lines": "93350, 93352, Q9957x2"}


# --- interrupted ----------------------------------------------------------------------------------------------------


def start_audit(export: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """An audit in a process group of its own, with pieces and partitions so small that there are many."""
    program = (
        "import sys; from cds_service.audit import duckdb_engine, chunks, run\n"
        "duckdb_engine.PARTITION_BYTES = 60_000; run.CHUNK_BYTES = 400_000\n"
        "from cds_service.cli.main import main\n"
        "main(sys.argv[1:])"
    )
    command = [sys.executable, "-W", "error", "-c", program, "audit", str(export), "--out", str(out), "--jobs", "2"]
    return subprocess.Popen(
        [*command, *options], cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def kill_when(process: subprocess.Popen[bytes], is_time: Any) -> None:
    """Kill the audit and its processes, at once and without warning, as soon as it is time."""
    deadline = time.monotonic() + 60
    while not is_time() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, "the audit ended before it could be interrupted"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.exhaustive
def test_a_killed_audit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    export, out = tmp_path / "export", tmp_path / "out"
    synth.write(synth.generate(2500, seed=7), export, seed=7)
    work = out / "unfinished"
    kill_when(start_audit(export, out), lambda: len(list(work.glob("read/*.json"))) >= 3)
    read = {path.name: path.stat().st_mtime_ns for path in work.glob("read/*.json")}
    kill_when(start_audit(export, out, "--resume"), lambda: len(list(work.glob("reviewed/*/done.json"))) >= 4)
    reviewed = {
        path: path.stat().st_mtime_ns
        for path in work.glob("reviewed/*/findings.parquet")
        if ".partial" not in str(path)
    }
    assert reviewed
    assert {name: (work / "read" / name).stat().st_mtime_ns for name in read} == read, "read again"
    kill_when(
        start_audit(export, out, "--resume"), lambda: len(list(work.glob("reviewed/*/done.json"))) >= len(reviewed) + 4
    )
    assert {path: path.stat().st_mtime_ns for path in reviewed} == reviewed, "reviewed again"
    last = start_audit(export, out, "--resume")
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    assert not work.exists()
    audited(export, tmp_path / "whole")
    assert findings(out) == findings(tmp_path / "whole")
    assert counts(out) == counts(tmp_path / "whole")


def test_no_worker_outlives_an_audit_that_is_killed_alone(tmp_path: Path) -> None:
    export, out = tmp_path / "export", tmp_path / "out"
    synth.write(synth.generate(1000, seed=7), export, seed=7)
    process = start_audit(export, out)
    while not list(out.glob("unfinished/read/*.json")):
        assert process.poll() is None, "the audit ended before it could be interrupted"
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=60)  # its output ends only when no worker holds it any more


def test_what_was_interrupted_is_not_taken_for_finished(tmp_path: Path) -> None:
    export, out = write_export(tmp_path / "export", MISSING), tmp_path / "out"
    (out / "unfinished").mkdir(parents=True)
    (out / "unfinished" / "audit.json").write_text("{}")
    assert "use --resume or --overwrite" in refused(export, out)
    assert "have changed; start again" in refused(export, out, "--resume")
    assert run("audit", str(export), "--out", str(out), "--overwrite").returncode == 0
    assert "nothing to resume" in refused(export, out, "--resume")
    assert "or use --overwrite" in refused(export, out)


def refused(export: Path, out: Path, *options: str) -> str:
    """The one plain line with which the command refuses."""
    result = run("audit", str(export), "--out", str(out), *options)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count(b"\n") == 1, result.stderr
    return result.stderr.decode()


# --- bad lines and files --------------------------------------------------------------------------------------------


def test_bad_lines_are_kept_apart_with_place_and_reason(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING)
    charges = export / "ChargeItem.ndjson"
    charges.write_bytes(
        b"\xef\xbb\xbf" + charges.read_bytes() + b"\r\n"
        b'{"resourceType": "Bundle", "entry": []}\n'
        b'{"resourceType": "ChargeThing"}\r\n'
        b'{"resourceType": "ChargeItem", "id": "x", "subject": [1]}\n'
        b'{"resourceType": "ChargeItem", "id": "y", "subject": {"reference": "Group/1"}}\n'
        b"\xff\xfe nonsense\n"
        b'{"resourceType": "Slot"}\n'
        b'{"resourceType": "ChargeItem", "id": "bad", "status": "Smith", "subject": {"reference": "Patient/p0"}}'
    )
    summary = audited(export, tmp_path / "out")
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.ndjson").read_text().splitlines()]
    assert [(each["place"], each["reason"]) for each in rejects] == [
        ("ChargeItem.ndjson:4", "expected one resource on each line, found a Bundle"),
        ("ChargeItem.ndjson:5", "not a resource type of FHIR R4"),
        ("ChargeItem.ndjson:6", "ChargeItem: Expected `object | null`, got `array` - at `$.subject`"),
        ("ChargeItem.ndjson:7", "ChargeItem: no reference to a patient"),
        ("ChargeItem.ndjson:8", "expected a FHIR resource in JSON, with a `resourceType`"),
        ("ChargeItem/bad", "ChargeItem: expected a code that FHIR R4 allows here - at `$.status`"),
    ]
    assert rejects[3]["text"].startswith('{"resourceType": "ChargeItem", "id": "y"')
    assert summary["facts"]["types"]["Slot"] == 1
    assert [each["rule"] for each in findings(tmp_path / "out")] == ["contrast-add-on-missing"]
    assert "ChargeItem.ndjson: line 4: expected one resource" in refused(export, tmp_path / "strict", "--strict")


def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING, *[CLEAN] * 400)
    path = export / "ChargeItem.ndjson"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (export / "ChargeItem.ndjson.gz").write_bytes(packed[: len(packed) * 3 // 4])
    summary = audited(export, tmp_path / "out", ("ChargeItem",))
    reasons = [each["reason"] for each in summary["rejects"]]
    assert "the gzip file is corrupt or truncated here; the rest is missing" in reasons
    found = [(each["patient"], each["rule"]) for each in findings(tmp_path / "out")]
    assert ("Patient/p0", "contrast-add-on-missing") in found
    assert "performed-not-charged" not in {rule for _, rule in found}, "absence is not concluded"
    assert any("ChargeItem was declared complete" in note for note in summary["notes"])


@pytest.mark.parametrize("size", [1, 7, 40, 41, 1000])
def test_pieces_of_a_file_hold_each_line_once(tmp_path: Path, size: int) -> None:
    lines = ["a" * length for length in (0, 1, 2, 39, 40, 41, 5, 0, 0, 120)]
    for ending in ("", "\n"):
        (tmp_path / "a.ndjson").write_text("\n".join(lines) + ending)
        files = open_export(tmp_path).files
        found = [line for chunk in chunks_of(files, size) for line in lines_of(chunk)]
        assert [str(line).rstrip("\n") for line in found] == lines
    assert chunks_of(files, CHUNK_BYTES) == (Chunk(0, files[0]),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "expected a Bulk Data manifest"),
        ('{"output": []}', "expected `output` to list files"),
        ('{"output": [{"url": "https://x/Claim.ndjson", "type": "Claim"}]}', "output[0]: no file `Claim.ndjson`"),
        ('{"output": [{"url": "https://x/../../etc/passwd"}]}', "output[0]: no file `passwd`"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert expected in refused(tmp_path / "manifest.json", tmp_path / "out")


def test_a_manifest_says_which_files_and_how_many_lines(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING, REPEATED)
    output = [
        {"type": path.stem, "url": f"https://ehr.example.org/jobs/9/{path.name}", "count": 3}
        for path in export.iterdir()
    ]
    output = [each for each in output if each["type"] != "Procedure"]
    manifest = export / "export-9.json"
    manifest.write_text(json.dumps({"output": output, "deleted": [{}], "error": []}))
    summary = audited(manifest, tmp_path / "out")
    assert "Procedure.ndjson" not in summary["about"]["files"]
    assert any(
        "ChargeItem.ndjson: the manifest lists 3 resources, but the file has 5 lines" in n for n in summary["notes"]
    )
    assert any("deleted" in note for note in summary["notes"])


@pytest.mark.parametrize("arguments", [("no-such-folder",), (".", "--complete", "Slot"), (".", "--master", "local")])
def test_what_cannot_be_used_is_one_plain_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    export = write_export(tmp_path / "export", CLEAN)
    chosen = str(export) if arguments[0] == "." else arguments[0]
    refused(Path(chosen), tmp_path / "out", *arguments[1:])


@pytest.mark.exhaustive
def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('duckdb', 'pyarrow', 'pyspark'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from cds_service.cli.main import main\n"
        "main(sys.argv[1:])"
    )
    for engine, extra in (("embedded", "audit"), ("spark", "spark")):
        command = [
            sys.executable,
            "-W",
            "error",
            "-c",
            program,
            "audit",
            ".",
            "--out",
            str(tmp_path),
            "--engine",
            engine,
        ]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 2
        assert result.stderr == f"this needs the extra `{extra}`: pip install 'contrast-echo-cds[{extra}]'\n"


# --- what it is worth -----------------------------------------------------------------------------------------------


def test_findings_are_valued_by_the_sites_fees(tmp_path: Path) -> None:
    (tmp_path / "fees.csv").write_text(FEES)
    over = {"professional": "93350, 93352, Q9957x3", "place": "11", **DEFINITY}
    billed = DEFINITY | {"lines": "93350, 93352x2 status billed, Q9957x2"}
    alone = {"lines": "93352", "given": ["Definity 1.3 mL"]}
    export = write_export(tmp_path / "export", MISSING, REPEATED, over, billed, alone, CLEAN)
    result = run("audit", str(export), "--out", str(tmp_path / "out"), "--fees", str(tmp_path / "fees.csv"))
    assert result.returncode == 0, result.stderr
    found = {(row["patient"][-1], row["rule"]): (row["direction"], row["value"]) for row in findings(tmp_path / "out")}
    assert found["0", "contrast-add-on-missing"] == ("under", Decimal("35.50"))
    assert found["1", "add-on-repeated"] == ("over", Decimal("-35.50"))
    assert found["2", "supply-units-mismatch"] == ("over", Decimal("-60.00"))
    assert found["3", "add-on-repeated"] == ("over", Decimal("-35.50")), "what was billed is worth as much"
    assert found["4", "add-on-without-primary"] == ("over", Decimal("-35.50")), "at stake is the charge that stands"
    assert b"estimate: $35.50 undercharged" in result.stdout


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("code,amount\n", "line 1: expected the columns code, setting, amount"),
        ("code,setting,amount\n93352,home,1\n", "line 2: `setting`: expected professional, facility or empty"),
        ("code,setting,amount\n93352,,much\n", "line 2: `amount`: expected a number"),
        ("code,setting,amount\n93352,,-1\n", "line 2: `amount`: expected a number of 0 or more"),
        ("code,setting,amount\n93352,,NaN\n", "line 2: `amount`: expected a number of 0 or more"),
        ("code,setting,amount\n,,1\n", "line 2: expected a `code`"),
        ("code,setting,amount\n93352,,1\n93352,,2\n", "line 3: 93352 has two amounts"),
    ],
)
def test_a_fee_table_is_read_strictly(tmp_path: Path, content: str, expected: str) -> None:
    export = write_export(tmp_path / "export", CLEAN)
    (tmp_path / "fees.csv").write_text(content)
    assert expected in refused(export, tmp_path / "out", "--fees", str(tmp_path / "fees.csv"))


def test_findings_are_valued_by_medicares_national_amounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tables"
    fees, opps = tmp_path / "PPRRVU2026_Jan_nonQPP.csv", tmp_path / "addendum-b.csv"
    title = "2026 National Physician Fee Schedule Relative Value File January Release"
    rows = [("93352", "", "A", "0", "0.19", "1.07", "1.07"), ("93350", "", "A", "1", "1", "5.55", "5.55")]
    fees.write_bytes(cms_files.fees(rows, title=title))
    titles = ("Addendum B.-OPPS Payment by HCPCS Code for CY 2026", "January 2026", "")
    rates = [("93350", "S", "5524", "$558.25"), ("93351", "S", "5524", "$558.25")]
    opps.write_bytes(cms_files.addendum_b(rates, titles=titles))
    add(folder, [fees, opps], given(None, None))
    monkeypatch.setenv("CDS_TABLES_DIR", str(folder))
    office = DEFINITY | {"professional": "93350, Q9957x2", "place": "11"}
    hospital = {"institutional": "93351, 93350"}
    export = write_export(tmp_path / "export", office, hospital)
    result = run("audit", str(export), "--out", str(tmp_path / "out"), "--fees", "medicare")
    assert result.returncode == 0, result.stderr
    found = {(row["patient"][-1], row["rule"]): (row["direction"], row["value"]) for row in findings(tmp_path / "out")}
    assert found["0", "contrast-add-on-missing"] == ("under", Decimal("35.74"))
    assert found["1", "pair-conflict"] == ("over", Decimal("-558.25"))
    about = json.loads((tmp_path / "out" / "summary.json").read_text())["about"]
    assert about["fees"] == "Medicare, national and not adjusted, by fees-nonqpp-2026Q1, opps-2026Q1"
    assert [each["table"] for each in about["loaded"]] == ["fees-nonqpp-2026Q1", "opps-2026Q1"]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "national and not adjusted" in report
    assert about["loaded"][0]["files"][0]["sha256"][:16] in report


def test_medicares_amounts_need_loaded_tables(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", CLEAN)
    assert "--fees medicare: load the fee schedule" in refused(export, tmp_path / "out", "--fees", "medicare")


# --- two audits -----------------------------------------------------------------------------------------------------


def test_two_audits_are_compared_by_rule_and_table(tmp_path: Path) -> None:
    before = write_export(tmp_path / "before", MISSING, REPEATED, CLEAN)
    after = write_export(tmp_path / "after", MISSING, CLEAN, REPEATED)
    site = tmp_path / "site.yaml"
    site.write_text("rules: {lowered_to_info: [contrast-add-on-missing]}\n")
    first = run("audit", str(before), "--out", str(tmp_path / "a"))
    environment = dict(os.environ) | {"CDS_SITE_FILE": str(site)}
    second = run("audit", str(after), "--out", str(tmp_path / "b"), stdin=b"", **environment)
    assert (first.returncode, second.returncode) == (0, 0)
    summary = json.loads((tmp_path / "b" / "summary.json").read_text())
    summary["tables"]["add_ons"]["version"] = "another quarter"
    (tmp_path / "b" / "summary.json").write_text(json.dumps(summary))
    result = run("audit", "diff", str(tmp_path / "a"), str(tmp_path / "b"))
    text = result.stdout.decode()
    assert result.returncode == 1
    assert "table add_ons: " in text
    assert "another quarter (verified through" in text
    assert "site settings: different" in text
    rows = {
        row["rule"]: row
        for row in json.loads(run("audit", "diff", "--json", *map(str, (tmp_path / "a", tmp_path / "b"))).stdout)[
            "byRule"
        ]
    }
    assert [rows["add-on-repeated"][state] for state in ("new", "gone", "changed", "same")] == [1, 1, 0, 0]
    assert [rows["contrast-add-on-missing"][state] for state in ("new", "gone", "changed", "same")] == [0, 0, 1, 0]
    assert rows["contrast-add-on-missing"]["tablesChanged"] == ["add_ons"]
    same = run("audit", "diff", str(tmp_path / "a"), str(tmp_path / "a"))
    assert same.returncode == 0
    assert b"rules and tables: the same" in same.stdout
    assert run("audit", "diff", str(tmp_path / "a"), str(tmp_path)).returncode == 2


# --- other people's records -----------------------------------------------------------------------------------------


@pytest.mark.skipif("CORPUS_DIR" not in os.environ, reason="CORPUS_DIR names no corpus of FHIR resources")
def test_other_peoples_records_are_audited(tmp_path: Path) -> None:
    corpus = Path(os.environ["CORPUS_DIR"])
    export = tmp_path / "export"
    export.mkdir()
    (export / "synthea.ndjson").write_bytes((corpus / "synthea-echo.ndjson").read_bytes())
    examples = [json.loads(path.read_text()) for path in sorted((corpus / "hl7-r4-examples").glob("*.json"))]
    (export / "hl7.ndjson").write_text("\n".join(json.dumps(each) for each in examples))
    summary = audited(export, tmp_path / "out")
    assert summary["facts"]["lines"] == 147 + len(examples)
    assert summary["facts"]["reviewed"] >= 40, "Synthea's rest echoes"
    assert findings(tmp_path / "out") == [], "nothing is charged there that a rule could object to"
    planted = tmp_path / "planted"
    synth.write(synth.generate(150, seed=2), planted, seed=2)
    for name in ("synthea", "hl7"):
        (planted / f"{name}.ndjson").write_bytes((export / f"{name}.ndjson").read_bytes())
    (planted / "manifest.json").unlink()
    audited(planted, tmp_path / "both", synth.COMPLETE)
    missed, extra = confusion(planted, tmp_path / "both")
    # Charges of the corpus that name no patient may be anybody's: nothing is concluded from their absence any more.
    assert {rule for _, rule in missed} <= {"performed-not-charged"}, "found among other people's records"
    assert not extra
