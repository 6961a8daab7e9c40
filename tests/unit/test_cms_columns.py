"""CMS's tables column by column: what each cell becomes, the labels that a header needs, and edges of their forms."""

import io
import struct
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.cms.layouts import LAYOUTS, pair_groups
from cds_service.cms.layouts.asp import plain_ndc
from cds_service.cms.layouts.base import Group, OpenText, Stamp
from cds_service.cms.quarters import Edition, Quarter, parse_release, quarter_of, quarter_of_month
from cds_service.cms.text import CP1252_BYTES, fixed_records, julian_day
from cds_service.errors import UnusableFile
from tests.support import cms_files as cms
from tests.unit.test_cms_layouts import FILES, PAIR, decoded, read, stamped


def refused(kind: str, content: bytes) -> str:
    with pytest.raises(UnusableFile) as caught:
        read(kind, content)
    return str(caught.value)


# --- headers --------------------------------------------------------------------------------------------------------

PLAIN_FEE = ("93350", "", "A", "1", "1.46", "6.20", "2.00")
FEE_LABELS = [" ".join(label.replace("|", " ").split()) for label in cms.FEE_LABELS]
MUE_LABELS = ("HCPCS/CPT Code", "Practitioner Services MUE Values", "MUE Adjudication Indicator", "MUE Rationale")
# By kind: the labels of the published header, those that the service needs, and a table under such a header.
HEADERS: dict[str, tuple[Sequence[str], set[str], Callable[[Sequence[str]], bytes]]] = {
    "mue": (
        MUE_LABELS,
        {*MUE_LABELS[1:]},
        lambda head: cms.comma_separated([["A notice"], head, ["93352", "1", "1 Line Edit", "Words"]]),
    ),
    "add-ons": (
        cms.ADD_ON_HEAD,
        {*cms.ADD_ON_HEAD[1:7]},
        lambda head: cms.add_ons_delimited([("1", "93352", "93350", "2013-04-01", "")], head),
    ),
    "fees": (
        FEE_LABELS,
        {
            *("STATUS CODE", "WORK RVU", "NON-FAC PE RVU", "NON-FAC NA INDICATOR", "FACILITY PE RVU"),
            *("FACILITY NA INDICATOR", "MP RVU", "NON-FACILITY TOTAL", "FACILITY TOTAL", "PCTC IND", "GLOB DAYS"),
            *("MULT PROC", "BILAT SURG", "CONV FACTOR"),
        },
        lambda head: cms.fees([PLAIN_FEE], labels=[f"||||{label}" for label in head]),
    ),
    "opps": (
        cms.ADDENDUM_HEAD,
        {*cms.ADDENDUM_HEAD[2:8]},
        lambda head: cms.addendum_b([("93352", "M", ".", ".")], head=head),
    ),
    "hcpcs": (
        cms.HCPCS_HEAD,
        {"RECID", "COV", "BETOS", "ADD DT", "ACT EFF DT", "TERM DT", "ACTION CD"},
        lambda head: cms.hcpcs([("Q9957", "3", "20080101", "")], head),
    ),
    "asp-crosswalk": (
        cms.CROSSWALK_HEAD,
        {*cms.CROSSWALK_HEAD[2:]},
        lambda head: cms.crosswalk([("Q9957", "11994-0011-04", "2")], head),
    ),
    "asp-limits": (
        cms.LIMITS_HEAD,
        {*cms.LIMITS_HEAD[2:5]},
        lambda head: FILES["asp-limits"].replace(",".join(cms.LIMITS_HEAD).encode(), ",".join(head).encode()),
    ),
}
MODULES = {"fees": "fee-schedule", "opps": "addendum-b"}
# The first label is how the header is found, that of fees also by the second.
LABELS = [
    pytest.param(kind, place, id=f"{MODULES.get(kind, kind)}-{head[place]}")
    for kind, (head, *_) in HEADERS.items()
    for place in range(2 if kind == "fees" else 1, len(head))
    if head[place]
]


