"""Reads the segments of one claim: the loops 2300 (claim), 2310 (providers), 2320 (other payers) and 2400 (lines)."""

import re
from collections.abc import Callable
from typing import Literal

from cds_service.intake.x12.claim import HCPCS, Claim, Payer, Product, ServiceLine, Spot
from cds_service.intake.x12.envelopes import Fault
from cds_service.intake.x12.guides import SEGMENTS
from cds_service.intake.x12.providers import organization, payer_named, provider
from cds_service.intake.x12.segments import Segment
from cds_service.intake.x12.values import Broken, dates, money, pointers, quantity

# A claim of more segments is not held in memory; the guides allow a hospital's claim 999 lines.
MOST_SEGMENTS = 100_000

# The qualifiers of HI that state diagnoses, in the order in which a claim lists them: principal and others, which lines
# point at, and those of admission, visit and external cause. With A for ICD-10-CM, without it for ICD-9-CM.
POINTED_AT = frozenset({"ABK", "ABF", "BK", "BF"})
DIAGNOSES = POINTED_AT | {"ABJ", "BJ", "APR", "PR", "ABN", "BN"}

_WITH_OTHER_SEPARATOR = re.compile(r"[0-9A-Z]{1,2}([^0-9A-Za-z\s])[AB]\1[0-9A-Z]")
_FACILITY = re.compile(r"[0-9A-Z]{1,2}")
_SEPARATOR_NOTE = "CLM05: its parts are separated by another character than ISA16 declares; the claim is read by it"
_TOTAL_NOTE = "CLM02: not the sum of the charges of its lines; a line may be missing"
_SERVICE = {"professional": "SV1", "institutional": "SV2"}

Section = Literal["claim", "other payer", "line"]


