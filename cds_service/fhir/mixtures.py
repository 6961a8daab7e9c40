"""The parts of a mixture: the volume of each ingredient in a dose."""

from decimal import Decimal

from cds_service.fhir import resources as r
from cds_service.fhir.elements import OutOfRange, milliliters

_STEP = Decimal("0.001")


def is_mixture(medication: r.Medication) -> bool:
    """True if a medication has several ingredients, or one in a volume: a weight is the strength of a product."""
    ingredients = medication.ingredient or ()
    return len(ingredients) > 1 or any(
        _volume(each.strength.numerator if each.strength else None) for each in ingredients
    )


def part_of(dose: Decimal | None, strength: r.Ratio | None) -> Decimal | None:
    """An ingredient's part of a dose, in mL to 0.001 mL; None unless its strength is a volume per volume."""
    part, whole = (_volume(strength.numerator), _volume(strength.denominator)) if strength else (None, None)
    if dose is None or part is None or not whole or part > whole:
        return None
    return (dose * part / whole).quantize(_STEP)


def _volume(quantity: r.Quantity | None) -> Decimal | None:
    try:
        return milliliters(quantity)
    except OutOfRange:
        return None  # an implausible strength states nothing
