"""Sound and broken claims of any specialty, judged by the audit on Spark."""

import json
from pathlib import Path

import pytest

from tests.audit.spark.test_engines import on_spark
from tests.support.audits import confusion_of
from tests.support.every_code import draw_claims
from tests.support.sound_claims import write


def test_sound_claims_are_silent_and_broken_ones_get_exactly_their_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw_claims(tmp_path)
    monkeypatch.setenv("CDS_SITE_FILE", str(drawn.site_file))
    monkeypatch.setenv("CDS_TABLES_DIR", str(drawn.tables))
    assert drawn.claims
    for name, claims in drawn.claims.items():
        export, out = write(tmp_path / name, claims), tmp_path / f"{name}-out"
        result = on_spark(export, out)
        assert result.returncode == 0, result.stderr[-4000:]
        facts = json.loads((out / "summary.json").read_text())["facts"]
        assert (facts["patientsRead"], facts["empty"]) == (len(claims), 0)
        table = confusion_of(claims, out)
        assert (table.off_diagonal, table.not_checked) == ({}, {}), table