@pytest.mark.parametrize(("kind", "place"), LABELS)
def test_a_label_that_is_missing_is_named_at_its_published_place(kind: str, place: int) -> None:
    head, needed, table = HEADERS[kind]
    whole = read(kind, table(head))
    changed = [*head[:place], "another label", *head[place + 1 :]]
    if head[place] in needed:
        said = refused(kind, table(changed))
        shown = head[place].removeprefix("Practitioner Services ")
        assert f", column {place + 1} (header): expected the column `{shown}` once" in said
    else:
        assert read(kind, table(changed)) == whole


@pytest.mark.parametrize("kind", HEADERS, ids=lambda kind: MODULES.get(kind, kind))
def test_a_label_that_stands_twice_tells_no_column(kind: str) -> None:
    head, needed, table = HEADERS[kind]
    (place,) = [place for place, label in enumerate(head) if label == sorted(needed)[0]]
    assert f"column {place + 1} (header): expected the column" in refused(kind, table([*head[:-1], head[place]]))
    first = 1 if kind == "add-ons" else 0
    assert f"column {first + 1} (header): expected the column" in refused(kind, table([*head[:-1], head[first]]))


def test_the_header_of_pairs_may_lack_the_tabs_at_the_ends_of_its_lines() -> None:
    trimmed = [line.rstrip("\t") for line in cms.PTP_HEADER]
    assert read("ptp", cms.ptp([PAIR], trimmed)) == read("ptp", cms.ptp([PAIR]))


def test_labels_of_fees_may_be_wrapped_over_five_lines_below_any_titles() -> None:
    wrapped = [label.replace("|||CONV|FACTOR", "CONV||||FACTOR") for label in cms.FEE_LABELS]
    lines = cms.fees([PLAIN_FEE], labels=wrapped).split(b"\r\n")
    lines.insert(5, b"RELEASED,08/26/2026," + b"," * 29)
    lines[6:9] = [line.rstrip(b",") for line in lines[6:9]]  # a row of labels may be shorter than the last
    assert read("fees", b"\r\n".join(lines)) == read("fees", cms.fees([PLAIN_FEE]))


def test_a_table_is_told_by_its_title_or_by_its_header() -> None:
    titles = {
        "fees": "2026 National Physician Fee Schedule Relative Value File",
        "opps": "Addendum B.-OPPS Payment by HCPCS Code for CY 2026",
        "asp-crosswalk": "October 2026 ASP NDC - HCPCS Crosswalk for Medicare Part B Drugs",
        "asp-limits": "Payment Allowance Limits for Medicare Part B Drugs",
    }
    headers = {
        "fees": "HCPCS,MOD,DESCRIPTION,CODE",
        "opps": "HCPCS Code,Short Descriptor,SI,APC,Relative Weight",
        "asp-crosswalk": "_2026_CODE,Short Description,LABELER NAME,NDC",
    }
    for texts in (titles, headers):
        assert texts
        for kind, text in texts.items():
            for head in (text, f"{text}\r\n93350,1\r\n", f"{text}\n" * 3):
                assert [each.kind for each in LAYOUTS.values() if each.recognizes(head)] == [kind]
    assert LAYOUTS
    for kind, text in titles.items():
        told = [each.kind for each in LAYOUTS.values() if each.recognizes(f"Dear colleague,\nsee {text}\nYours")]
        assert told == [], f"a letter is no table: {kind}"


# --- cells ----------------------------------------------------------------------------------------------------------


