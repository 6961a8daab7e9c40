"""Reads the units of a charge: from its quantity, an extension of CMS or an adjudication of CARIN."""

import re
from decimal import Decimal

from cds_service.fhir import resources as r
from cds_service.fhir.elements import amount, concept, is_in_milliliters
from cds_service.fhir.extensions import extension_amount

# Extensions that hold the units of a line. In CMS's institutional claims `quantity` is that of the NDC.
_BEFORE_QUANTITY = frozenset({"rev_cntr_unit_cnt"})
_WITHOUT_QUANTITY = frozenset(
    {
        "carr_line_mtus_cnt", "dme_unit", "rev-serv-unit-cnt", "clm-line-prfnl-mtus-cnt", "clm-line-srvc-unit-qty",
        "line_srvc_cnt",
    }
)  # fmt: skip
UNIT_EXTENSIONS = _BEFORE_QUANTITY | _WITHOUT_QUANTITY
_ALLOWED = "allowedunits"

# Words for units of service, in lower case; `UN` is that of claims, `{unit}` and `1` are UCUM's.
_UNIT_WORDS = frozenset(
    """
    1 # count ct ea each hcpcs item items line procedure procedures qty quantity service services test tests time times
    u un unit units
    """.split()
)


def units_of(quantity: r.Quantity | None) -> tuple[Decimal | None, bool]:
    """The units that a quantity states, and whether they are unclear: without a value, or of another kind.

    Raises OutOfRange.
    """
    return amount(quantity), quantity is not None and (quantity.value is None or not _counts_units(quantity))


def _counts_units(quantity: r.Quantity) -> bool:
    """True if a quantity is of units of service, or of mL, which claims state for a product. A number of uL or of
    liters is no number of units, whatever the code.
    """
    written = [re.sub(r"[^\w#]+", " ", each.lower()).split() for each in (quantity.unit, quantity.code) if each]
    counted = any(words and _UNIT_WORDS.issuperset(words) for words in written)
    return counted or not any(written) or is_in_milliliters(quantity)


def units_of_line(part: r.ClaimLine) -> tuple[Decimal | None, bool]:
    """The HCPCS units of a claim line, and whether they are unclear. Raises OutOfRange."""
    extensions = part.extension or ()
    counted = extension_amount(extensions, _BEFORE_QUANTITY)
    if counted is not None:
        return counted, False
    counted, unclear = units_of(part.quantity)
    if counted is not None:
        return counted, unclear
    counted = extension_amount(extensions, _WITHOUT_QUANTITY)
    if counted is None:
        counted = _allowed(part)
    return counted, counted is None and unclear


def _allowed(part: r.ClaimLine) -> Decimal | None:
    """The units that the payer allowed (CARIN)."""
    for each in part.adjudication or ():
        if any(code.value.lower() == _ALLOWED for code in concept(each.category).codes):
            return amount(r.Quantity(value=each.value))
    return None
