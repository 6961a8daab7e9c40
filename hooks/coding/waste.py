"""Single-dose vials under Medicare Part B: what was left over, and which of the modifiers JW and JZ follows from it.

Both are asked for where the drug is paid separately: on a practice's own claim, not where a hospital's payment already
includes the agent.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from cds_service.core.case import Case, Line, cached_fact
from hooks.codes.tables import MODIFIERS, PRODUCTS
from hooks.coding.contrast import documented_units, given_of, millilitres_given
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.products import UNSPECIFIED, is_supply
from hooks.coding.setting_and_payer import is_professional_only, payer_of, payer_says
from hooks.coding.studies import Study

DISCARDED = "JW"
NOTHING_DISCARDED = "JZ"

# Places of service at which a practice owns the equipment and buys the agent: office, mobile unit, urgent care,
# independent clinic. Places that are in neither list leave the question open.
OFFICE_PLACES = frozenset({"11", "15", "20", "49"})

Payment = Literal["separate", "packaged", "not asked", "unknown"]


def payment_of(line: Line, study: Study, case: Case) -> Payment:
    """How the payer of a line pays for the agent, as far as the modifiers JW and JZ depend on it."""
    if line in medicare_hospital_lines(study, case):
        return "packaged"
    asks = _asks_for_modifiers(line, case)
    if asks is False or is_professional_only(line):
        return "not asked"
    is_office = line.claim_type == "professional" and line.place_of_service in OFFICE_PLACES
    return "separate" if is_office and asks else "unknown"


def _asks_for_modifiers(line: Line, case: Case) -> bool | None:
    """Whether the payer wants JW and JZ: as the site says, else Medicare does and others do not."""
    said = payer_says(case, [line], "waste_modifiers")
    return {"medicare": True, "other": False, "unknown": None}[payer_of(case, [line])] if said is None else said


def is_asked_for(day: date | None) -> bool:
    """Whether one of the two modifiers is asked for on a date of service."""
    return day is not None and MODIFIERS.on(NOTHING_DISCARDED, day) is not None


def has_product_code(line: Line) -> bool:
    """Whether a line charges an agent by the code of its product, in mL; A9700 is charged by the study."""
    return is_supply(line.code) and line.code != UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Leftover:
    """What is left of the vials that were opened, in HCPCS units.

    `least` where as few were opened as the mL need, `most` where each administration was drawn from a vial of its own.
    """

    units: Decimal
    least: Decimal
    most: Decimal


@cached_fact
def leftover_of(code: str, study: Study) -> Leftover | None:
    """What is left after the mL recorded as given; None where the record or the vial's size does not decide it."""
    vial = PRODUCTS.history(code)[0].vial_ml if code in PRODUCTS else None
    units = documented_units(code, study).units
    if vial is None or units is None:
        return None
    fewest = (millilitres_given(code, study) / vial).to_integral_value(ROUND_CEILING)
    most = max(fewest, Decimal(len(given_of(code, study))))
    return Leftover(units, _left(fewest * vial, units), _left(most * vial, units))


def asked_leftover(code: str, study: Study, bill: Line | None, case: Case) -> Leftover | None:
    """What is left, where the bill has to tell by JW or JZ; None where it has not to, or the record does not decide."""
    if bill is None or not is_asked_for(bill.day or study.day) or payment_of(bill, study, case) != "separate":
        return None
    return leftover_of(code, study)


def _left(opened_ml: Decimal, units: Decimal) -> Decimal:
    return max(opened_ml.to_integral_value(ROUND_CEILING) - units, Decimal(0))
