"""A release of CMS's tables with invented rows, written in the true layouts and loaded as a user loads it.

Facts about codes in these releases are invented for the tests; a code's number says nothing of a true edit or limit.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cds_service.cms import store
from cds_service.cms.quarters import Quarter
from cds_service.cms.recognize import Given
from tests.support import cms_files as cms

SERVICES = {"professional": "Practitioner Services", "facility": "Outpatient Hospital Services", "dme": "DME Supplier"}
MONTHS = {1: "January", 2: "April", 3: "July", 4: "October"}

_PTP_NAMES = {"professional": "pra", "facility": "oph"}
_VERSION_0 = 1994  # of the PTP edits: version 32 is 2026
_PARTS = {1: "0", 2: "4", 3: "7", 4: "A"}  # the first character of each part's first code

Rows = Iterable[tuple[str, ...]]


@dataclass(frozen=True)
class Release:
    """The tables of a quarter; a table without rows is not written.

    `pairs` by setting: (column 1, column 2, first, last or `*`, indicator). `limits` by setting: (code, units, MAI).
    `add_ons`: (type, add-on, primary, first, last). `components`: (code, PC/TC indicator). `statuses`: (code, OPPS
    status). `level_ii`: (code, added, terminated). `without_parts`: parts of the pairs that are not written.
    """

    quarter: Quarter
    pairs: Mapping[str, Rows] = field(default_factory=dict)
    limits: Mapping[str, Iterable[tuple[str, str, str]]] = field(default_factory=dict)
    add_ons: Rows = ()
    components: Iterable[tuple[str, str]] = ()
    statuses: Iterable[tuple[str, str]] = ()
    level_ii: Iterable[tuple[str, str, str]] = ()
    without_parts: frozenset[int] = frozenset()

    def files(self) -> dict[str, bytes]:
        """The texts by CMS's names."""
        quarter, found = self.quarter, dict[str, bytes]()
        for setting, edits in self.pairs.items():
            version = f"{quarter.year - _VERSION_0}{quarter.number - 1}"
            for part, rows in _parts(edits).items():
                if part not in self.without_parts:
                    found[f"cci{_PTP_NAMES[setting]}-v{version}r0-f{part}.txt"] = cms.ptp(rows)
        day = quarter.first.strftime("%m-%d-%Y")
        for setting, limits in self.limits.items():
            name = SERVICES[setting].replace(" ", "")
            service = SERVICES[setting] if "Services" in SERVICES[setting] else f"{SERVICES[setting]} Services"
            found[f"MCR_MUE_{name}_Eff_{day}.csv"] = cms.mue(limits, service)
        if self.add_ons:
            found[f"AOC_V{quarter}-F-MCR.txt"] = cms.add_ons(sorted(self.add_ons, key=lambda row: row[1]))
        month = MONTHS[quarter.number]
        if self.components:
            title = f"{quarter.year} National Physician Fee Schedule Relative Value File {month} Release"
            fees = [(code, "", "A", indicator, "1.00", "2.00", "2.00") for code, indicator in self.components]
            twin = "_nonQPP" if quarter.year > 2025 else ""
            found[f"PPRRVU{quarter.year}_{month[:3]}{twin}.csv"] = cms.fees(fees, title)
        if self.statuses:
            titles = (f"Addendum B.-OPPS Payment by HCPCS Code for CY {quarter.year}", f"{month} {quarter.year}")
            rates = [(code, status, ".", ".") for code, status in self.statuses]
            found[f"addendum-b-{quarter}.csv"] = cms.addendum_b(rates, titles)
        if self.level_ii:
            records = [(code, "3", added, ended) for code, added, ended in self.level_ii]
            found[f"HCPC{quarter.year}_{month[:3].upper()}_ANWEB.csv"] = cms.hcpcs(records)
        return found


def _parts(edits: Rows) -> dict[int, list[tuple[str, ...]]]:
    """The edits of the four parts, sorted; each part begins with an edit of codes that no claim has."""
    parts: dict[int, list[tuple[str, ...]]] = {
        part: [(f"{first}0000", f"{first}0001", "19960101", "19961231", "0")] for part, first in _PARTS.items()
    }
    for edit in sorted(edits):
        parts[max(part for part, first in _PARTS.items() if first <= edit[0][0])].append(edit)
    return parts


def load(folder: Path, *releases: Release) -> Path:
    """Load releases into a folder; the folder."""
    for release in releases:
        with tempfile.TemporaryDirectory() as temporary:
            for name, content in release.files().items():
                path = Path(temporary) / name
                path.write_bytes(content)
                store.add(folder, [path], Given(release.quarter))
    return folder


def compact(day: date) -> str:
    """A day as most layouts write it: YYYYMMDD."""
    return day.strftime("%Y%m%d")
