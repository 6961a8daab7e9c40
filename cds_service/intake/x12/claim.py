"""A claim of an 837 file, as read of its segments: codes, dates and identifiers, without names of patients."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from cds_service.intake.x12.guides import ClaimKind

# The qualifier of HCPCS and CPT codes.
HCPCS = "HC"

# The frequency (CLM05-3) of a claim that replaces, or voids, an earlier one of the same number.
REPLACES, VOIDS = "7", "8"


class Spot(NamedTuple):
    """A segment: its number in the transaction set, and its id."""

    number: int
    segment: str


class Provider(msgspec.Struct, frozen=True, gc=False):
    """A provider by its NPI; each is empty if not sent. `is_person` is false for an organization."""

    npi: str = ""
    name: str = ""
    is_person: bool = False


class Payer(msgspec.Struct, gc=False):
    """A payer: its order (P, S, T), the claim filing code of SBR09, name and number. `spot` is that of SBR."""

    spot: Spot
    order: str = ""
    filing: str = ""
    name: str = ""
    number: str = ""


class Product(msgspec.Struct, gc=False):
    """A drug that a line bills: the NDC of LIN03, and its quantity and unit of CTP, None and empty if not sent."""

    ndc: str
    spot: Spot
    quantity: Decimal | None = None
    unit: str = ""


class Dates(msgspec.Struct, frozen=True, gc=False):
    """First and last day, as `2026-03-02`; equal for a single day."""

    first: str
    last: str


class ServiceLine(msgspec.Struct, gc=False):
    """A line: its LX, its SV1 or SV2 and its last segment.

    `qualifier` tells the code system of `code`; both are empty for a line of a hospital with a revenue code alone.
    `units` is None if not sent, `unit` its unit (UN, MJ, DA, F2). `pointers` are the diagnoses named, from 1.
    """

    first: int
    last: int
    spot: Spot = Spot(0, "")
    qualifier: str = ""
    code: str = ""
    modifiers: tuple[str, ...] = ()
    revenue: str = ""
    units: Decimal | None = None
    unit: str = ""
    charge: Decimal | None = None
    place: str = ""
    pointers: tuple[int, ...] = ()
    dates: Dates | None = None
    rendering: Provider | None = None
    products: list[Product] = []


class Claim(msgspec.Struct, gc=False):
    """A claim. `place` is the transaction set's name, `spot` that of CLM.

    `facility` is the place of service of a professional claim, the first two digits of the type of bill of another;
    `frequency` may be REPLACES or VOIDS, of the claim that the payer knows as `replaced`. `patient` is a digest, the
    same on all claims of the patient. `diagnoses` are qualifiers and codes in order. `payers` begin with that to which
    the claim goes. `notes` are warnings.
    """

    number: str
    kind: ClaimKind
    place: str
    spot: Spot
    patient: str
    billing: Provider
    payers: list[Payer]
    created: str = ""
    facility: str = ""
    frequency: str = ""
    replaced: str = ""
    total: Decimal | None = None
    dates: Dates | None = None
    diagnoses: list[tuple[str, str]] = []
    rendering: Provider | None = None
    location: str = ""
    lines: list[ServiceLine] = []
    notes: list[str] = []

    def at(self, spot: Spot) -> str:
        """The place of a segment: `ST*0201 segment 24 (SV1)`."""
        return f"{self.place} segment {spot.number} ({spot.segment})"
