"""Reads the claims of an 837 file as a stream: the loops 2000A (billing provider), 2000B (subscriber), 2000C (patient).

Of a file of any size, one claim is held at a time, beside its provider, subscriber and patient.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from cds_service.errors import UnreadableInput
from cds_service.intake.x12.claim import REPLACES, VOIDS, Claim, Payer, Provider, Spot
from cds_service.intake.x12.claim_loop import ClaimLoop
from cds_service.intake.x12.envelopes import Fault, Transaction, walk
from cds_service.intake.x12.guides import EXPECTED
from cds_service.intake.x12.providers import payer_named, provider
from cds_service.intake.x12.segments import Segment

MOST_FAULTS = 1000

OpenFile = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A claim, or another part of a file, that is not reviewed: its place and the reason.

    `claim` is its number, empty if it is not known. `is_fault` is false for a claim that was voided or replaced.
    """

    claim: str
    place: str
    reason: str
    is_fault: bool = True


@dataclass(slots=True)
class Survey:
    """The result of a first pass over a file: faults of envelopes, and transaction sets whose SE does not fit.

    `others` are the sets that hold no claims, by their words. `has_replacements`: a claim replaces or voids another.
    """

    faults: list[Fault] = field(default_factory=list)
    damaged: dict[int, Fault] = field(default_factory=dict)
    claims: int = 0
    others: Counter[str] = field(default_factory=Counter)
    has_replacements: bool = False


def survey(open_file: OpenFile) -> Survey:
    """Survey a file. Raises UnreadableInput if it is not X12, or holds no set of an 837P or 837I."""
    found = Survey()
    sets = 0
    with open_file() as file:
        for transaction, segment in walk(file, partial(_note, found.faults)):
            name = segment.id
            if name == "ST":
                sets += transaction.kind is not None
                found.others.update([transaction.other] if transaction.other else [])
            elif name == "CLM":
                found.claims += 1
                found.has_replacements |= segment.parts(5)[-1] in {REPLACES, VOIDS}
            elif name == "SE" and transaction.fault is not None:
                found.damaged[transaction.number] = transaction.fault
    if not sets:
        kinds = " and ".join(sorted(found.others)[:3]) or "none"
        raise UnreadableInput(f"{EXPECTED}; found {kinds}")
    return found


def _note(faults: list[Fault], fault: Fault) -> None:
    if len(faults) < MOST_FAULTS:
        faults.append(fault)


def read_claims(open_file: OpenFile, surveyed: Survey) -> Iterator[Claim | SetAside]:
    """The claims of a file, in order, and what is set aside. Raises UnreadableInput if it is not X12."""
    yield from (SetAside("", each.place, each.reason) for each in surveyed.faults)
    with open_file() as file:
        reader = _Levels(surveyed)
        for transaction, segment in walk(file, _ignored):
            yield from reader.take(transaction, segment)
        yield from reader.end()


def _ignored(_: Fault) -> None:
    """The survey has noted it."""


@dataclass(slots=True)
class _Person:
    """A subscriber or patient: what tells them apart from others. Never shown."""

    number: str = ""
    names: tuple[str, str] = ("", "")
    born: str = ""


