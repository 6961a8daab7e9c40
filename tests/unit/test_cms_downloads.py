"""Downloads at the edges: limits of zips, what a zip may hold beside tables, full disks, and files in the folder."""

import io
import resource
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.cms import archive, store
from cds_service.cms.catalog import Release, catalog, files_in
from cds_service.cms.lookup import Tables
from cds_service.cms.quarters import Quarter
from cds_service.cms.recognize import Given
from cds_service.errors import UnusableFile
from tests.support import cms_files as cms
from tests.support.mcd_files import HEADERS, mcd_zip, written
from tests.unit.test_cms_store import MUE, MUE_NAME, PAIRS, PARTS, add, contents, many, part, write
from tests.unit.test_mcd import PLAIN

MEGABYTE = 1 << 20
BLANKS = b" " * 60_000 + b"\r\n"


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    return cms.zipped(path, members)


def refused(folder: Path, *paths: Path, **options: Any) -> str:
    before = contents(folder)
    with pytest.raises(UnusableFile) as caught:
        add(folder, *paths, **options)
    assert contents(folder) == before
    return str(caught.value)


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "is_read"), [(8 * MEGABYTE, True), (8 * MEGABYTE + 1, False)])
def test_a_text_of_blanks_may_unpack_to_8_mb(tmp_path: Path, size: int, is_read: bool) -> None:
    content = PAIRS + BLANKS * (size // len(BLANKS))
    content = content[: size - 2].ljust(size - 2) + b"\r\n"
    path = zipped(tmp_path / "x.zip", {"ccipra-v322r0-f1.txt": content})
    if is_read:
        assert add(tmp_path / "tables", path).tables[0].release.rows == len(PARTS[1])
    else:
        assert "expected a text that unpacks to less than 150 times its size" in refused(tmp_path / "tables", path)


def test_a_text_has_a_size_at_most_however_it_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (MUE + BLANKS * 70).ljust(4 * MEGABYTE)
    monkeypatch.setattr(archive, "MOST_BYTES", len(content))
    add(tmp_path / "whole", write(tmp_path / "a", MUE_NAME, content))
    add(tmp_path / "packed", zipped(tmp_path / "b" / "x.zip", {MUE_NAME: content}))
    monkeypatch.setattr(archive, "MOST_BYTES", len(content) - 1)
    assert refused(tmp_path / "1", tmp_path / "a" / MUE_NAME) == f"{MUE_NAME}: expected at most 4 MB"
    refused(tmp_path / "2", tmp_path / "b" / "x.zip")


def test_a_zip_in_a_zip_has_a_size_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mcd_zip(tmp_path / "current_article.zip", [PLAIN])
    with zipfile.ZipFile(path) as whole:
        size = whole.getinfo("current_article_csv.zip").file_size
    monkeypatch.setattr(archive, "MOST_PACKED", size)
    add(tmp_path / "tables", path)
    monkeypatch.setattr(archive, "MOST_PACKED", size - 1)
    assert refused(tmp_path / "none", path) == "current_article.zip: expected a zip of at most 0 MB in the zip"


def test_a_zip_may_hold_200_files_and_folders_beside_them(tmp_path: Path) -> None:
    members = {f"{number}.txt": b"notes" for number in range(199)}
    path = zipped(tmp_path / "x.zip", {MUE_NAME: MUE} | members)
    with zipfile.ZipFile(path, "a") as whole:
        whole.mkdir("a folder")
    assert len(add(tmp_path / "tables", path).skipped) == 199
    with zipfile.ZipFile(path, "a") as whole:
        whole.writestr("a folder/one more.txt", b"notes")
    assert refused(tmp_path / "none", path) == "x.zip: expected at most 200 files in the zip"


@pytest.mark.parametrize("lines", [1, 900])
def test_a_table_is_known_within_its_first_64_ki_characters(tmp_path: Path, lines: int) -> None:
    titles = b"A title that stands above the header of a table in the published file\n" * lines
    path = write(tmp_path, "2026Q4.txt", titles + PAIRS)
    assert len(add(tmp_path / "tables", path, setting="facility").tables) == 1


@pytest.mark.parametrize(("place", "is_known"), [(65_536, True), (65_537, False)])
def test_a_header_that_ends_later_is_not_looked_for(tmp_path: Path, place: int, is_known: bool) -> None:
    header = b"Column 1\tColumn 2\t"
    content = PAIRS[PAIRS.index(header) :]
    path = write(tmp_path, "2026Q4.txt", (b"A title\n" * 9_000)[: place - len(header) - 1] + b"\n" + content)
    if is_known:
        assert add(tmp_path / "tables", path, setting="facility").tables[0].release.rows == len(PARTS[1])
    else:
        assert "expected one of CMS's tables" in refused(tmp_path / "tables", path, setting="facility")


def test_an_unclosed_cell_of_an_article_ends_at_16_mb(tmp_path: Path) -> None:
    path = mcd_zip(tmp_path / "x.zip", [PLAIN], inner_only=True, without="article.csv")
    content = written(",".join(["article_id", "article_version", "article_type", "title", "x"]), [])
    with zipfile.ZipFile(path, "a") as whole:
        whole.writestr("article.csv", content + b'"')
    assert "expected the column `article.article_eff_date` once" in refused(tmp_path / "tables", path)
    header = written(HEADERS["article"], []) + b'"an open cell\r\n'
    path = mcd_zip(tmp_path / "y.zip", [PLAIN], inner_only=True, without="article.csv")
    with zipfile.ZipFile(path, "a") as whole:
        whole.writestr("article.csv", header)
    assert "line 2: expected cells in matching quotes, of less than 16,384 KB" in refused(tmp_path / "tables", path)


# --- what a download holds --------------------------------------------------------------------------------------------


def test_three_files_of_a_zip_without_a_table_are_named(tmp_path: Path) -> None:
    books = {f"{letter}.xlsx": b"PK\x03\x04" for letter in "abcd"}
    said = refused(tmp_path / "tables", zipped(tmp_path / "x.zip", books))
    assert said == "x.zip: expected a .txt or .csv in the zip, found a.xlsx, b.xlsx, c.xlsx"


def test_of_twins_the_csv_is_taken_in_either_order(tmp_path: Path) -> None:
    rows = [("Q9957", "3", "20080101", "")]
    members = {"HCPC2026_OCT_ANWEB.csv": cms.hcpcs(rows), "HCPC2026_OCT_ANWEB.txt": cms.hcpcs_fixed(rows)}
    added = add(tmp_path / "tables", zipped(tmp_path / "x.zip", members))
    assert [table.release.file for table in added.tables] == ["HCPC2026_OCT_ANWEB.csv"]
    assert added.skipped == ("x.zip: HCPC2026_OCT_ANWEB.txt: the same table as HCPC2026_OCT_ANWEB.csv",)


def test_without_any_table_the_first_reason_is_told(tmp_path: Path) -> None:
    rows = [("Q9957", "11994-0011-04", "2")]
    members = {f"October 2026 {file}.csv": cms.crosswalk(rows, file=file) for file in ("AWP", "NOC")}
    said = refused(tmp_path / "tables", zipped(tmp_path / "x.zip", members))
    assert said.startswith("x.zip: October 2026 AWP.csv: line 1: expected the ASP NDC-HCPCS crosswalk")


def test_a_zip_s_name_completes_what_its_texts_leave_open(tmp_path: Path) -> None:
    limits = zipped(tmp_path / "MCR_MUE_Practitioner_Eff_11-15-2026.zip", {"limits.csv": MUE})
    add_ons = cms.add_ons([("1", "93352", "93350", "2013-04-01", "")])
    edits = zipped(tmp_path / "add-ons-2026q3.zip", {"edits.txt": add_ons})
    add(tmp_path / "tables", limits, edits)
    found = {each.kind: each for each in catalog(tmp_path / "tables")[0].values()}
    assert (found["mue"].first, found["mue"].quarter) == (date(2026, 11, 15), "2026Q4")
    assert (found["add-ons"].first, found["add-ons"].quarter) == (date(2026, 7, 1), "2026Q3")
    assert found["mue"].file == "limits.csv"


def test_a_plain_file_s_name_is_asked_once(tmp_path: Path) -> None:
    path = write(tmp_path, "ccipra-v322r0-f1.txt", PAIRS)
    assert add(tmp_path / "tables", path).tables[0].release.table == "ptp-professional-2026Q3"
    said = refused(tmp_path / "tables", path, setting="facility")
    assert said == "ccipra-v322r0-f1.txt: expected one setting, found professional and facility"


# --- disks ------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    add(folder, write(tmp_path / "files", MUE_NAME, MUE))
    path = write(tmp_path / "files", "ccipra-v322r0-f1.txt", many(2_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        said = refused(folder, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.startswith(f"{folder}: could not be written: ")
    assert said.rpartition(": ")[2] not in {"", "None"}


def test_tables_of_one_command_appear_all_or_none(tmp_path: Path) -> None:
    limits, pairs = write(tmp_path / "files", MUE_NAME, MUE), part(tmp_path / "files", 1)
    (name,) = contents(add_to(tmp_path / "other", pairs))
    (tmp_path / "tables" / name / "in the way").mkdir(parents=True)
    with pytest.raises(UnusableFile, match="tables: could not be written: ") as caught:
        add(tmp_path / "tables", limits, pairs)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "tables").iterdir()] == [name]


def add_to(folder: Path, *paths: Path) -> Path:
    add(folder, *paths)
    return folder


def test_a_table_that_takes_the_place_of_another_leaves_the_others(tmp_path: Path) -> None:
    folder = add_to(
        tmp_path / "tables", write(tmp_path / "a", MUE_NAME, MUE), part(tmp_path / "a", 1), part(tmp_path / "a", 2)
    )
    changed = cms.ptp([*PARTS[1], ("36000", "36010", "20240701", "*", "1")])
    path = write(tmp_path / "b", "ccioph-v323r0-f1.txt", changed)
    assert "--replace" in refused(folder, path)
    added = store.add(folder, [path], Given(), replace=True)
    assert [table.new for table in added.tables] == [True]
    rows = {each.part: each.rows for each in catalog(folder)[0].values()}
    assert rows == {None: 1, 1: 3, 2: 2}
    assert [table.new for table in store.add(folder, [path], Given(), replace=True).tables] == [False]
    assert len(catalog(folder)[0]) == 3


# --- files of the folder ----------------------------------------------------------------------------------------------

Damage = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("form", "damage", "fault"),
    [
        ("0-big", {}, "expected a table of this version and kind of machine; add it again"),
        ("", {"kind": "other"}, "expected a table of this version and kind of machine; add it again"),
        ("", {"setting": "other"}, "expected a table of this version and kind of machine; add it again"),
        ("", {"rows": "many"}, "expected a table of this version; add it again"),
        ("", None, "expected a table written by `cds-service tables add`"),
    ],
    ids=["form", "kind", "setting", "content", "no row"],
)
def test_a_file_of_another_version_has_to_be_added_again(
    tmp_path: Path, form: str, damage: dict[str, Any] | None, fault: str
) -> None:
    folder = add_to(tmp_path / "tables", write(tmp_path / "a", MUE_NAME, MUE))
    (path,) = folder.iterdir()
    path.chmod(0o644)
    with sqlite3.connect(path) as connection:
        release = msgspec.json.decode(connection.execute("SELECT content FROM release").fetchone()[0])
        if damage is None:
            connection.execute("DELETE FROM release")
        else:
            connection.execute("UPDATE release SET content = ?", (msgspec.json.encode(release | damage),))
        if form:
            connection.execute("UPDATE release SET form = ?", (form,))
    connection.close()
    assert catalog(folder) == ({}, [f"{path.name}: {fault}"])


def test_files_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    folder = add_to(tmp_path / "tables", write(tmp_path / "a", MUE_NAME, MUE))
    (path,) = folder.iterdir()
    for name in ("notes.txt", f"._{path.name}", ".sqlite3"):
        (folder / name).write_bytes(b"of another program")
    assert files_in(folder) == [path]
    assert Tables(folder).snapshot().faults == ()


def test_the_name_of_a_table_says_what_it_has() -> None:
    release = Release(
        kind="ptp", setting="facility", quarter="2026Q4", part=2, first=date(2026, 10, 1), last=date(2026, 12, 31),
        low="1", high="2", rows=1, file="x", sha256="0123456789abcdef", added="",
    )  # fmt: skip
    assert release.name == "ptp-facility-2026Q4-f2-01234567"
    assert (release.title, release.answers_from) == ("PTP edits, hospital, 2026Q4", date(1996, 1, 1))
    other = msgspec.structs.replace(release, kind="fees", setting="all", part=None)
    assert (other.name, other.title) == ("fees-all-2026Q4-01234567", "Fee schedule, 2026Q4")
    assert other.answers_from == date(2026, 10, 1)


def test_a_release_is_that_of_its_quarter_unless_it_says_another_day(tmp_path: Path) -> None:
    added = add(tmp_path / "tables", write(tmp_path, "limits.csv", MUE), quarter=Quarter(2026, 2))
    (release,) = [table.release for table in added.tables]
    assert (release.first, release.last, release.low, release.high) == (
        date(2026, 4, 1),
        date(2026, 6, 30),
        "93352",
        "93352",
    )
    copies = [replace(PLAIN, id=number) for number in (50001, 50002)]
    path = mcd_zip(tmp_path / "all_article.zip", copies)
    content = path.read_bytes()
    sha = add(tmp_path / "tables", path).tables[0].release.sha256
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        inner = whole.read("current_article_csv.zip")
    path.write_bytes(inner)
    again = add(tmp_path / "tables", path).tables[0]
    assert (again.new, again.release.sha256) == (False, sha), "the same texts are the same table"
