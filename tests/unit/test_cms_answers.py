"""Answers of loaded tables: first and last days, several releases of a kind, reasons, changes, and what is logged."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cds_service.cms.answers import AddOn, Fee, HcpcsCode, NotLoaded, PairEdit
from cds_service.cms.changes import between
from cds_service.cms.lookup import Snapshot, Tables
from tests.support import cms_files as cms
from tests.unit.test_cms_store import DAY, PARTS, add, part, snapshot, write

PRICES = [("93350", "", "A", "1", "1.46", "6.20", "2.00"), ("93350", "26", "A", "1", "1.46", "2.01", "1.50")]
OLDER = "2025 National Physician Fee Schedule Relative Value File July Release"


def limits(folder: Path, *days: str, units: str = "1") -> Path:
    """A folder with the limits of releases, each by its first day as MM-DD-YYYY."""
    for day in days:
        name = f"MCR_MUE_PractitionerServices_Eff_{day}.csv"
        add(folder, write(folder.parent / "files", name, cms.mue([("93352", units, "3")])))
    return folder


def add_ons(folder: Path, quarter: str, *edits: tuple[str, ...]) -> Path:
    add(folder, write(folder.parent / "files", f"AOC_V{quarter}-F-MCR.txt", cms.add_ons(edits)))
    return folder


def reason(answer: Any) -> str:
    assert isinstance(answer, NotLoaded)
    return f"{answer.why}: {answer.reason}"


# --- reasons --------------------------------------------------------------------------------------------------------


def test_what_is_not_loaded_is_said_with_the_day_or_the_last_release(tmp_path: Path) -> None:
    tables = snapshot(limits(tmp_path / "tables", "01-01-2026", "07-01-2026"))
    told = [
        reason(tables.unit_limit("93352", day, "professional"))
        for day in (date(2025, 12, 31), date(2026, 4, 1), date(2026, 10, 1))
    ]
    assert told == [
        "before: MUE, practitioner: no loaded release has 2025-12-31",
        "between: MUE, practitioner: no loaded release has 2026-04-01",
        "after: MUE, practitioner: the loaded releases end on 2026-09-30",
    ]
    assert tables.has("mue")
    assert not tables.has("ptp")
    assert not Snapshot(()).has("mue")


def test_the_fee_schedule_of_a_day_is_one_for_all_or_one_of_two(tmp_path: Path) -> None:
    nothing = snapshot(write(tmp_path / "empty", "notes", b"").parent)
    assert reason(nothing.fee("93350", "", DAY)) == "none: Fee schedule, nonQPP: no release is loaded"
    older = add_fees(tmp_path / "older", "PPRRVU25_JUL.csv", OLDER)
    assert reason(older.fee("93350", "", DAY)) == "after: Fee schedule: the loaded releases end on 2025-09-30"
    twin = add_fees(tmp_path / "twin", "PPRRVU2026_Oct_nonQPP.csv")
    assert reason(twin.fee("93350", "", DAY, qpp=True)) == "none: Fee schedule, QPP: no release is loaded"
    assert reason(twin.fee("93350", "", date(2027, 1, 1))).startswith("after: Fee schedule, nonQPP: ")
    both = add_fees(tmp_path / "older", "PPRRVU2026_Oct_nonQPP.csv")
    assert reason(both.fee("93350", "", date(2026, 1, 1))).startswith("before: Fee schedule, nonQPP: ")
    assert reason(both.fee("93350", "", DAY, qpp=True)).startswith("after: Fee schedule: ")


def add_fees(folder: Path, name: str, title: str | None = None) -> Snapshot:
    content = cms.fees(PRICES, title) if title else cms.fees(PRICES)
    add(folder, write(folder.parent / "files", name, content))
    return snapshot(folder)


def test_a_fee_is_that_of_its_place_and_modifier(tmp_path: Path) -> None:
    tables = add_fees(tmp_path / "tables", "PPRRVU2026_Oct_nonQPP.csv")
    whole, professional = (tables.fee("93350", modifier, DAY) for modifier in ("", "26"))
    assert isinstance(whole, Fee)
    assert isinstance(professional, Fee)
    factor = Decimal("33.4009")
    assert whole.amount(facility=False) == Decimal("6.20") * factor
    assert whole.amount(facility=True) == Decimal("2.00") * factor
    assert professional.amount(facility=False) == Decimal("2.01") * factor
    assert (whole.is_not_applicable(facility=True), whole.is_not_applicable(facility=False)) == (True, False)
    assert tables.fee("93351", "", DAY) is None


# --- days -----------------------------------------------------------------------------------------------------------


def test_pairs_answer_from_the_first_day_of_the_edits(tmp_path: Path) -> None:
    edits = [("93351", "93350", "19960101", "*", "0")]
    add(tmp_path / "tables", part(tmp_path / "files", 3, edits))
    tables = snapshot(tmp_path / "tables")
    assert isinstance(tables.pair("93351", "93350", date(1996, 1, 1), "facility"), PairEdit)
    assert reason(tables.pair("93351", "93350", date(1995, 12, 31), "facility")).startswith("before: ")
    assert tables.pair("93351", "93351", DAY, "facility") is None


def test_a_fifth_part_is_the_last(tmp_path: Path) -> None:
    edits = [("X0001", "93350", "20240701", "*", "1")]
    paths = [*(part(tmp_path / "files", number) for number in PARTS), part_5(tmp_path / "files", edits)]
    add(tmp_path / "tables", *paths)
    tables = snapshot(tmp_path / "tables")
    assert isinstance(tables.pair("X0001", "93350", DAY, "facility"), PairEdit)
    for code in ("00001", "R0000", "X0002"):
        assert tables.pair(code, "93350", DAY, "facility") is None


def part_5(where: Path, edits: Sequence[Sequence[str]]) -> Path:
    return write(where, "ccioph-v323r0-f5.txt", cms.ptp(edits))


def test_pairs_among_codes_come_in_their_order_and_each_in_its_direction(tmp_path: Path) -> None:
    edits = [("93350", "93303", "20240701", "*", "1"), ("93350", "93304", "20240701", "*", "0")]
    add(tmp_path / "tables", part(tmp_path / "files", 2, edits), part(tmp_path / "files", 3))
    found = snapshot(tmp_path / "tables").pairs(["93351", "93304", "93350", "93303"], DAY, "facility")
    assert [(each.column_1, each.column_2, each.indicator) for each in found.edits] == [
        ("93350", "93303", 1),
        ("93350", "93304", 0),
        ("93351", "93350", 0),
    ]
    assert {each.release.part for each in found.edits} == {2, 3}
    assert [*found.not_loaded] == ["93303", "93304"], "before the first code of the first loaded part"
    assert snapshot(tmp_path / "tables").pair("93304", "93350", DAY, "facility") is not None


def test_many_codes_are_answered_at_once(tmp_path: Path) -> None:
    codes = [f"{number:05}" for number in range(20_000, 21_100)]
    edits = [(code, "93350", "20240701", "*", "1") for code in codes]
    add(tmp_path / "tables", part(tmp_path / "files", 1, edits))
    for _ in range(2):
        found = snapshot(tmp_path / "tables").pairs([*codes, "93350"], DAY, "facility")
        assert [each.column_1 for each in found.edits] == codes


def test_the_newest_release_of_add_ons_knows_the_past_best(tmp_path: Path) -> None:
    folder = add_ons(tmp_path / "tables", "2026Q3", ("1", "93352", "93350", "2013-04-01", ""))
    add_ons(folder, "2026Q4", ("1", "93352", "93351", "2013-04-01", ""))
    tables = snapshot(folder)
    for day, quarter in ((date(2013, 4, 1), "2026Q4"), (date(2026, 8, 1), "2026Q4"), (date(2026, 12, 31), "2026Q4")):
        found = tables.add_on("93352", day)
        assert isinstance(found, AddOn)
        assert (found.release.quarter, [each.code for each in found.primaries]) == (quarter, ["93351"])
    assert reason(tables.add_on("93352", date(2027, 1, 1))).startswith("after: Add-on codes: ")
    assert reason(tables.add_on("93352", date(2013, 3, 31))).startswith("before: Add-on codes: ")
    assert reason(Snapshot(()).add_on("93352", DAY)) == "none: Add-on codes: no release is loaded"


@pytest.mark.parametrize(
    ("kind", "primary", "expected"),
    [("1", "93350", False), ("1", "CCCCC", True), ("2", "CCCCC", True), ("3", "93350", True)],
)
def test_contractors_may_accept_others_by_the_type_or_the_primary(
    tmp_path: Path, kind: str, primary: str, expected: bool
) -> None:
    edits = [(kind, "93352", each, "2013-04-01", "") for each in ("93351", primary)]
    found = snapshot(add_ons(tmp_path / "tables", "2026Q4", *edits)).add_on("93352", DAY)
    assert isinstance(found, AddOn)
    assert (found.type, found.contractor_defined) == (int(kind), expected)


def test_a_level_2_code_is_told_by_the_release_of_the_day(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    for month, ended in (("JUL", ""), ("OCT", "20260831")):
        rows = [("Q9957", "3", "20080101", ended), ("C9999", "3", "20260701", "")][: 2 if month == "JUL" else 1]
        add(folder, write(tmp_path, f"HCPC2026_{month}_ANWEB.csv", cms.hcpcs(rows)))
    tables = snapshot(folder)

    def told(code: str, day: date) -> Any:
        found = tables.hcpcs(code, day)
        return (found.in_force, found.release.quarter) if isinstance(found, HcpcsCode) else found

    assert told("Q9957", date(2026, 9, 1)) == (True, "2026Q3"), "the day's own release, though a newer one ends it"
    assert told("Q9957", date(2026, 10, 1)) == (False, "2026Q4")
    assert told("Q9957", date(2020, 1, 1)) == (True, "2026Q4"), "of an older day, the newest"
    assert told("C9999", date(2026, 6, 30)) == (False, "2026Q3")
    assert told("C9999", date(2026, 10, 1)) is None


# --- a folder that changes --------------------------------------------------------------------------------------------


class Clock:
    """The time as the tables see it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        patch.setattr("cds_service.cms.lookup.time.monotonic", lambda: self.now)

    def after(self, seconds: float) -> None:
        self.now += seconds


