"""Changes to a case that rules propose: lines to add, remove or correct."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cds_service.core.case import Line, Order
from cds_service.core.notation import notation, plain


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

    def __str__(self) -> str:
        written = notation(self.code, self.modifiers, self.units)
        return f"add {written}" if self.units is not None else f"add {written} (units to be entered)"


@dataclass(frozen=True, slots=True)
class RemoveLine:
    """Remove a line."""

    line: Line

    def __str__(self) -> str:
        return f"remove {self.line}"


@dataclass(frozen=True, slots=True)
class RemoveOrder:
    """Withdraw an unsigned order."""

    order: Order
    code: str

    def __str__(self) -> str:
        return f"remove the order for {self.code}"


@dataclass(frozen=True, slots=True)
class ReplaceCode:
    """Replace the code of a line."""

    line: Line
    code: str

    def __str__(self) -> str:
        return f"replace {self.line.code} by {self.code}"


@dataclass(frozen=True, slots=True)
class SetUnits:
    """Set the HCPCS units of a line."""

    line: Line
    units: Decimal

    def __str__(self) -> str:
        return f"set {self.line.code} to {plain(self.units)} {'unit' if self.units == 1 else 'units'}"


@dataclass(frozen=True, slots=True)
class AddModifier:
    """Append a modifier to a line."""

    line: Line
    modifier: str

    def __str__(self) -> str:
        return f"add modifier {self.modifier} to {self.line.code}"


@dataclass(frozen=True, slots=True)
class RemoveModifier:
    """Remove a modifier from a line."""

    line: Line
    modifier: str

    def __str__(self) -> str:
        return f"remove modifier {self.modifier} from {self.line.code}"


Change = AddLine | RemoveLine | RemoveOrder | ReplaceCode | SetUnits | AddModifier | RemoveModifier
