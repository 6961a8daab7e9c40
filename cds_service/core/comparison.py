"""Comparison of findings and fixes: by the records they cite and the changes they make."""

from collections.abc import Iterable, Sequence

from cds_service.core.case import Line, Record
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
from cds_service.core.rules import Finding, Fix


def holds_in(finding: Finding, others: Sequence[Finding]) -> bool:
    """True if other findings of the same rule that cite its records offer at least as much.

    Alternative fixes must be among the fixes of one of them: if some are recommended, these, else all. A single fix
    holds if they make its changes together, since a reading may divide a study. Without a fix, they must cite all its
    charges.
    """
    wanted = [each for each in finding.fixes if each.recommended] or list(finding.fixes)
    if not wanted:
        return bool(others) and _charges(finding) <= frozenset().union(*map(_charges, others))
    if len(wanted) == 1:
        return _is_made_by(wanted[0], others)
    return any(all(any(is_part_of(each, theirs) for theirs in other.fixes) for each in wanted) for other in others)


def _is_made_by(fix: Fix, others: Iterable[Finding]) -> bool:
    """True if other findings together make all changes of a fix, each with one of its own fixes."""
    left = list(fix.changes)
    for other in others:
        left = min((_not_in(theirs, left) for theirs in other.fixes), key=len, default=left)
    return not left


def _not_in(other: Fix, changes: Iterable[Change]) -> list[Change]:
    """The changes that another fix does not make; compared by target, since a fix may have thousands."""
    made: dict[object, list[Change]] = {}
    for each in other.changes:
        made.setdefault(_target(each), []).append(each)
    return [each for each in changes if not any(_includes(theirs, each) for theirs in made.get(_target(each), ()))]


def _charges(finding: Finding) -> frozenset[tuple[str, str]]:
    """The charges that a finding cites: without a fix, it is said of each of them."""
    return frozenset(place_of(each.record) for each in finding.evidence if isinstance(each.record, Line))


def records_of(finding: Finding) -> set[tuple[str, str]]:
    """The records that a finding cites, as pairs of the resource's path and the path in it."""
    return {place_of(each.record) for each in finding.evidence}


def targets_of(finding: Finding) -> frozenset[object]:
    """The targets of all fixes of a finding: a fix can be part of another one only if its targets are."""
    return frozenset(_target(change) for fix in finding.fixes for change in fix.changes)


def is_part_of(fix: Fix, other: Fix) -> bool:
    """True if another fix makes all changes of this one."""
    return not _not_in(other, fix.changes)


def _includes(theirs: Change, change: Change) -> bool:
    """True of a change with the same target; a line to add may have other units, and must have the modifiers."""
    if isinstance(change, AddLine) and isinstance(theirs, AddLine):
        return set(theirs.modifiers) >= set(change.modifiers)
    return True


def _target(change: Change) -> object:
    """The kind of a change with the code that it adds or the record that it is made to, and what it sets there."""
    if isinstance(change, AddLine):
        return "add", change.code
    if isinstance(change, RemoveOrder):
        return "order", place_of(change.order)
    line = change.line
    return type(change), place_of(line), line.code, _set_by(change)


def _set_by(change: RemoveLine | ReplaceCode | SetUnits | AddModifier | RemoveModifier) -> object:
    """The value that a change sets on a line; of a line to remove, those that it has."""
    match change:
        case RemoveLine(line):
            return line.modifiers, line.units
        case ReplaceCode(_, code):
            return code
        case SetUnits(_, units):
            return units
        case AddModifier(_, modifier) | RemoveModifier(_, modifier):
            return modifier


def places_of(change: Change) -> set[tuple[str, str]]:
    """The record that a change is made on; for a line to add, the line beside it."""
    if isinstance(change, AddLine):
        return {place_of(change.sibling)} if change.sibling else set()
    return {place_of(change.order if isinstance(change, RemoveOrder) else change.line)}


def place_of(record: Record) -> tuple[str, str]:
    """The path of a record's resource, and its path in the resource."""
    return record.origin.resource, record.origin.within
