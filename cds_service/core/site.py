"""A site's choices, as its file states them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from cds_service.core.concepts import Code

CodeScope = Literal["echo", "all"]
MedicarePart = Literal["A", "B"]
HospitalKind = Literal["outpatient", "critical-access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """A payer in the site's file: how coverages identify it, and its answers to the questions that rules ask.

    `names` are in lower case. `identifiers` and `types` (of coverage) are references, bare values or `system|value`.
    A question without an answer is unknown.
    """

    names: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site's choices.

    `mappings` map the site's codes to billing codes while resources are parsed; of `mapped_systems` every code that has
    a billing code is mapped. `time_zone` gives instants in UTC their local day. `vial_units`: if the product is known
    but the dose is not, charge one vial, of the usual size or of the size in `vial_units_of` (HCPCS units).
    `scope`: the codes of claims that rules look at, those of the echo or, with loaded tables, all.
    `hospital` is the site's kind of hospital, for claims that state no type of bill.
    `medicare`: the number of the site's Medicare contractor (MAC), by part: A for hospital claims, B for professional.
    `order_suggestions`: the resource that a suggestion creates at order time.
    """

    mappings: Mapping[Code, str] = field(default_factory=dict)
    mapped_systems: frozenset[str] = frozenset()
    time_zone: ZoneInfo | None = None
    payers: tuple[Payer, ...] = ()
    rules_off: frozenset[str] = frozenset()
    rules_lowered: frozenset[str] = frozenset()
    scope: CodeScope = "echo"
    hospital: HospitalKind = "outpatient"
    medicare: Mapping[MedicarePart, str] = field(default_factory=dict)
    vial_units: bool = False
    vial_units_of: Mapping[str, Decimal] = field(default_factory=dict)
    order_suggestions: Literal["ChargeItem", "ServiceRequest"] = "ChargeItem"

    def units_of_vial(self, code: str, usual: Decimal | None) -> Decimal | None:
        """The HCPCS units to charge if the dose is unknown; None if a person has to enter them."""
        return self.vial_units_of.get(code, usual if self.vial_units else None)
