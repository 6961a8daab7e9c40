"""CMS's layouts, with the traps of the published files; each kind is told by its content."""

import io
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.cms.layouts import LAYOUTS, pair_groups
from cds_service.cms.layouts.base import OpenText, Stamp
from cds_service.cms.quarters import Quarter, parse_quarter, quarter_in, quarter_of
from cds_service.cms.text import CP1252_BYTES
from cds_service.errors import UnusableFile
from tests.support import cms_files as cms

PAIR = ("93351", "93350", "20240701", "*", "0")
FILES: dict[str, bytes] = {
    "ptp": cms.ptp([PAIR]),
    "mue": cms.mue([("93352", "1", "3")]),
    "add-ons": cms.add_ons([("1", "93352", "93350", "2013-04-01", "")]),
    "fees": cms.fees([("93352", "", "A", "0", "0.19", "1.07", "0.30")]),
    "opps": cms.addendum_b([("93352", "M", ".", ".")]),
    "hcpcs": cms.hcpcs([("Q9957", "3", "20080101", "")]),
    "asp-crosswalk": cms.crosswalk([("Q9957", "11994-0011-04", "2")]),
    "asp-limits": cms.payment_limits([("Q9957", "61.234")]),
}
OTHER_FORMS = {
    "add-ons": cms.add_ons_delimited([("1", "93352", "93350", "2013-04-01", "")]),
    "hcpcs": cms.hcpcs_fixed([("Q9957", "3", "20080101", "")]),
}


def decoded(content: bytes) -> str:
    return content.decode("utf-8-sig", CP1252_BYTES)


def read(kind: str, content: bytes) -> list[Any]:
    """The rows of a text, as stored and decoded."""
    layout = LAYOUTS[kind]
    shared: list[str] = []
    text = io.StringIO(decoded(content), newline="")
    groups = list(layout.groups(OpenText(decoded(content), text, shared)))
    rows = [row for group in groups for row in layout.rows(group, shared)]
    assert [group.key for group in groups] == sorted({group.key for group in groups})
    assert sum(group.rows for group in groups) == len(rows)
    return rows


def stamped(kind: str, content: bytes, name: str) -> Stamp:
    return LAYOUTS[kind].stamp(decoded(content)[:65536], name)


@pytest.mark.parametrize(
    ("kind", "content"), [*FILES.items(), *OTHER_FORMS.items()], ids=[*FILES, *(f"{kind}-2" for kind in OTHER_FORMS)]
)
def test_a_kind_is_told_by_its_content_alone(kind: str, content: bytes) -> None:
    told = [layout.kind for layout in LAYOUTS.values() if layout.recognizes(decoded(content))]
    assert told == [kind]
    with_mark = b"\xef\xbb\xbf" + content
    assert [layout.kind for layout in LAYOUTS.values() if layout.recognizes(decoded(with_mark))] == [kind]


def test_all_kinds_are_shown() -> None:
    assert {*FILES, "articles"} == set(LAYOUTS), "those in several texts are shown in test_mcd.py"


@pytest.mark.parametrize(("kind", "content"), [*FILES.items(), *OTHER_FORMS.items()])
def test_no_descriptor_is_kept(kind: str, content: bytes) -> None:
    assert b"must not be kept" in content or kind in {"ptp", "mue", "add-ons", "asp-crosswalk", "asp-limits"}
    (row,) = read(kind, content)
    assert "must not be kept" not in repr(row)
    assert "Words" not in repr(row)


# --- PTP edits --------------------------------------------------------------------------------------------------------


def test_pairs_keep_every_period_with_both_days_and_the_mark_of_before_1996() -> None:
    edits = [
        ("93350", "93015", "20260101", "*", "1"),  # the same pair, the newest period first
        ("93350", "93015", "20130401", "20201231", "0"),
        ("93350", "93017", "20220101", "20220101", "9"),
        ("93350", "93018", "19960101", "*", "1", cms.RATIONALE, "*"),
        ("93351", "93350", "20130401", "*", "0", "Another rationale"),
    ]
    first, second, never, old, other = read("ptp", cms.ptp(edits))
    assert (first.first, first.last, first.indicator) == (date(2013, 4, 1), date(2020, 12, 31), 0)
    assert (second.first, second.last, second.indicator) == (date(2026, 1, 1), None, 1)
    assert first.in_force(date(2020, 12, 31))
    assert not first.in_force(date(2021, 1, 1))
    assert not second.in_force(date(2025, 12, 31))
    assert not never.in_force(date(2022, 1, 1)), "indicator 9 was never in force"
    assert (old.before_1996, never.before_1996) == (True, False)
    assert (other.column_1, other.column_2, other.rationale) == ("93351", "93350", "Another rationale")


