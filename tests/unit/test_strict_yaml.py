"""YAML files are read strictly, and a fault is named with its line."""

from pathlib import Path

import pytest

from cds_service.core.strict_yaml import read
from cds_service.errors import TableError

TEXT = """\
name: site
payers:
  - name: A
    id: 1
  - name: B
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("$.name", 1),
        ("$.payers", 2),
        ("$.payers[0].id", 4),
        ("$.payers[1]", 5),
        ("$.payers[1].id", 5),
        ("$.payers[1].id.value[3]", 5),
        ("$.payers[7].id", 2),
        ("$.others", 1),
    ],
)
def test_a_place_or_its_nearest_parent_has_a_line(tmp_path: Path, place: str, line: int) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(TEXT)
    assert read(path, TableError).line_of(place) == line
