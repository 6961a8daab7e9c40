"""The store of CMS's tables: all or nothing, safe against kill -9; lookups answer by the date of service."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_inputs
from hypothesis import settings
from hypothesis import strategies as st

from cds_service.cms import store
from cds_service.cms.answers import AddOn, Fee, HcpcsCode, NotLoaded, PairEdit, UnitLimit
from cds_service.cms.catalog import catalog
from cds_service.cms.lookup import Snapshot, Tables
from cds_service.cms.quarters import Quarter, quarter_of
from cds_service.cms.recognize import Given
from cds_service.errors import UnusableFile
from tests.support import cms_files as cms
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(3)

DAY = date(2026, 11, 2)
PARTS = {
    1: [("0001A", "0591T", "20220101", "20231231", "1"), ("36000", "36005", "20240701", "*", "1")],
    2: [("93303", "93304", "20240701", "*", "0"), ("93350", "93015", "20240701", "*", "1")],
    3: [("93351", "93350", "20240701", "*", "0"), ("99155", "36000", "20240701", "*", "0")],
    4: [("C8928", "C8930", "20240701", "*", "0"), ("Q9957", "Q9956", "20240701", "*", "0")],
}


def write(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def part(tmp_path: Path, number: int, edits: list[Any] | None = None, kind: str = "ccioph-v323r0") -> Path:
    return write(tmp_path, f"{kind}-f{number}.txt", cms.ptp(PARTS[number] if edits is None else edits))


def add(folder: Path, *paths: Path, quarter: Quarter | None = None, setting: str | None = None) -> store.Added:
    return store.add(folder, paths, Given(quarter, setting))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table in it."""
    add(tmp_path / "tables", mue(tmp_path / "first", "10-01-2026", 1))
    return tmp_path / "tables"


def mue(where: Path, effective: str, units: int, service: str = "Practitioner Services") -> Path:
    content = cms.mue([("93352", str(units), "3"), ("93350", "0", "2")], service)
    return write(where, f"MCR_MUE_PractitionerServices_Eff_{effective}.csv", content)


def snapshot(folder: Path) -> Snapshot:
    return Tables(folder).snapshot()


# --- adding -----------------------------------------------------------------------------------------------------------


def test_a_zip_of_all_parts_and_single_parts_come_to_the_same(tmp_path: Path) -> None:
    paths = [part(tmp_path / "files", number) for number in PARTS]
    whole = cms.zipped(tmp_path / "files" / "parts.zip", {path.name: path.read_bytes() for path in paths})
    add(tmp_path / "one", whole)
    for path in reversed(paths):
        add(tmp_path / "other", path)
    assert list(contents(tmp_path / "one")) == list(contents(tmp_path / "other"))
    assert [each.part for each in catalog(tmp_path / "one")[0].values()] == [1, 2, 3, 4]


def test_the_same_file_twice_is_nothing(folder: Path, tmp_path: Path) -> None:
    before = contents(folder)
    again = mue(tmp_path / "again", "10-01-2026", 1)
    zipped = cms.zipped(tmp_path / "medicare.zip", {again.name: again.read_bytes()})
    for path in (again, zipped):
        (table,) = add(folder, path).tables
        assert not table.new
    assert contents(folder) == before


def test_the_same_table_twice_in_one_command_is_added_once(tmp_path: Path) -> None:
    one, other = part(tmp_path / "a", 1), part(tmp_path / "b", 1)
    assert [table.new for table in add(tmp_path / "tables", one, other).tables] == [True, False]


def test_another_content_of_a_release_needs_to_be_replaced(folder: Path, tmp_path: Path) -> None:
    before = contents(folder)
    other = mue(tmp_path / "again", "10-01-2026", 2)
    with pytest.raises(UnusableFile, match=r"MUE, practitioner, 2026Q4 is loaded with other content.*--replace"):
        add(folder, other)
    assert contents(folder) == before
    store.add(folder, [other], Given(), replace=True)
    assert len(contents(folder)) == 1
    answer = snapshot(folder).unit_limit("93352", DAY, "professional")
    assert isinstance(answer, UnitLimit)
    assert answer.units == 2


