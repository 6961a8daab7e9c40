"""`cds-service tables diff --audit`: the findings of an export that come or go with a release."""

import json
from pathlib import Path

from tests.audit.test_runs import write_export
from tests.unit.test_cli_tables import mue, run


def test_the_difference_tells_the_findings_of_an_export_that_come(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    for day, units in (("07-01-2026", "3"), ("10-01-2026", "2")):
        run(folder, "add", mue(tmp_path, day, {"Q9957": units, "93350": "1"}))
    old = {"professional": "93350, 93352, Q9957x3", "place": "11", "day": "2026-09-30"}
    new = old | {"day": "2026-10-01"}
    export = write_export(tmp_path / "export", old, new)
    shown = run(folder, "diff", "2026Q3", "2026Q4", "--audit", str(export))
    assert shown.exit_code == 0, shown.stderr
    assert "Q9957: 3 units on one day, but Medicare pays at most 2." in shown.stdout
    audit = json.loads(run(folder, "diff", "2026Q3", "2026Q4", "--audit", str(export), "--json").stdout)["audit"]
    (finding,) = audit["findings"]
    assert (finding["state"], finding["rule"], finding["day"]) == ("new", "units-over-limit", "2026-10-01")
    refused = run(folder, "diff", "2026Q4", "2026Q3", "--audit", str(tmp_path / "nothing"))
    assert refused.exit_code == 2
    assert "does not exist" in refused.stderr
