"""The files of an export as exporters leave them: logs, links, gzip under any name, nulls, coverages elsewhere."""

import gzip
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.audit.exports import open_export
from cds_service.fhir.foreign import FOREIGN, cannot_be_resource
from tests.audit.test_runs import DEFINITY, MISSING, REPEATED, write_export
from tests.support.audits import audited, findings

pytestmark = pytest.mark.repeats(3)

COMPLETE = ("ChargeItem", "Claim", "ExplanationOfBenefit")
ABSENCE = "performed-not-charged"  # the rule that concludes something from missing charges

# Lines of the log that SMART Fetch and the Bulk Data Client write beside the data.
LOG = (
    {"exportId": "4f3", "timestamp": "2026-03-02T10:00:00Z", "eventId": "kickoff",
     "eventDetail": {"exportUrl": "https://ehr.example.org/fhir/Group/7/$export", "softwareVersion": None,
                     "requestParameters": {"_type": "Patient,Claim"}, "errorCode": None, "responseHeaders": {}}},
    {"exportId": "4f3", "timestamp": "2026-03-02T10:01:00Z", "eventId": "download_request",
     "eventDetail": {"fileUrl": "https://ehr.example.org/1.ndjson", "itemType": "output", "resourceType": "Patient"}},
    {"exportId": "4f3", "timestamp": "2026-03-02T10:02:00Z", "eventId": "export_complete",
     "eventDetail": {"files": 3, "resources": 9, "bytes": 4120, "attachments": 0, "duration": 120}},
)  # fmt: skip


def log_lines() -> str:
    return "\n".join(json.dumps(line) for line in LOG) + "\n"


def rules_of(out: Path) -> set[str]:
    return {rule for row in findings(out) for rule in (row["rule"], *row["also_rules"])}


# --- lines that cannot be a resource --------------------------------------------------------------------------------


