"""Cases of a patient in the audit: days beside each other are one case, and a case may be of several products."""

from pathlib import Path
from typing import Any

import pytest

from cds_service.audit.patients import read_patient
from cds_service.review.advisor import Advisor
from tests.audit.test_runs import write_export
from tests.support.audits import audited, findings, patients_of

SECOND = "93351 on {day}, Q9956x3 on {day}"


@pytest.mark.parametrize(
    ("second", "days"),
    [
        ("2026-03-16", ["2026-03-16"]),
        ("2026-03-17", ["2026-03-16"]),
        ("2026-03-15", ["2026-03-15"]),
        ("2026-03-18", ["2026-03-16", "2026-03-18"]),
        ("2026-03-14", ["2026-03-14", "2026-03-16"]),
    ],
)
def test_days_beside_each_other_are_one_case_and_days_apart_are_not(
    advisor: Advisor, tmp_path: Path, second: str, days: list[str]
) -> None:
    case = {"lines": f"93350 on 2026-03-16, Q9957x2 on 2026-03-16, {SECOND.format(day=second)}"}
    (records,) = patients_of(write_export(tmp_path / "export", case)).values()
    assert [str(each.day) for each in read_patient(records, advisor).cases] == days


def test_a_chain_of_days_is_one_case(advisor: Advisor, tmp_path: Path) -> None:
    case = {"lines": "93350 on 2026-03-16, Q9957x2 on 2026-03-17, 93352 on 2026-03-18"}
    (records,) = patients_of(write_export(tmp_path / "export", case)).values()
    assert len(read_patient(records, advisor).cases) == 1


@pytest.mark.repeats(3)
@pytest.mark.parametrize(
    ("case", "rule", "expected"),
    [
        ({"lines": "93350, 93352, Q9957x2, Q9956x3", "given": ["Definity 1.3 mL"]}, "supply-duplicate", "several"),
        ({"lines": "93350, Q9957x2", "given": ["Definity 1.3 mL"]}, "contrast-add-on-missing", "Definity"),
        ({"lines": "93350, Q9956x3", "given": ["Optison 3 mL"]}, "contrast-add-on-missing", "Optison"),
        ({"lines": "93350, 93352", "given": ["Optison 3 mL"]}, "contrast-supply-missing", "Optison"),
        ({"lines": "93350, 93352", "done": ["93350"]}, "contrast-supply-missing", "several"),
        ({"lines": "93350, 93352, Q9956x3", "given": ["Definity 1.3 mL"]}, "supply-agent-mismatch", "Optison"),
        ({"lines": "93350, 93352x2", "done": ["93350"]}, "add-on-repeated", None),
    ],
)
def test_a_finding_is_of_the_product_charged_else_of_the_one_due(
    tmp_path: Path, case: dict[str, Any], rule: str, expected: str | None
) -> None:
    audited(write_export(tmp_path / "export", case), tmp_path / "out")
    found = [row["product"] for row in findings(tmp_path / "out") if rule in (row["rule"], *row["also_rules"])]
    assert found == [expected]
