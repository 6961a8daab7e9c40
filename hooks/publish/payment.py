"""Medicare's payment for a code by the built-in tables, where no newer release is loaded."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from cds_service.languages.messages import Money, Month, Value
from cds_service.languages.worded import Worded, joined, worded
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
            subject = _of(status, worded("Hospital outpatient department"))
            yield Statement(
                worded("{subject}: {amount}.", subject=subject, amount=Money(status.rate)), cited(OPPS, status)
            )


def _of(entry: RelativeValue | PaymentStatus, subject: Worded) -> Worded:
    """A subject with the month of its file, in words."""
    return joined(", ", (subject, Month(entry.release))) if entry.release else subject


def by_fee_schedule(row: RelativeValue) -> Worded:
    """The national amounts of a row in a sentence, in US dollars and relative value units."""
    amounts = joined(", ", _amounts(row) or (worded("no relative values"),))
    if row.modifier:
        return worded("With {modifier}: {amounts}.", modifier=row.modifier, amounts=amounts)
    schedule = _of(row, worded("Fee schedule"))
    return worded(
        "{schedule}, {status}; {amounts}.", schedule=schedule, status=decoded("status", row.status), amounts=amounts
    )


def _amounts(row: RelativeValue) -> tuple[Worded, ...]:
    """The amounts in an office and in a facility, where there are any."""
    found = [worded("office {amount} ({units} RVU)", **_paid(row.office, row))] if row.office else []
    if row.facility is None:
        found += [worded("in a facility not applicable (NA)")] if row.facility_na else []
    elif row.facility == row.office:
        found.append(worded("the same in a facility"))
    else:
        found.append(worded("facility {amount} ({units} RVU)", **_paid(row.facility, row)))
    return tuple(found)


def _paid(units: Decimal, row: RelativeValue) -> dict[str, Value]:
    return {"amount": Money((units * row.conversion_factor).quantize(_CENT, ROUND_HALF_UP)), "units": units}
