"""The physician fee schedule's relative values: `PPRRVU2026_Oct_nonQPP.csv`.

Titles (year, month of the release) stand before a header whose labels are wrapped over several lines. Since 2026 there
are twins with different conversion factors, for participants in alternative payment models (QPP) and for others. A code
has a row for each of the whole service, 26, TC and 53. `NA` in an indicator: not paid in that place of service.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import quarter_in, quarter_of_month
from cds_service.cms.text import Record, Wanted, body, columns_of, fault, records_of
from cds_service.errors import UnusableFile

FIRST_YEAR_OF_TWINS = 2026

_TITLE = re.compile(
    r"(\d{4}) National Physician Fee Schedule Relative Value File ?(January|April|July|October)?", re.IGNORECASE
)
_MONTH = re.compile(r"PPRRVU\d*_?(Jan|Apr|Jul|Oct)", re.IGNORECASE)
_TWIN = re.compile(r"(non)?-?QPP", re.IGNORECASE)
_HEADER_LINES = 5
_WANTED = (
    Wanted("code", "HCPCS", 0, "HCPCS"),
    Wanted("modifier", "MOD", 1, "MOD"),
    Wanted("status", "STATUS CODE", 3, "STATUS CODE"),
    Wanted("work", "WORK RVU", 5, "WORK RVU"),
    Wanted("office_pe", "NON-FAC(ILITY)? PE RVU", 6, "NON-FAC PE RVU"),
    Wanted("office_na", "NON-FAC(ILITY)? NA INDICATOR", 7, "NON-FAC NA INDICATOR"),
    Wanted("facility_pe", "FACILITY PE RVU", 8, "FACILITY PE RVU"),
    Wanted("facility_na", "FACILITY NA INDICATOR", 9, "FACILITY NA INDICATOR"),
    Wanted("mp", "MP RVU", 10, "MP RVU"),
    Wanted("office_total", "NON-FACILITY TOTAL", 11, "NON-FACILITY TOTAL"),
    Wanted("facility_total", "FACILITY TOTAL", 12, "FACILITY TOTAL"),
    Wanted("pc_tc", "PCTC IND", 13, "PCTC IND"),
    Wanted("global_days", "GLOB DAYS", 14, "GLOB DAYS"),
    Wanted("multiple", "MULT PROC", 18, "MULT PROC"),
    Wanted("bilateral", "BILAT SURG", 19, "BILAT SURG"),
    Wanted("conversion_factor", "CONV FACTOR", 25, "CONV FACTOR"),
)


class FeeRow(msgspec.Struct, frozen=True, array_like=True):
    """The relative values (RVU) and payment indicators of a code with one modifier (or an empty one).

    `office_na` and `facility_na`: not paid in an office, or in a facility. `pc_tc` is the PC/TC indicator, `multiple`
    that of reductions for multiple procedures. `conversion_factor` is in US dollars per RVU.
    """

    code: str
    modifier: str
    status: str
    pc_tc: str
    work: Decimal
    office_pe: Decimal
    facility_pe: Decimal
    mp: Decimal
    office_total: Decimal
    facility_total: Decimal
    office_na: bool
    facility_na: bool
    global_days: str
    multiple: str
    bilateral: str
    conversion_factor: Decimal

    @property
    def identity(self) -> tuple[str, ...]:
        """Code and modifier."""
        return (self.code, self.modifier)


def recognizes(head: str) -> bool:
    """True for the title, or a header with code, modifier and description."""
    return (
        _TITLE.search(head.partition("\n")[0]) is not None
        or re.search(r"^HCPCS,MOD,DESCRIPTION", head, re.MULTILINE) is not None
    )


def stamp(head: str, name: str) -> Stamp:
    """The release from the title, or its month from the name; the twin from the name.

    Raises UnusableFile for the text of fixed width, which has a twin as CSV.
    """
    if re.search(r"^HDR", head, re.MULTILINE):
        raise UnusableFile("line 1: expected the same table as CSV (PPRRVU….csv, in the same zip)")
    title, month, twin = _TITLE.search(head), _MONTH.search(name), _TWIN.search(name)
    named = (title and title[2]) or (month and month[1])
    quarter = quarter_of_month(title[1], named) if title and named else quarter_in(name)
    setting = None
    if twin:
        setting = "nonqpp" if twin[1] else "qpp"
    elif quarter and quarter.year < FIRST_YEAR_OF_TWINS:
        setting = "all"
    return Stamp(setting, quarter)


def groups(text: OpenText) -> Iterator[Group]:
    """The fees by code. Raises UnusableFile."""
    return gathered((record.line, row.code, row) for record in _records(text) for row in [_row(record)])


def _records(text: OpenText) -> Iterator[Record]:
    """The records after the header; the labels above its last line are joined by column."""
    records = records_of(text.stream)
    above: list[list[str]] = []
    for line, cells in records:
        above = [*above[1 - _HEADER_LINES :], cells]
        if [cell.strip().upper() for cell in cells[:2]] == ["HCPCS", "MOD"]:
            labels = [" ".join(_part(row, index) for row in above) for index in range(len(cells))]
            columns = columns_of(line, labels, _WANTED)
            return body(records, columns, len(cells))
    raise fault(1, 1, "header", "the columns `HCPCS` and `MOD`")


def _part(row: list[str], index: int) -> str:
    """A part of a label; a title fills one cell of its row only and is none."""
    is_title = sum(bool(cell.strip()) for cell in row) == 1
    return row[index] if index < len(row) and not is_title else ""


def _row(record: Record) -> FeeRow:
    modifier = record.text("modifier")
    if not re.fullmatch(r"[0-9A-Z]{0,2}", modifier):
        raise record.fault("modifier", "a modifier of two characters, or nothing")
    return FeeRow(
        code=record.code("code"),
        modifier=modifier,
        office_na=record.one_of("office_na", ("", "NA")) == "NA",
        facility_na=record.one_of("facility_na", ("", "NA")) == "NA",
        status=record.text("status"),
        pc_tc=record.text("pc_tc"),
        work=record.amount("work"),
        office_pe=record.amount("office_pe"),
        facility_pe=record.amount("facility_pe"),
        mp=record.amount("mp"),
        office_total=record.amount("office_total"),
        facility_total=record.amount("facility_total"),
        global_days=record.text("global_days"),
        multiple=record.text("multiple"),
        bilateral=record.text("bilateral"),
        conversion_factor=record.amount("conversion_factor"),
    )


LAYOUT = Layout(
    kind="fees",
    title="Fee schedule",
    settings={"nonqpp": "nonQPP", "qpp": "QPP", "all": ""},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=decoder(FeeRow),
)