def test_a_folder_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, folder = Clock(monkeypatch), limits(tmp_path / "tables", "10-01-2026")
    tables = Tables(folder)
    assert len(tables.snapshot().releases) == 1
    limits(folder, "07-01-2026")
    clock.after(0.5)
    assert len(tables.snapshot().releases) == 1
    clock.after(0.5)
    assert len(tables.snapshot().releases) == 2


def test_changes_of_the_folder_are_logged_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, folder = Clock(monkeypatch), limits(tmp_path / "tables", "10-01-2026")
    tables = Tables(folder)

    def logged(looks: int = 1) -> list[tuple[str, Any, Any]]:
        with capture_logs() as lines:
            for _ in range(looks):
                tables.snapshot()
                clock.after(1.0)
        return [(each["event"], each["log_level"], each.get("tables", each.get("files"))) for each in lines]

    assert logged(2) == [], "the first look is no change"
    limits(folder, "07-01-2026")
    assert logged(2) == [("tables changed", "info", 2)]
    bad = folder / "mue-facility-2026Q4-00000000.sqlite3"
    bad.write_bytes(b"no table")
    assert logged(3) == [("tables unreadable", "warning", 1), ("tables changed", "info", 2)]
    folder.rename(tmp_path / "away")
    assert logged(3) == [("tables unreadable", "warning", None)]
    (tmp_path / "away").rename(folder)
    assert logged() == []
    folder.rename(tmp_path / "away")
    assert logged(2) == [("tables unreadable", "warning", None)], "it was readable in between"
    (tmp_path / "away").rename(folder)
    bad.unlink()
    assert logged(2) == [("tables changed", "info", 2)]
    assert tables.snapshot().faults == ()


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, folder = Clock(monkeypatch), limits(tmp_path / "tables", "10-01-2026")
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:5000])
    tables = Tables(folder)
    assert (len(tables.snapshot().faults), tables.snapshot().releases) == (1, ())
    path.write_bytes(whole)
    clock.after(1.0)
    assert (tables.snapshot().faults, len(tables.snapshot().releases)) == ((), 1)