def test_files_are_read_only_and_say_their_release(folder: Path) -> None:
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o444
    (release,) = catalog(folder)[0].values()
    assert path.name == f"mue-professional-2026Q4-{release.sha256[:8]}.sqlite3"
    assert (release.first, release.last, release.rows) == (date(2026, 10, 1), date(2026, 12, 31), 2)


def test_twins_in_a_zip_are_one_table_and_the_csv_is_taken(tmp_path: Path) -> None:
    rows = [("Q9957", "3", "20080101", "")]
    members = {
        "HCPC2026_OCT_ANWEB.txt": cms.hcpcs_fixed(rows),
        "HCPC2026_OCT_ANWEB.csv": cms.hcpcs(rows),
        "HCPC2026_OCT_ANWEB.xlsx": b"PK\x03\x04 a workbook",
        "proc_notes.txt": b"Notes\r\n",
    }
    added = add(tmp_path / "tables", cms.zipped(tmp_path / "october.zip", members))
    assert [table.release.file for table in added.tables] == ["HCPC2026_OCT_ANWEB.csv"]
    assert added.skipped == (
        "october.zip: proc_notes.txt: not one of CMS's tables",
        "october.zip: HCPC2026_OCT_ANWEB.txt: the same table as HCPC2026_OCT_ANWEB.csv",
    )


def test_other_crosswalks_of_the_zip_are_skipped(tmp_path: Path) -> None:
    rows = [("Q9957", "11994-0011-04", "2")]
    members = {f"October 2026 {file}.csv": cms.crosswalk(rows, file=file) for file in ("AWP", "ASP", "NOC")}
    added = add(tmp_path / "tables", cms.zipped(tmp_path / "crosswalk.zip", members))
    assert [table.release.file for table in added.tables] == ["October 2026 ASP.csv"]
    assert len(added.skipped) == 2


def test_release_and_setting_of_a_member_may_be_in_the_name_of_the_zip(tmp_path: Path) -> None:
    path = tmp_path / "medicare-ncci-2026q3-practitioner-ptp-edits-ccipra-v322r0-f1.zip"
    add(tmp_path / "tables", cms.zipped(path, {"edits.txt": cms.ptp(PARTS[1])}))
    (release,) = catalog(tmp_path / "tables")[0].values()
    assert (release.setting, release.quarter, release.part) == ("professional", "2026Q3", 1)


# --- refused ----------------------------------------------------------------------------------------------------------

PAIRS = cms.ptp(PARTS[1])
MUE = cms.mue([("93352", "1", "3")])
MUE_NAME = "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"


def zip_bytes(members: dict[str, bytes]) -> bytes:
    with tempfile.TemporaryDirectory() as temporary:
        return cms.zipped(Path(temporary) / "x.zip", members).read_bytes()