def test_an_exporters_log_does_not_void_what_is_declared_complete(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", DEFINITY, MISSING)
    (export / "log.ndjson").write_text(log_lines())
    with (export / "ChargeItem.ndjson").open("a") as charges:
        charges.write(log_lines())
    summary = audited(export, tmp_path / "out", COMPLETE, strict=True)
    assert ABSENCE in rules_of(tmp_path / "out")
    assert summary["rejects"] == []
    assert summary["facts"]["types"][FOREIGN] == 6
    assert summary["notes"] == ["Lines that are not FHIR resources, as in the log of an exporter, were not read: 6."]


DAMAGED = [
    '{"resourceType": "ChargeItem", "id": "cut',
    "not json at all",
    '{"id": "x", "status": "billable", "subject": {"reference": "Patient/1"}}',
    '{"id": "x", "status": "billable", "code": {"coding": [{"code": "93350"}]}}',
    '{"resource_type": "ChargeItem", "id": "x"}',
    '{"resourceType": null, "id": "x"}',
    '{"resourceType": "ChargeThing", "id": "x"}',
    '{"type": "Claim", "data": {"resourceType": "Claim", "id": "x"}}',
    '[{"exportId": "4f3"}]',
    '"{\\"resourceType\\": \\"ChargeItem\\"}"',
    '{"hook": "order-sign", "hookInstance": "x"}',
    "7",
]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_line_that_may_be_a_damaged_resource_does(tmp_path: Path, line: str) -> None:
    export = write_export(tmp_path / "export", DEFINITY)
    (export / "more.ndjson").write_text(line + "\n")
    summary = audited(export, tmp_path / "out", COMPLETE)
    assert ABSENCE not in rules_of(tmp_path / "out")
    assert sum(each["lines"] for each in summary["rejects"]) == 1
    assert any("ChargeItem was declared complete" in note for note in summary["notes"])


@pytest.mark.parametrize("line", [*map(json.dumps, LOG), "{}", '{"patient": "4711", "count": 3}', '{"item": 1}'])
def test_whole_json_without_the_members_of_a_resource_cannot_be_one(line: str) -> None:
    assert cannot_be_resource(line)


def test_endless_nesting_may_be_anything() -> None:
    assert not cannot_be_resource('{"a":' * 100_000 + "1" + "}" * 100_000)


# --- files ----------------------------------------------------------------------------------------------------------


def by_symbolic_link(path: Path, link: Path) -> None:
    link.symlink_to(path)


def by_hard_link(path: Path, link: Path) -> None:
    os.link(path, link)


@pytest.mark.parametrize("link", [by_symbolic_link, by_hard_link])
def test_a_real_file_is_read_once(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    export = write_export(tmp_path / "export", MISSING)
    for path in sorted(export.iterdir()):
        link(path, export / f"Z-{path.name}")
    summary = audited(export, tmp_path / "out")
    assert summary["facts"]["files"] == len(list(export.iterdir())) // 2
    assert summary["notes"] == [], "a link is no file that was not read"


def test_a_linked_folder_is_followed_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    elsewhere = write_export(tmp_path / "elsewhere", MISSING)
    export = tmp_path / "export"
    export.mkdir()
    (export / "2026").symlink_to(elsewhere)
    (elsewhere / "up").symlink_to(export)
    summary = audited(export, tmp_path / "out")
    assert summary["about"]["files"]
    assert all(name.startswith("2026/") for name in summary["about"]["files"])
    assert rules_of(tmp_path / "out") == {"contrast-add-on-missing"}


def test_a_file_that_a_manifest_lists_twice_is_read_once_and_nulls_are_as_absent(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", REPEATED)
    output = [{"type": None, "url": path.name, "count": None} for path in sorted(export.iterdir())]
    manifest = {"output": [*output, *output], "deleted": None, "error": None, "link": None}
    (export / "manifest.json").write_text(json.dumps(manifest))
    summary = audited(export, tmp_path / "out")
    assert summary["facts"]["files"] == len(output)
    assert summary["notes"] == []
    assert rules_of(tmp_path / "out") == {"add-on-repeated"}


def odd_names(export: Path) -> None:
    """Gzip without its ending, text with it, and gzip under a name that says nothing."""
    charges = export / "ChargeItem.ndjson"
    charges.write_bytes(gzip.compress(charges.read_bytes()))
    procedures = export / "Procedure.ndjson"
    procedures.rename(export / "Procedure.ndjson.gz")
    given = export / "MedicationAdministration.ndjson"
    (export / "part-00001").write_bytes(gzip.compress(given.read_bytes()))
    given.unlink()


def test_gzip_is_read_under_any_name(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING, REPEATED)
    expected = audited(export, tmp_path / "plain")
    odd_names(export)
    summary = audited(export, tmp_path / "odd")
    assert summary["facts"]["types"] == expected["facts"]["types"]
    assert findings(tmp_path / "odd") == findings(tmp_path / "plain")
    assert summary["notes"] == []


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", MISSING)
    with tarfile.open(export / "more.tar.gz", "w:gz") as archive:
        archive.add(export / "ChargeItem.ndjson", "ChargeItem.ndjson")
    (export / "broken.gz").write_bytes(b"\x1f\x8b\x00")
    (export / "Claim.CSV").write_text("a,b\n")
    (export / "Claim.NDJSON").write_text("")
    (export / ".DS_Store").write_text("")
    opened = open_export(export)
    assert "Claim.NDJSON" in {file.name for file in opened.files}
    (note,) = opened.notes
    assert note.startswith("Not read: Claim.CSV, broken.gz, more.tar.gz; expected files that end in .ndjson")


# --- payers ---------------------------------------------------------------------------------------------------------


def payers_of(export: Path, out: Path) -> set[str]:
    summary = audited(export, out)
    payers = {row["payer"] for row in findings(out)}
    assert {row["name"] for row in summary["by"]["payer"]} == payers
    return payers


def billed(coverage: dict[str, Any]) -> dict[str, Any]:
    """A claim with a finding whatever the payer."""
    line = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "93352"}]}
    return {
        "resourceType": "Claim", "id": "c", "status": "active", "use": "claim", "created": "2026-03-02",
        "patient": {"reference": "Patient/p"}, "billablePeriod": {"start": "2026-03-02", "end": "2026-03-02"},
        "type": {"coding": [{"code": "professional"}]}, "insurance": [{"focal": True, "coverage": coverage}],
        "item": [{"sequence": 1, "productOrService": line}],
    }  # fmt: skip


def coverage(**members: Any) -> dict[str, Any]:
    base = {"resourceType": "Coverage", "id": "v", "status": "active", "beneficiary": {"reference": "Patient/p"}}
    return base | members


AETNA = {"resourceType": "Organization", "id": "o", "name": "Aetna"}
IDENTIFIER = {"system": "urn:plans", "value": "77"}
BY_REFERENCE = {"reference": "Coverage/v"}
BY_ORGANIZATION = coverage(payor=[{"reference": "Organization/o"}])

PAYERS = [
    ("not in the export", [billed({"reference": "Coverage/elsewhere"})]),
    ("not in the export", [billed({"identifier": IDENTIFIER})]),
    ("not in the export", [billed(BY_REFERENCE), BY_ORGANIZATION]),
    ("Aetna", [billed(BY_REFERENCE), BY_ORGANIZATION, AETNA]),
    ("Aetna", [billed({"identifier": IDENTIFIER}), coverage(identifier=[IDENTIFIER], payor=[{"display": "Aetna"}])]),
    ("Aetna", [billed({"display": "Aetna"})]),
    ("not named", [billed(BY_REFERENCE), coverage()]),
]


@pytest.mark.parametrize(("expected", "resources"), PAYERS)
def test_a_payer_is_named_or_said_not_to_be_in_the_export(
    tmp_path: Path, expected: str, resources: list[dict[str, Any]]
) -> None:
    export = tmp_path / "export"
    export.mkdir()
    (export / "all.ndjson").write_text("\n".join(map(json.dumps, resources)))
    assert payers_of(export, tmp_path / "out") == {expected}
