"""Add-on code edits (AOC): `AOC_V2026Q3-F-MCR.txt` with fixed width, or a delimited twin with a header.

Fixed width: type [0], add-on [1:6], its deletion [6:13], primary [13:18], its deletion [18:25], effective [25:32],
deletion of the edit [32:39], note [39:97]. Dates are written YYYYDDD. The primary `CCCCC` means that contractors define
the primaries. A release also lists ended edits, so it answers for every day since the first edits in 2013.
"""

import re
from collections.abc import Iterator
from datetime import date

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import quarter_in
from cds_service.cms.text import Record, Wanted, fixed_records, julian_day, table_of

FIRST_DAY = date(2013, 4, 1)
CONTRACTOR_DEFINED = "CCCCC"

_FIXED = re.compile(r"^[123][0-9A-Z]{5}.{7}[0-9A-Z]{5}.{7}\d{7}", re.MULTILINE)
_HEADER = re.compile(r"^\"?AOC[_ ]Edit[_ ]Type\"?([\t,])", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"AOC[_-]V?(\d{4}-?Q[1-4])", re.IGNORECASE)
_WIDTH = 97
_PLACES = {
    "type": (0, 1),
    "add_on": (1, 6),
    "add_on_last": (6, 13),
    "primary": (13, 18),
    "primary_last": (18, 25),
    "first": (25, 32),
    "last": (32, 39),
}
_DATE = r"[_ ](Del|Eff)[_ ]?D(a)?te?( \(Julian\))?"
_WANTED = (
    Wanted("type", r"AOC[_ ]Edit[_ ]Type", 0, "AOC_Edit_Type"),
    Wanted("add_on", r"Add-On[_ ]Code", 1, "Add-On_Code"),
    Wanted("add_on_last", rf"(AOC|Add-On[_ ]Code){_DATE}", 2, "AOC_DelDT"),
    Wanted("primary", r"Primary[_ ]Code", 3, "Primary_Code"),
    Wanted("primary_last", rf"Primary[_ ]Code{_DATE}", 4, "Primary_Code_DelDT"),
    Wanted("first", r"AOC[_ ]Edit[_ ]Eff[_ ]?D(a)?te?( \(Julian\))?", 5, "AOC_Edit_EffDT"),
    Wanted("last", r"AOC[_ ]Edit[_ ]Del[_ ]?D(a)?te?( \(Julian\))?", 6, "AOC_Edit_DelDT"),
)


class AddOnRow(msgspec.Struct, frozen=True, array_like=True):
    """An add-on code with one primary and the first and last day of service of the edit and of both codes.

    `type` 1: closed list of primaries. 2: contractors define the primaries. 3: some listed, others by contractors.
    """

    add_on: str
    type: int
    primary: str
    first: date
    last: date | None = None
    add_on_last: date | None = None
    primary_last: date | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Add-on, primary and first day."""
        return (self.add_on, self.primary, self.first.isoformat())

    def in_force(self, day: date) -> bool:
        """True on the days on which the edit and both codes are in force."""
        return self.first <= day and (self.ends is None or day <= self.ends)

    @property
    def ends(self) -> date | None:
        """The last day on which the edit and both codes are in force; None if there is no end."""
        return min((each for each in (self.last, self.add_on_last, self.primary_last) if each), default=None)


def recognizes(head: str) -> bool:
    """True for the header of the delimited form, or a first line of the fixed width."""
    return _HEADER.search(head) is not None or _FIXED.match(head) is not None


def stamp(_head: str, name: str) -> Stamp:
    """The release from the name; the text states none."""
    found = _NAME.search(name)
    return Stamp("", quarter_in(found[1]) if found else None)


def groups(text: OpenText) -> Iterator[Group]:
    """The edits by add-on code. Raises UnusableFile."""
    return gathered((record.line, row.add_on, row) for record in _records(text) for row in [_row(record)])


def _records(text: OpenText) -> Iterator[Record]:
    """The records of either form; the form is that of the text's beginning."""
    header = _HEADER.search(text.head)
    return table_of(text.stream, _WANTED, header[1]) if header else fixed_records(text.stream, _PLACES, _WIDTH)


def _row(record: Record) -> AddOnRow:
    kind = record.one_of("type", ("1", "2", "3"))
    first = _day(record, "first")
    if first is None:
        raise record.fault("first", "a date written YYYYDDD")
    return AddOnRow(
        record.code("add_on"),
        int(kind),
        record.code("primary"),
        first,
        _day(record, "last"),
        _day(record, "add_on_last"),
        _day(record, "primary_last"),
    )


def _day(record: Record, name: str) -> date | None:
    value = record.text(name)
    if not value:
        return None
    try:
        return julian_day(value)
    except ValueError:
        raise record.fault(name, "a date written YYYYDDD, or nothing") from None


LAYOUT = Layout(
    kind="add-ons",
    title="Add-on codes",
    settings={"": ""},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=decoder(AddOnRow),
    since=FIRST_DAY,
)
