"""YAML files are read strictly, and a fault is named with its line."""

from pathlib import Path

import pytest

from cds_service.core.checked_file import CheckedFile, Part
from cds_service.core.strict_yaml import read
from cds_service.errors import SettingsError, TableError

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


class Payer(Part):
    """A payer that must have a name."""

    name: str


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"name": "A", "id": 1}, "site.yaml: line 4: unknown key `id`"),
        ({}, "site.yaml: line 3: `name` is required"),
        ({"name": 1}, "site.yaml: line 3: `name`: expected a text, got a whole number"),
    ],
)
def test_a_fault_of_a_part_is_named_with_the_line_of_its_key(
    tmp_path: Path, data: dict[str, object], fault: str
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(TEXT)
    with pytest.raises(SettingsError, match=f"^{fault}$"):
        CheckedFile(read(path, SettingsError)).convert(data, Payer, "$.payers[0]")
