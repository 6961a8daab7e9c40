"""Walks the envelopes of X12 files: interchanges (ISA), functional groups (GS) and transaction sets (ST).

Segments are counted in their transaction set from ST, which is segment 1, as acknowledgments (999) count them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from cds_service.errors import UnreadableInput
from cds_service.intake.x12.guides import ClaimKind, guide_of
from cds_service.intake.x12.segments import NOT_X12, Segment, read_segments

_NUMBER = re.compile(r"[A-Za-z0-9]{1,12}")


@dataclass(slots=True)
class Fault:
    """A fault: the place of its segment, and the form that was expected. Neither repeats a value of a claim."""

    place: str
    reason: str


@dataclass(slots=True, eq=False)
class Transaction:
    """A transaction set. `count` is the number of the segment that was read last.

    `name` is its place in reports, `number` its place among all of the file. `other` are the words for a set that is
    no 837P or 837I. `fault` is set at SE. `created` is the moment of BHT as `20260310`, `1000`.
    """

    number: int
    name: str
    control: str
    kind: ClaimKind | None
    other: str = ""
    count: int = 0
    claims: int = 0
    is_closed: bool = False
    fault: Fault | None = None
    created: tuple[str, str] = ("", "")

    def place(self, number: int, segment: str) -> str:
        """The place of a segment: `ST*0201 segment 24 (SV1)`."""
        return f"{self.name} segment {number} ({segment})"


# Takes the faults of envelopes.
OnFault = Callable[[Fault], None]


def walk(file: BinaryIO, on_fault: OnFault) -> Iterator[tuple[Transaction, Segment]]:
    """The segments of all transaction sets, each with its set, whose `count` and `fault` are up to date.

    A set that ends without SE is not `is_closed`. Raises UnreadableInput if the file does not begin as X12; text that
    is not X12 further on is a fault.
    """
    walker = _Walker(on_fault)
    try:
        for segment in read_segments(file):
            if (transaction := walker.take(segment)) is not None:
                yield transaction, segment
            walker.leave(segment)
    except UnreadableInput as error:
        if not walker.interchanges:
            raise
        on_fault(Fault(f"segment {walker.total + 1} of the file", str(error)))
    if not walker.interchanges:
        raise UnreadableInput(NOT_X12)
    walker.end()


@dataclass(slots=True)
class _Walker:
    on_fault: OnFault
    total: int = 0
    interchanges: int = 0
    interchange: str = ""
    groups: int = 0
    group: str = ""
    version: str = ""
    sets: int = 0
    number: int = 0
    transaction: Transaction | None = None
    strays: int = 0
    is_cut: bool = False
    open: list[str] = field(default_factory=list)

    def take(self, segment: Segment) -> Transaction | None:
        """Take a segment in; the transaction set that it belongs to."""
        self.total += 1
        if segment.is_cut:
            self.is_cut = True
            return None
        envelope = _ENVELOPES.get(segment.id)
        if envelope is not None:
            envelope(self, segment)
        elif self.transaction is not None:
            self.transaction.count += 1
            if segment.id == "BHT":
                self.transaction.created = (segment.value(4), segment.value(5))
        elif segment.id != "TA1":
            self._stray()
        return self.transaction

    def leave(self, segment: Segment) -> None:
        """Leave the transaction set behind its SE."""
        if segment.id == "SE":
            self.transaction = None

    def end(self) -> None:
        """Report what the end of the file leaves open."""
        if self.open or self.is_cut:
            within = f" within segment {self.total}" if self.is_cut else f" after segment {self.total}"
            missing = f", without {', '.join(_TRAILERS[each] for each in reversed(self.open))}" if self.open else ""
            self.on_fault(Fault("the end of the file", f"the file ends{within}{missing}: the rest is missing"))

    def _stray(self) -> None:
        self.strays += 1
        if self.strays == 1:
            reason = "expected a transaction set (ST): what stands here is not read"
            self.on_fault(Fault(self._place_in_file(), reason))

    def isa(self, segment: Segment) -> None:
        self._close("ST", "GS", "ISA")
        self.interchanges += 1
        self.interchange, self.groups = _shown(segment.value(13)), 0
        self.open.append("ISA")

    def gs(self, segment: Segment) -> None:
        self._close("ST", "GS")
        self.groups += 1
        self.group, self.version, self.sets = _shown(segment.value(6)), segment.value(8), 0
        self.open.append("GS")

    def st(self, segment: Segment) -> None:
        self._close("ST")
        self.sets += 1
        self.number += 1
        self.strays = 0
        control = segment.value(2)
        kind, other = guide_of(segment.value(1), segment.value(3) or self.version)
        self.transaction = Transaction(self.number, self._name(control), control, kind, other, count=1)
        self.open.append("ST")

    def _name(self, control: str) -> str:
        """`ST*0201`; with group and interchange where the file has more than one, since the numbers may repeat."""
        named = [f"ISA*{self.interchange}"] if self.interchanges > 1 else []
        named += [f"GS*{self.group}"] if self.groups > 1 or self.interchanges > 1 else []
        return " ".join([*named, f"ST*{_shown(control)}"])

    def se(self, segment: Segment) -> None:
        current = self.transaction
        if current is None:
            self._stray()
            return
        current.count += 1
        current.is_closed = True
        place = current.place(current.count, "SE")
        if not _is_number(segment.value(1), current.count):
            reason = f"SE01: expected {current.count}, the number of segments read; one may be missing or added"
            current.fault = Fault(place, reason)
        elif segment.value(2) != current.control:
            current.fault = Fault(place, "SE02: expected the number of ST02; a transaction set may have lost its end")
        self.open.remove("ST")

    def ge(self, segment: Segment) -> None:
        self._close("ST")
        self._check_count(segment, "GE", self.sets, "transaction sets")
        self._close("GS", quietly=True)

    def iea(self, segment: Segment) -> None:
        self._close("ST", "GS")
        self._check_count(segment, "IEA", self.groups, "functional groups")
        self._close("ISA", quietly=True)

    def _check_count(self, segment: Segment, name: str, read: int, what: str) -> None:
        if not _is_number(segment.value(1), read):
            reason = f"{name}01: expected {read}, the number of {what} read; one may be missing"
            self.on_fault(Fault(self._place_in_file(name), reason))

    def _close(self, *names: str, quietly: bool = False) -> None:
        """Close what is open of these envelopes, and report trailers that are missing."""
        for name in names:
            if name in self.open:
                self.open.remove(name)
                if name != "ST" and not quietly:  # the reader of claims reports a set without its end
                    self.on_fault(Fault(self._place_in_file(), f"expected {_TRAILERS[name]} before this segment"))
        self.transaction = None

    def _place_in_file(self, name: str = "") -> str:
        return f"segment {self.total} of the file{f' ({name})' if name else ''}"


_TRAILERS = {"ISA": "IEA", "GS": "GE", "ST": "SE"}
_ENVELOPES: dict[str, Callable[[_Walker, Segment], None]] = {
    "ISA": _Walker.isa,
    "GS": _Walker.gs,
    "ST": _Walker.st,
    "SE": _Walker.se,
    "GE": _Walker.ge,
    "IEA": _Walker.iea,
}


def _is_number(written: str, number: int) -> bool:
    return written.isascii() and written.isdigit() and len(written) < 12 and int(written) == number


def _shown(control: str) -> str:
    """A control number as it may be shown; `?` for one of another form."""
    return control if _NUMBER.fullmatch(control) else "?"
