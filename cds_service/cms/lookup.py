"""Lookup in the loaded tables by code and date of service.

`Tables` looks at the folder at most once a second and hands out a `Snapshot`, which stays as it is: one for each call,
so that all rules of a call see the same tables. A removed file answers in the snapshots that have it.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
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
from cds_service.cms.articles import (
    Article,
    Articles,
    NoArticles,
    Part,
    articles_on,
    first_listed,
    newest_articles,
)
from cds_service.cms.catalog import files_in, open_table
from cds_service.cms.layouts import LAYOUTS, add_ons, pair_groups, ptp
from cds_service.cms.layouts.asp import plain_ndc
from cds_service.cms.layouts.base import Group
from cds_service.cms.text import CODE
from cds_service.errors import UnusableFile
from cds_service.telemetry.logs import log

_SECONDS_BETWEEN_LOOKS = 1.0
_MOST_KEYS = 500  # of one query
_SMALL_CACHE, _LARGE_CACHE = -64, -256  # KB of a file, as SQLite writes it; a large table has inner pages
_MOST_RECENT, _LARGEST_RECENT = 128, 4096  # values of a file that are kept, and bytes of each


class TableFile:
    """An open file. Its connection is shared by threads, which take turns.

    The indexes are mapped into memory: their pages are shared with other processes, and a lookup copies none. All else
    is read from the file.
    """

    def __init__(self, path: Path) -> None:
        self._connection, self.release = open_table(path)
        self._lock = Lock()
        self._connection.execute(f"PRAGMA mmap_size={self.release.indexed}")
        self._connection.execute(f"PRAGMA cache_size={_LARGE_CACHE if self.release.indexed else _SMALL_CACHE}")
        self._layout = LAYOUTS[self.release.kind]
        self._recent_indexes: dict[str, bytes] = {}
        self._recent_blobs: dict[str, bytes] = {}

    def indexes(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The indexes of several keys. Raises sqlite3.Error if the disk fails."""
        return self._values("SELECT key, codes FROM indexes WHERE key IN", keys, self._recent_indexes)

    def blobs(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The encoded rows of several keys. Raises sqlite3.Error if the disk fails."""
        return self._values("SELECT key, rows FROM groups WHERE key IN", keys, self._recent_blobs)

    def rows(self, key: str) -> list[Any]:
        """The rows of a key; none if it has none."""
        blob = self.blobs((key,)).get(key)
        if blob is None:
            return []
        return self._layout.rows(Group(key, blob), self.release.texts)

    def groups(self) -> Iterator[tuple[str, list[Any]]]:
        """All keys with their rows, in order."""
        for key, blob in self._connection.execute("SELECT key, rows FROM groups ORDER BY key"):
            yield key, self._layout.rows(Group(key, blob), self.release.texts)

    def _values(self, query: str, keys: Sequence[str], recent: dict[str, bytes]) -> dict[str, bytes]:
        """The values of keys. Recent ones are kept, as a practice charges few codes; an empty one is a missing key."""
        found, missing = {}, []
        for key in keys:
            value = recent.get(key)
            if value is None:
                missing.append(key)
            elif value:
                found[key] = value
        for start in range(0, len(missing), _MOST_KEYS):
            some = missing[start : start + _MOST_KEYS]
            places = ",".join("?" * len(some))
            with self._lock:
                read = dict(self._connection.execute(f"{query} ({places})", some))
                if len(recent) >= _MOST_RECENT:
                    recent.clear()
                for key in some:
                    value = read.get(key, b"")
                    if len(value) <= _LARGEST_RECENT:
                        recent[key] = value
            found |= read
        return found


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
        self._end = max([ptp.PARTS, *numbers])

    def assigned(self, columns_1: Sequence[str]) -> tuple[list[tuple[TableFile, list[str]]], list[str]]:
        """The files with the codes that are in them, and the codes whose part is not loaded."""
        files = [*self._numbers.values(), *self._unnumbered]
        keys: list[list[str]] = [[] for _ in files]
        missing = []
        bounds = [(file.release.low, file.release.high, keys[index]) for index, file in enumerate(files)]
        for code in columns_1:
            for low, high, mine in bounds:
                if low <= code <= high:
                    mine.append(code)
                    break
            else:
                if not self._is_between(code):
                    missing.append(code)
        return [(file, mine) for file, mine in zip(files, keys, strict=True) if mine], missing

    def _is_between(self, code: str) -> bool:
        """True for a code between two consecutive parts, before the first or after the last: it has no edits."""
        below = [number for number, file in self._numbers.items() if file.release.high < code]
        above = [number for number, file in self._numbers.items() if code < file.release.low]
        return min(above, default=self._end + 1) == max(below, default=0) + 1


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

    def has(self, kind: str) -> bool:
        """True if a release of a kind of table is loaded; of another kind, it says nothing."""
        return any(release.kind == kind for release in self.releases)

    def pair(self, column_1: str, column_2: str, day: date, setting: ClaimSetting) -> PairEdit | NotLoaded | None:
        """The edit of two codes in this order on a day; None if there is none."""
        found = self._edits([column_1], pair_groups.Sought(_codes([column_2])), day, setting)
        return found.not_loaded.get(column_1) or next(iter(found.edits), None)

    def pairs(self, codes: Collection[str], day: date, setting: ClaimSetting) -> PairsAmong:
        """All edits among the codes of a claim on a day, in either order; made for 50 codes at once."""
        known = _codes(codes)
        return self._edits(known, pair_groups.Sought(known), day, setting)

    def _edits(self, columns_1: Sequence[str], sought: pair_groups.Sought, day: date, setting: str) -> PairsAmong:
        """The edits of column 1 codes with others, each by the newest release that has its part and reaches the day."""
        series = self._series["ptp", setting]
        if day < ptp.FIRST_DAY or day > series.last:
            return PairsAmong((), dict.fromkeys(columns_1, series.not_loaded(day)))
        edits: list[PairEdit] = []
        missing = list(columns_1)
        for edition in self._editions[setting]:
            if not missing or day > edition.release.last:
                break
            by_file, missing = edition.assigned(missing)
            for file, keys in by_file:
                edits.extend(_in_force(file, keys, sought, day))
        edits.sort(key=lambda edit: (edit.column_1, edit.column_2))
        return PairsAmong(tuple(edits), dict.fromkeys(missing, series.not_loaded(day, part=True)) if missing else {})

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

    def articles(self, part: Part, number: str, code: str, day: date) -> Articles | NoArticles:
        """The articles of a Medicare contractor, by part and number, that list a code on a day."""
        return articles_on(self._series["articles", ""].files, part, number, code, day)

    def newest_articles(self, part: Part, number: str, code: str) -> tuple[Article, ...]:
        """The articles of a Medicare contractor that list a code in the newest copy."""
        return newest_articles(self._series["articles", ""].files, part, number, code)

    def first_listed(self, diagnosis: str) -> date | None:
        """The first day of the oldest version of any article that lists a diagnosis; None if none does."""
        return first_listed(self._series["articles", ""].files, diagnosis)


def _codes(codes: Iterable[str]) -> list[str]:
    """The codes in the form of a billing code, each once, sorted."""
    return sorted({code for code in codes if CODE.fullmatch(code)})


def _in_force(file: TableFile, keys: Sequence[str], sought: pair_groups.Sought, day: date) -> Iterator[PairEdit]:
    """The edits of column 1 codes with sought column 2 codes in force on a day."""
    candidates = sought.maybe_in(file.indexes(keys))
    if not candidates:
        return
    release = file.release
    for key, blob in file.blobs(tuple(candidates)).items():
        for column_2, indicator, first, last, rationale in pair_groups.in_force(blob, candidates[key], sought, day):
            yield PairEdit(key, column_2, indicator, first, last, release.texts[rationale], release)


class Tables:
    """The loaded tables of a folder, also while it changes; without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = Lock()
        self._open: dict[Path, TableFile | str] = {}
        self._snapshot = Snapshot(())
        self._next_look = 0.0
        self._readable = True
        self._has_looked = False

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
            if self._readable:
                log.warning("tables unreadable", hint="the folder could not be listed; the tables stay as they were")
            self._readable = False
            return
        self._readable = True
        was, is_first = self._open, not self._has_looked
        self._has_looked = True
        self._open = {path: was[path] if isinstance(was.get(path), TableFile) else _open(path) for path in paths}
        if was == self._open:
            return
        files = [each for each in self._open.values() if isinstance(each, TableFile)]
        faults = tuple(each for each in self._open.values() if isinstance(each, str))
        self._snapshot = Snapshot(files, faults)
        if faults:
            log.warning("tables unreadable", files=len(faults), hint="/tables names them")
        if not is_first:
            log.info("tables changed", tables=len(files))


def _open(path: Path) -> TableFile | str:
    """The file, or a line that says why it cannot be read."""
    try:
        return TableFile(path)
    except UnusableFile as error:
        return f"{path.name}: {error}"
