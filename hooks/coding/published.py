"""Facts that CMS publishes about codes: by the loaded tables where they reach, else by the tables of this package.

A loaded release of the day replaces our own entry, also where it lists nothing. Where neither reaches, the answer is a
reason, never "nothing is listed".
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal, TypeGuard

from cds_service.cms.answers import AddOn, Fee, HcpcsCode, LimitSetting, NotLoaded, OppsStatus, PairEdit, UnitLimit
from cds_service.cms.catalog import Release
from cds_service.cms.text import CODE
from cds_service.core.case import Case, cached_fact
from cds_service.core.tables import Source
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS, KNOWN_CODES, OPPS, PAIRS, PC_TC, UNIT_LIMITS, ClaimSetting
from hooks.coding.pairs import Edit, edit_in_table


@dataclass(frozen=True, slots=True)
class Unknown:
    """The question cannot be answered for the day: neither a loaded table nor our own reaches it."""

    reason: str


# The answer without any loaded table, or without a day: our own tables are asked.
NO_RELEASE: Literal["no release"] = "no release"


@lru_cache(maxsize=256)
def source_of(release: Release) -> Source:
    """A loaded release as the source of a card."""
    document = f"{release.title} ({release.file})"
    return Source(publisher="CMS", document=document, year=release.first.year, verified_through=release.last)


def is_of_echo(code: str) -> bool:
    """True for the codes that rules look at wherever they are: those that our own tables name."""
    return code in KNOWN_CODES


def _day_to_ask(code: str, day: date | None, case: Case) -> date | None:
    """The day for which to ask the loaded tables; None where none is loaded, or the site wants no other code checked.

    The one place that keeps `scope: echo`, and order time, to the codes of an echo.
    """
    return day if case.tables.releases and (case.every_code or is_of_echo(code)) else None


# --- NCCI pairs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadedPairs:
    """The loaded edits among the codes of a day, by column 1 and 2, and the reasons for column 1 codes not loaded."""

    edits: Mapping[tuple[str, str], PairEdit]
    not_loaded: Mapping[str, NotLoaded]


@cached_fact
def _pairs_among(codes: frozenset[str], day: date, setting: ClaimSetting, case: Case) -> LoadedPairs:
    asked = [code for code in codes if _day_to_ask(code, day, case)]
    found = case.tables.pairs(asked, day, setting)
    return LoadedPairs({(each.column_1, each.column_2): each for each in found.edits}, found.not_loaded)


def listed_pairs(
    codes: frozenset[str], day: date | None, settings: Collection[ClaimSetting], case: Case
) -> set[tuple[str, str]]:
    """The pairs of codes that a loaded table lists on a day, column 1 first."""
    if day is None or not case.tables.releases:
        return set()
    return {pair for setting in settings for pair in _pairs_among(codes, day, setting, case).edits}


def pair_edit(
    one: str, other: str, codes: frozenset[str], day: date | None, setting: ClaimSetting, case: Case
) -> tuple[Edit, Source | None]:
    """The edit of a column 1 and a column 2 code, and its source; `codes` are all codes of the day."""
    if day is not None and case.tables.releases:
        among = _pairs_among(codes, day, setting, case)
        if one not in among.not_loaded:
            found = among.edits.get((one, other))
            if found is None:
                return "none", None
            return ("with modifier" if found.indicator else "never"), source_of(found.release)
    edit, row = edit_in_table(one, other, day, setting)
    return edit, PAIRS.source(row) if row else None


def unread_pairs(codes: frozenset[str], day: date, settings: Collection[ClaimSetting], case: Case) -> Iterator[str]:
    """The reasons why pairs of codes outside of our own tables are not known on a day."""
    if len(codes) < 2:
        return
    for setting in settings:
        not_loaded = _pairs_among(codes, day, setting, case).not_loaded
        reasons = (each.reason for code, each in not_loaded.items() if codes - KNOWN_CODES)
        yield from dict.fromkeys(reasons)


# --- unit limits ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """Maximum HCPCS units of a code per patient and day; `mai` 1: per line, 2: absolute, 3: more on appeal."""

    code: str
    units: Decimal
    mai: int
    setting: LimitSetting
    source: Source


@cached_fact
def unit_limit(code: str, day: date | None, setting: LimitSetting, case: Case) -> Limit | Unknown | None:
    """The unit limit of a code on a day; None if CMS publishes none. Unknown without a day."""
    asked = _day_to_ask(code, day, case)
    loaded = case.tables.unit_limit(code, asked, setting) if asked else NO_RELEASE
    if isinstance(loaded, UnitLimit):
        return Limit(code, Decimal(loaded.units), loaded.mai, setting, source_of(loaded.release))
    if loaded is None:
        return None
    entries = [entry for entry in UNIT_LIMITS.history(code) if entry.setting == setting]
    entry = next((entry for entry in entries if entry.in_force(day)), None)
    if entry is not None:
        return Limit(code, entry.units, entry.mai, setting, UNIT_LIMITS.source(entry))
    if code in UNIT_LIMITS:
        return Unknown(worded("the MUE table does not cover {code} for this date of service and claim type", code=code))
    return _not_loaded(loaded, case)


# --- add-ons --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Primaries:
    """The primaries of an add-on on a day; `is_closed` is False if contractors may accept others."""

    codes: tuple[str, ...]
    is_closed: bool
    source: Source


@cached_fact
def primaries_of(code: str, day: date | None, case: Case) -> Primaries | Unknown | None:
    """The primaries of an add-on; None if the code is no add-on."""
    asked = _day_to_ask(code, day, case)
    loaded = case.tables.add_on(code, asked) if asked else NO_RELEASE
    if isinstance(loaded, AddOn):
        codes = tuple(each.code for each in loaded.primaries if CODE.fullmatch(each.code))
        return Primaries(codes, not loaded.contractor_defined, source_of(loaded.release))
    if loaded is None:
        return None
    entry = ADD_ONS.on(code, day)
    if entry is not None:
        return Primaries(entry.primaries, True, ADD_ONS.source(entry))
    if code in ADD_ONS:
        return Unknown(worded("the add-on table does not cover the date of service of {code}", code=code))
    return _not_loaded(loaded, case)


# --- statuses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """A status or indicator of a code, and its source; `instead` is the code to report in its place, if known."""

    value: str
    source: Source
    instead: str | None = None


@cached_fact
def opps_status(code: str, day: date | None, case: Case) -> Status | Unknown | None:
    """The OPPS status of a code; None if Addendum B does not list it."""
    asked = _day_to_ask(code, day, case)
    loaded = case.tables.opps(code, asked) if asked else NO_RELEASE
    own = OPPS.history(code)
    instead = own[-1].instead if own else None
    if isinstance(loaded, OppsStatus):
        return Status(loaded.row.status, source_of(loaded.release), instead)
    if loaded is None:
        return None
    entry = OPPS.on(code, day) if day else None
    if entry is not None:
        return Status(entry.status, OPPS.source(entry), instead)
    if own:
        return Unknown(worded("the OPPS status of {code} is not known for this date of service", code=code))
    return _not_loaded(loaded, case)


def refuses_hospital(status: Status | Unknown | None) -> TypeGuard[Status]:
    """True for the statuses that a hospital's claim never reports: another code is due (B), or none (M)."""
    return isinstance(status, Status) and status.value in {"B", "M"}


