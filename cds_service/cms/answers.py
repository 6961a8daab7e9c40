"""Answers of the loaded tables. Each names its release; "not loaded for this day" is an answer of its own."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from cds_service.cms.catalog import Release
from cds_service.cms.layouts import LAYOUTS
from cds_service.cms.layouts.add_ons import CONTRACTOR_DEFINED
from cds_service.cms.layouts.addendum_b import StatusRow
from cds_service.cms.layouts.asp import PaymentLimitRow, ProductRow
from cds_service.cms.layouts.fee_schedule import FeeRow
from cds_service.cms.layouts.hcpcs import HcpcsRow
from cds_service.languages.worded import worded

# Modifiers of the professional and the technical component, which have rows of their own in the fee schedule.
COMPONENTS = ("26", "TC")

ClaimSetting = Literal["professional", "facility"]
LimitSetting = Literal["professional", "facility", "dme"]


class NotLoaded(msgspec.Struct, frozen=True):
    """The table of a day is not loaded, so nothing is known: neither a value nor its absence.

    `why` is `none` (no release is loaded), `before` or `after` (of all loaded ones), `between` (of two loaded ones) or
    `part` (the part of the release that has the code is missing). `newest` is the last loaded release, if any.
    """

    kind: str
    setting: str
    day: date
    why: Literal["none", "before", "after", "between", "part"]
    newest: Release | None = None

    @property
    def reason(self) -> str:
        """The reason as a sentence without period, for NotChecked."""
        title = LAYOUTS[self.kind].title_of(self.setting)
        if self.newest is None:
            return worded("{table}: no release is loaded", table=title)
        if self.why == "part":
            return worded(
                "{table}, {quarter}: the part with this code is not loaded", table=title, quarter=self.newest.quarter
            )
        if self.why == "after":
            return worded("{table}: the loaded releases end on {day}", table=title, day=self.newest.last)
        return worded("{table}: no loaded release has {day}", table=title, day=self.day)


class PairEdit(msgspec.Struct, frozen=True):
    """A PTP edit in force: column 2 is not paid with column 1 on one day.

    `indicator` 0: not with any modifier. 1: paid as a distinct service with a modifier. `last` None: no end.
    """

    column_1: str
    column_2: str
    indicator: int
    first: date
    last: date | None
    rationale: str
    release: Release


class PairsAmong(msgspec.Struct, frozen=True):
    """The edits in force among several codes, and for each column 1 code whose edits are not loaded, the reason."""

    edits: tuple[PairEdit, ...]
    not_loaded: Mapping[str, NotLoaded]


class UnitLimit(msgspec.Struct, frozen=True):
    """Maximum HCPCS units of a code per patient and day. `mai` 1: per line. 2: absolute. 3: more on appeal."""

    code: str
    units: int
    mai: int
    rationale: str
    release: Release


class Primary(msgspec.Struct, frozen=True):
    """A primary of an add-on, with the first and last day of service of the edit; `last` None: no end."""

    code: str
    first: date
    last: date | None


class AddOn(msgspec.Struct, frozen=True):
    """An add-on code and its primaries in force.

    `type` 1: closed list. 2: contractors define the primaries. 3: some listed, others by contractors.
    """

    code: str
    type: int
    primaries: tuple[Primary, ...]
    release: Release

    @property
    def contractor_defined(self) -> bool:
        """True if contractors may accept other primaries than the listed ones."""
        return self.type != 1 or any(each.code == CONTRACTOR_DEFINED for each in self.primaries)


class Fee(msgspec.Struct, frozen=True):
    """Relative values and payment indicators of a code with one modifier; see FeeRow for units."""

    row: FeeRow
    release: Release

    def is_not_applicable(self, *, facility: bool) -> bool:
        """True if the fee schedule has no amount in an office, or in a facility (NA)."""
        return self.row.facility_na if facility else self.row.office_na

    def amount(self, *, facility: bool) -> Decimal:
        """The national payment in US dollars before locality adjustment, in an office or in a facility."""
        total = self.row.facility_total if facility else self.row.office_total
        return total * self.row.conversion_factor


class OppsStatus(msgspec.Struct, frozen=True):
    """Status indicator, APC and rate of a code in hospital outpatient departments; see StatusRow for units."""

    row: StatusRow
    release: Release


class HcpcsCode(msgspec.Struct, frozen=True):
    """A HCPCS Level II code or modifier, and if it is in force on the day."""

    row: HcpcsRow
    in_force: bool
    release: Release


class Product(msgspec.Struct, frozen=True):
    """A drug product's billing code and units; see ProductRow."""

    row: ProductRow
    release: Release


class PaymentLimit(msgspec.Struct, frozen=True):
    """Medicare's payment limit of a drug's code; see PaymentLimitRow for units."""

    row: PaymentLimitRow
    release: Release
