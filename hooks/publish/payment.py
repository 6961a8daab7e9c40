"""Medicare's payment for a code by the built-in tables, where no newer release is loaded."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from cds_service.core.notation import plain
from cds_service.review.reference import Statement, cited
from hooks.codes.tables import OPPS, RELATIVE_VALUES, PaymentStatus, RelativeValue
from hooks.publish.indicators import cited_with_meaning, decoded

_CENT = Decimal("0.01")


def payment_facts(code: str) -> Iterator[Statement]:
    """National amounts in US dollars, not adjusted: for an office, a practitioner in a facility, and a hospital."""
    for row in RELATIVE_VALUES.history(code):
        yield Statement(by_fee_schedule(row), cited_with_meaning(RELATIVE_VALUES, row))
    for status in OPPS.history(code):
        if status.rate is not None:
            yield Statement(f"Hospital outpatient department{_of(status)}: ${status.rate:,.2f}.", cited(OPPS, status))


def _of(entry: RelativeValue | PaymentStatus) -> str:
    """The month of the file, in words."""
    return f", {entry.release:%B %Y}" if entry.release else ""


def by_fee_schedule(row: RelativeValue) -> str:
    """The national amounts of a row in a sentence, in US dollars and relative value units."""
    subject = f"With {row.modifier}" if row.modifier else f"Fee schedule{_of(row)}, {decoded('status', row.status)}"
    office = f"office {_amount(row.office, row)}" if row.office else ""
    in_facility = "in a facility not applicable (NA)" if row.facility_na else ""
    if row.facility is not None:
        in_facility = (
            "the same in a facility" if row.facility == row.office else f"facility {_amount(row.facility, row)}"
        )
    amounts = ", ".join(filter(None, (office, in_facility))) or "no relative values"
    return f"{subject}{':' if row.modifier else ';'} {amounts}."


def _amount(units: Decimal, row: RelativeValue) -> str:
    dollars = (units * row.conversion_factor).quantize(_CENT, ROUND_HALF_UP)
    return f"${dollars:,.2f} ({plain(units)} RVU)"
