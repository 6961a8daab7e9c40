"""Inputs for the audit: patterns of relevant records, product names and headline questions."""

import re
from collections.abc import Iterator

from cds_service.audit.knowledge import Knowledge, Question
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, PRODUCTS, STUDIES, WHOLE_SERVICES

# Codes of these kinds are relevant only on a day with a charge for an echo, an add-on, a stress test or a supply.
_ONLY_WITH_OTHERS = frozenset({"ecg", "injection", "drug"})

QUESTIONS = (
    Question(
        worded("Contrast billed without {code} or the supply code", code="93352"),
        ("contrast-add-on-missing", "contrast-supply-missing"),
    ),
    Question(worded("Add-ons billed without a primary"), ("add-on-without-primary",)),
    Question(worded("Billed without support in the record"), ("contrast-not-supported", "documentation-incomplete")),
    Question(worded("Performed but not billed"), ("performed-not-charged",)),
)


def knowledge() -> Knowledge:
    """Patterns, product names and questions for the audit."""
    return Knowledge(
        relevant="|".join(sorted(set(_patterns()))),
        products={product.code: product.name for product in PRODUCTS},
        questions=QUESTIONS,
    )


def _patterns() -> Iterator[str]:
    """Regular expressions for studies, add-ons, supplies, stress tests and agents as records write them."""
    yield from (entry.code for entry in CODES if entry.kind not in _ONLY_WITH_OTHERS)
    for table in (ADD_ONS, STUDIES, PRODUCTS, WHOLE_SERVICES):
        yield from (entry.code for entry in table)
    yield from (code for entry in CROSSWALK for code in (entry.code, entry.hospital_code))
    for product in PRODUCTS:
        yield from product.rxnorm_ingredients
        yield from (re.escape(max(words.split(), key=len)) for words in (*product.words, *product.shared_words))
        yield from (_ndc(written) for written in product.ndc)


def _ndc(written: str) -> str:
    """Regular expression for an NDC's labeler and product, with or without hyphens and leading zeros."""
    labeler, product = written.split("-")
    return f"{labeler.lstrip('0')}-?0*{product.lstrip('0')}"