def test_every_cell_of_the_fee_schedule_stands_in_its_place() -> None:
    labels = [label.rpartition("|")[2] for label in cms.FEE_LABELS]
    cells = {
        "work": (5, "1.01"), "office_pe": (6, "2.02"), "facility_pe": (8, "3.03"), "mp": (10, "4.04"),
        "office_total": (11, "5.05"), "facility_total": (12, "6.06"), "conversion_factor": (25, "7.07"),
    }  # fmt: skip
    texts = {
        "status": (3, "R"),
        "pc_tc": (13, "5"),
        "global_days": (14, "090"),
        "multiple": (18, "2"),
        "bilateral": (19, "1"),
    }
    row = [""] * len(labels)
    row[:2] = "93350", "TC"
    for place, value in (*cells.values(), *texts.values(), (7, "NA"), (9, "")):
        row[place] = value
    content = cms.fees([]) + cms.comma_separated([row])
    (found,) = read("fees", content)
    assert {name: getattr(found, name) for name in cells} == {
        name: Decimal(value) for name, (_, value) in cells.items()
    }
    assert {name: getattr(found, name) for name in texts} == {name: value for name, (_, value) in texts.items()}
    assert (found.code, found.modifier, found.office_na, found.facility_na) == ("93350", "TC", True, False)
    assert found.identity == ("93350", "TC")


def test_every_cell_of_a_product_and_a_limit_stands_in_its_place() -> None:
    row = ["Q9957", "Words", "A labeler", "11994-0011-04", "A drug", "1 ML", "1.5", "4", "2", "8"]
    (found,) = read("asp-crosswalk", cms.crosswalk([]) + cms.comma_separated([row]))
    assert (found.labeler, found.drug, found.dosage, found.code) == ("A labeler", "A drug", "1 ML", "Q9957")
    sizes = found.package_size, found.package_quantity, found.units, found.package_units
    assert sizes == (Decimal("1.5"), Decimal(4), Decimal(2), Decimal(8))
    row = ["Q9957", "Words", "1 ML", "61.234", "20", *[""] * 8]
    (limit,) = read("asp-limits", cms.payment_limits([]) + cms.comma_separated([row]))
    assert (limit.dosage, limit.limit, limit.coinsurance) == ("1 ML", Decimal("61.234"), Decimal(20))


def test_every_cell_of_addendum_b_stands_in_its_place() -> None:
    row = ["93350", "Words", "Q1", "5524", "1.1", "$2.2", "$3.3", "$4.4", "", "", ""]
    (found,) = read("opps", cms.addendum_b([]) + cms.comma_separated([row]))
    amounts = [found.weight, found.rate, found.copayment, found.minimum_copayment]
    assert (found.status, found.apc, amounts) == ("Q1", "5524", [*map(Decimal, ("1.1", "2.2", "3.3", "4.4"))])


def test_both_forms_of_a_level_2_code_have_the_same_cells() -> None:
    cells = {"coverage": "C", "betos": "O1E", "added": "20080101", "effective": "20170401", "terminated": "20261231"}
    written: list[str] = [""] * 48
    written[:3] = "Q9957", "00100", "3"
    places = {"coverage": 30, "betos": 37, "added": 44, "effective": 45, "terminated": 46, "action": 47}
    fixed = list("Q995700100" + "3" + "x" * 309)
    starts = {"coverage": 229, "betos": 256, "added": 268, "effective": 276, "terminated": 284, "action": 292}
    for name, value in (cells | {"action": "D"}).items():
        written[places[name]] = value
        fixed[starts[name] : starts[name] + len(value)] = value
    content = "".join(fixed).encode() + b"\r\n"
    (of_csv,) = read("hcpcs", cms.hcpcs([]) + cms.comma_separated([written]))
    (of_fixed,) = read("hcpcs", content)
    days = of_csv.added, of_csv.effective, of_csv.terminated
    assert days == (date(2008, 1, 1), date(2017, 4, 1), date(2026, 12, 31))
    assert (of_csv.coverage, of_csv.betos, of_csv.action) == ("C", "O1E", "D")
    assert of_fixed == of_csv
    assert refused("hcpcs", content * 2 + content[:-2] + b"y\r\n") == (
        "line 3, column 321: expected 320 characters of fixed width"
    )