def test_numbers_of_codes_sort_as_their_texts() -> None:
    codes = ["00100", "0001A", "0439T", "93350", "A9700", "C8928", "Z9999"]
    assert [pair_groups.code_of(pair_groups.number_of(code)) for code in codes] == codes
    assert sorted(codes, key=pair_groups.number_of) == sorted(codes)


def test_an_edit_is_found_once_though_two_codes_share_a_character() -> None:
    """The index has one character for each code, so that of 00001 and 016NW in one group stands there twice."""
    one, alike = pair_groups.number_of("00001"), pair_groups.number_of("016NW")
    other = pair_groups.number_of("93352")
    groups = {
        "93350": pair_groups.group_of("93350", [pair_groups.Edit(number, 0, 99, 1, 0) for number in (one, alike)]),
        "93351": pair_groups.group_of("93351", [pair_groups.Edit(other, 0, 99, 1, 0)]),
    }
    sought = pair_groups.Sought(["00001", "93352"])
    found = sought.maybe_in({key: group.codes for key, group in groups.items()})
    assert found == {"93350": [one], "93351": [other]}


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        ("ccipra-v322r0-f1.TXT", Stamp("professional", Quarter(2026, 3), None, 1)),
        ("ccioph-v323r0-f4.txt", Stamp("facility", Quarter(2026, 4), None, 4)),
        ("ccipra-v310r1-f2.txt", Stamp("professional", Quarter(2025, 1), None, 2)),
        (
            "medicare-ncci-2026-q4-hospital-ptp-edits-ccioph-v323r0-f1.zip",
            Stamp("facility", Quarter(2026, 4), None, 1),
        ),
        ("edits.txt", Stamp()),
    ],
)
def test_setting_release_and_part_of_pairs_are_in_the_name(name: str, stamp: Stamp) -> None:
    assert stamped("ptp", FILES["ptp"], name) == stamp


def test_the_changes_of_a_quarter_are_not_its_edits() -> None:
    with pytest.raises(UnusableFile, match="not the quarter's changes"):
        stamped("ptp", FILES["ptp"], "ccipra-v322r0-additions.txt")


