"""Primaries of add-on codes."""

from collections.abc import Collection

from cds_service.core.case import Case, Line, Order
from cds_service.core.concepts import BILLING
from cds_service.core.notation import codes_without_modifiers
from hooks.coding.lines import possible_lines_on
from hooks.coding.practitioners import may_be_same_practitioner
from hooks.coding.published import Primaries, primaries_of
from hooks.coding.study_codes import study_kind


def has_primary(line: Line, primaries: Collection[str], case: Case) -> bool:
    """True if a primary is charged that day by the same practitioner or, at order time, ordered."""
    if any(is_primary_of(other, line, primaries) for other in possible_lines_on(line.day, case)):
        return True
    return case.stage == "order" and any(
        study_kind(order) == "stress" or ordered_codes(order) & set(primaries) for order in case.orders
    )


def is_primary_of(other: Line, line: Line, primaries: Collection[str]) -> bool:
    """True if `other` is a primary of the add-on on `line`, for the same day and practitioner."""
    same_day = other.day == line.day or None in (other.day, line.day)
    return other.code in primaries and same_day and may_be_same_practitioner(other.performers, line.performers)


def ordered_codes(order: Order) -> set[str]:
    """Billing codes of an order, without modifiers."""
    return set(codes_without_modifiers(order.concept.values(BILLING)))


def lacks_primary(line: Line, case: Case) -> bool:
    """True if the line is an add-on without a primary; `add-on-without-primary` flags it."""
    found = primaries_of(line.code, line.day, case)
    return isinstance(found, Primaries) and found.is_closed and not has_primary(line, found.codes, case)
