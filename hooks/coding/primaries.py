"""Primaries of add-on codes."""

from collections.abc import Collection, Iterator
from datetime import date

from cds_service.core.case import Case, Line, Order, cached_fact
from cds_service.core.concepts import BILLING
from cds_service.core.notation import codes_without_modifiers
from hooks.coding.lines import grouped, relevant_lines
from hooks.coding.practitioners import ByPractitioner
from hooks.coding.published import Primaries, primaries_of
from hooks.coding.study_codes import study_kind


def has_primary(line: Line, primaries: Collection[str], case: Case) -> bool:
    """True if a primary is charged that day by the same practitioner or, at order time, ordered."""
    if any(True for _ in primaries_charged(line, primaries, case)):
        return True
    return case.stage == "order" and any(
        study_kind(order) == "stress" or ordered_codes(order) & set(primaries) for order in case.orders
    )


def primaries_charged(line: Line, primaries: Collection[str], case: Case) -> Iterator[Line]:
    """The primaries of an add-on that are charged on its day, or an unknown one, and maybe by its practitioner."""
    charged = _by_day_and_code(case)
    for day in charged if line.day is None else (line.day, None):
        for code, lines in charged.get(day, {}).items():
            if code in primaries:
                yield from lines.may_be_of(line.performers)


def primaries_of_anybody(day: date | None, primaries: Collection[str], case: Case) -> Iterator[Line]:
    """The primaries that are charged on a day, whoever charges them."""
    for code, lines in _by_day_and_code(case).get(day, {}).items():
        if code in primaries:
            yield from lines


@cached_fact
def _by_day_and_code(case: Case) -> dict[date | None, dict[str, ByPractitioner[Line]]]:
    """The charges by day, code and practitioner, for add-ons to find their primaries: a claim may be long."""
    return {
        day: {
            code: ByPractitioner(alike, lambda line: line.performers)
            for code, alike in grouped(of_day, lambda line: line.code).items()
        }
        for day, of_day in grouped(relevant_lines(case), lambda line: line.day).items()
    }


def ordered_codes(order: Order) -> set[str]:
    """Billing codes of an order, without modifiers."""
    return set(codes_without_modifiers(order.concept.values(BILLING)))


def lacks_primary(line: Line, case: Case) -> bool:
    """True if the line is an add-on without a primary; `add-on-without-primary` flags it."""
    found = primaries_of(line.code, line.day, case)
    return isinstance(found, Primaries) and found.is_closed and not has_primary(line, found.codes, case)
