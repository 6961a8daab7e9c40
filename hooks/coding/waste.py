"""Single-dose vials under Medicare Part B: amount left over, and modifiers JW and JZ.

Required if the drug is paid separately, on a practice's own claim; not if a hospital's payment packages the agent.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from cds_service.core.case import Case, Line, cached_fact
from cds_service.core.rules import Evidence
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import worded
from hooks.codes.tables import MODIFIERS
from hooks.coding.contrast import administrations_of, documented_units, milliliters_given
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.products import BY_SUPPLY_CODE, UNSPECIFIED, agent_ml, is_supply
from hooks.coding.setting_and_payer import is_professional_in_office, is_professional_only, payer_answer, payer_of
from hooks.coding.studies import Study

DISCARDED = "JW"
NOTHING_DISCARDED = "JZ"
BOTH = frozenset({DISCARDED, NOTHING_DISCARDED})

Payment = Literal["separate", "packaged", "not required", "unknown"]


def payment_of(line: Line, study: Study, case: Case) -> Payment:
    """Payment for the agent on a line, as far as JW and JZ depend on it."""
    if line in medicare_hospital_lines(study, case):
        return "packaged"
    required = _payer_requires_modifiers(line, case)
    if required is False or is_professional_only(line):
        return "not required"
    return "separate" if is_professional_in_office(line) and required else "unknown"


def _payer_requires_modifiers(line: Line, case: Case) -> bool | None:
    """True if the payer requires JW or JZ: by the site file, else Medicare only; None if unknown."""
    answer = payer_answer(case, [line], "waste_modifiers")
    return {"medicare": True, "other": False, "unknown": None}[payer_of(case, [line])] if answer is None else answer


def waste_modifier_is_required(day: date | None) -> bool:
    """True if JW or JZ is required on a date of service."""
    return day is not None and MODIFIERS.on(NOTHING_DISCARDED, day) is not None


def has_product_code(line: Line) -> bool:
    """True if a line charges an agent by its product code, in mL; A9700 is charged per study."""
    return is_supply(line.code) and line.code != UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Leftover:
    """Amount left in the opened vials, in HCPCS units.

    `least` assumes the fewest vials for the volume given, `most` one vial for each administration; both are the same
    if the record states the mL discarded, `recorded_ml`.
    """

    units: Decimal
    least: Decimal
    most: Decimal
    recorded_ml: Decimal | None = None


@cached_fact
def leftover_of(code: str, study: Study) -> Leftover | None:
    """Amount left after the mL recorded as given; None if the dose, or the vial size and the discard, are unknown."""
    vial = BY_SUPPLY_CODE[code].vial_ml if code in BY_SUPPLY_CODE else None
    units = documented_units(code, study).units
    if units is None:
        return None
    recorded = milliliters_discarded(code, study)
    if recorded is not None:
        left = _left(milliliters_given(code, study) + recorded, units)
        return Leftover(units, left, left, recorded)
    if vial is None:
        return None
    fewest = (milliliters_given(code, study) / vial).to_integral_value(ROUND_CEILING)
    most = max(fewest, Decimal(len(administrations_of(code, study))))
    return Leftover(units, _left(fewest * vial, units), _left(most * vial, units))


def milliliters_discarded(code: str, study: Study) -> Decimal | None:
    """Volume of a product recorded as discarded in a study, in mL; None if no administration states it."""
    stated = [each.discarded_ml for each in administrations_of(code, study) if each.discarded_ml is not None]
    return sum(stated, Decimal(0)) if stated else None


def reportable_leftover(code: str, study: Study, line: Line | None, case: Case) -> Leftover | None:
    """Amount left that the claim must report with JW or JZ; None if it needs neither or the amount is unknown."""
    if (
        line is None
        or not waste_modifier_is_required(line.day or study.day)
        or payment_of(line, study, case) != "separate"
    ):
        return None
    return leftover_of(code, study)


def _left(opened_ml: Decimal, units: Decimal) -> Decimal:
    """Units left of the vials opened, which held at least what was given."""
    return opened_ml.to_integral_value(ROUND_CEILING) - units


def dose_evidence(code: str, study: Study) -> tuple[Evidence, ...]:
    """The doses of a product recorded as given, as evidence; those in another unit than mL are left out."""
    return tuple(
        Evidence(worded("{amount} given", amount=Quantity(ml, "mL")), each)
        for each in administrations_of(code, study)
        if (ml := agent_ml(each)) is not None
    )