def test_a_line_of_fixed_width_ends_at_its_last_column() -> None:
    whole = cms.add_ons([("1", "93352", "93350", "2013-04-01", "2020-12-31")]).rstrip()
    assert read("add-ons", whole.ljust(97, b"x") + b"  \r\n") == read("add-ons", whole)
    assert refused("add-ons", whole.ljust(98, b"x")) == "line 1, column 98: expected 97 characters of fixed width"
    short = whole[:31]
    assert refused("add-ons", short) == "line 1, column 32: expected 97 characters of fixed width"
    records = [*fixed_records(io.StringIO("ab\n\nabc\n"), {"one": (0, 1), "two": (2, 5)}, 5)]
    assert [(record.line, record.text("two")) for record in records] == [(1, ""), (3, "c")]


@pytest.mark.parametrize(
    ("kind", "content", "fault"),
    [
        ("fees", cms.fees([("93352", "", "A", "0", "", "1", "1")]), "column 6 (WORK RVU): expected a number such as"),
        ("fees", cms.fees([("93352", "266", "A", "0", "1", "1", "1")]), "column 2 (MOD): expected a modifier of two"),
        (
            "fees",
            cms.fees([PLAIN_FEE]).replace(b"1.00,NA,0.02", b"1.00,no,0.02"),
            "column 10 (FACILITY NA INDICATOR): expected one of nothing, NA",
        ),
        ("opps", cms.addendum_b([("93352", "S", "55x4", "")]), "column 4 (APC): expected the number of an APC"),
        ("opps", cms.addendum_b([("9335", "S", "5524", "")]), "column 1 (HCPCS Code): expected a code of five"),
        ("hcpcs", cms.hcpcs([("Q9957", "3", "", "")]), "column 45 (ADD DT): expected a date written YYYYMMDD"),
        ("hcpcs", cms.hcpcs([("Q995", "3", "20080101", "")]), "column 1 (HCPC): expected a code of five characters"),
        ("hcpcs", cms.hcpcs([("Q9957", "3", "20080101", "x")]), "column 47 (TERM DT): expected a date written"),
        ("asp-crosswalk", cms.crosswalk([("Q9957", "1234", "2")]), "column 4 (NDC): expected an NDC such as"),
        (
            "add-ons",
            cms.add_ons([("1", "93352", "93350", "2013-04-01", "")]).replace(b"2013091", b"       "),
            "line 1, column 26 (first): expected a date written YYYYDDD",
        ),
    ],
)
def test_a_cell_of_another_form_is_refused_at_its_column(kind: str, content: bytes, fault: str) -> None:
    assert fault in refused(kind, content)


def test_the_columns_of_fixed_width_are_named_by_their_first_character() -> None:
    whole = cms.add_ons([("1", "93352", "93350", "2013-04-01", "2020-12-31", "2021-12-31", "2022-12-31")])
    places = {"type": 1, "add_on": 2, "add_on_last": 7, "primary": 14, "primary_last": 19, "first": 26, "last": 33}
    for name, place in places.items():
        damaged = whole[: place - 1] + b"?" + whole[place:]
        assert refused("add-ons", damaged).startswith(f"line 1, column {place} ({name}): expected")
    assert places


@pytest.mark.parametrize(
    ("first", "last", "is_refused"),
    [
        ("19900101", "*", False),
        ("19891231", "*", True),
        ("20260101", "20260101", False),
        ("20260102", "20260101", True),
        ("21690605", "*", False),
        ("21690606", "*", True),
    ],
)
def test_the_days_of_pairs_are_from_1990_on(first: str, last: str, is_refused: bool) -> None:
    content = cms.ptp([("93351", "93350", first, last, "0")])
    if is_refused:
        assert "line 7, column " in refused("ptp", content)
    else:
        (found,) = read("ptp", content)
        assert found.first.strftime("%Y%m%d") == first
        assert (found.last is None) == (last == "*")


def test_rationales_are_a_thousand_at_most() -> None:
    edits = [("93351", f"{number:05}", "20240701", "*", "0", f"Rationale {number}") for number in range(1001)]
    rows = read("ptp", cms.ptp(edits[:1000]))
    assert [row.rationale for row in rows] == [f"Rationale {number}" for number in range(1000)]
    said = refused("ptp", cms.ptp(edits))
    assert said == "line 1007, column 7 (Rationale): expected one of CMS's few rationales"


