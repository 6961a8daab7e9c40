"""HCPCS Level II: `HCPC2026_OCT_ANWEB.csv`, or fixed width of 320 characters.

A code has several records: the first (record id 3, modifiers 7) has its dates, the others (4 and 8) continue the
description, which is not kept. The text states no release; the name does.
"""

import re
from collections.abc import Iterator
from datetime import date

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import Quarter, quarter_in, quarter_of_month
from cds_service.cms.text import Record, Wanted, fixed_records, table_of

_NAME = re.compile(r"HCPC(\d{4})_(JAN|APR|JUL|OCT|CONTR)", re.IGNORECASE)
_FIXED = re.compile(r"(?:[0-9A-Z]{5}|   [0-9A-Z]{2})\d{5}[3478].{309}\r?$", re.MULTILINE)
_WIDTH = 320
_FIRST_RECORDS = {"3", "7"}
_CONTINUED = {"4", "8"}
_PLACES = {
    "code": (0, 5),
    "record": (10, 11),
    "coverage": (229, 230),
    "betos": (256, 259),
    "added": (268, 276),
    "effective": (276, 284),
    "terminated": (284, 292),
    "action": (292, 293),
}
_WANTED = (
    Wanted("code", "HCPC(S)?", 0, "HCPC"),
    Wanted("record", "RECID", 2, "RECID"),
    Wanted("coverage", "COV", 30, "COV"),
    Wanted("betos", "BETOS", 37, "BETOS"),
    Wanted("added", "ADD DT", 44, "ADD DT"),
    Wanted("effective", "ACT EFF DT", 45, "ACT EFF DT"),
    Wanted("terminated", "TERM DT", 46, "TERM DT"),
    Wanted("action", "ACTION CD", 47, "ACTION CD"),
)


class HcpcsRow(msgspec.Struct, frozen=True, array_like=True):
    """A code or modifier: first day, first day of its present record, last day, and CMS's codes for coverage and type.

    `action` is the kind of its last change, such as N (none) or D (discontinued).
    """

    code: str
    added: date
    effective: date | None
    terminated: date | None
    coverage: str
    betos: str
    action: str

    @property
    def identity(self) -> tuple[str, ...]:
        """The code."""
        return (self.code,)

    def in_force(self, day: date) -> bool:
        """True from its first to its last day."""
        return self.added <= day and (self.terminated is None or day <= self.terminated)


def recognizes(head: str) -> bool:
    """True for the header of the CSV, or a first line of the fixed width."""
    return re.match(r"HCPCS?,SEQNUM,RECID", head, re.IGNORECASE) is not None or _FIXED.match(head) is not None


def stamp(_head: str, name: str) -> Stamp:
    """The release from the name: `HCPC2026_OCT_...`; the yearly file of contractors is January's."""
    found = _NAME.search(name)
    if not found:
        return Stamp("", quarter_in(name))
    month = found[2].upper()
    return Stamp("", Quarter(int(found[1]), 1) if month == "CONTR" else quarter_of_month(found[1], month))


def groups(text: OpenText) -> Iterator[Group]:
    """The codes. Raises UnusableFile."""
    return gathered((record.line, row.code, row) for record in _records(text) for row in _rows(record))


def _records(text: OpenText) -> Iterator[Record]:
    is_fixed = _FIXED.match(text.head)
    return fixed_records(text.stream, _PLACES, _WIDTH) if is_fixed else table_of(text.stream, _WANTED)


def _rows(record: Record) -> Iterator[HcpcsRow]:
    """The row of a first record; none of a continuation."""
    if record.one_of("record", (*sorted(_FIRST_RECORDS), *sorted(_CONTINUED))) in _CONTINUED:
        return
    code = record.text("code")
    if not re.fullmatch(r"[0-9A-Z]{5}|[0-9A-Z]{2}", code):
        raise record.fault("code", "a code of five characters, or a modifier of two")
    added = record.day("added")
    if added is None:
        raise record.fault("added", "a date written YYYYMMDD")
    others = (record.text(name) for name in ("coverage", "betos", "action"))
    yield HcpcsRow(code, added, record.day("effective"), record.day("terminated"), *others)


LAYOUT = Layout(
    kind="hcpcs",
    title="HCPCS Level II",
    settings={"": ""},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=decoder(HcpcsRow),
)
