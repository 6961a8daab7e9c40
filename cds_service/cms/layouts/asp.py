"""Medicare Part B drugs: the ASP NDC-HCPCS crosswalk, and the payment limits.

Both are CSV with title lines that state the first and last day of service. The crosswalk's first label has the year in
it, and older ones call the NDC `NDC2`. An NDC is stored with 11 digits; a few of another length stay as
published.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import quarter_of
from cds_service.cms.text import Record, Wanted, table_of
from cds_service.errors import UnusableFile

_PERIOD = re.compile(r"Effective ([A-Z][a-z]+) (\d{1,2}), (\d{4}) through", re.IGNORECASE)
_NONE = ("", "N/A")
_MONTHS = "january february march april may june july august september october november december".split()
_CROSSWALK = re.compile(r"\bASP NDC ?- ?HCPCS Crosswalk", re.IGNORECASE)
_OTHER_CROSSWALK = re.compile(r"\b(AWP|OPPS|NOC)\b.*Crosswalk", re.IGNORECASE)
_LIMITS = re.compile(r"Payment Allowance Limits for Medicare Part B Drugs", re.IGNORECASE)
_CROSSWALK_COLUMNS = (
    Wanted("code", r"_?\d{4}[_ ]CODE", 0, "_<year>_CODE"),
    Wanted("labeler", "LABELER NAME", 2, "LABELER NAME"),
    Wanted("ndc", "NDC2?", 3, "NDC"),
    Wanted("drug", "Drug Name", 4, "Drug Name"),
    Wanted("dosage", "HCPCS dosage", 5, "HCPCS dosage"),
    Wanted("package_size", "PKG SIZE", 6, "PKG SIZE"),
    Wanted("package_quantity", "PKG QTY", 7, "PKG QTY"),
    Wanted("units", "BILL ?UNITS", 8, "BILLUNITS"),
    Wanted("package_units", "BILL ?UNITS ?PKG", 9, "BILLUNITSPKG"),
)
_LIMIT_COLUMNS = (
    Wanted("code", "HCPCS Code", 0, "HCPCS Code"),
    Wanted("dosage", "HCPCS Code Dosage", 2, "HCPCS Code Dosage"),
    Wanted("limit", "Payment Limit", 3, "Payment Limit"),
    Wanted("coinsurance", "Co-?insurance Percentage", 4, "Co-insurance Percentage"),
)


class ProductRow(msgspec.Struct, frozen=True, array_like=True):
    """A drug product and its billing code. `units` are HCPCS units per item, `package_units` per package.

    `ndc` has 11 digits (5-4-2), or is as published if it is no NDC. `dosage` is the amount of one unit. Amounts that
    the file does not state are None.
    """

    ndc: str
    code: str
    drug: str
    labeler: str
    dosage: str
    package_size: Decimal | None
    package_quantity: Decimal | None
    units: Decimal | None
    package_units: Decimal | None

    @property
    def identity(self) -> tuple[str, ...]:
        """The code and the NDC."""
        return (self.code, self.ndc)


class PaymentLimitRow(msgspec.Struct, frozen=True, array_like=True):
    """Medicare's payment limit of a code in US dollars per unit of `dosage`; None where the file says N/A.

    `coinsurance` is the patient's share in percent.
    """

    code: str
    dosage: str
    limit: Decimal | None
    coinsurance: Decimal | None

    @property
    def identity(self) -> tuple[str, ...]:
        """The code."""
        return (self.code,)


def plain_ndc(text: str) -> str:
    """An NDC as 11 digits: hyphenated parts are filled to 5-4-2; other digits stay as they are."""
    parts = text.strip().split("-")
    if len(parts) == 3:
        return "".join(part.zfill(width) for part, width in zip(parts, (5, 4, 2), strict=True))
    return "".join(parts)


def recognizes_crosswalk(head: str) -> bool:
    """True for the crosswalk's title, or its first label; also for crosswalks of other files, which `stamp` refuses."""
    header = re.search(r"^_?\d{4}[_ ]CODE,", head, re.MULTILINE | re.IGNORECASE)
    return header is not None or _CROSSWALK.search(_title(head)) is not None


def recognizes_limits(head: str) -> bool:
    """True for the title of the payment limits."""
    return _LIMITS.search(_title(head)) is not None


def _title(head: str) -> str:
    """The first line."""
    return head.partition("\n")[0]


def stamp(head: str, _name: str) -> Stamp:
    """The release and first day from the titles. Raises UnusableFile for a crosswalk of another file."""
    if _OTHER_CROSSWALK.search(_title(head)):
        raise UnusableFile("line 1: expected the ASP NDC-HCPCS crosswalk, not the AWP, OPPS or NOC one")
    found = _PERIOD.search(head)
    if not found or found[1].lower() not in _MONTHS:
        return Stamp("")
    try:
        first = date(int(found[3]), 1 + _MONTHS.index(found[1].lower()), int(found[2]))
    except ValueError:
        return Stamp("")
    return Stamp("", quarter_of(first), first)


def products(text: OpenText) -> Iterator[Group]:
    """The products by NDC. Raises UnusableFile."""
    records = table_of(text.stream, _CROSSWALK_COLUMNS)
    return gathered((record.line, row.ndc, row) for record in records for row in [_product(record)])


def limits(text: OpenText) -> Iterator[Group]:
    """The payment limits by code. Raises UnusableFile."""
    records = table_of(text.stream, _LIMIT_COLUMNS)
    return gathered((record.line, row.code, row) for record in records for row in [_limit(record)])


def _product(record: Record) -> ProductRow:
    ndc = plain_ndc(record.text("ndc"))
    if not re.fullmatch(r"[0-9A-Z]{8,14}", ndc):
        raise record.fault("ndc", "an NDC such as 12345-6789-01")
    numbers = ("package_size", "package_quantity", "units", "package_units")
    drug, labeler, dosage = (record.text(name) for name in ("drug", "labeler", "dosage"))
    amounts = (record.number(name, _NONE) for name in numbers)
    return ProductRow(ndc, record.code("code"), drug, labeler, dosage, *amounts)


def _limit(record: Record) -> PaymentLimitRow:
    limit, coinsurance = (record.number(name, _NONE) for name in ("limit", "coinsurance"))
    return PaymentLimitRow(record.code("code"), record.text("dosage"), limit, coinsurance)


CROSSWALK = Layout(
    kind="asp-crosswalk",
    title="ASP NDC-HCPCS crosswalk",
    settings={"": ""},
    recognizes=recognizes_crosswalk,
    stamp=stamp,
    groups=products,
    rows=decoder(ProductRow),
)
LIMITS = Layout(
    kind="asp-limits",
    title="ASP payment limits",
    settings={"": ""},
    recognizes=recognizes_limits,
    stamp=stamp,
    groups=limits,
    rows=decoder(PaymentLimitRow),
)
