"""Applies the fixes of findings to the case as typed, so that a coder sees the repaired claim in the notation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from cds_service.core.case import Line, Order, Origin
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
from cds_service.intake.typed import CLAIM_TYPES, ChargeLine, TypedCase, Words
from cds_service.intake.writer import WrittenBundle


def applied(case: TypedCase, written: WrittenBundle, changes: Iterable[Change]) -> TypedCase | None:
    """The case after the changes; None if a change is about a line that was not typed.

    `written` is the Bundle that was made of the case and reviewed.
    """
    editor = _Editor(written, {key: dict(enumerate(getattr(case, key))) for key in (*_KEYS, "ordered")})
    if not all(editor.apply(change) for change in changes):
        return None
    after = structs.replace(case, **{key: tuple(items.values()) for key, items in editor.items.items()})
    return structs.replace(after, hook="order") if case.stage == "order" else after


_KEYS = ("lines", *CLAIM_TYPES)


@dataclass(slots=True)
class _Editor:
    """The items of a case by their key and place; a removed item leaves a gap, so that places stay."""

    written: WrittenBundle
    items: dict[str, dict[int, Any]]

    def apply(self, change: Change) -> bool:
        """Apply a change; False if its line was not typed."""
        if isinstance(change, AddLine):
            return self._add(change)
        if isinstance(change, RemoveOrder):
            return self._remove_order(change.order)
        place = self._place_of(change.line.origin)
        if place is None:
            return False
        key, at = place
        if isinstance(change, RemoveLine):
            self.items[key].pop(at, None)
        elif (line := self.items[key].get(at)) is not None:
            self.items[key][at] = _changed(line, change)
        return True

    def _add(self, change: AddLine) -> bool:
        key = self._key_for(change.sibling)
        if key is None:
            return False
        claims = self.items[key]
        line = ChargeLine(
            code=change.code, modifiers=change.modifiers, units=change.units, words=self._words(change, key)
        )
        claims[max(claims, default=-1) + 1] = structs.replace(line, units=None if line.units == 1 else line.units)
        return True

    def _words(self, change: AddLine, key: str) -> Words:
        """The words of the sibling that say where the line belongs."""
        place = self._place_of(change.sibling.origin) if change.sibling else None
        sibling = self.items[place[0]].get(place[1]) if place else None
        if sibling is None:
            day = change.day.isoformat() if change.day else ""
            days = {each.words.on for each in self.items[key].values()}
            return Words(on=day if days - {""} else "")
        return Words(on=sibling.words.on, target=sibling.words.target, by=sibling.words.by)

    def _key_for(self, sibling: Line | None) -> str | None:
        """The key under which a line is added: its claim's, or that of charges on no claim."""
        if sibling is not None and sibling.claim:
            place = self._place_of(sibling.origin)
            return place[0] if place else None
        return "lines"

    def _place_of(self, origin: Origin) -> tuple[str, int] | None:
        entry = _number_behind("entry[", origin.resource)
        item = _number_behind("item[", origin.within) if origin.within else None
        return self.written.lines.get((entry, item)) if entry is not None else None

    def _remove_order(self, order: Order) -> bool:
        entry = _number_behind("entry[", order.origin.resource)
        at = self.written.orders.get(entry) if entry is not None else None
        if at is not None:
            self.items["ordered"].pop(at, None)
        return at is not None


def _number_behind(mark: str, path: str) -> int | None:
    digits = path.partition(mark)[2].partition("]")[0]
    return int(digits) if digits.isdigit() else None


def _changed(line: ChargeLine, change: ReplaceCode | SetUnits | AddModifier | RemoveModifier) -> ChargeLine:
    if isinstance(change, ReplaceCode):
        return structs.replace(line, code=change.code)
    if isinstance(change, SetUnits):
        return structs.replace(line, units=change.units)
    kept = tuple(each for each in line.modifiers if each != change.modifier)
    return structs.replace(line, modifiers=(*kept, change.modifier) if isinstance(change, AddModifier) else kept)