# --- changes --------------------------------------------------------------------------------------------------------


def changes(folder: Path, old: str, new: str) -> Iterator[str]:
    for table in between(folder, old, new, {"93350", "93352", "Q9957"}):
        yield f"{table.title}{f': {table.not_compared}' if table.not_compared else ''}"
        yield from (f"{each.sign} {each.row}: {each.detail}" for each in table.changes)
        yield from [f"and {table.others}"] * bool(table.others)


def test_values_are_shown_as_users_write_them(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    older = cms.fees([PRICES[0]], "2026 National Physician Fee Schedule Relative Value File July Release")
    newer = cms.fees([PRICES[0]]).replace(b"1.00,,1.00,NA", b"1.00,NA,1.10,")
    add(folder, write(tmp_path, "PPRRVU2026_Jul_QPP.csv", older), write(tmp_path, "PPRRVU2026_Oct_QPP.csv", newer))
    assert [*changes(folder, "2026Q3", "2026Q4")] == [
        "Fee schedule, QPP, 2026Q3 → 2026Q4",
        "~ 93350: facility pe 1.00 → 1.10, office na no → yes, facility na yes → no",
    ]
    assert [*changes(folder, "fees-qpp-2026Q4", "fees-qpp-2026Q4")] == ["Fee schedule, QPP, 2026Q4 → 2026Q4"]
    rows = [("Q9957", "3", "20080101", ""), ("Q9956", "3", "20080101", "")]
    ended = [("Q9957", "3", "20080101", "20260930")]
    for month, level_2 in (("JAN", rows), ("APR", ended)):
        add(folder, write(tmp_path, f"HCPC2026_{month}_ANWEB.csv", cms.hcpcs(level_2)))
    assert [*changes(folder, "2026Q1", "2026Q2")] == [
        "HCPCS Level II, 2026Q1 → 2026Q2",
        "~ Q9957: terminated none → 2026-09-30",
        "and 1",
    ]
    assert [*changes(folder, "hcpcs-2026Q2", "hcpcs-2026Q1")][1:] == ["~ Q9957: terminated 2026-09-30 → none", "and 1"]


def test_every_period_of_a_pair_and_a_primary_is_a_row_of_its_own(tmp_path: Path) -> None:
    folder = add_ons(tmp_path / "tables", "2026Q3", ("1", "93352", "93350", "2013-04-01", ""))
    edits = [("1", "93352", "93350", "2013-04-01", "2026-09-30"), ("1", "93352", "93351", "2026-10-01", "")]
    add_ons(folder, "2026Q4", *edits, ("3", "99999", "99998", "2026-10-01", ""))
    assert [*changes(folder, "2026Q3", "2026Q4")] == [
        "Add-on codes, 2026Q3 → 2026Q4",
        "~ 93352 93350 2013-04-01: last none → 2026-09-30",
        "+ 93352 93351 2026-10-01: type 1, last none, add on last none, primary last none",
        "and 1",
    ]
    assert [*changes(folder, "2026Q4", "2026Q3")][2].startswith("- 93352 93351 2026-10-01: type 1")


def test_an_incomplete_release_is_compared_on_neither_side(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    for version, parts in (("ccioph-v322r0", (1, 2, 4)), ("ccioph-v323r0", (1, 2, 3, 4)), ("ccioph-v331r0", (2,))):
        add(folder, *(part(tmp_path / version, number, kind=version) for number in parts))
    title = "PTP edits, hospital, 2026Q3 → 2026Q4"
    assert [*changes(folder, "2026Q3", "2026Q4")] == [f"{title}: 2026Q3 lacks f3"]
    assert next(changes(folder, "2026Q4", "2027Q2")).endswith(": 2027Q2 lacks f1, f3, f4")
    assert [*changes(folder, "2026Q4", "2026Q4")] == ["PTP edits, hospital, 2026Q4 → 2026Q4"]


def test_a_release_without_numbered_parts_is_compared(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    for quarter, edits in (("2026Q3", PARTS[2]), ("2026Q4", PARTS[2][1:])):
        add(folder, write(tmp_path, f"{quarter}.txt", cms.ptp(edits)), setting="facility")
    found = [*changes(folder, "2026Q3", "2026Q4")]
    assert found == ["PTP edits, hospital, 2026Q3 → 2026Q4", "and 1"]


def test_what_only_one_side_has_is_named_with_the_other(tmp_path: Path) -> None:
    folder = limits(tmp_path / "tables", "07-01-2026", "10-01-2026")
    add_ons(folder, "2026Q3", ("1", "93352", "93350", "2013-04-01", ""))
    add(folder, write(tmp_path, "HCPC2026_OCT_ANWEB.csv", cms.hcpcs([("Q9957", "3", "20080101", "")])))
    assert [*changes(folder, "2026Q3", "2026Q4")] == [
        "Add-on codes, 2026Q3: not loaded for 2026Q4",
        "HCPCS Level II, 2026Q4: not loaded for 2026Q3",
        "MUE, practitioner, 2026Q3 → 2026Q4",
    ]


def test_an_answer_reaches_to_the_last_day_of_its_release(tmp_path: Path) -> None:
    tables = snapshot(limits(tmp_path / "tables", "10-01-2026"))
    first, last = date(2026, 10, 1), date(2026, 12, 31)
    found = [tables.unit_limit("93352", day, "professional") for day in (first, last)]
    assert not any(isinstance(each, NotLoaded) for each in found)
    outside = [tables.unit_limit("93352", day, "professional") for day in (first - timedelta(1), last + timedelta(1))]
    assert [each.why for each in outside if isinstance(each, NotLoaded)] == ["before", "after"]
