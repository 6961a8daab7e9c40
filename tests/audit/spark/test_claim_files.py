"""Both engines give the same results for folders of 837 files."""

import gzip
import json
from pathlib import Path
from typing import Any

from tests.audit.spark.test_engines import _rejects as rejects
from tests.audit.spark.test_engines import on_spark
from tests.audit.test_claim_files import BROKEN, CLAIMS, HOSPITAL, MISSING, RIGHT, write_claims
from tests.audit.test_runs import MISSING as RECORDED
from tests.audit.test_runs import write_export
from tests.support.audits import audited, counts, findings
from tests.support.edi import edi


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=json.dumps)


def test_claim_files_are_audited_alike(tmp_path: Path) -> None:
    """Plain, gzip under another name, truncated, with broken claims, beside NDJSON and a file of another kind."""
    folder = write_export(tmp_path / "export", RECORDED)
    write_claims(folder, *CLAIMS)
    write_claims(folder, RIGHT, BROKEN, name="other.txt", element="|", component=">", terminator="\n", ending="")
    (folder / "hospital.dat").write_bytes(gzip.compress(edi(HOSPITAL)))
    content = edi(MISSING, RIGHT)
    (folder / "cut.837").write_bytes(content[: content.rindex(b"SV1")])
    (folder / "remit.835").write_bytes(edi(RIGHT).replace(b"ST*837*", b"ST*835*"))
    (folder / "damaged.ndjson").write_text('{"resourceType": "Claim", "id": "cut')
    summary = audited(folder, tmp_path / "embedded")
    result = on_spark(folder, tmp_path / "spark")
    assert result.returncode == 0, result.stderr[-4000:]
    embedded, spark = tmp_path / "embedded", tmp_path / "spark"
    assert {row["rule"] for row in findings(spark)} >= {"contrast-add-on-missing", "hospital-contrast-code"}
    assert findings(embedded) == findings(spark)
    assert counts(embedded) == counts(spark)
    assert in_order(rejects(embedded)) == in_order(rejects(spark))
    assert {each["place"].partition(":")[0] for each in rejects(spark)} == {
        "claims.837", "other.txt", "cut.837", "damaged.ndjson"
    }  # fmt: skip
    of_spark = json.loads((spark / "summary.json").read_text())
    assert of_spark["facts"] == summary["facts"]
    assert of_spark["notes"] == summary["notes"]
    assert of_spark["rejects"] == summary["rejects"]