@dataclass(frozen=True, slots=True)
class InForce:
    """The dates of a Level II code: if it is in force on the day, its first and last day, and the source."""

    on_day: bool
    first: date
    last: date | None
    source: Source


def level_ii_dates(code: str, day: date | None, case: Case) -> InForce | Unknown | None:
    """The dates of a HCPCS Level II code by a loaded release; None for other codes, and where none is loaded.

    A code that the day's own release does not list may have ended long ago, or be no code of CMS.
    """
    asked = _day_to_ask(code, day, case)
    if asked is None or not _LEVEL_II.fullmatch(code):
        return None
    loaded = case.tables.hcpcs(code, asked)
    if isinstance(loaded, HcpcsCode):
        return InForce(loaded.in_force, loaded.row.added, loaded.row.terminated, source_of(loaded.release))
    if loaded is None:
        return Unknown(worded("{code} is not in the HCPCS release of this date of service", code=code))
    return _not_loaded(loaded, case)


# D codes are the dentists' own, which CMS does not publish.
_LEVEL_II = re.compile(r"[A-CE-V]\d{4}")


@cached_fact
def component_indicator(code: str, day: date | None, case: Case) -> Status | Unknown | None:
    """The PC/TC indicator of a code; None if the fee schedule does not list it."""
    asked = _day_to_ask(code, day, case)
    loaded = case.tables.fee(code, "", asked) if asked else NO_RELEASE
    if isinstance(loaded, Fee):
        return Status(loaded.row.pc_tc, source_of(loaded.release))
    entry = PC_TC.on(code, day)
    if entry is not None:
        return Status(str(entry.indicator), PC_TC.source(entry))
    return None if code in PC_TC else _not_loaded(loaded, case)


# --- loaded or not --------------------------------------------------------------------------------------------------


def _not_loaded(loaded: object, case: Case) -> Unknown | None:
    """The reason for a code outside of our own tables; None where only the codes of an echo are looked at."""
    return Unknown(loaded.reason) if isinstance(loaded, NotLoaded) and case.every_code else None
