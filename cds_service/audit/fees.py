"""Dollar estimates of findings, from a fee table and the fix of each finding.

The site's table is CSV with the columns `code`, `setting` (professional, facility, or empty for both) and `amount` (per
HCPCS unit); this project contains no fees. Medicare's amounts are in `medicare_fees`.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Protocol

from cds_service.core.case import Line
from cds_service.core.changes import AddLine, Change, RemoveLine, ReplaceCode, SetUnits
from cds_service.core.rules import Fix
from cds_service.errors import UnreadableInput

COLUMNS = ("code", "setting", "amount")
SETTINGS = {"professional": "professional", "facility": "institutional", "": ""}


@dataclass(frozen=True, slots=True)
class Charge:
    """The facts about a charge that its amount depends on."""

    claim_type: str = ""
    day: date | None = None
    modifiers: tuple[str, ...] = ()
    place_of_service: str | None = None


class Fees(Protocol):
    """Amounts of charges."""

    @property
    def name(self) -> str:
        """The name for the report; empty for no table."""
        ...

    @property
    def identity(self) -> list[list[str]]:
        """The contents, to tell if they changed."""
        ...

    def of(self, code: str, charge: Charge) -> Decimal | None:
        """The amount per unit in US dollars; None if it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class FeeTable:
    """The site's amounts by code and claim type; an empty claim type stands for all. `name` is empty for no table."""

    amounts: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    name: str = ""

    @property
    def identity(self) -> list[list[str]]:
        """The amounts, in order."""
        return sorted([code, claim_type, str(amount)] for (code, claim_type), amount in self.amounts.items())

    def of(self, code: str, charge: Charge) -> Decimal | None:
        """The amount per unit; None if the table has none."""
        return self.amounts.get((code, charge.claim_type), self.amounts.get((code, "")))


def load_fees(path: Path) -> FeeTable:
    """Load a fee table. Raises UnreadableInput with the line and what was expected."""
    amounts: dict[tuple[str, str], Decimal] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise UnreadableInput(f"{path.name}: line 1: expected the columns {', '.join(COLUMNS)}")
            for row in reader:
                key, amount = _entry(path, reader.line_num, row)
                if key in amounts:
                    raise UnreadableInput(f"{path.name}: line {reader.line_num}: {key[0]} has two amounts")
                amounts[key] = amount
    except OSError as error:
        raise UnreadableInput(f"--fees: {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableInput(f"{path.name}: expected a CSV file in UTF-8") from None
    return FeeTable(amounts, path.name)


def _entry(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[tuple[str, str], Decimal]:
    code, setting, written = ((row[column] or "").strip() for column in COLUMNS)
    if not code:
        raise UnreadableInput(f"{path.name}: line {line}: expected a `code`")
    if setting not in SETTINGS:
        raise UnreadableInput(f"{path.name}: line {line}: `setting`: expected professional, facility or empty")
    try:
        amount = Decimal(written)
    except InvalidOperation:
        raise UnreadableInput(f"{path.name}: line {line}: `amount`: expected a number such as 31.50") from None
    if not amount.is_finite() or amount < 0:
        raise UnreadableInput(f"{path.name}: line {line}: `amount`: expected a number of 0 or more")
    return (code.upper(), SETTINGS[setting]), amount


# --- direction and value --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """Direction of a finding: `under` (undercharged), `over` (overcharged), `either`, `none` (no fix).

    `value` is the change of the charges in dollars; None if a fee is missing.
    """

    direction: str
    value: Decimal | None


def estimate_of(fixes: Iterable[Fix], fees: Fees) -> FeeEstimate:
    """The estimate of the recommended fix; among open alternatives the overcharge, else the smallest amount.

    An add-on without a primary can be fixed by adding or by removing a charge; the charge at risk counts.
    """
    alternatives = tuple(fixes)
    chosen = [fix for fix in alternatives if fix.recommended][:1] or list(alternatives)
    found = [_estimate(fix.changes, fees) for fix in chosen]
    overs = [estimate for estimate in found if estimate.direction == "over"]
    candidates = overs or [estimate for estimate in found if estimate.direction != "none"]
    known = [estimate for estimate in candidates if estimate.value is not None]
    return min(known or candidates, key=_size, default=FeeEstimate("none", None))


def _size(estimate: FeeEstimate) -> Decimal:
    return abs(estimate.value or Decimal(0))


def _estimate(changes: Iterable[Change], fees: Fees) -> FeeEstimate:
    every = tuple(changes)
    directions = {_direction(change) for change in every} - {"none"}
    values = [_value(change, fees) for change in every]
    value = None if None in values or not directions else sum((each for each in values if each is not None), Decimal(0))
    if len(directions) == 1 and directions != {"either"}:
        return FeeEstimate(directions.pop(), value)
    if value:
        return FeeEstimate("under" if value > 0 else "over", value)
    return FeeEstimate("either" if directions else "none", value)


def _direction(change: Change) -> str:
    if isinstance(change, AddLine):
        return "under"
    if isinstance(change, RemoveLine):
        return "over"
    if isinstance(change, SetUnits):
        return "under" if change.units > _units(change.line) else "over"
    return "either" if isinstance(change, ReplaceCode) else "none"


def _value(change: Change, fees: Fees) -> Decimal | None:
    """The amount by which a change alters the charges; units still to be entered count as one."""
    if isinstance(change, AddLine):
        fee = fees.of(change.code, _added(change))
        return None if fee is None else fee * (change.units if change.units is not None else 1)
    if isinstance(change, ReplaceCode):
        old, new = (fees.of(code, _charged(change.line)) for code in (change.line.code, change.code))
        return None if old is None or new is None else (new - old) * _units(change.line)
    if isinstance(change, RemoveLine | SetUnits):
        fee = fees.of(change.line.code, _charged(change.line))
        left = change.units if isinstance(change, SetUnits) else Decimal(0)
        return None if fee is None else fee * (left - _units(change.line))
    return Decimal(0)


def _charged(line: Line) -> Charge:
    return Charge(line.claim_type, line.day, line.modifiers, line.place_of_service)


def _added(change: AddLine) -> Charge:
    beside = _charged(change.sibling) if change.sibling else Charge()
    return replace(beside, day=change.day or beside.day, modifiers=change.modifiers)


def _units(line: Line) -> Decimal:
    return Decimal(1) if line.units is None else line.units
