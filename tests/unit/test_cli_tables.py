"""`cds-service tables`: add, list, remove and diff."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.wiring import codes_in_scope, create_tables
from tests.support import cms_files as cms

LIMITS = {"93352": "1", "93350": "1", "00100": "4"}


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["tables", *arguments], env={"CDS_TABLES_DIR": str(folder)})


def mue(where: Path, effective: str, limits: dict[str, str] = LIMITS) -> str:
    where.mkdir(exist_ok=True)
    path = where / f"MCR_MUE_PractitionerServices_Eff_{effective}.csv"
    path.write_bytes(cms.mue([(code, units, "3") for code, units in limits.items()]))
    return str(path)


def ptp(where: Path, release: str, part: int, edits: Sequence[tuple[str, ...]]) -> str:
    where.mkdir(exist_ok=True)
    path = where / f"ccipra-v{release}r0-f{part}.txt"
    path.write_bytes(cms.ptp(edits))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tables"


def test_adds_lists_and_removes(folder: Path, tmp_path: Path) -> None:
    path = mue(tmp_path, "10-01-2026")
    added = run(folder, "add", path)
    assert added.exit_code == 0
    (stored,) = folder.iterdir()
    assert added.stdout == f"loaded {stored.stem}: 3 rows of {Path(path).name}\n"
    assert run(folder, "add", path).stdout == f"already {added.stdout}"
    listed = run(folder, "list")
    assert (listed.exit_code, listed.stderr) == (0, "")
    (line,) = listed.stdout.splitlines()
    (facts,) = json.loads(run(folder, "list", "--json").stdout)
    assert line.split() == [stored.stem, "3", "rows", "2026-10-01", "to", "2026-12-31", facts["sha256"], facts["file"]]
    assert (facts["kind"], facts["setting"], facts["quarter"], facts["rows"]) == ("mue", "professional", "2026Q4", 3)
    assert len(facts["sha256"]) == 64
    removed = run(folder, "remove", "mue-professional-2026Q4")
    assert (removed.exit_code, removed.stdout) == (0, f"removed {stored.stem}\n")
    assert run(folder, "list").stdout == "no tables are loaded; the built-in ones serve\n"


def test_the_list_names_parts_that_are_missing_and_files_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    run(folder, "add", ptp(tmp_path, "322", 2, [("93351", "93350", "20240701", "*", "0")]))
    listed = run(folder, "list")
    assert "1996-01-01 to 2026-09-30" in listed.stdout
    assert listed.stderr.strip() == "not loaded: f1, f3, f4; their codes are not checked"
    (folder / "broken.sqlite3").write_bytes(b"no table")
    listed = run(folder, "list")
    assert listed.exit_code == 1
    assert "broken.sqlite3: expected a table written by `cds-service tables add`" in listed.stderr


NO_RELEASE = "expected a quarter such as 2026Q3, or the date of a weekly copy"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["add", "none.zip"], "Error: none.zip: could not be read: No such file or directory"),
        (
            ["add", "--release", "Q3", "none.zip"],
            f"Error: --release: {NO_RELEASE}",
        ),
        (["remove", "mue"], "Error: mue: no such table; `cds-service tables list` names them"),
        (["diff", "2026Q3", "2026Q4"], "Error: 2026Q3: no such release or table; `cds-service tables list` names them"),
    ],
)
def test_refuses_in_one_line_with_exit_code_2(folder: Path, arguments: list[str], fault: str) -> None:
    folder.mkdir()
    result = run(folder, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{fault}\n")
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_line(folder: Path) -> None:
    result = run(folder, "list")
    assert (result.exit_code, result.stderr) == (2, f"Error: {folder}: could not be read: No such file or directory\n")
    assert CliRunner().invoke(main, ["tables", "list"], env={"CDS_TABLES_DIR": None}).exit_code == 2


def test_what_is_skipped_is_named(folder: Path, tmp_path: Path) -> None:
    path = cms.zipped(
        tmp_path / "mue.zip",
        {"notes.txt": b"Notes", Path(mue(tmp_path, "10-01-2026")).name: cms.mue([("93352", "1", "3")])},
    )
    added = run(folder, "add", str(path))
    assert added.stderr == "skipped mue.zip: notes.txt: not one of CMS's tables\n"
    assert added.stdout.startswith("loaded mue-professional-2026Q4-")


def test_the_differences_of_codes_in_scope_are_shown_and_others_counted(folder: Path, tmp_path: Path) -> None:
    assert "93352" in codes_in_scope()
    assert "00100" not in codes_in_scope()
    run(folder, "add", mue(tmp_path, "07-01-2026"))
    run(folder, "add", mue(tmp_path, "10-01-2026", {"93352": "2", "93351": "1", "00100": "5", "00102": "1"}))
    expected = [
        "MUE, practitioner, 2026Q3 → 2026Q4",
        "  - 93350: units 1, mai 3, rationale Nature of Service/Procedure",
        "  + 93351: units 1, mai 3, rationale Nature of Service/Procedure",
        "  ~ 93352: units 1 → 2",
        "  2 other rows",
    ]
    for names in (("2026Q3", "2026Q4"), ("mue-professional-2026Q3", "mue-professional-2026Q4")):
        result = run(folder, "diff", *names)
        assert (result.exit_code, result.stdout.splitlines()) == (0, expected)
    (found,) = json.loads(run(folder, "diff", "2026Q3", "2026Q4", "--json").stdout)["tables"]
    assert found["otherRows"] == 2
    assert found["changes"][2] == {"sign": "~", "row": "93352", "detail": "units 1 → 2"}


def test_pairs_are_compared_over_all_parts_whose_borders_may_move(folder: Path, tmp_path: Path) -> None:
    old, new = ("36000", "36005", "20240701", "*", "1"), ("93351", "93350", "20240701", "*", "0")
    ended = (*new[:3], "20260930", "0")
    filler = [(f"{letter}0000", "00000", "20000101", "*", "1") for letter in "ABC"]
    before = [[old, new], [filler[0]], [filler[1]], [filler[2]]]
    after = [[old], [ended, ("93351", "93352", "20261001", "*", "1")], filler[:2], [filler[2]]]
    for release, parts in (("322", before), ("323", after)):
        run(folder, "add", *(ptp(tmp_path / release, release, 1 + number, edits) for number, edits in enumerate(parts)))
    assert run(folder, "diff", "2026Q3", "2026Q4").stdout.splitlines() == [
        "PTP edits, practitioner, 2026Q3 → 2026Q4",
        "  ~ 93351 93350 2024-07-01: last none → 2026-09-30",
        "  + 93351 93352 2026-10-01: last none, indicator 1, rationale Invented rationale, before 1996 no",
        "  0 other rows",
    ]
    run(folder, "remove", next(path.stem for path in folder.iterdir() if "2026Q4-f3" in path.name))
    assert "  not compared: 2026Q4 lacks f3" in run(folder, "diff", "2026Q3", "2026Q4").stdout


def test_a_table_of_one_release_only_is_not_compared(folder: Path, tmp_path: Path) -> None:
    run(folder, "add", mue(tmp_path, "07-01-2026"), mue(tmp_path, "10-01-2026"))
    add_ons = tmp_path / "AOC_V2026Q4-F-MCR.txt"
    add_ons.write_bytes(cms.add_ons([("1", "93352", "93350", "2013-04-01", "")]))
    run(folder, "add", str(add_ons))
    lines = run(folder, "diff", "2026Q3", "2026Q4").stdout.splitlines()
    assert lines[:2] == ["Add-on codes, 2026Q4", "  not compared: not loaded for 2026Q3"]
    assert lines[2:] == ["MUE, practitioner, 2026Q3 → 2026Q4", "  0 other rows"]
    result = run(folder, "diff", "mue-professional-2026Q3", "add-ons-2026Q4")
    assert result.stderr == "Error: mue-professional-2026Q3, add-ons-2026Q4: expected two releases of one kind\n"


def test_long_differences_are_cut_unless_asked_for(folder: Path, tmp_path: Path) -> None:
    edits = [("93350", f"{number:05d}", "20240701", "*", "1") for number in range(60)]
    for release, found in (("322", edits[:1]), ("323", edits)):
        parts = [found, *([(f"{letter}0000", "00000", "20000101", "*", "1")] for letter in "ABC")]
        run(folder, "add", *(ptp(tmp_path / release, release, 1 + number, each) for number, each in enumerate(parts)))
    cut = run(folder, "diff", "2026Q3", "2026Q4").stdout.splitlines()
    assert len(cut) == 53
    assert cut[-2] == "  and 9 more in scope; --all prints them"
    assert len(run(folder, "diff", "2026Q3", "2026Q4", "--all").stdout.splitlines()) == 61


@pytest.mark.parametrize("command", [[], ["add"], ["list"], ["remove"], ["diff"]])
def test_each_help_has_an_example(folder: Path, command: list[str]) -> None:
    assert "cds-service tables " in run(folder, *command, "--help").stdout.split("Example")[1]


def test_the_service_looks_up_in_the_folder_of_the_setting(folder: Path, tmp_path: Path) -> None:
    run(folder, "add", mue(tmp_path, "10-01-2026"))
    assert [each.table for each in create_tables(Settings(tables_dir=folder)).snapshot().releases] == [
        "mue-professional-2026Q4"
    ]
    assert create_tables(Settings()).snapshot().releases == ()
    with pytest.raises(SettingsError, match="CDS_TABLES_DIR: expected a folder"):
        create_tables(Settings(tables_dir=tmp_path / "none"))