def test_bytes_that_are_no_utf_8_are_cp1252_and_five_of_them_latin_1() -> None:
    (row,) = read("ptp", cms.ptp([(*PAIR, "A rule")]).replace(b"A rule", b"A\x93rule\x94\x81\xc3\xa9"))
    assert row.rationale == "A\u201crule\u201d\x81\u00e9"
    with pytest.raises(UnicodeEncodeError):
        "\u0394".encode("ascii", CP1252_BYTES)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2013091", date(2013, 4, 1)),
        ("2024366", date(2024, 12, 31)),
        ("2023365", date(2023, 12, 31)),
        ("2023001", date(2023, 1, 1)),
        ("2023366", None),
        ("2023000", None),
        ("202309", None),
        ("0000001", None),
    ],
)
def test_days_of_the_year(written: str, day: date | None) -> None:
    if day is None:
        with pytest.raises(ValueError, match=r".+"):
            julian_day(written)
    else:
        assert julian_day(written) == day


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("11994-0011-04", "11994001104"),
        ("1994-0011-04", "01994001104"),
        ("11994-011-04", "11994001104"),
        ("11994-0011-4", "11994001104"),
        ("11994001104", "11994001104"),
        ("8888674-13689", "888867413689"),
    ],
)
def test_the_parts_of_an_ndc_are_filled_to_eleven_digits(written: str, plain: str) -> None:
    assert plain_ndc(written) == plain


def test_a_line_has_fewer_than_64_ki_characters_and_a_cell_less_than_128_kb() -> None:
    longest = [(*PAIR, "x" * (65_534 - len("93351\t93350\t\t20240701\t*\t0\t\r")))]
    assert len(read("ptp", cms.ptp(longest))) == 1
    longer = [(*PAIR, longest[0][-1] + "x")]
    assert refused("ptp", cms.ptp(longer)) == "line 7: expected lines of fewer than 65536 characters"
    unclosed = cms.mue([("93352", "1", "3")]) + b'"' + b"93350\n" * 30_000
    assert refused("mue", unclosed) == "line 9: expected cells in matching quotes, of less than 128 KB"


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "content", "name", "stamp"),
    [
        ("fees", cms.fees([], "2026 National Physician Fee Schedule Relative Value File"), "PPRRVU2026_Apr_QPP.csv",
         Stamp("qpp", Quarter(2026, 2))),
        ("fees", cms.fees([], "2025 National Physician Fee Schedule Relative Value File"), "fees-2025Q4.csv",
         Stamp("all", Quarter(2025, 4))),
        ("fees", cms.fees([], "2026 National Physician Fee Schedule Relative Value File"), "fees.csv", Stamp()),
        ("fees", cms.fees([]).replace(b"National Physician", b"Some"), "PPRRVU2026_Apr_nonQPP.csv", Stamp("nonqpp")),
        ("hcpcs", FILES["hcpcs"], "hcpcs-2026q3.csv", Stamp("", Quarter(2026, 3))),
        ("mue", FILES["mue"].replace(b"Practitioner Services", b"Some"), "mue.csv", Stamp()),
        ("asp-limits", cms.payment_limits([], "Effective Smarch 1, 2026 through x"), "x.csv", Stamp("")),
        ("asp-limits", cms.payment_limits([], "Effective February 30, 2026 through x"), "x.csv", Stamp("")),
        ("asp-limits", cms.payment_limits([], "Effective January 1, 2026 through x"), "x.csv",
         Stamp("", Quarter(2026, 1), date(2026, 1, 1))),
    ],
)  # fmt: skip
def test_what_titles_and_names_state(kind: str, content: bytes, name: str, stamp: Stamp) -> None:
    assert stamped(kind, content, name) == stamp


