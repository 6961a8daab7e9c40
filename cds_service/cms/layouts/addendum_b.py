"""OPPS Addendum B: status indicator, APC and payment rate of each code in hospital outpatient departments.

Several title lines stand before the header. Amounts have `$` and thousands separators, `.` is an empty cell. The titles
name year and month in some releases; in others only the name of the file does.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import Quarter, quarter_in, quarter_of_month
from cds_service.cms.text import Record, Wanted, table_of

_MONTHS = r"(January|April|July|October)"
_MONTH_YEAR = re.compile(rf"{_MONTHS}[ _]+(\d{{4}})", re.IGNORECASE)
_YEAR_MONTH = re.compile(rf"(?<!\d)(\d{{4}})[ _]+{_MONTHS}", re.IGNORECASE)
_CODE_LABEL = re.compile(r"^\"?HCPCS ?Code", re.MULTILINE | re.IGNORECASE)
_WANTED = (
    Wanted("code", "HCPCS ?Code", 0, "HCPCS Code"),
    Wanted("status", "SI|Status Indicator", 2, "SI"),
    Wanted("apc", "APC", 3, "APC"),
    Wanted("weight", "Relative Weight", 4, "Relative Weight"),
    Wanted("rate", "Payment Rate", 5, "Payment Rate"),
    Wanted("copayment", "National Unadjusted Copayment", 6, "National Unadjusted Copayment"),
    Wanted("minimum_copayment", "Minimum Unadjusted Copayment", 7, "Minimum Unadjusted Copayment"),
)


class StatusRow(msgspec.Struct, frozen=True, array_like=True):
    """The status indicator of a code, and its APC, relative weight, rate and copayments (US dollars), if any."""

    code: str
    status: str
    apc: str
    weight: Decimal | None
    rate: Decimal | None
    copayment: Decimal | None
    minimum_copayment: Decimal | None

    @property
    def identity(self) -> tuple[str, ...]:
        """The code."""
        return (self.code,)


def recognizes(head: str) -> bool:
    """True for the title, or a header with code, status indicator and APC."""
    header = re.search(r"^\"?HCPCS ?Code\"?,.*\bSI\b.*\bAPC\b", head, re.MULTILINE | re.IGNORECASE)
    return header is not None or re.match(r"\W*Addendum B\b.*OPPS", head, re.IGNORECASE) is not None


def stamp(head: str, name: str) -> Stamp:
    """The release from the titles, else from the name."""
    header = _CODE_LABEL.search(head)
    titles = head[: header.start()] if header else head
    return Stamp("", _quarter(titles) or _quarter(name))


def _quarter(text: str) -> Quarter | None:
    if found := _MONTH_YEAR.search(text):
        month, year = found.groups()
        return quarter_of_month(year, month)
    if found := _YEAR_MONTH.search(text):
        year, month = found.groups()
        return quarter_of_month(year, month)
    return quarter_in(text)


def groups(text: OpenText) -> Iterator[Group]:
    """The statuses by code. Raises UnusableFile."""
    return gathered((record.line, row.code, row) for record in table_of(text.stream, _WANTED) for row in [_row(record)])


def _row(record: Record) -> StatusRow:
    status = record.text("status")
    if not re.fullmatch(r"[A-Z][0-9]?", status):
        raise record.fault("status", "a status indicator such as S or Q1")
    apc = record.text("apc")
    if not re.fullmatch(r"\d{0,5}", apc, re.ASCII):
        raise record.fault("apc", "the number of an APC, or nothing")
    amounts = [record.number(each.name) for each in _WANTED[3:]]
    return StatusRow(record.code("code"), status, apc, *amounts)


LAYOUT = Layout(
    kind="opps",
    title="OPPS Addendum B",
    settings={"": ""},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=decoder(StatusRow),
)
