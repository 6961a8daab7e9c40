"""Changes to a case that rules propose: lines added, removed and corrected."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cds_service.core.case import Line, Order
from cds_service.core.notation import notation, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLine:
    """Charge a code. `beside` is the line whose bill takes it, None where there is none; `about` names the study.

    `units` None leaves the quantity to the person who knows it. `is_supply` tells a thing used from a service done.
    """

    code: str
    units: Decimal | None
    modifiers: tuple[str, ...] = ()
    is_supply: bool = False
    beside: Line | None = None
    about: tuple[str, ...] = ()
    day: date | None = None
    performers: frozenset[str] = frozenset()
    encounter: str | None = None

    def __str__(self) -> str:
        written = notation(self.code, self.modifiers, self.units)
        return f"add {written}" if self.units is not None else f"add {written} (units to be entered)"


@dataclass(frozen=True, slots=True)
class RemoveLine:
    """Take a line off."""

    line: Line

    def __str__(self) -> str:
        return f"remove {self.line}"


@dataclass(frozen=True, slots=True)
class RemoveOrder:
    """Take an unsigned order back."""

    order: Order
    code: str

    def __str__(self) -> str:
        return f"remove the order for {self.code}"


@dataclass(frozen=True, slots=True)
class ReplaceCode:
    """Charge another code on the same line."""

    line: Line
    code: str

    def __str__(self) -> str:
        return f"replace {self.line.code} by {self.code}"


@dataclass(frozen=True, slots=True)
class SetUnits:
    """Charge another number of HCPCS units on the same line."""

    line: Line
    units: Decimal

    def __str__(self) -> str:
        return f"set {self.line.code} to {plain(self.units)} {'unit' if self.units == 1 else 'units'}"


@dataclass(frozen=True, slots=True)
class AddModifier:
    """Write a modifier on a line."""

    line: Line
    modifier: str

    def __str__(self) -> str:
        return f"add modifier {self.modifier} to {self.line.code}"


@dataclass(frozen=True, slots=True)
class RemoveModifier:
    """Take a modifier off a line."""

    line: Line
    modifier: str

    def __str__(self) -> str:
        return f"remove modifier {self.modifier} from {self.line.code}"


Change = AddLine | RemoveLine | RemoveOrder | ReplaceCode | SetUnits | AddModifier | RemoveModifier
