"""Says which segments of an 837 a change to a claim concerns, in place of FHIR actions."""

import re
from collections.abc import Iterable, Iterator

from cds_service.core.case import Line
from cds_service.core.changes import (
    AddLine,
    AddModifier,
    Change,
    RemoveLine,
    RemoveModifier,
    RemoveOrder,
    ReplaceCode,
    SetUnits,
)
from cds_service.intake.x12.claim import Claim, ServiceLine

_ITEM = re.compile(r"item\[(\d+)\]")
_FIRST_MODIFIER = 3  # the component of SV101 or SV202


def corrections(changes: Iterable[Change], claim: Claim) -> tuple[str, ...]:
    """The changes to a claim in billers' notation, each with its segments; then the totals that change with them."""
    every = list(changes)
    return tuple(f"{change}: {place}" for change, place in _placed(every, claim)) + tuple(_totals(every, claim))


def _placed(changes: Iterable[Change], claim: Claim) -> Iterator[tuple[Change, str]]:
    added = 0
    for change in changes:
        if isinstance(change, AddLine):
            added += 1
            number, service = len(claim.lines) + added, _service(claim)
            yield change, f"{claim.place}, LX*{number}, {service} and DTP after segment {claim.lines[-1].last}"
        elif not isinstance(change, RemoveOrder):
            yield change, _place(change, _line_of(change.line, claim), claim)


def _place(
    change: RemoveLine | ReplaceCode | SetUnits | AddModifier | RemoveModifier, line: ServiceLine, claim: Claim
) -> str:
    if isinstance(change, RemoveLine):
        return f"{claim.place} segments {line.first} to {line.last} (LX to the end of its line)"
    return f"{claim.at(line.spot)}, {_element(change, line, claim)}"


def _element(change: ReplaceCode | SetUnits | AddModifier | RemoveModifier, line: ServiceLine, claim: Claim) -> str:
    procedure, units = ("SV101", "SV104") if claim.kind == "professional" else ("SV202", "SV205")
    if isinstance(change, SetUnits):
        return units
    if isinstance(change, ReplaceCode):
        return f"{procedure}-2"
    written = [each.upper() for each in line.modifiers]
    is_there = isinstance(change, RemoveModifier) and change.modifier in written
    position = written.index(change.modifier) if is_there else len(written)
    return f"{procedure}-{_FIRST_MODIFIER + position}"


def _totals(changes: list[Change], claim: Claim) -> Iterator[str]:
    if any(isinstance(each, AddLine | RemoveLine) for each in changes):
        yield f"then adjust CLM02 ({claim.place} segment {claim.spot.number}) and SE01"


def _line_of(line: Line, claim: Claim) -> ServiceLine:
    found = _ITEM.match(line.origin.within)
    return claim.lines[int(found[1])] if found else claim.lines[0]


def _service(claim: Claim) -> str:
    return "SV1" if claim.kind == "professional" else "SV2"