class ClaimLoop:
    """An open claim. `fault` is its first fault.

    `lost` is the place behind its lines at which another claim begins whose CLM is damaged, and `lost_level` the fault
    of a level whose HL is: of the claims that follow, the patient is not known.
    """

    def __init__(self, claim: Claim, segment: Segment) -> None:
        self.claim = claim
        self.fault: Fault | None = None
        self.lost: Fault | None = None
        self.lost_level: Fault | None = None
        self.section: Section = "claim"
        self.number = claim.spot.number
        self._first = claim.spot.number
        self._component: str | None = None
        self._unknown: Fault | None = None
        self._product: Product | None = None
        self._guarded(self._clm, segment)

    def take(self, segment: Segment, number: int) -> None:
        """Take the next segment of the claim in. Nothing raises: the first fault is kept."""
        self.number = number
        name = segment.id
        if self._unknown is not None:
            self._take_behind_unknown(name, segment)
        elif name == "SBR":
            self._sbr(segment)
        elif self.fault is not None or self.lost is not None:
            self.section = "line" if name == "LX" else self.section
        elif name not in SEGMENTS:
            self._take_unknown()
        elif number - self._first > MOST_SEGMENTS:
            self._break(segment, f"expected at most {MOST_SEGMENTS:,} segments in a claim")
        else:
            self._take(name, segment)

    def _take(self, name: str, segment: Segment) -> None:
        if self._component is not None:
            segment.component = self._component
        handler = _HANDLERS.get((self.section, name))
        if handler is not None:
            self._guarded(lambda each: handler(self, each), segment)
        if self.section == "line":
            self._line.last = self.number

    def cut(self, place: str) -> None:
        """Note that the transaction set ends within the claim, without SE."""
        if self.fault is None:
            self.fault = Fault(place, "the transaction set ends here without SE: the claim may be cut off")

    def close(self) -> None:
        """Check what only the end of the claim tells."""
        if self.fault is None:
            self.fault = self._unknown
        self._guarded(self._end, None)

    # --- faults -----------------------------------------------------------------------------------------------------

    def _guarded(self, handle: Callable[[Segment], None], segment: Segment | None) -> None:
        if self.fault is None:
            try:
                handle(segment)  # type: ignore[arg-type]  # None for the end alone
            except Broken as error:
                self._break(segment, str(error))

    def _break(self, segment: Segment | None, reason: str) -> None:
        if self.fault is not None:
            return
        named = segment.id if segment and segment.id in SEGMENTS else "CLM"
        self.fault = Fault(self.claim.at(Spot(self.number if segment else self._first, named)), reason)

    def _take_unknown(self) -> None:
        """A segment of no known id: a damaged one, which behind the lines may be a CLM or HL."""
        place = f"{self.claim.place} segment {self.number}"
        self._unknown = Fault(place, "expected a segment of an 837 claim; the id of this one is none")
        if self.section != "line":
            self.fault, self._unknown = self._unknown, None

    def _take_behind_unknown(self, name: str, segment: Segment) -> None:
        """The lines of a claim hold none of these: the unknown segment was a CLM or HL, and the claim ended there."""
        is_level = name in {"SBR", "PAT"} or (name == "NM1" and segment.value(1) in {"85", "IL", "QC"})
        if is_level or name == "HI":
            self.lost, self._unknown = self._unknown, None
            self.lost_level = self.lost if is_level else None

    def _end(self, _: Segment | None) -> None:
        claim = self.claim
        self._end_line()
        if not claim.lines:
            raise Broken(f"expected a line (LX and {_SERVICE[claim.kind]})")
        charges = [each.charge for each in claim.lines]
        if claim.total is not None and None not in charges and sum(filter(None, charges)) != claim.total:
            claim.notes.append(_TOTAL_NOTE)

    def _end_line(self) -> None:
        if self.claim.lines and not self._line.spot.number:
            self.number = self._line.first
            raise Broken(f"expected {_SERVICE[self.claim.kind]} in each line (LX)")

    # --- the claim --------------------------------------------------------------------------------------------------

    def _clm(self, segment: Segment) -> None:
        claim = self.claim
        if not claim.number:
            raise Broken("CLM01: expected the number of the claim")
        claim.total = money(segment, 2, "CLM02")
        written = segment.value(5)
        if segment.component not in written and (found := _WITH_OTHER_SEPARATOR.fullmatch(written)):
            self._component = segment.component = found[1]
            claim.notes.append(_SEPARATOR_NOTE)
        facility, _, frequency = [*segment.parts(5), "", ""][:3]
        if facility and not _FACILITY.fullmatch(facility):
            raise Broken("CLM05: expected parts separated by the character of ISA16, the first of two characters")
        claim.facility, claim.frequency = facility, frequency

    def _dtp(self, segment: Segment) -> None:
        if segment.value(1) in {"434", "472"}:
            self.claim.dates = dates(segment)

    def _hi(self, segment: Segment) -> None:
        for number in range(1, len(segment.elements)):
            qualifier, code = [*segment.parts(number), ""][:2]
            if qualifier in DIAGNOSES:
                if not code:
                    raise Broken(f"HI{number:02}-2: expected a diagnosis code")
                self.claim.diagnoses.append((qualifier, code))

    def _ref(self, segment: Segment) -> None:
        if segment.value(1) == "F8":
            self.claim.replaced = segment.value(2)

    def _nm1(self, segment: Segment) -> None:
        if segment.value(1) == "82":
            self.claim.rendering = provider(segment)
        elif segment.value(1) == "77":
            self.claim.location = organization(segment)

    def _sbr(self, segment: Segment) -> None:
        """Another payer of the claim (2320). Behind the lines, SBR belongs to another subscriber."""
        if self.section == "line":
            self._break(segment, "expected SBR before the lines; the HL of another subscriber may be lost")
            self.lost_level = self.fault
            return
        self.section = "other payer"
        self.claim.payers.append(Payer(Spot(self.number, "SBR"), segment.value(1), segment.value(9)))

    def _nm1_of_payer(self, segment: Segment) -> None:
        if segment.value(1) == "PR":
            payer_named(self.claim.payers[-1], segment)

    # --- the lines --------------------------------------------------------------------------------------------------

    @property
    def _line(self) -> ServiceLine:
        """The line that is read, where one is."""
        return self.claim.lines[-1]

    def _lx(self, _: Segment) -> None:
        self._end_line()
        self.section, self._product = "line", None
        self.claim.lines.append(ServiceLine(self.number, self.number))

    def _early(self, _: Segment) -> None:
        raise Broken("expected this segment behind LX")

    def _late(self, _: Segment) -> None:
        raise Broken("expected this segment before the lines; a CLM may be lost")

    def _service(self, segment: Segment) -> None:
        name, line = segment.id, self._line
        if name != _SERVICE[self.claim.kind]:
            raise Broken(f"expected {_SERVICE[self.claim.kind]} on this kind of claim")
        if line.spot.number:
            raise Broken(f"expected one {name} in a line (LX)")
        line.spot = Spot(self.number, name)
        first = 1 if name == "SV1" else 2
        line.revenue = "" if name == "SV1" else segment.value(1)
        self._procedure(line, segment, first)
        line.charge = money(segment, first + 1, f"{name}{first + 1:02}")
        line.unit = segment.value(first + 2)
        line.units = quantity(segment, first + 3, f"{name}{first + 3:02}")
        if name == "SV1":
            line.place = segment.value(5)
            line.pointers = pointers(segment.parts(7), "SV107")

    def _procedure(self, line: ServiceLine, segment: Segment, number: int) -> None:
        """The code with its qualifier and modifiers; a hospital may report a revenue code alone."""
        qualifier, code, *modifiers = [*segment.parts(number), ""]
        if not code and (qualifier or not line.revenue):
            place = f"{segment.id}{number:02}"
            raise Broken(f"{place}: expected a qualifier ({HCPCS}) and a code, separated by the character of ISA16")
        line.qualifier, line.code = qualifier, code
        line.modifiers = tuple(each for each in modifiers[:4] if each)

    def _dtp_of_line(self, segment: Segment) -> None:
        if segment.value(1) == "472":
            self._line.dates = dates(segment)

    def _nm1_of_line(self, segment: Segment) -> None:
        if segment.value(1) == "82":
            self._line.rendering = provider(segment)

    def _lin(self, segment: Segment) -> None:
        self._product = None
        if segment.value(2) == "N4":
            if not segment.value(3):
                raise Broken("LIN03: expected an NDC")
            self._product = Product(segment.value(3), Spot(self.number, "LIN"))
            self._line.products.append(self._product)

    def _ctp(self, segment: Segment) -> None:
        if self._product is not None:
            self._product.quantity = quantity(segment, 4, "CTP04")
            self._product.unit = segment.parts(5)[0]


_LINE_ONLY = ("SV1", "SV2", "LIN", "CTP", "SVD")
_HANDLERS: dict[tuple[Section, str], Callable[[ClaimLoop, Segment], None]] = {
    ("claim", "DTP"): ClaimLoop._dtp,
    ("claim", "HI"): ClaimLoop._hi,
    ("claim", "REF"): ClaimLoop._ref,
    ("claim", "NM1"): ClaimLoop._nm1,
    ("other payer", "NM1"): ClaimLoop._nm1_of_payer,
    **{(section, "LX"): ClaimLoop._lx for section in ("claim", "other payer", "line")},
    **{(section, name): ClaimLoop._early for section in ("claim", "other payer") for name in _LINE_ONLY},
    ("other payer", "HI"): ClaimLoop._late,
    ("line", "HI"): ClaimLoop._late,
    ("line", "CL1"): ClaimLoop._late,
    ("line", "SV1"): ClaimLoop._service,
    ("line", "SV2"): ClaimLoop._service,
    ("line", "DTP"): ClaimLoop._dtp_of_line,
    ("line", "NM1"): ClaimLoop._nm1_of_line,
    ("line", "LIN"): ClaimLoop._lin,
    ("line", "CTP"): ClaimLoop._ctp,
}