def locked_zip() -> bytes:
    """A zip that claims to have a password."""
    content = bytearray(zip_bytes({MUE_NAME: MUE}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def damaged_zip() -> bytes:
    """A zip with a wrong byte in the packed text."""
    content = bytearray(zip_bytes({MUE_NAME: MUE * 50}))
    content[200] ^= 0xFF
    return bytes(content)


BOMB = zip_bytes({"ccipra-v322r0-f1.txt": PAIRS + (b" " * 60_000 + b"\r\n") * 350})
BAD = {
    "truncated zip": ("x.zip", zip_bytes({MUE_NAME: MUE})[:-30], "expected a complete zip; download it again"),
    "damaged zip": ("x.zip", damaged_zip(), "expected a complete zip; download it again"),
    "zip with a password": ("x.zip", locked_zip(), "expected a zip without password"),
    "zip bomb": ("x.zip", BOMB, "expected a text that unpacks to less than 150 times its size"),
    "empty zip": ("x.zip", zip_bytes({}), "expected a .txt or .csv in the zip, found nothing"),
    "many files": ("x.zip", zip_bytes({f"{n}.txt": b"x" for n in range(201)}), "expected at most 200 files"),
    "another year's layout": (
        MUE_NAME,
        MUE.replace(b",MUE Adjudication Indicator", b""),
        f"{MUE_NAME}: line 6, column 3 (header): expected the column `MUE Adjudication Indicator` once",
    ),
    "another year's layout in a zip": (
        "x.zip",
        zip_bytes({MUE_NAME: MUE.replace(b"MUE Rationale", b"Why")}),
        f"x.zip: {MUE_NAME}: line 6, column 4 (header): expected the column `MUE Rationale` once",
    ),
    "mixed kinds in a zip": (
        "x.zip",
        zip_bytes({MUE_NAME: MUE, "ccipra-v322r0-f1.txt": PAIRS}),
        f"x.zip: expected tables of one kind, found MUE ({MUE_NAME}) and PTP edits (ccipra-v322r0-f1.txt); add them",
    ),
    "two kinds in a text": (
        MUE_NAME,
        MUE + PAIRS,
        f"{MUE_NAME}: line 9, column 2: expected 4 columns, as in the header",
    ),
    "mixed kinds in a text": ("ccipra-v322r0-f1.txt", PAIRS + MUE, "line 9, column 2: expected 7 columns"),
    "PDF": ("x.csv", b"%PDF-1.7 ...", "x.csv: expected a text (.txt or .csv) or a zip, not a PDF"),
    "xlsx": (
        "x.csv",
        zip_bytes({"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
        "not an Excel workbook: add the",
    ),
    "xls": ("x.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "not an Excel workbook: add the .txt or .csv"),
    "xlsx alone in a zip": (
        "x.zip",
        zip_bytes({"MCR_MUE.xlsx": b"PK\x03\x04"}),
        "expected a .txt or .csv in the zip, found MCR_MUE.xlsx",
    ),
    "empty": ("x.txt", b"", "x.txt: expected a table; the file is empty"),
    "other text": ("x.txt", b"Dear colleague,\r\n", "x.txt: line 1: expected one of CMS's tables as .txt or .csv (PTP"),
    "binary": ("x.txt", bytes(range(256)) * 10, "x.txt: line 1: expected one of CMS's tables as .txt or .csv (PTP"),
    "header only": (MUE_NAME, cms.mue([]), f"{MUE_NAME}: expected rows after the header"),
    "no release": ("mue.csv", MUE, "mue.csv: expected a release in the text or its name; say it with --release"),
    "no setting": ("2026Q3.txt", PAIRS, "say it with --setting professional or facility"),
    "no twin": ("fees.csv", cms.fees([("93350", "", "A", "1", "1", "1", "1")]), "--setting nonqpp or qpp or all"),
    "two releases": (
        "ccipra-v321r0-f1.zip",
        zip_bytes({"ccipra-v322r0-f1.txt": PAIRS}),
        "ccipra-v322r0-f1.txt: expected one release, found 2026Q3 and 2026Q2",
    ),
    "one of two parts is bad": (
        "x.zip",
        zip_bytes({"ccipra-v322r0-f1.txt": PAIRS, "ccipra-v322r0-f2.txt": cms.ptp([("9", "9", "1", "*", "1")])}),
        "ccipra-v322r0-f2.txt: line 7, column 1 (Column 1): expected a code",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_changes_nothing(case: str, folder: Path, tmp_path: Path) -> None:
    name, content, expected = BAD[case]
    before = contents(folder)
    good = part(tmp_path / "files", 1)
    with pytest.raises(UnusableFile) as caught:
        add(folder, good, write(tmp_path / "files", name, content))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(folder) == before


def test_a_file_that_is_not_there_or_a_folder_is_one_line(folder: Path, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.zip", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UnusableFile, match=f"{path.name}: could not be read: {reason}"):
            add(folder, path)


def test_a_release_that_contradicts_the_name_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="expected one release, found 2026Q4 and 2026Q3"):
        add(folder, part(tmp_path, 1), quarter=Quarter(2026, 3))


@contextmanager
def without_rights() -> Iterator[None]:
    """As root, act as a user without rights; other users have none anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_rights_is_one_line(tmp_path: Path) -> None:
    outside = Path(tempfile.mkdtemp())
    try:
        path = part(outside, 1)
        outside.chmod(0o755)
        folder = outside / "tables"
        folder.mkdir()
        folder.chmod(0o555)
        with (
            without_rights(),
            pytest.raises(UnusableFile, match="tables: could not be written: expected the right") as caught,
        ):
            add(folder, path)
        assert "\n" not in str(caught.value)
        assert contents(folder) == {}
        with without_rights(), pytest.raises(UnusableFile, match=r"deeper: could not be written: Permission denied"):
            add(folder / "deeper", path)
        folder.chmod(0o000)
        with without_rights(), pytest.raises(UnusableFile, match=r"tables: could not be read: Permission denied"):
            catalog(folder)
    finally:
        folder.chmod(0o755)
        subprocess.run(["rm", "-rf", str(outside)], check=True)
    with pytest.raises(UnusableFile, match="could not be written: Not a directory"):
        add(write(tmp_path, "file", b"") / "tables", part(tmp_path, 1))


def many(rows: int) -> bytes:
    """Edits of one part, `rows` of them."""
    codes = [f"{number:05d}" for number in range(1000, 99_000, 7)]
    edits = ((codes[row // 300], codes[row % 300], "20240701", "*", "1") for row in range(rows))
    return cms.ptp(edits)


def test_kill_9_leaves_the_catalog_whole_and_the_next_command_cleans_up(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "files", "ccipra-v322r0-f1.txt", many(600_000))
    before = contents(folder)
    command = [sys.executable, "-m", "cds_service", "tables", "add", "--dir", str(folder), str(path)]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(folder.glob(".adding-*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(UnusableFile, match="another command is changing the tables"):
        add(folder, part(tmp_path / "files", 2))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = contents(folder)
    assert {name: left[name] for name in before} == before
    assert [name for name in left if name not in before] == [".adding-0"]
    assert len(catalog(folder)[0]) == len(snapshot(folder).releases) == 1
    add(folder, part(tmp_path / "files", 2))
    assert contents(folder)
    assert [name for name in contents(folder) if name.startswith(".")] == []
    assert len(catalog(folder)[0]) == 2


# --- removing ---------------------------------------------------------------------------------------------------------


def test_a_table_is_removed_with_all_its_parts_or_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    add(folder, *[part(tmp_path / "files", number) for number in PARTS], mue(tmp_path, "10-01-2026", 1))
    one = next(each.name for each in catalog(folder)[0].values() if each.part == 3)
    assert [each.part for each in store.remove(folder, [one])] == [3]
    assert [each.part for each in store.remove(folder, ["ptp-facility-2026Q4"])] == [1, 2, 4]
    before = contents(folder)
    with pytest.raises(UnusableFile, match="ptp-facility-2026Q4: no such table"):
        store.remove(folder, ["mue-professional-2026Q4", "ptp-facility-2026Q4"])
    assert contents(folder) == before


# --- lookup -----------------------------------------------------------------------------------------------------------


def test_pairs_of_a_part_that_is_not_loaded_are_not_known(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    add(folder, part(tmp_path, 2), part(tmp_path, 3))
    tables = snapshot(folder)

    def answer(column_1: str) -> Any:
        return tables.pair(column_1, "93350", DAY, "facility")

    assert isinstance(answer("93351"), PairEdit)
    assert answer("93303") is None, "in part 2, without this edit"
    assert answer("93350") is None, "the last of part 2"
    for outside in ("36000", "93302", "C8928", "99156"):
        assert isinstance(answer(outside), NotLoaded), outside
        assert answer(outside).why == "part"
    assert answer("36000").reason == "PTP edits, hospital, 2026Q4: the part with this code is not loaded"
    add(folder, part(tmp_path, 1), part(tmp_path, 4))
    tables = snapshot(folder)
    for outside in ("00001", "36001", "93302", "99156", "Z0001"):
        assert answer(outside) is None, "between and around all four parts there is no edit"


def test_between_two_parts_that_follow_each_other_there_is_no_edit(tmp_path: Path) -> None:
    edits = [("93340", "93350", "20240701", "*", "1")]
    add(tmp_path / "gap", part(tmp_path, 2, edits), part(tmp_path, 3))
    assert snapshot(tmp_path / "gap").pair("93345", "93350", DAY, "facility") is None
    assert snapshot(tmp_path / "gap").pair("93339", "93350", DAY, "facility") is not None


def test_a_part_without_a_number_answers_for_its_own_codes_only(tmp_path: Path) -> None:
    path = write(tmp_path, "edits.txt", cms.ptp(PARTS[2]))
    add(tmp_path / "tables", path, quarter=Quarter(2026, 4), setting="facility")
    tables = snapshot(tmp_path / "tables")
    assert tables.pair("93310", "93350", DAY, "facility") is None
    assert isinstance(tables.pair("93351", "93350", DAY, "facility"), NotLoaded)


def test_an_older_complete_release_answers_until_its_quarter_ends(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    add(folder, *[part(tmp_path, number, kind="ccioph-v322r0") for number in PARTS])
    add(folder, part(tmp_path, 1))
    tables = snapshot(folder)
    september = tables.pair("93351", "93350", date(2026, 9, 30), "facility")
    assert isinstance(september, PairEdit)
    assert september.release.quarter == "2026Q3"
    october = tables.pair("93351", "93350", date(2026, 10, 1), "facility")
    assert isinstance(october, NotLoaded)
    newest = tables.pair("36000", "36005", date(2026, 9, 30), "facility")
    assert isinstance(newest, PairEdit)
    assert newest.release.quarter == "2026Q4", "the newest release knows the past best"


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (date(2018, 5, 1), 1),
        (date(2018, 12, 31), 1),
        (date(2019, 1, 1), 0),
        (date(2026, 12, 31), 1),
        (date(2027, 1, 1), "after"),
        (date(1995, 12, 31), "before"),
    ],
)
def test_a_claim_of_2018_is_answered_by_the_days_of_the_edits(tmp_path: Path, day: date, found: int | str) -> None:
    edits = [("93351", "93350", "20240701", "*", "0"), ("93351", "93350", "20130401", "20181231", "0")]
    add(tmp_path / "tables", part(tmp_path, 3, edits))
    among = snapshot(tmp_path / "tables").pairs(["93351", "93350", "not a code"], day, "facility")
    if isinstance(found, int):
        assert len(among.edits) == found
        assert list(among.not_loaded) == ["93350"], "before the first code of part 3"
    else:
        assert {each.why for each in among.not_loaded.values()} == {found}


def test_limits_have_a_history_from_the_loaded_releases(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    add(folder, mue(tmp_path / "a", "01-01-2026", 1), mue(tmp_path / "b", "07-01-2026", 2))
    tables = snapshot(folder)

    def units(day: date) -> Any:
        answer = tables.unit_limit("93352", day, "professional")
        return answer.units if isinstance(answer, UnitLimit) else answer

    assert (units(date(2026, 3, 31)), units(date(2026, 7, 1))) == (1, 2)
    assert [units(day).why for day in (date(2025, 12, 31), date(2026, 4, 1), date(2026, 10, 1))] == [
        "before",
        "between",
        "after",
    ]
    zero = tables.unit_limit("93350", date(2026, 7, 1), "professional")
    assert isinstance(zero, UnitLimit)
    assert zero.units == 0
    assert tables.unit_limit("93351", date(2026, 7, 1), "professional") is None
    hospital = tables.unit_limit("93352", date(2026, 7, 1), "facility")
    assert isinstance(hospital, NotLoaded)
    assert (hospital.why, hospital.reason) == ("none", "MUE, outpatient hospital: no release is loaded")


def test_a_table_that_begins_within_a_quarter_holds_from_its_day(tmp_path: Path) -> None:
    add(tmp_path / "tables", mue(tmp_path / "a", "10-01-2026", 1), mue(tmp_path / "b", "11-15-2026", 2))
    tables = snapshot(tmp_path / "tables")
    found = [tables.unit_limit("93352", date(2026, 11, day), "professional") for day in (14, 15)]
    assert [each.units for each in found if isinstance(each, UnitLimit)] == [1, 2]


def test_add_ons_have_the_primaries_of_the_day(tmp_path: Path) -> None:
    edits = [
        ("1", "93352", "93350", "2013-04-01", ""),
        ("1", "93352", "93351", "2013-04-01", "2020-12-31"),
        ("2", "96376", "CCCCC", "2013-04-01", ""),
    ]
    add(tmp_path / "tables", write(tmp_path, "AOC_V2026Q3-F-MCR.txt", cms.add_ons(edits)))
    tables = snapshot(tmp_path / "tables")
    then, now = (tables.add_on("93352", day) for day in (date(2018, 1, 1), date(2026, 9, 30)))
    assert isinstance(then, AddOn)
    assert isinstance(now, AddOn)
    assert [[primary.code for primary in each.primaries] for each in (then, now)] == [["93350", "93351"], ["93350"]]
    assert not now.contractor_defined
    contractor = tables.add_on("96376", date(2026, 9, 30))
    assert isinstance(contractor, AddOn)
    assert contractor.contractor_defined
    assert tables.add_on("93350", date(2026, 9, 30)) is None
    for day in (date(2013, 3, 31), date(2026, 10, 1)):
        assert isinstance(tables.add_on("93352", day), NotLoaded)


def test_fees_of_twins_and_of_years_without(tmp_path: Path) -> None:
    rows = [("93350", "", "A", "1", "1.46", "6.20", "2.00"), ("93350", "26", "A", "1", "1.46", "2.01", "2.01")]
    older = "2025 National Physician Fee Schedule Relative Value File July Release"
    paths = [
        write(tmp_path, "PPRRVU2026_Oct_nonQPP.csv", cms.fees(rows)),
        write(tmp_path, "PPRRVU2026_Oct_QPP.csv", cms.fees(rows, factor="33.5675")),
        write(tmp_path, "PPRRVU25_JUL.csv", cms.fees(rows, older, "32.3465")),
    ]
    add(tmp_path / "tables", *paths)
    tables = snapshot(tmp_path / "tables")

    def factor(day: date, *, qpp: bool) -> Any:
        fee = tables.fee("93350", "26", day, qpp=qpp)
        return fee.row.conversion_factor if isinstance(fee, Fee) else fee

    assert (factor(DAY, qpp=False), factor(DAY, qpp=True)) == (Decimal("33.4009"), Decimal("33.5675"))
    assert factor(date(2025, 7, 1), qpp=True) == factor(date(2025, 7, 1), qpp=False) == Decimal("32.3465")
    assert factor(date(2026, 1, 1), qpp=False).why == "before"
    assert tables.fee("93350", "TC", DAY) is None
    fee = tables.fee("93350", "", DAY)
    assert isinstance(fee, Fee)
    assert (fee.amount(facility=True), fee.release.file) == (Decimal("66.8018"), "PPRRVU2026_Oct_nonQPP.csv")


def test_level_2_codes_by_their_own_days(tmp_path: Path) -> None:
    rows = [("Q9957", "3", "20080101", ""), ("C9999", "3", "20200101", "20251231")]
    add(tmp_path / "tables", write(tmp_path, "HCPC2026_JUL_ANWEB.csv", cms.hcpcs(rows)))
    tables = snapshot(tmp_path / "tables")

    def in_force(code: str, day: date) -> Any:
        answer = tables.hcpcs(code, day)
        return answer.in_force if isinstance(answer, HcpcsCode) else answer

    summer = date(2026, 7, 1)
    assert [in_force(code, summer) for code in ("Q9957", "C9999", "A0000")] == [True, False, None]
    assert [in_force(code, date(2025, 12, 31)) for code in ("Q9957", "C9999")] == [True, True]
    assert isinstance(in_force("A0000", date(2025, 12, 31)), NotLoaded), "it may have ended before"
    assert isinstance(in_force("Q9957", date(2026, 10, 1)), NotLoaded)


def test_opps_products_and_payment_limits(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "b.csv", cms.addendum_b([("93350", "S", "5524", "$558.25")])),
        write(
            tmp_path,
            "crosswalk.csv",
            cms.crosswalk([("Q9957", "11994-0011-04", "2"), ("J7331", "888867413689", "7.5")]),
        ),
        write(tmp_path, "limits.csv", cms.payment_limits([("Q9957", "61.234")])),
    ]
    add(tmp_path / "tables", *paths)
    tables = snapshot(tmp_path / "tables")
    status: Any = tables.opps("93350", DAY)
    assert (status.row.status, status.row.rate, status.release.quarter) == ("S", Decimal("558.25"), "2026Q4")
    for ndc in ("11994-0011-04", "11994-011-04", "11994001104"):
        (product,) = tables.products(ndc, DAY)  # type: ignore[misc]
        assert (product.row.code, product.row.units) == ("Q9957", Decimal(2))
    assert tables.products("00000-0000-00", DAY) == ()
    limit: Any = tables.payment_limit("Q9957", DAY)
    assert limit.row.limit == Decimal("61.234")
    assert tables.opps("93352", DAY) is tables.payment_limit("A9700", DAY) is None
    summer = date(2026, 7, 1)
    answers = tables.opps("93350", summer), tables.products("1", summer), tables.payment_limit("Q9957", summer)
    assert all(isinstance(answer, NotLoaded) for answer in answers)


def test_without_a_folder_nothing_is_loaded() -> None:
    tables = Tables(None).snapshot()
    assert isinstance(tables.pair("93351", "93350", DAY, "facility"), NotLoaded)
    assert tables.releases == ()


# --- a model ----------------------------------------------------------------------------------------------------------

CODES = ["0001A", "36000", "93303", "93350", "93351", "C8928", "Q9957"]
DAYS = st.dates(date(2017, 1, 1), date(2027, 6, 30))
Period = tuple[str, str, date, date | None, str]


@st.composite
def periods(draw: Callable[..., Any]) -> list[Period]:
    """Edits with disjoint periods of each pair."""
    found: list[Period] = []
    for column_1, column_2 in draw(st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES)), unique=True)):
        days = sorted(draw(st.lists(DAYS, min_size=1, max_size=6, unique=True)))
        for first, following in zip(days[::2], [*days[1::2], None], strict=False):
            found.append((column_1, column_2, first, following, draw(st.sampled_from("0119"))))
    return found


@settings(max_examples=40, deadline=None)
@given_inputs(edits=periods(), days=st.lists(DAYS, min_size=1, max_size=10))
def test_lookups_agree_with_a_naive_model(edits: list[Period], days: list[date]) -> None:
    written = sorted(
        (column_1, column_2, f"{first:%Y%m%d}", f"{last:%Y%m%d}" if last else "*", indicator)
        for column_1, column_2, first, last, indicator in edits
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, chosen in ((1, "0"), (2, "9"), (3, "C"), (4, "Q")):
            low = chosen if number > 1 else ""
            high = {1: "9", 2: "C", 3: "Q", 4: "~"}[number]
            mine = [edit for edit in written if low <= edit[0] < high]
            filler = [(f"{chosen}0000", "00000", "20000101", "20000102", "1")]
            add(folder / "tables", part(folder, number, sorted(filler + mine)))
        tables = snapshot(folder / "tables")
        assert days
        for day in days:
            among = tables.pairs(CODES, day, "facility")
            if day > date(2026, 12, 31):
                assert {each.why for each in among.not_loaded.values()} == {"after"}
                continue
            assert among.not_loaded == {}
            model = sorted(
                (column_1, column_2, first, last, int(indicator))
                for column_1, column_2, first, last, indicator in edits
                if indicator != "9" and first <= day and (last is None or day <= last)
            )
            found = [(each.column_1, each.column_2, each.first, each.last, each.indicator) for each in among.edits]
            assert sorted(found) == model
            listed = {edit[:2] for edit in edits}
            single = {pair for pair in listed if tables.pair(*pair, day, "facility") is not None}
            assert single == listed & {edit[:2] for edit in model}


@settings(max_examples=30, deadline=None)
@given_inputs(
    loaded=st.dictionaries(st.integers(0, 11), st.integers(0, 3), min_size=1),
    days=st.lists(st.dates(date(2023, 6, 1), date(2027, 6, 30)), min_size=1, max_size=15),
)
def test_limits_agree_with_a_naive_model(loaded: dict[int, int], days: list[date]) -> None:
    quarters = {Quarter(2024 + number // 4, 1 + number % 4): units for number, units in loaded.items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = [mue(folder / str(each), f"{each.first:%m-%d-%Y}", units) for each, units in quarters.items()]
        add(folder / "tables", *paths)
        tables = snapshot(folder / "tables")
        assert days
        for day in days:
            answer = tables.unit_limit("93352", day, "professional")
            known = answer.units if isinstance(answer, UnitLimit) else None
            assert known == quarters.get(quarter_of(day))


# --- running workers --------------------------------------------------------------------------------------------------


def test_running_workers_take_new_tables_and_forget_removed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tables"
    now = [100.0]
    monkeypatch.setattr("cds_service.cms.lookup.time.monotonic", lambda: now[0])
    tables = Tables(folder)
    assert tables.snapshot().releases == (), "the folder is not there yet"
    add(folder, mue(tmp_path, "10-01-2026", 1))
    assert tables.snapshot().releases == (), "looked at less than a second ago"
    now[0] += 1.01
    held = tables.snapshot()
    assert len(held.releases) == 1
    store.remove(folder, ["mue-professional-2026Q4"])
    now[0] += 1.01
    assert tables.snapshot().releases == ()
    assert isinstance(held.unit_limit("93352", DAY, "professional"), UnitLimit), "a snapshot stays as it is"
    assert isinstance(tables.snapshot().unit_limit("93352", DAY, "professional"), NotLoaded)


def test_a_file_that_cannot_be_read_is_named_and_the_others_answer(folder: Path) -> None:
    (good,) = folder.iterdir()
    (folder / "mue-facility-2026Q4-00000000.sqlite3").write_bytes(b"no table")
    (folder / "mue-facility-2026Q4-11111111.sqlite3").write_bytes(good.read_bytes()[:5000])
    (folder / "notes.txt").write_text("not ours")
    tables = snapshot(folder)
    assert [fault.split(":")[0] for fault in tables.faults] == [
        "mue-facility-2026Q4-00000000.sqlite3",
        "mue-facility-2026Q4-11111111.sqlite3",
    ]
    assert isinstance(tables.unit_limit("93352", DAY, "professional"), UnitLimit)
    assert isinstance(tables.unit_limit("93352", DAY, "facility"), NotLoaded)


def test_a_folder_that_cannot_be_listed_any_more_leaves_the_tables_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("cds_service.cms.lookup.time.monotonic", lambda: now[0])
    tables = Tables(folder)
    before = tables.snapshot()
    folder.rename(folder.parent / "away")
    now[0] += 1.01
    assert tables.snapshot() is before
    assert isinstance(tables.snapshot().unit_limit("93352", DAY, "professional"), UnitLimit)
    (folder.parent / "away").rename(folder)
    now[0] += 1.01
    assert tables.snapshot() is before


def test_values_that_are_kept_do_not_grow_and_keep_absence_too(tmp_path: Path) -> None:
    codes = [f"{number:05d}" for number in range(1000, 5200, 7)]
    edits = [(code, "01007", "20240701", "*", "1") for code in codes]
    add(tmp_path / "tables", write(tmp_path, "ccioph-v323r0-f1.txt", cms.ptp(edits)))
    tables = snapshot(tmp_path / "tables")
    absent = [f"{number:05d}" for number in range(1001, 5201, 7)]
    for _ in range(2):
        for code in codes:
            assert isinstance(tables.pair(code, "01007", DAY, "facility"), PairEdit)
        assert absent[:-1]
        for code in absent[:-1]:
            assert tables.pair(code, "01007", DAY, "facility") is None
    (file,) = tables._series["ptp", "facility"].files
    assert 0 < len(file._recent_indexes) <= 128
    assert 0 < len(file._recent_blobs) <= 128


def test_threads_share_a_snapshot(tmp_path: Path) -> None:
    path = write(tmp_path, "ccioph-v323r0-f1.txt", many(30_000))
    add(tmp_path / "tables", path)
    tables = Tables(tmp_path / "tables")
    codes = [f"{number:05d}" for number in range(1000, 2400, 7)]
    expected = len(tables.snapshot().pairs(codes, DAY, "facility").edits)
    assert expected > 1000
    found: list[int] = []

    def look() -> None:
        found.extend(len(tables.snapshot().pairs(codes, DAY, "facility").edits) for _ in range(3))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 12


def test_a_zip_member_named_to_escape_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"../../{MUE_NAME}", MUE)
    add(tmp_path / "a" / "tables", path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "x.zip"]


def test_a_quarter_is_three_months() -> None:
    for number in range(1, 5):
        assert Quarter(2026, number).last + timedelta(days=1) == (
            Quarter(2026, number + 1).first if number < 4 else date(2027, 1, 1)
        )
