"""Which contrast agent a record names, and how sure that is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from cds_service.case import BILLING, NDC, NO_SYSTEM, RXNORM, Concept
from hooks.tables import CODES, PRODUCTS

UNSPECIFIED = "A9700"


@dataclass(frozen=True, slots=True)
class Agent:
    """An echo contrast agent. `codes` are the supply codes that it may have: one where the product is known, several
    where the record leaves it open. `certain` is false where only words, or a code without a system, name it.
    """

    codes: frozenset[str]
    certain: bool = True


def is_supply(code: str) -> bool:
    """Whether a billing code is a supply code for echo contrast."""
    return any(entry.kind == "supply" for entry in CODES.history(code))


def current_products() -> frozenset[str]:
    """The supply codes of products that can still be bought."""
    return frozenset(product.code for product in PRODUCTS if not product.discontinued)


@cache
def agent_in(concept: Concept) -> Agent | None:
    """The contrast agent that a concept names, or None where it names none.

    Codes decide: NDC, supply code, RxNorm ingredient. Where they leave several products, all are kept; words are asked
    only where no code speaks.
    """
    named = [codes for codes in _by_codes(concept) if codes]
    if named:
        common = frozenset.intersection(*named)
        return Agent(common or frozenset.union(*named))
    by_words = frozenset(code for word in concept.words for code in _by_words(word))
    by_words |= frozenset(value for value in concept.values(NO_SYSTEM) if value in PRODUCTS)
    return Agent(by_words, certain=False) if by_words else None


def _by_codes(concept: Concept) -> Iterable[frozenset[str]]:
    for value in concept.values(BILLING):
        yield frozenset({value}) if value in PRODUCTS else frozenset()
        yield current_products() if value == UNSPECIFIED else frozenset()
    for value in concept.values(NDC):
        yield frozenset(product.code for product in PRODUCTS if ndc_matches(value, product.ndc))
    for value in concept.values(RXNORM):
        yield frozenset(product.code for product in PRODUCTS if value in product.rxnorm_ingredients)


def _by_words(text: str) -> Iterable[str]:
    return (product.code for product in PRODUCTS if any(word in text.lower() for word in product.words))


def name_of(code: str) -> str:
    """The product that a supply code stands for: `Definity (Q9957)`."""
    entries = PRODUCTS.history(code)
    return f"{entries[0].name} ({code})" if entries else code


def ndc_matches(written: str, products: Iterable[str]) -> bool:
    """Whether an NDC, in any of its written forms, is of one of the products (labeler and product, 5-4 form)."""
    wanted = {product.replace("-", "") for product in products}
    return bool(wanted & _labeler_and_product(written))


def _labeler_and_product(written: str) -> set[str]:
    """The nine digits of labeler and product, 5-4; several where ten digits without hyphens leave the split open."""
    parts = written.strip().split("-")
    if not all(re.fullmatch(r"\d+", part) for part in parts):
        return set()
    if len(parts) in {2, 3}:
        return {parts[0].zfill(5) + parts[1].zfill(4)}
    digits = parts[0]
    if len(digits) == 11:
        return {digits[:9]}
    if len(digits) == 10:  # 4-4-2, 5-3-2 or 5-4-1
        return {"0" + digits[:8], digits[:5] + "0" + digits[5:8], digits[:9]}
    return set()
