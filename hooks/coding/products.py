"""Contrast agents named by records, and the certainty of the match."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from cds_service.core.case import Administration
from cds_service.core.concepts import BILLING, NDC, NO_SYSTEM, RXNORM, Code, Concept
from cds_service.core.notation import code_with_modifiers
from hooks.codes.tables import CODES, PRODUCTS

UNSPECIFIED = "A9700"

BY_SUPPLY_CODE = {product.code: product for product in PRODUCTS}


@dataclass(frozen=True, slots=True)
class Agent:
    """An echo contrast agent. `codes` are its possible supply codes: one if the product is known, several if the record
    leaves it open. `certain` is False if only free text, or a code without a system, names it.
    """

    codes: frozenset[str]
    certain: bool = True


_SUPPLIES = frozenset(entry.code for entry in CODES if entry.kind == "supply")
_CURRENT = frozenset(product.code for product in PRODUCTS if not product.discontinued)


def is_supply(code: str) -> bool:
    """True for a supply code of echo contrast."""
    return code in _SUPPLIES


def current_products() -> frozenset[str]:
    """Supply codes of products still on the market."""
    return _CURRENT


def agent_in(concept: Concept) -> Agent | None:
    """The contrast agent named by a concept; None if it names none.

    Codes decide: NDC, supply code, RxNorm ingredient. If they leave several products, all are kept; free text is used
    only if no code names a product.
    """
    return _by_codes(concept.codes) or _by_words(concept)


def agent_ml(given: Administration) -> Decimal | None:
    """The volume of the agent given, in mL: the dose, or the agent's part of a mixture; None if not known."""
    if not given.parts:
        return given.ml
    volumes = [part.ml for part in given.parts if agent_in(part.concept)]
    known = [ml for ml in volumes if ml is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(volumes) else None


@lru_cache(maxsize=4096)  # a record repeats few drugs
def _by_codes(codes: tuple[Code, ...]) -> Agent | None:
    named = [products for code in codes if (products := _by_code(code))]
    return Agent(frozenset.intersection(*named) or frozenset.union(*named)) if named else None


def _by_words(concept: Concept) -> Agent | None:
    weak = _products_in(concept.words) if concept.words else frozenset()
    weak |= {code.value for code in concept.codes if code.system == NO_SYSTEM and code.value in _PRODUCT_CODES}
    return Agent(weak, certain=False) if weak else None


@lru_cache(maxsize=4096)
def _products_in(words: tuple[str, ...]) -> frozenset[str]:
    """The products that texts name; most texts hold none of the words."""
    texts = [text.lower() for text in words]
    if not any(map(ANY_WORD.search, texts)):
        return frozenset()
    own = frozenset(code for wanted, code in _WORDS if _is_named(wanted, texts))
    return own or frozenset(code for wanted, code in _SHARED_WORDS if _is_named(wanted, texts))


def _by_code(code: Code) -> frozenset[str]:
    """The products that a code names; empty if it names none."""
    if code.system == BILLING:
        charged, _ = code_with_modifiers(code.value)
        return _CURRENT if charged == UNSPECIFIED else frozenset({charged} & _PRODUCT_CODES)
    if code.system == NDC:
        return frozenset(product.code for product in PRODUCTS if ndc_matches(code.value, product.ndc))
    if code.system == RXNORM:
        return frozenset(product.code for product in PRODUCTS if code.value in product.rxnorm_ingredients)
    return frozenset()


_PRODUCT_CODES = frozenset(BY_SUPPLY_CODE)
_WORDS = tuple((tuple(words.split()), product.code) for product in PRODUCTS for words in product.words)
_SHARED_WORDS = tuple((tuple(words.split()), product.code) for product in PRODUCTS for words in product.shared_words)


# The first words of the names of all agents, in lower case.
ANY_WORD = re.compile("|".join(sorted({re.escape(words[0]) for words, _ in (*_WORDS, *_SHARED_WORDS)})))


def _is_named(words: tuple[str, ...], texts: Iterable[str]) -> bool:
    """True if one of the texts holds all words, in any order: `perflutren, lipid microspheres`."""
    return any(all(word in text for word in words) for text in texts)


def name_of(code: str) -> str:
    """The product of a supply code: `Definity (Q9957)`."""
    return f"{BY_SUPPLY_CODE[code].name} ({code})" if code in BY_SUPPLY_CODE else code


def ndc_matches(written: str, products: Iterable[str]) -> bool:
    """True if an NDC, in any written form, is of one of the products (labeler and product, 5-4 form)."""
    wanted = {product.replace("-", "") for product in products}
    return bool(wanted & _labeler_and_product(written))


_LABELERS = frozenset(each.partition("-")[0] for product in PRODUCTS for each in product.ndc)


def is_of_agents_labeler(written: str) -> bool:
    """True if an NDC is of a labeler of contrast agents, whose products the table may not list in full."""
    return any(each[:5] in _LABELERS for each in _labeler_and_product(written))


def _labeler_and_product(written: str) -> set[str]:
    """The nine digits of labeler and product, 5-4; several if ten digits without hyphens are ambiguous."""
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