class _Levels:
    """The hierarchy of a transaction set, as its HL segments open it.

    `_fault` is the fault of a level, which may be that of another patient: its claims are set aside. `_claim` is the
    open claim; with `_skips`, the segments up to the next claim or level are of one that was set aside.
    """

    def __init__(self, surveyed: Survey) -> None:
        self._survey = surveyed
        self._transaction: Transaction | None = None
        self._claim: ClaimLoop | None = None
        self._reset()

    def _reset(self) -> None:
        self._skips = False
        self._level = ""
        self._numbers: dict[str, str] = {}
        self._fault: Fault | None = None
        self._billing = Provider()
        self._payer: Payer | None = None
        self._subscriber = _Person()
        self._patient: _Person | None = None

    def take(self, transaction: Transaction, segment: Segment) -> Iterator[Claim | SetAside]:
        """Take the next segment in: the claims that end before it, and what is set aside."""
        if transaction is not self._transaction:
            yield from self.end()
            self._transaction = transaction
            self._reset()
            if transaction.other:
                yield SetAside("", transaction.name, f"{EXPECTED}; found {transaction.other}")
        if transaction.other:
            return
        name = segment.id
        if name in _ENDS_A_CLAIM:
            yield from self._end_claim()
            self._skips = False
        if name == "CLM":
            yield from self._clm(transaction, segment)
        elif name == "SE" and not transaction.claims:
            yield SetAside("", transaction.name, "expected a claim (CLM) in this transaction set")
        elif self._claim is not None:
            self._take_in_claim(transaction, segment)
        elif not self._skips and name in _LEVEL_HANDLERS:
            yield from self._fail(name, _LEVEL_HANDLERS[name](self, transaction, segment))

    def end(self) -> Iterator[Claim | SetAside]:
        """The open claim of a transaction set that ends without SE; without one, that claims may be missing."""
        transaction = self._transaction
        if transaction is not None and not transaction.is_closed and not transaction.other:
            place = f"{transaction.name} segment {transaction.count}"
            if self._claim is not None:
                self._claim.cut(place)
            elif not self._skips:
                yield SetAside("", place, "the transaction set ends here without SE: claims may be missing")
        yield from self._end_claim()

    # --- claims -----------------------------------------------------------------------------------------------------

    def _clm(self, transaction: Transaction, segment: Segment) -> Iterator[SetAside]:
        transaction.claims += 1
        fault = self._survey.damaged.get(transaction.number) or self._fault
        if fault is None and self._level not in _LEVELS_WITH_CLAIMS:
            fault = _fault_at(transaction, segment, "expected CLM in the loop of a subscriber or patient (HL)")
        if fault is not None:
            self._skips = True
            yield SetAside(segment.value(1), fault.place, fault.reason)
        else:
            self._claim = ClaimLoop(self._opened(transaction, segment), segment)

    def _opened(self, transaction: Transaction, segment: Segment) -> Claim:
        return Claim(
            number=segment.value(1),
            kind=transaction.kind or "professional",
            place=transaction.name,
            spot=Spot(transaction.count, "CLM"),
            patient=self._digest() or _digest_of("claim", segment.value(1)),
            billing=self._billing,
            payers=[self._payer or Payer(Spot(transaction.count, "CLM"))],
            created="".join(transaction.created),
        )

    def _take_in_claim(self, transaction: Transaction, segment: Segment) -> None:
        if self._claim is not None:
            self._claim.take(segment, transaction.count)
            self._fault = self._claim.lost_level or self._fault

    def _end_claim(self) -> Iterator[Claim | SetAside]:
        loop, self._claim = self._claim, None
        if loop is None:
            return
        loop.close()
        if loop.fault is not None:
            yield SetAside(loop.claim.number, loop.fault.place, loop.fault.reason)
        else:
            yield loop.claim
        if loop.lost is not None:
            yield SetAside("", loop.lost.place, loop.lost.reason)

    # --- levels -----------------------------------------------------------------------------------------------------

    def _fail(self, name: str, fault: Fault | None) -> Iterator[SetAside]:
        """Set a level with a fault aside, whose claims are named as they come; lines without a claim at once."""
        if fault is None:
            return
        if name in _LINES:
            self._skips = True
            yield SetAside("", fault.place, fault.reason)
        else:
            self._fault = self._fault or fault

    def _hl(self, transaction: Transaction, segment: Segment) -> Fault | None:
        number, parent, self._level = segment.value(1), segment.value(2), segment.value(3)
        self._fault = None
        above = {"20": "", "22": "20", "23": "22"}.get(self._level)
        if above is None:
            self._numbers = {}
            return _fault_at(transaction, segment, "HL03: expected 20, 22 or 23")
        if above and self._numbers.get(above) != parent:
            return _fault_at(transaction, segment, "HL02: expected the number of the HL above; one may be lost")
        self._numbers = {level: each for level, each in self._numbers.items() if level < self._level}
        self._numbers[self._level] = number
        if self._level == "20":
            self._billing = Provider()
        if self._level in {"20", "22"}:
            self._payer, self._subscriber = None, _Person()
        self._patient = _Person() if self._level == "23" else None
        return None

    def _sbr(self, transaction: Transaction, segment: Segment) -> Fault | None:
        if self._level != "22" or self._payer is not None:
            return _fault_at(transaction, segment, "expected one SBR in the loop of a subscriber (HL*22)")
        self._payer = Payer(Spot(transaction.count, "SBR"), segment.value(1), segment.value(9))
        return None

    def _nm1(self, transaction: Transaction, segment: Segment) -> Fault | None:
        entity = segment.value(1)
        if _LEVEL_OF.get(entity, self._level) != self._level:
            return _fault_at(transaction, segment, "expected this NM1 behind an HL of its own, which may be lost")
        if entity == "85":
            self._billing = provider(segment)
        elif entity in {"IL", "QC"}:
            person = self._patient or self._subscriber
            person.names = segment.value(3).upper(), segment.value(4).upper()
            person.number = segment.value(9).upper()
        elif entity == "PR" and self._payer is not None:
            payer_named(self._payer, segment)
        return None

    def _dmg(self, _: Transaction, segment: Segment) -> None:
        (self._patient or self._subscriber).born = segment.value(2)

    def _line(self, transaction: Transaction, segment: Segment) -> Fault | None:
        return _fault_at(transaction, segment, "expected CLM before the lines; it may be lost")

    def _digest(self) -> str:
        """A digest of the patient: by number and date of birth, else by name; empty if neither is sent."""
        of_subscriber = self._subscriber.number or " ".join(self._subscriber.names).strip()
        if self._patient is not None:
            return _digest_of("patient", of_subscriber, *self._patient.names, self._patient.born)
        return _digest_of("subscriber", of_subscriber, self._subscriber.born) if of_subscriber else ""


_ENDS_A_CLAIM = frozenset({"HL", "CLM", "SE"})
_LEVELS_WITH_CLAIMS = frozenset({"22", "23"})
_LEVEL_OF = {"85": "20", "IL": "22", "PR": "22", "QC": "23"}
_LINES = frozenset({"LX", "SV1", "SV2"})
_LEVEL_HANDLERS: dict[str, Callable[[_Levels, Transaction, Segment], Fault | None]] = {
    "HL": _Levels._hl,
    "SBR": _Levels._sbr,
    "NM1": _Levels._nm1,
    "DMG": _Levels._dmg,
    **dict.fromkeys(_LINES, _Levels._line),
}


def _fault_at(transaction: Transaction, segment: Segment, reason: str) -> Fault:
    return Fault(transaction.place(transaction.count, segment.id), reason)


def _digest_of(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
