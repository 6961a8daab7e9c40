"""The choices of the claim page's form, and claims to try."""

from pathlib import Path

import hooks
from cds_service.languages.worded import worded
from cds_service.review.typed_cases import ClaimExample, ClaimPage, FormChoices
from hooks.codes.tables import CODES, PRODUCTS

# The heads of claims: of a practitioner in an office and in a hospital, and of the hospital.
OFFICE = "place: 11\npayer: Medicare\nday: 2026-11-03\n"
IN_HOSPITAL = "place: 22\npayer: Medicare\nday: 2026-11-03\n"
HOSPITAL = "bill: 0131\npayer: Medicare\nday: 2026-11-03\n"
_GIVEN = "given: Definity 1.3 mL\ndone: 93351\n"

# Each with one fault, but for the last; in the order in which the page offers them.
EXAMPLES = (
    ClaimExample(worded("Contrast add-on missing"), f"professional: 93351, Q9957x2-JZ\n{OFFICE}{_GIVEN}"),
    ClaimExample(worded("Supply missing"), f"professional: 93351, 93352\n{OFFICE}{_GIVEN}"),
    ClaimExample(
        worded("Add-on without a primary"), f"professional: 93352, Q9957x2-JZ\n{OFFICE}given: Definity 1.3 mL\n"
    ),
    ClaimExample(worded("Units"), f"professional: 93351, 93352, Q9957x3-JZ\n{OFFICE}{_GIVEN}"),
    ClaimExample(
        worded("JW or JZ"),
        f"professional: 93351, 93352, Q9950x2\n{OFFICE}given: Lumason 2 mL, 3 mL discarded\ndone: 93351\n",
    ),
    ClaimExample(worded("Hospital code"), f"institutional: 93351, 93352, Q9957x2\n{HOSPITAL}{_GIVEN}"),
    ClaimExample(worded("Pair"), f"professional: 93351, 93350, 93352, Q9957x2-JZ\n{OFFICE}{_GIVEN}"),
    ClaimExample(worded("26 on the add-on"), f"professional: 93351-26, 93352-26\n{IN_HOSPITAL}{_GIVEN}"),
    ClaimExample(worded("Correct claim"), f"professional: 93351, 93352, Q9957x2-JZ\n{OFFICE}{_GIVEN}"),
)


def page() -> ClaimPage:
    """The contents of the page for claims."""
    guide = (Path(hooks.__file__).parent / "NOTATION.md").read_text(encoding="utf-8")
    return ClaimPage(_choices(), EXAMPLES, guide)


def _choices() -> FormChoices:
    """The names that the form suggests: codes with descriptions, products, payers, places of service."""
    return FormChoices(
        codes=tuple((entry.code, entry.words) for entry in CODES if entry.last is None),
        products=tuple(product.name for product in PRODUCTS if product.ndc),
        payers=("Medicare", "Medicare Advantage", "Medicaid", "Aetna", "Blue Cross", "Cigna", "UnitedHealthcare"),
        places=(
            ("11", worded("Office")),
            ("19", worded("Off-campus outpatient hospital")),
            ("21", worded("Inpatient hospital")),
            ("22", worded("On-campus outpatient hospital")),
            ("23", worded("Emergency room")),
            ("24", worded("Ambulatory surgical center")),
            ("49", worded("Independent clinic")),
        ),
    )
