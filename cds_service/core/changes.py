"""Changes to a case that rules propose: lines to add, remove or correct."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import assert_never

from msgspec import structs

from cds_service.core.case import Case, Line, Order, Origin
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.notation import counted_units, notation
from cds_service.languages.worded import Worded, worded


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLine:
    """Add a charge. `sibling` is an existing line of the claim to add it to, None if there is no claim.

    `references` point to the study's records. `units` (HCPCS) None means that a person has to enter them. `is_supply`
    is true for supplies, false for services.
    """

    code: str
    units: Decimal | None
    modifiers: tuple[str, ...] = ()
    is_supply: bool = False
    sibling: Line | None = None
    references: tuple[str, ...] = ()
    day: date | None = None
    performers: frozenset[str] = frozenset()
    encounter: str | None = None

    @property
    def words(self) -> Worded:
        """The change in words."""
        written = notation(self.code, self.modifiers, self.units)
        if self.units is None:
            return worded("add {line} (units to be entered)", line=written)
        return worded("add {line}", line=written)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class RemoveLine:
    """Remove a line."""

    line: Line

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("remove {line}", line=str(self.line))

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class RemoveOrder:
    """Withdraw an unsigned order."""

    order: Order
    code: str

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("remove the order for {code}", code=self.code)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class ReplaceCode:
    """Replace the code of a line."""

    line: Line
    code: str

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("replace {old} by {new}", old=self.line.code, new=self.code)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class SetUnits:
    """Set the HCPCS units of a line."""

    line: Line
    units: Decimal

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("set {code} to {units}", code=self.line.code, units=counted_units(self.units))

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class AddModifier:
    """Append a modifier to a line."""

    line: Line
    modifier: str

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("add modifier {modifier} to {code}", modifier=self.modifier, code=self.line.code)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class RemoveModifier:
    """Remove a modifier from a line."""

    line: Line
    modifier: str

    @property
    def words(self) -> Worded:
        """The change in words."""
        return worded("remove modifier {modifier} from {code}", modifier=self.modifier, code=self.line.code)

    def __str__(self) -> str:
        return str(self.words)


LineChange = ReplaceCode | SetUnits | AddModifier | RemoveModifier
Change = AddLine | RemoveLine | RemoveOrder | LineChange


# --- changes made ---------------------------------------------------------------------------------------------------


def made(case: Case, changes: Iterable[Change]) -> Case:
    """The case with changes made, one after the other."""
    lines = {line.origin: line for line in case.lines}
    orders = list(case.orders)
    for number, change in enumerate(changes):
        if isinstance(change, AddLine):
            added = _added(change, number)
            lines[added.origin] = added
        elif isinstance(change, RemoveOrder):
            orders = [order for order in orders if order.origin != change.order.origin]
        elif isinstance(change, RemoveLine):
            lines.pop(change.line.origin, None)
        elif change.line.origin in lines:
            lines[change.line.origin] = changed(lines[change.line.origin], change)
    return case.with_records(lines=list(lines.values()), orders=orders)


def _added(change: AddLine, number: int) -> Line:
    """The new line, on the claim of its sibling."""
    origin = Origin("", f"{change.code} added", str(number))
    beside = change.sibling or Line(origin=origin, code=change.code, under_review=True)
    return structs.replace(
        beside,
        origin=origin,
        identity="",
        code=change.code,
        concept=Concept((Code(BILLING, change.code),)),
        modifiers=change.modifiers,
        units=change.units,
        day=change.day or beside.day,
        performers=change.performers,
        encounter=change.encounter,
        links=frozenset(change.references) | beside.links,
    )


def changed(line: Line, change: LineChange) -> Line:
    """The line that a change promises."""
    if isinstance(change, ReplaceCode):
        others = tuple(code for code in line.concept.codes if code.system != BILLING)
        concept = Concept((Code(BILLING, change.code), *others), line.concept.words)
        return structs.replace(line, code=change.code, concept=concept)
    if isinstance(change, SetUnits):
        return structs.replace(line, units=change.units, units_unclear=False)
    if isinstance(change, AddModifier):
        return structs.replace(line, modifiers=(*line.modifiers, change.modifier))
    if isinstance(change, RemoveModifier):
        return structs.replace(line, modifiers=tuple(each for each in line.modifiers if each != change.modifier))
    assert_never(change)
