"""Medicare's national amounts for the estimate, from the loaded tables: not adjusted to a place or a claim."""

from datetime import date
from decimal import Decimal
from typing import Literal

from cds_service.audit.fees import Charge
from cds_service.cms.answers import COMPONENTS, Fee, OppsStatus, PaymentLimit
from cds_service.cms.lookup import Snapshot
from cds_service.errors import UnreadableInput

MEDICARE: Literal["medicare"] = "medicare"

# Statuses of OPPS: paid at their rate; packaged or never paid to a hospital. Any other status depends on the claim.
_PAID = frozenset({"S", "T", "V", "K", "G", "R", "U"})
_NOT_PAID = frozenset({"N", "B", "M", "E1", "E2"})

_FACILITIES = frozenset({"19", "21", "22", "23", "24"})


class MedicareFees:
    """Amounts by the fee schedule, OPPS Addendum B and the payment limits of drugs, each on its dates of service."""

    def __init__(self, tables: Snapshot) -> None:
        self._tables = tables
        kinds = {"fees", "opps", "asp-limits"}
        self._releases = sorted({each.table: each for each in tables.releases if each.kind in kinds}.items())
        if not self._releases:
            raise UnreadableInput(
                "--fees medicare: load the fee schedule and Addendum B first, with `cds-service tables add`"
            )

    @property
    def name(self) -> str:
        """The words for the report."""
        loaded = ", ".join(table for table, _ in self._releases)
        return f"Medicare, national and not adjusted, by {loaded}"

    @property
    def identity(self) -> list[list[str]]:
        """The loaded releases."""
        return [[table, release.sha256] for table, release in self._releases]

    def of(self, code: str, charge: Charge) -> Decimal | None:
        """The amount per unit; 0 if Medicare does not pay it there, None if that is not known."""
        if charge.day is None:
            return None
        if charge.claim_type == "institutional":
            return self._of_hospital(code, charge.day)
        return self._of_practitioner(code, charge, charge.day) if charge.claim_type == "professional" else None

    def _of_hospital(self, code: str, day: date) -> Decimal | None:
        found = self._tables.opps(code, day)
        if not isinstance(found, OppsStatus):
            return None
        if found.row.status in _NOT_PAID:
            return Decimal(0)
        return found.row.rate if found.row.status in _PAID else None

    def _of_practitioner(self, code: str, charge: Charge, day: date) -> Decimal | None:
        modifier = next((each for each in COMPONENTS if each in charge.modifiers), "")
        found = self._tables.fee(code, modifier, day)
        if isinstance(found, Fee):
            in_facility = charge.place_of_service in _FACILITIES
            if found.is_not_applicable(facility=in_facility):
                return Decimal(0)
            if amount := found.amount(facility=in_facility):
                return amount
        return self._of_drug(code, day)

    def _of_drug(self, code: str, day: date) -> Decimal | None:
        found = self._tables.payment_limit(code, day)
        return found.row.limit if isinstance(found, PaymentLimit) else None