def pair(**cells: str) -> bytes:
    names = ("column_1", "column_2", "first", "last", "indicator", "rationale", "before")
    values = dict(zip(names, (*PAIR, cms.RATIONALE, ""), strict=True)) | cells
    return cms.ptp([PAIR, tuple(values.values())])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (pair(column_1="9335"), "line 8, column 1 (Column 1): expected a code of five digits and capital letters"),
        (pair(column_2="93350 x"), "line 8, column 2 (Column 2): expected a code of five digits and capital letters"),
        (pair(before="x"), "line 8, column 3 (prior to 1996): expected `*` or nothing"),
        (pair(first="2024-07-01"), "line 8, column 4 (Effective Date): expected a date written YYYYMMDD"),
        (pair(first="20241301"), "line 8, column 4 (Effective Date): expected a date since 1990 written YYYYMMDD"),
        (pair(last=""), "line 8, column 5 (Deletion Date): expected a date written YYYYMMDD, or `*`"),
        (pair(last="20240230"), "line 8, column 5 (Deletion Date): expected a date since 1990 written YYYYMMDD"),
        (pair(last="20200101"), "line 8, column 5 (Deletion Date): expected a deletion date no earlier"),
        (pair(indicator="2"), "line 8, column 6 (Modifier): expected 0, 1 or 9"),
        (pair(rationale="a\tb"), "line 8, column 8: expected 7 columns separated by tabs"),
        (pair(column_1="93340"), "line 8, column 1 (Column 1): expected rows sorted by column 1"),
        (cms.ptp([PAIR]) + b"93351\t93352\r\n", "line 8, column 3: expected 7 columns separated by tabs"),
        (
            cms.ptp([PAIR]).replace(b"9=not applicable", b"9=deleted"),
            "line 3, column 6 (header): expected the column `Modifier 0=not allowed",
        ),
        (cms.ptp([PAIR]).replace(b"\t*=in existence", b""), "line 3, column 3 (header): expected the column `*=in"),
        (cms.ptp([PAIR]) + b"x" * 70_000, "line 8: expected lines of fewer than 65536 characters"),
    ],
)
def test_pairs_of_another_form_are_refused_with_line_and_column(content: bytes, fault: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        read("ptp", content)
    assert fault in str(caught.value)


def test_spaces_around_cells_and_blank_lines_are_no_fault() -> None:
    spaced = cms.ptp([tuple(f" {cell} " for cell in PAIR)]) + b"\t\t\t\t\t\t\r\n\r\n"
    assert read("ptp", spaced) == read("ptp", cms.ptp([PAIR]))


def test_a_rationale_in_cp1252_and_one_in_utf_8_are_the_same() -> None:
    edits = [(*PAIR, "Maker\xae rule")]
    one, other = cms.ptp(edits), cms.ptp(edits).replace(b"\xae", "\xae".encode())
    assert one != other
    assert read("ptp", one) == read("ptp", other)
    assert read("ptp", one)[0].rationale == "Maker\xae rule"


# --- MUE --------------------------------------------------------------------------------------------------------------


def test_zero_is_a_limit() -> None:
    rows = read("mue", cms.mue([("93352", "0", "2"), ("J1885", "15", "1"), ("93350", "1", "3")]))
    assert [(row.code, row.units, row.mai) for row in rows] == [("93350", 1, 3), ("93352", 0, 2), ("J1885", 15, 1)]


@pytest.mark.parametrize(
    ("service", "setting"),
    [
        ("Practitioner Services", "professional"),
        ("Outpatient Hospital Services", "facility"),
        ("DME Supplier Services", "dme"),
    ],
)
def test_the_setting_of_limits_is_in_the_header_and_the_day_in_the_name(service: str, setting: str) -> None:
    found = stamped("mue", cms.mue([], service), "MCR_MUE_Anything_Eff_10-01-2026.csv")
    assert found == Stamp(setting, Quarter(2026, 4), date(2026, 10, 1))
    assert stamped("mue", cms.mue([], service), "limits.csv") == Stamp(setting)
    assert stamped("mue", cms.mue([], service), "MCR_MUE_Anything_Eff_13-45-2026.csv") == Stamp(setting)


# --- add-on codes -----------------------------------------------------------------------------------------------------


def test_the_type_is_glued_to_the_add_on_and_days_are_of_the_year() -> None:
    edits = [
        ("1", "93352", "93350", "2013-04-01", ""),
        ("1", "93352", "93351", "2013-04-01", "2024-12-31"),
        ("1", "0439T", "93306", "2016-07-01", "", "2027-12-31", "2026-06-30"),
        ("2", "96376", "CCCCC", "2013-04-01", ""),
    ]
    other, plain, ended, contractor = read("add-ons", cms.add_ons(edits))
    assert (other.add_on, other.type, other.primary, other.first) == ("0439T", 1, "93306", date(2016, 7, 1))
    assert (other.add_on_last, other.primary_last, other.ends) == (
        date(2027, 12, 31),
        date(2026, 6, 30),
        date(2026, 6, 30),
    )
    assert (plain.last, ended.last) == (None, date(2024, 12, 31))
    assert ended.in_force(date(2024, 12, 31))
    assert not ended.in_force(date(2025, 1, 1))
    assert not plain.in_force(date(2013, 3, 31))
    assert (contractor.type, contractor.primary) == (2, "CCCCC")


def test_both_forms_of_add_ons_are_one() -> None:
    edits = [("1", "93352", "93350", "2013-04-01", ""), ("3", "93320", "C8921", "2024-02-29", "2024-12-31")]
    fixed = read("add-ons", cms.add_ons(edits))
    assert read("add-ons", cms.add_ons_delimited(edits)) == fixed
    older = ["AOC Edit Type", "Add-On Code", "AOC Del Dt (Julian)", "Primary Code", "Primary Code Del Dt (Julian)"]
    older += ["AOC Edit Eff Dt (Julian)", "AOC Edit Del Dt (Julian)", "Special Instruction/Notes"]
    assert read("add-ons", cms.add_ons_delimited(edits, older)) == fixed


@pytest.mark.parametrize("name", ["AOC_V2026Q3-F-MCR.txt", "AOC_V2026Q3-MCR.txt"])
def test_the_release_of_add_ons_is_in_the_name(name: str) -> None:
    assert stamped("add-ons", FILES["add-ons"], name) == Stamp("", Quarter(2026, 3))


# --- fee schedule -----------------------------------------------------------------------------------------------------


def test_a_fee_has_a_row_for_each_modifier_and_marks_places_that_are_not_paid() -> None:
    rows = [
        ("93350", "", "A", "1", "1.46", "6.20", "6.20"),
        ("93350", "26", "A", "1", "1.46", "2.01", "2.01"),
        ("93350", "TC", "A", "1", "0.00", "4.19", "4.19"),
    ]
    whole, professional, technical = read("fees", cms.fees(rows))
    assert [row.modifier for row in (whole, professional, technical)] == ["", "26", "TC"]
    assert (whole.work, whole.office_total, whole.conversion_factor) == (
        Decimal("1.46"),
        Decimal("6.20"),
        Decimal("33.4009"),
    )
    assert (whole.facility_na, whole.office_na, whole.multiple, whole.pc_tc) == (True, False, "6", "1")


@pytest.mark.parametrize(
    ("name", "title", "stamp"),
    [
        ("PPRRVU2026_Oct_nonQPP.csv", None, Stamp("nonqpp", Quarter(2026, 4))),
        ("PPRRVU2026_Oct_QPP.csv", None, Stamp("qpp", Quarter(2026, 4))),
        ("fees.csv", None, Stamp(None, Quarter(2026, 4))),
        (
            "PPRRVU25_JUL.csv",
            "2025 National Physician Fee Schedule Relative Value File July Release",
            Stamp("all", Quarter(2025, 3)),
        ),
        (
            "PPRRVU25_JAN.csv",
            "2025 National Physician Fee Schedule Relative Value File",
            Stamp("all", Quarter(2025, 1)),
        ),
    ],
)
def test_the_release_of_fees_is_in_the_title_and_the_twin_in_the_name(
    name: str, title: str | None, stamp: Stamp
) -> None:
    content = cms.fees([], title) if title else cms.fees([])
    assert stamped("fees", content, name) == stamp


def test_a_year_without_the_price_indicator_is_read_by_its_labels() -> None:
    row = ("93350", "", "A", "1", "1.46", "6.20", "6.20")
    older = [label for label in cms.FEE_LABELS if label != "|||PRIC|IND"]
    lines = cms.fees([row], labels=older).decode("cp1252").split("\r\n")
    cells = lines[10].split(",")
    lines[10] = ",".join(
        [*cells[:23], "", cms.fees([row]).decode("cp1252").split("\r\n")[10].split(",")[25], *cells[25:]]
    )
    assert read("fees", "\r\n".join(lines).encode())[0].conversion_factor == Decimal("33.4009")


def test_titles_in_the_first_column_are_no_part_of_a_label() -> None:
    row = ("93350", "", "A", "1", "1.46", "6.20", "6.20")
    lines = cms.fees([row]).decode("cp1252").split("\r\n")
    older = [*(line.replace(",,", "", 1) + ",," for line in lines[:5]), *lines[6:]]
    assert older[4].startswith("RELEASED")
    assert read("fees", "\r\n".join(older).encode()) == read("fees", cms.fees([row]))


def test_the_fee_schedule_of_fixed_width_names_its_twin() -> None:
    content = b"HDR 2026 National Physician Fee Schedule Relative Value File October Release\r\nHDR\r\n93350 A\r\n"
    assert LAYOUTS["fees"].recognizes(decoded(content))
    with pytest.raises(UnusableFile, match=r"expected the same table as CSV"):
        stamped("fees", content, "PPRRVU2026_Oct_nonQPP.txt")


# --- Addendum B -------------------------------------------------------------------------------------------------------


def test_points_are_empty_and_amounts_have_dollars_and_thousands() -> None:
    rows = read("opps", cms.addendum_b([("93350", "S", "5524", "$1,558.25"), ("93352", "N", ".", ".")]))
    assert (rows[0].status, rows[0].apc, rows[0].rate) == ("S", "5524", Decimal("1558.25"))
    assert (rows[0].copayment, rows[0].minimum_copayment) == (None, Decimal("1111.22"))
    assert (rows[1].status, rows[1].apc, rows[1].rate) == ("N", "", None)


@pytest.mark.parametrize(
    ("titles", "name", "quarter"),
    [
        (["Addendum B.-OPPS Payment by HCPCS Code for CY 2026", "October 2026"], "b.csv", Quarter(2026, 4)),
        (["Addendum B.-OPPS Payment by HCPCS Code for CY 2026"], "2026_July_Web_Addendum_B.csv", Quarter(2026, 3)),
        (["Addendum B.-OPPS Payment by HCPCS Code for CY 2026"], "addendum b april 2026.csv", Quarter(2026, 2)),
        (["Addendum B.-OPPS Payment by HCPCS Code for CY 2026"], "b.csv", None),
    ],
)
def test_the_release_of_addendum_b_is_in_the_titles_or_the_name(
    titles: list[str], name: str, quarter: Quarter | None
) -> None:
    assert stamped("opps", cms.addendum_b([], titles), name) == Stamp("", quarter)


# --- HCPCS Level II ---------------------------------------------------------------------------------------------------


def test_records_that_continue_a_description_are_no_codes() -> None:
    rows = [("Q9957", "3", "20080101", ""), ("Q9957", "4", "", ""), ("JG", "7", "20180101", "20241231")]
    for content in (cms.hcpcs(rows), cms.hcpcs_fixed(rows)):
        modifier, code = read("hcpcs", content)
        assert (code.code, code.added, code.terminated, code.coverage) == ("Q9957", date(2008, 1, 1), None, "D")
        assert (modifier.code, modifier.terminated) == ("JG", date(2024, 12, 31))
        assert modifier.in_force(date(2024, 12, 31))
        assert not modifier.in_force(date(2025, 1, 1))
        assert not modifier.in_force(date(2017, 12, 31))


@pytest.mark.parametrize(
    ("name", "quarter"),
    [
        ("HCPC2026_OCT_ANWEB.csv", Quarter(2026, 4)),
        ("HCPC2019_CONTR_ANWEB.txt", Quarter(2019, 1)),
        ("codes.csv", None),
    ],
)
def test_the_release_of_hcpcs_is_in_the_name(name: str, quarter: Quarter | None) -> None:
    assert stamped("hcpcs", FILES["hcpcs"], name) == Stamp("", quarter)


# --- ASP --------------------------------------------------------------------------------------------------------------


def test_an_ndc_is_eleven_digits_but_for_a_few_odd_ones() -> None:
    rows = [("Q9957", "11994-011-04", "2"), ("J2785", "00407503405", "4"), ("J7331", "888867413689", "7.5")]
    found = read("asp-crosswalk", cms.crosswalk(rows))
    assert [(row.ndc, row.units) for row in found] == [
        ("00407503405", Decimal(4)),
        ("11994001104", Decimal(2)),
        ("888867413689", Decimal("7.5")),
    ]


def test_the_labels_of_another_year_are_read() -> None:
    older = ["_2025_CODE", *cms.CROSSWALK_HEAD[1:3], "NDC2", *cms.CROSSWALK_HEAD[4:]]
    rows = [("Q9957", "11994-0011-04", "2")]
    assert read("asp-crosswalk", cms.crosswalk(rows, older)) == read("asp-crosswalk", cms.crosswalk(rows))


@pytest.mark.parametrize(("kind", "write"), [("asp-crosswalk", cms.crosswalk), ("asp-limits", cms.payment_limits)])
def test_the_days_of_asp_files_are_in_their_titles(kind: str, write: Callable[..., bytes]) -> None:
    content = write([], period="Effective July 1, 2026 through September 30, 2026")
    assert stamped(kind, content, "x.csv") == Stamp("", Quarter(2026, 3), date(2026, 7, 1))
    assert stamped(kind, write([], period="Effective Mai 32"), "x.csv") == Stamp("")


@pytest.mark.parametrize("file", ["AWP", "OPPS", "NOC"])
def test_other_crosswalks_of_the_zip_are_refused(file: str) -> None:
    content = cms.crosswalk([("Q9957", "11994-0011-04", "2")], file=file)
    assert LAYOUTS["asp-crosswalk"].recognizes(decoded(content))
    with pytest.raises(UnusableFile, match="expected the ASP NDC-HCPCS crosswalk"):
        stamped("asp-crosswalk", content, "x.csv")


def test_a_limit_may_not_apply() -> None:
    rows = read("asp-limits", cms.payment_limits([("A9606", "N/A"), ("Q9957", "1,061.234")]))
    assert [(row.code, row.limit, row.coinsurance) for row in rows] == [
        ("A9606", None, Decimal("20.000")),
        ("Q9957", Decimal("1061.234"), Decimal("20.000")),
    ]


# --- refused ----------------------------------------------------------------------------------------------------------

NO_MAI = cms.mue([("93352", "1", "3")]).replace(b"MUE Adjudication Indicator", b"Indicator")


@pytest.mark.parametrize(
    ("kind", "content", "fault"),
    [
        ("mue", NO_MAI, "line 6, column 3 (header): expected the column `MUE Adjudication Indicator` once"),
        ("mue", cms.mue([("93352", "", "3")]), "line 8, column 2 (MUE Values): expected a whole number of units"),
        ("mue", cms.mue([("93352", "1", "4 New")]), "line 8, column 3 (MUE Adjudication Indicator): expected 1 Line"),
        ("mue", cms.mue([("93352", "1", "3")]) + b"93350,1\r\n", "line 9, column 3: expected 4 columns"),
        (
            "mue",
            cms.mue([("93352", "1", "3"), ("93352", "2", "3")]),
            "line 9, column 1: expected one row for each code",
        ),
        ("mue", cms.mue([("93352", "1", "3")]) + b'"93350,1,2\r\n', "line 9: expected cells in matching quotes"),
        ("mue", cms.mue([("9335", "1", "3")]), "line 8, column 1 (HCPCS/CPT Code): expected a code of five"),
        ("add-ons", b"4" + FILES["add-ons"][1:], "line 1, column 1 (type): expected one of 1, 2, 3"),
        (
            "add-ons",
            FILES["add-ons"].replace(b"2013091", b"2013366"),
            "line 1, column 26 (first): expected a date written YYYYDDD",
        ),
        ("add-ons", FILES["add-ons"] + b"193352\r\n", "line 2, column 7: expected 97 characters of fixed width"),
        ("fees", cms.fees([], labels=cms.FEE_LABELS[:25]), "line 10, column 26 (header): expected the column `CONV"),
        (
            "fees",
            cms.fees([("93352", "", "A", "0", "x", "1.07", "0.30")]),
            "line 11, column 6 (WORK RVU): expected a number such as 1.25",
        ),
        (
            "opps",
            cms.addendum_b([], head=cms.ADDENDUM_HEAD[:5]),
            "line 8, column 6 (header): expected the column `Payment Rate` once",
        ),
        ("opps", cms.addendum_b([("93352", "?", "", "")]), "line 9, column 3 (SI): expected a status indicator"),
        ("hcpcs", cms.hcpcs([], cms.HCPCS_HEAD[:44]), "line 1, column 45 (header): expected the column `ADD DT` once"),
        ("hcpcs", cms.hcpcs([("Q9957", "5", "", "")]), "line 2, column 3 (RECID): expected one of 3, 7, 4, 8"),
        (
            "hcpcs",
            cms.hcpcs([("Q9957", "3", "2008", "")]),
            "line 2, column 45 (ADD DT): expected a date written YYYYMMDD",
        ),
        (
            "hcpcs",
            cms.hcpcs_fixed([("Q9957", "3", "20080101", "")]) + b"Q9956001003\r\n",
            "line 2, column 12: expected 320 characters of fixed width",
        ),
        (
            "asp-crosswalk",
            cms.crosswalk([], [*cms.CROSSWALK_HEAD[:3], "Product", *cms.CROSSWALK_HEAD[4:]]),
            "line 9, column 4 (header): expected the column `NDC` once",
        ),
        ("asp-crosswalk", cms.crosswalk([("Q9957", "n/a", "2")]), "line 10, column 4 (NDC): expected an NDC such as"),
        ("asp-limits", cms.payment_limits([("Q9957", "-")]), "line 10, column 4 (Payment Limit): expected a number"),
    ],
)
def test_a_file_of_another_form_is_refused_with_line_and_column(kind: str, content: bytes, fault: str) -> None:
    assert LAYOUTS[kind].recognizes(decoded(content)) or kind == "add-ons"
    with pytest.raises(UnusableFile) as caught:
        read(kind, content)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "first", "fault"),
    [
        ("mue", b"93352,1,2", "line 1, column 1 (header): expected the column `HCPCS/CPT Code`"),
        ("asp-limits", b"Q9957,x,1,2", "line 1, column 1 (header): expected the column `HCPCS Code`"),
        ("ptp", b"93351\t93352", "line 1, column 1 (header): expected the column `Column 1`"),
    ],
)
def test_a_file_without_a_header_is_refused_with_its_first_column(kind: str, first: bytes, fault: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        read(kind, first + b"\r\n")
    assert fault in str(caught.value)


def test_a_header_of_pairs_with_one_column_more_is_refused() -> None:
    lines = cms.ptp([PAIR]).split(b"\r\n")
    (number,) = [number for number, line in enumerate(lines) if line.startswith(b"Column 1\tColumn 2")]
    lines[number] += b"\tMore" * (8 - len(lines[number].split(b"\t")))
    with pytest.raises(UnusableFile) as caught:
        read("ptp", b"\r\n".join(lines))
    assert f"line {number + 1}, column 8 (header): expected 7 columns" in str(caught.value)


@pytest.mark.parametrize(("missing", "column"), [("HCPCS dosage", 6), ("BILLUNITS", 9), ("BILLUNITSPKG", 10)])
def test_a_column_that_is_missing_is_named_at_its_usual_place(missing: str, column: int) -> None:
    head = ["other" if "".join(label.split()) == "".join(missing.split()) else label for label in cms.CROSSWALK_HEAD]
    assert head != list(cms.CROSSWALK_HEAD)
    with pytest.raises(UnusableFile) as caught:
        read("asp-crosswalk", cms.crosswalk([], head))
    assert f"column {column} (header): expected the column `{missing}` once" in str(caught.value)


def test_a_row_that_repeats_another_counts_once() -> None:
    assert len(read("mue", cms.mue([("93352", "1", "3")] * 2))) == 1


def test_quarters() -> None:
    assert parse_quarter("2026-q4") == parse_quarter("2026Q4") == Quarter(2026, 4)
    assert [parse_quarter(text) for text in ("2026Q5", "26Q4", "2026", "x2026Q4")] == [None] * 4
    assert quarter_in("medicare-ncci-2026-q4-hospital") == Quarter(2026, 4)
    assert (str(Quarter(2026, 4)), Quarter(2026, 4).first, Quarter(2026, 4).last) == (
        "2026Q4",
        date(2026, 10, 1),
        date(2026, 12, 31),
    )
    assert quarter_of(date(2026, 6, 30)) == Quarter(2026, 2)


# --- true files -------------------------------------------------------------------------------------------------------

ORIGINALS = Path(os.environ.get("CORPUS_DIR", "/nonexistent")).parent / "cms" / "originals"
TRUE_FILES = {
    "ptp": ("cci*.txt", 3),
    "mue": ("MCR_MUE*.csv", 4),
    "add-ons": ("AOC*.txt", 1),
    "fees": ("PPRRVU*.csv", 1),
    "hcpcs": ("HCPC2*", 2),
    "asp-crosswalk": ("*Crosswalk*.csv", 1),
    "asp-limits": ("*Payment Limit*.csv", 1),
}


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="CORPUS_DIR has no sibling cms/originals")
@pytest.mark.parametrize("kind", TRUE_FILES)
def test_cuts_of_true_files_are_read(kind: str) -> None:
    pattern, count = TRUE_FILES[kind]
    paths = sorted(ORIGINALS.glob(pattern))
    assert len(paths) == count
    assert paths
    for path in paths:
        content = path.read_bytes()
        assert [each.kind for each in LAYOUTS.values() if each.recognizes(decoded(content)[:65536])] == [kind]
        assert len(read(kind, content)) >= 3, path.name