def test_quarters_begin_with_four_months_and_hold_three() -> None:
    months = "January February March April May June July August September October November December".split()
    begun = [quarter_of_month("2026", month) for month in months]
    assert [each and each.number for each in begun] == [1, None, None, 2, None, None, 3, None, None, 4, None, None]
    assert [quarter_of(date(2026, month, 1)).number for month in range(1, 13)] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert quarter_of_month("2026", "OCT") == Quarter(2026, 4)
    assert Edition(date(2026, 9, 28)).last == date(2026, 10, 12)
    assert Edition(date.max).last == date.max
    assert str(parse_release("2026-09-28")) == "2026-09-28"


# --- the stored form ------------------------------------------------------------------------------------------------

DAY = date(2026, 7, 1)
ONE = Decimal(1)
STORED: dict[str, list[Any]] = {
    "mue": ["93352", 1, 3, "Data"],
    "add-ons": ["93352", 1, "93350", DAY, None, None, DAY],
    "fees": ["93350", "26", "A", "1", *[ONE] * 6, True, False, "XXX", "6", "0", ONE],
    "opps": ["93350", "S", "5524", ONE, ONE, None, None],
    "hcpcs": ["Q9957", DAY, DAY, None, "D", "O1E", "N"],
    "asp-crosswalk": ["11994001104", "Q9957", "Drug", "Labeler", "1 ML", ONE, ONE, ONE, None],
    "asp-limits": ["Q9957", "1 ML", ONE, None],
}


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: MODULES.get(kind, kind))
def test_rows_that_an_earlier_version_stored_are_read(kind: str) -> None:
    (row,) = LAYOUTS[kind].rows(Group("a key", msgspec.msgpack.encode([STORED[kind]])), ())
    assert [*msgspec.structs.astuple(row)] == STORED[kind]


def test_articles_that_an_earlier_version_stored_are_read() -> None:
    group = [1, "covered", ["I10"], [], ["93350"], False]
    article = [50001, 2, "A50001", "A", DAY, None, [[1, ["93350"]]], [group], [["B", "15102"]], ["NY"], [34338]]
    for key, stored in (
        ("article 50001", article),
        ("code 93350", ["93350", [50001]]),
        ("contractor B 15102", ["B 15102", [50001]]),
        ("diagnoses I10", ["I10", DAY]),
    ):
        (row,) = LAYOUTS["articles"].rows(Group(key, msgspec.msgpack.encode([stored])), ())
        assert msgspec.msgpack.encode(row) == msgspec.msgpack.encode(stored)


def test_pairs_that_an_earlier_version_stored_are_read_and_found() -> None:
    """Two edits of 93351: codes as numbers of base 36, days since 1990, and a hash of each code as UTF-16."""
    codes = struct.pack("<2I", 15_256_553, 15_260_580)
    details = struct.pack("<HHBHHHBH", 8491, 12_600, 0x10 | 9, 0, 12_600, 0xFFFF, 1, 1)
    group = Group("93351", codes + details, 2, struct.pack("<2H", 51_528, 264))
    ended, open_one = LAYOUTS["ptp"].rows(group, ("One", "Other"))
    values = ["93351", "93015", date(2013, 4, 1), date(2024, 7, 1), 9, "One", True]
    assert [*msgspec.structs.astuple(ended)] == values
    assert [*msgspec.structs.astuple(open_one)] == ["93351", "93350", date(2024, 7, 1), None, 1, "Other", False]
    sought = pair_groups.Sought(["93350", "93015"])
    assert sought.maybe_in({"93351": group.codes}) == {"93351": [15_260_580, 15_256_553]}
    (hit,) = pair_groups.in_force(group.blob, [15_260_580, 15_256_553], sought, date(2024, 7, 1))
    assert (hit.column_2, hit.indicator, hit.last, hit.rationale) == ("93350", 1, None, 1)
    edits = [
        ("93351", "93015", "20130401", "20240701", "9", "One", "*"),
        ("93351", "93350", "20240701", "*", "1", "Other"),
    ]
    (again,) = LAYOUTS["ptp"].groups(OpenText("", io.StringIO(decoded(cms.ptp(edits))), []))
    assert again == group, "they are written as before"
