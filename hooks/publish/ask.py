"""Knowledge of `ask`: the statements of all tables (`ask_facts.py`), and the words of questions from `words.yaml`."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.ask.knowledge import Knowledge, load_words
from cds_service.core.concepts import NDC, Code, Concept
from cds_service.core.tables import Table
from hooks.codes.tables import (
    ADD_ONS,
    CODES,
    MODIFIERS,
    OPPS,
    PAIR_MODIFIERS,
    PAIRS,
    PC_TC,
    PRODUCTS,
    STRESS_DRUGS,
    UNIT_LIMITS,
)
from hooks.coding.products import agent_in, ndc_matches
from hooks.publish.ask_facts import facts, pair
from hooks.publish.glossary import glossary


@cache
def knowledge() -> Knowledge:
    """All words and statements. Raises TableError, which names the file and the entry."""
    words = load_words(Path(__file__).with_name("words.yaml"))
    return Knowledge(
        words=words,
        facts=tuple(facts()),
        names=tuple(_names()),
        codes_of={each.name: (each.code,) for each in (*PRODUCTS, *STRESS_DRUGS)},
        given_as={each.code: each.name for each in PRODUCTS} | {each.code: each.code for each in STRESS_DRUGS},
        pair=pair,
        named_by=_named_by,
        day=min(day for day in _verified() if day.year == max(each.year for each in _verified())),
        kinds={entry.code: entry.kind for entry in CODES},
        modifiers=frozenset({*words.modifiers, *(entry.code for entry in (*MODIFIERS, *PAIR_MODIFIERS))}),
    )


def _verified() -> tuple[date, ...]:
    """The days through which the sources of CMS's edits and statuses were verified."""
    tables: tuple[Table[Any], ...] = (ADD_ONS, OPPS, PC_TC, PAIRS, UNIT_LIMITS)
    return tuple(
        day for table in tables for each in table.sources.values() if (day := each.verified_through) is not None
    )


def _names() -> Iterator[tuple[str, str, str]]:
    """Products, drugs and terms by their names: kind, value, phrase."""
    for product in PRODUCTS:
        for phrase in (product.name, *product.words):
            yield "product", product.name, phrase
    for drug in STRESS_DRUGS:
        for phrase in (drug.name, *drug.words):
            yield "drug", drug.name, phrase
    for term in glossary():
        for phrase in (term.name, *term.also):
            yield "term", term.id, phrase


def _named_by(ndc: str) -> frozenset[str]:
    """The codes of the products that an NDC names, in whatever form it is written."""
    agent = agent_in(Concept((Code(NDC, ndc),)))
    drugs = {drug.code for drug in STRESS_DRUGS if ndc_matches(ndc, drug.ndc)}
    return frozenset(drugs) | (agent.codes if agent else frozenset())
