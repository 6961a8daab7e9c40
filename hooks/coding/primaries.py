"""Whether an add-on has one of its primaries."""

from cds_service.core.case import BILLING, Case, Line, Order
from hooks.codes.tables import ADD_ONS, AddOn
from hooks.coding.lines import lines_that_may_be_on
from hooks.coding.practitioners import agrees
from hooks.coding.study_codes import study_kind


def has_primary(line: Line, entry: AddOn, case: Case) -> bool:
    """Whether one of the add-on's primaries is charged that day by the same practitioner, or ordered at order time."""
    if any(is_primary_of(other, line, entry) for other in lines_that_may_be_on(line.day, case)):
        return True
    return case.stage == "order" and any(
        study_kind(order) == "stress" or ordered_codes(order) & set(entry.primaries) for order in case.orders
    )


def is_primary_of(other: Line, line: Line, entry: AddOn) -> bool:
    """Whether a line is a primary that an add-on may be charged beside."""
    same_day = other.day == line.day or None in (other.day, line.day)
    return other.code in entry.primaries and same_day and agrees(other.performers, line.performers)


def ordered_codes(order: Order) -> set[str]:
    """The billing codes of an order, without modifiers."""
    return {value[:5] for value in order.concept.values(BILLING)}


def lacks_primary(line: Line, case: Case) -> bool:
    """Whether a line is an add-on that lacks its primary, which is a fault of its own."""
    entry = ADD_ONS.on(line.code, line.day)
    return entry is not None and not has_primary(line, entry, case)
