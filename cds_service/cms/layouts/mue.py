"""Medically unlikely edits (MUE): `MCR_MUE_PractitionerServices_Eff_10-01-2026.csv`, one for each of three settings.

The first record is a quoted notice with line breaks, the second the header, whose first label is broken in two and
whose second names the setting. Only the name of the file states the effective date. Zero is a real limit. A missing
code may have a limit that CMS keeps confidential.
"""

import re
from collections.abc import Iterator
from datetime import date

import msgspec

from cds_service.cms.layouts.base import Group, Layout, OpenText, Stamp, decoder, gathered
from cds_service.cms.quarters import quarter_of
from cds_service.cms.text import Record, Wanted, table_of

_SETTINGS = {"practitioner": "professional", "outpatient hospital": "facility", "dme supplier": "dme"}
_UNITS = re.compile(r"(practitioner|outpatient hospital|dme supplier) services\s+mue values", re.IGNORECASE)
_DATE = re.compile(r"eff[_-](\d\d)-(\d\d)-(\d{4})", re.IGNORECASE)
_INDICATOR = re.compile(r"([123]) (Line Edit|Date of Service Edit: (Policy|Clinical))")
_WANTED = (
    Wanted("code", r"HCPCS ?/ ?CPT Code", 0, "HCPCS/CPT Code"),
    Wanted("units", r".* MUE Values", 1, "MUE Values"),
    Wanted("mai", r"MUE Adjudication Indicator", 2, "MUE Adjudication Indicator"),
    Wanted("rationale", r"MUE Rationale", 3, "MUE Rationale"),
)


class LimitRow(msgspec.Struct, frozen=True, array_like=True):
    """The maximum HCPCS units of a code per patient and day.

    `mai` 1: per claim line. 2: absolute limit by policy. 3: more may be paid on appeal.
    """

    code: str
    units: int
    mai: int
    rationale: str

    @property
    def identity(self) -> tuple[str, ...]:
        """The code."""
        return (self.code,)


def recognizes(head: str) -> bool:
    """True for a header with MUE values."""
    return re.search(r"HCPCS/\s*CPT Code\"?,\"?[^,\n]*MUE Values", head, re.IGNORECASE) is not None


def stamp(head: str, name: str) -> Stamp:
    """The setting from the header, the effective date from the name."""
    units = _UNITS.search(head)
    setting = _SETTINGS[" ".join(units[1].lower().split())] if units else None
    found = _DATE.search(name)
    try:
        first = date(int(found[3]), int(found[1]), int(found[2])) if found else None
    except ValueError:
        first = None
    return Stamp(setting, quarter_of(first) if first else None, first)


def groups(text: OpenText) -> Iterator[Group]:
    """The limits by code. Raises UnusableFile."""
    return gathered((record.line, row.code, row) for record in table_of(text.stream, _WANTED) for row in [_row(record)])


def _row(record: Record) -> LimitRow:
    units = record.text("units")
    if not re.fullmatch(r"\d{1,6}", units, re.ASCII):
        raise record.fault("units", "a whole number of units")
    mai = _INDICATOR.fullmatch(" ".join(record.text("mai").split()))
    if mai is None:
        raise record.fault("mai", "1 Line Edit, 2 Date of Service Edit: Policy, or 3 Date of Service Edit: Clinical")
    return LimitRow(record.code("code"), int(units), int(mai[1]), record.text("rationale"))


LAYOUT = Layout(
    kind="mue",
    title="MUE",
    settings={"professional": "practitioner", "facility": "outpatient hospital", "dme": "DME supplier"},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=decoder(LimitRow),
)
