"""What the audit of a year of records must know of the codes: which records can matter, and what people ask first."""

import re
from collections.abc import Iterator

from cds_service.audit.knowledge import Knowledge, Question
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, PRODUCTS, STUDIES, WHOLE_SERVICES

# Codes of these kinds matter only on a day on which an echo, an add-on, a stress test or a supply is charged.
_ONLY_BESIDE_OTHERS = frozenset({"ecg", "injection", "drug"})

QUESTIONS = (
    Question("Billed without 93352 or the supply", ("contrast-add-on-missing", "contrast-supply-missing")),
    Question("Add-ons that had no primary", ("add-on-without-primary",)),
    Question("Billed without support in the record", ("contrast-not-supported", "documentation-incomplete")),
    Question("Done and not billed", ("performed-not-charged",)),
)


def knowledge() -> Knowledge:
    """All that the audit is told."""
    return Knowledge(
        relevant="|".join(sorted(set(_patterns()))),
        products={product.code: product.name for product in PRODUCTS},
        questions=QUESTIONS,
    )


def _patterns() -> Iterator[str]:
    """How a study, an add-on, a supply, a stress test or an agent may be written in a record."""
    yield from (entry.code for entry in CODES if entry.kind not in _ONLY_BESIDE_OTHERS)
    for table in (ADD_ONS, STUDIES, PRODUCTS, WHOLE_SERVICES):
        yield from (entry.code for entry in table)
    yield from (code for entry in CROSSWALK for code in (entry.code, entry.hospital_code))
    for product in PRODUCTS:
        yield from product.rxnorm_ingredients
        yield from (re.escape(word) for word in product.words)
        yield from (_ndc(written) for written in product.ndc)


def _ndc(written: str) -> str:
    """Labeler and product of an NDC, with or without hyphens and leading zeros."""
    labeler, product = written.split("-")
    return f"{labeler.lstrip('0')}-?0*{product.lstrip('0')}"
