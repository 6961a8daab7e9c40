"""Lookup in the loaded tables by code and date of service.

`Tables` looks at the folder at most once a second and hands out a `Snapshot`, which stays as it is: one for each call,
so that all rules of a call see the same tables. A removed file answers in the snapshots that have it.
"""

import sqlite3
import time
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from cds_service.cms.answers import (
    AddOn,
    ClaimSetting,
    Fee,
    HcpcsCode,
    LimitSetting,
    NotLoaded,
    OppsStatus,
    PairEdit,
    PairsAmong,
    PaymentLimit,
    Primary,
    Product,
    UnitLimit,
)
from cds_service.cms.catalog import connect, files_in, release_of
from cds_service.cms.layouts import LAYOUTS, add_ons, ptp
from cds_service.cms.layouts.asp import plain_ndc
from cds_service.cms.text import CODE
from cds_service.errors import UnusableFile
from cds_service.telemetry.logs import log

_SECONDS_BETWEEN_LOOKS = 1.0
_ROWS = "SELECT rows FROM groups WHERE key = ?"


class TableFile:
    """An open file. Its connection is shared by threads, which take turns."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._lock = Lock()
        self.release = release_of(self._connection)
        self._layout = LAYOUTS[self.release.kind]

    def blob(self, key: str) -> bytes | None:
        """The encoded rows of a key, or None. Raises sqlite3.Error if the disk fails."""
        with self._lock:
            found = self._connection.execute(_ROWS, (key,)).fetchone()
        return found[0] if found else None

    def rows(self, key: str) -> list[Any]:
        """The rows of a key; none if it has none."""
        blob = self.blob(key)
        return [] if blob is None else self._layout.rows(key, blob, self.release.texts)

    def groups(self) -> Iterator[tuple[str, list[Any]]]:
        """All keys with their rows, in order."""
        for key, blob in self._connection.execute("SELECT key, rows FROM groups ORDER BY key"):
            yield key, self._layout.rows(key, blob, self.release.texts)


class _Series:
    """The files of one kind and setting, newest first: by first day, then by the time of loading."""

    def __init__(self, kind: str, setting: str, files: list[TableFile]) -> None:
        self.kind = kind
        self.setting = setting
        self.files = sorted(files, key=lambda file: (file.release.first, file.release.added), reverse=True)
        self.last = max((file.release.last for file in files), default=date.min)

    def of(self, day: date) -> TableFile | NotLoaded:
        """The file of the release that the day is in."""
        for file in self.files:
            if file.release.first <= day <= file.release.last:
                return file
        return self.not_loaded(day)

    def reaching(self, day: date) -> list[TableFile]:
        """The files whose release ends on the day or later, newest first: they state dates of their own."""
        return [file for file in self.files if day <= file.release.last]

    def not_loaded(self, day: date, *, part: bool = False) -> NotLoaded:
        """The answer that the table of the day is not loaded."""
        if not self.files:
            return NotLoaded(self.kind, self.setting, day, "none")
        newest = max((file.release for file in self.files), key=lambda release: release.last)
        if part:
            return NotLoaded(self.kind, self.setting, day, "part", newest)
        if day > self.last:
            return NotLoaded(self.kind, self.setting, day, "after", newest)
        is_before = day < min(file.release.first for file in self.files)
        return NotLoaded(self.kind, self.setting, day, "before" if is_before else "between", newest)


class _Parts:
    """The parts of one release of PTP edits: sorted by column 1, each from its first to its last code.

    Between two consecutive parts, before the first and after the last of all there is no edit; elsewhere a code belongs
    to a part that is not loaded.
    """

    def __init__(self, files: list[TableFile]) -> None:
        self.release = files[0].release
        numbers: dict[int, TableFile] = {}
        for file in files:
            if file.release.part:
                numbers.setdefault(file.release.part, file)
        self._unnumbered = [file for file in files if not file.release.part]
        self._numbers = numbers
        self._end = max(ptp.PARTS, *numbers) if numbers else ptp.PARTS

    def covers(self, column_1: str) -> tuple[bool, TableFile | None]:
        """True if the edits of a code are loaded, and the file that has them; None if there are none."""
        for file in (*self._numbers.values(), *self._unnumbered):
            if file.release.low <= column_1 <= file.release.high:
                return True, file
        below = [number for number, file in self._numbers.items() if file.release.high < column_1]
        above = [number for number, file in self._numbers.items() if column_1 < file.release.low]
        if not self._numbers:
            return False, None
        before = max(below, default=0)
        after = min(above, default=self._end + 1)
        return after == before + 1, None


class Snapshot:
    """The tables as they were loaded at one moment. Lookups never wait for a change of the folder."""

    def __init__(self, files: Collection[TableFile], faults: tuple[str, ...] = ()) -> None:
        self.releases = tuple(file.release for file in files)
        self.faults = faults
        keys = {(kind, setting) for kind, layout in LAYOUTS.items() for setting in layout.settings}
        self._series = {
            (kind, setting): _Series(
                kind, setting, [file for file in files if (file.release.kind, file.release.setting) == (kind, setting)]
            )
            for kind, setting in keys
        }
        self._editions = {setting: self._by_release(setting) for setting in ("professional", "facility")}

    def _by_release(self, setting: str) -> list[_Parts]:
        """The releases of PTP edits, newest first."""
        found: dict[str, list[TableFile]] = {}
        for file in self._series["ptp", setting].files:
            found.setdefault(file.release.quarter, []).append(file)
        return [_Parts(files) for _, files in sorted(found.items(), reverse=True)]

    def pair(self, column_1: str, column_2: str, day: date, setting: ClaimSetting) -> PairEdit | NotLoaded | None:
        """The edit of two codes in this order on a day; None if there is none."""
        found = self._edits(column_1, [ptp.number_of(column_2)] if CODE.fullmatch(column_2) else [], day, setting)
        return found if isinstance(found, NotLoaded) else next(iter(found), None)

    def pairs(self, codes: Collection[str], day: date, setting: ClaimSetting) -> PairsAmong:
        """All edits among the codes of a claim on a day, in either order; made for 50 codes at once."""
        known = sorted({code for code in codes if CODE.fullmatch(code)})
        numbers = [ptp.number_of(code) for code in known]
        edits: list[PairEdit] = []
        not_loaded: dict[str, NotLoaded] = {}
        for column_1 in known:
            found = self._edits(column_1, numbers, day, setting)
            if isinstance(found, NotLoaded):
                not_loaded[column_1] = found
            else:
                edits.extend(found)
        return PairsAmong(tuple(edits), not_loaded)

    def _edits(self, column_1: str, numbers: list[int], day: date, setting: str) -> list[PairEdit] | NotLoaded:
        """The edits of a column 1 code with others, by the newest release that has its part and reaches the day."""
        series = self._series["ptp", setting]
        if day < ptp.FIRST_DAY or day > series.last:
            return series.not_loaded(day)
        for edition in self._editions[setting]:
            if day > edition.release.last:
                break
            is_loaded, file = edition.covers(column_1)
            if is_loaded:
                return [] if file is None else _in_force(file, column_1, numbers, day)
        return series.not_loaded(day, part=True)

    def unit_limit(self, code: str, day: date, setting: LimitSetting) -> UnitLimit | NotLoaded | None:
        """The unit limit of a code; None if CMS publishes none, though it may keep a confidential one."""
        found = self._series["mue", setting].of(day)
        if isinstance(found, NotLoaded):
            return found
        for row in found.rows(code):
            return UnitLimit(code, row.units, row.mai, row.rationale, found.release)
        return None

    def add_on(self, code: str, day: date) -> AddOn | NotLoaded | None:
        """The primaries of an add-on code on a day; None if the code is no add-on."""
        series = self._series["add-ons", ""]
        files = series.reaching(day)
        if not files or day < add_ons.FIRST_DAY:
            return series.not_loaded(day)
        rows = [row for row in files[0].rows(code) if row.in_force(day)]
        if not rows:
            return None
        primaries = tuple(Primary(row.primary, row.first, row.ends) for row in rows)
        return AddOn(code, rows[0].type, primaries, files[0].release)

    def fee(self, code: str, modifier: str, day: date, *, qpp: bool = False) -> Fee | NotLoaded | None:
        """The fee schedule's row of a code and modifier (empty, 26, TC or 53); None if there is none.

        `qpp`: with the conversion factor for participants in alternative payment models.
        """
        found = self._fees(day, "qpp" if qpp else "nonqpp")
        if isinstance(found, NotLoaded):
            return found
        return next((Fee(row, found.release) for row in found.rows(code) if row.modifier == modifier), None)

    def _fees(self, day: date, twin: str) -> TableFile | NotLoaded:
        """The file of the fee schedule: until 2025 one for all, since then one of two twins."""
        common, twins = self._series["fees", "all"], self._series["fees", twin]
        found = common.of(day)
        return twins.of(day) if isinstance(found, NotLoaded) and (twins.files or not common.files) else found

    def opps(self, code: str, day: date) -> OppsStatus | NotLoaded | None:
        """The status of a code in hospital outpatient departments; None if Addendum B does not list it."""
        found = self._series["opps", ""].of(day)
        if isinstance(found, NotLoaded):
            return found
        return next((OppsStatus(row, found.release) for row in found.rows(code)), None)

    def hcpcs(self, code: str, day: date) -> HcpcsCode | NotLoaded | None:
        """A Level II code or modifier, by the day's own release or the newest that lists it; None if there is none.

        Codes that ended leave the file after some time, so only the day's own release tells that there is no such code.
        """
        series = self._series["hcpcs", ""]
        own = series.of(day)
        files = series.reaching(day) if isinstance(own, NotLoaded) else [own, *series.reaching(day)]
        for file in files:
            for row in file.rows(code):
                return HcpcsCode(row, row.in_force(day), file.release)
        return own if isinstance(own, NotLoaded) else None

    def products(self, ndc: str, day: date) -> tuple[Product, ...] | NotLoaded:
        """The billing codes and units of a product by its NDC, with or without hyphens; empty if it is not listed."""
        found = self._series["asp-crosswalk", ""].of(day)
        if isinstance(found, NotLoaded):
            return found
        return tuple(Product(row, found.release) for row in found.rows(plain_ndc(ndc)))

    def payment_limit(self, code: str, day: date) -> PaymentLimit | NotLoaded | None:
        """Medicare's payment limit of a drug's code; None if the file does not list it."""
        found = self._series["asp-limits", ""].of(day)
        if isinstance(found, NotLoaded):
            return found
        return next((PaymentLimit(row, found.release) for row in found.rows(code)), None)


def _in_force(file: TableFile, column_1: str, numbers: list[int], day: date) -> list[PairEdit]:
    """The edits of a column 1 code in force on a day."""
    blob = file.blob(column_1)
    if blob is None:
        return []
    release = file.release
    return [
        PairEdit(row.column_1, row.column_2, row.indicator, row.first, row.last, row.rationale, release)
        for row in ptp.rows_among(column_1, blob, numbers, release.texts)
        if row.in_force(day)
    ]


class Tables:
    """The loaded tables of a folder, also while it changes; without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = Lock()
        self._open: dict[Path, TableFile | str] = {}
        self._snapshot = Snapshot(())
        self._next_look = 0.0

    def snapshot(self) -> Snapshot:
        """The tables as they are now; a change of the folder is seen within a second."""
        if self._folder is not None and time.monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._look(self._folder)
            finally:
                self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
                self._lock.release()
        return self._snapshot

    def _look(self, folder: Path) -> None:
        """Open new files and forget removed ones. A folder that cannot be listed leaves the tables as they are."""
        try:
            paths = files_in(folder)
        except UnusableFile:
            log.warning("tables-unreadable")
            return
        was = self._open
        self._open = {path: was[path] if isinstance(was.get(path), TableFile) else _open(path) for path in paths}
        if was == self._open:
            return
        files = [each for each in self._open.values() if isinstance(each, TableFile)]
        faults = tuple(each for each in self._open.values() if isinstance(each, str))
        self._snapshot = Snapshot(files, faults)
        log.info("tables-loaded", tables=len(files), unreadable=len(faults))


def _open(path: Path) -> TableFile | str:
    """The file, or a line that says why it cannot be read."""
    try:
        return TableFile(path)
    except (UnusableFile, sqlite3.Error) as error:
        return f"{path.name}: {error}"
