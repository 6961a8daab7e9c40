"""Knowledge of cases described in words: the lines of `base_lines.yaml`, the words of `case_words.yaml`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec

from cds_service.ask.case_knowledge import BaseLine, CaseKnowledge, CaseWords, ClaimKind, load_case_words
from cds_service.ask.knowledge import Knowledge, Named, Words
from cds_service.core.tables import load_table
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.setting_and_payer import FACILITY_PLACES, OFFICE_PLACES
from hooks.publish.ask import knowledge

_FOLDER = Path(__file__).parent

BASE_LINES = load_table(_FOLDER / "base_lines.yaml", BaseLine)

_KINDS: dict[str, ClaimKind] = dict.fromkeys(OFFICE_PLACES, "practice")
_KINDS |= dict.fromkeys(FACILITY_PLACES, "practitioner")


@cache
def case_knowledge() -> CaseKnowledge:
    """All that is known of described cases. Raises TableError, which names the file and the entry."""
    words = load_case_words(_FOLDER / "case_words.yaml")
    return CaseKnowledge(
        words=words,
        recognized=_recognized(words, knowledge()),
        lines=BASE_LINES,
        claim_kinds=_KINDS,
        studies=frozenset(entry.code for entry in CODES if entry.kind == "primary"),
        agents=frozenset(product.name for product in PRODUCTS),
    )


def _recognized(words: CaseWords, asked: Knowledge) -> Knowledge:
    """The words of questions without those that no case needs: topics, terms and searches."""
    said = " ".join((*words.another, *words.own, *words.unsure, *words.given))
    own = msgspec.structs.replace(
        asked.words,
        topics={},
        performed={},
        things={},
        payers={name: _without(each, words.no_payer) for name, each in asked.words.payers.items()},
        negations=words.negations,
        fillers=f"{asked.words.fillers} {words.fillers} {said}",
    )
    names = (*_names(words, asked.words), *(each for each in asked.names if each[0] != "term"))
    return replace(asked, words=own, names=names)


def _without(named: Named, words: tuple[str, ...]) -> Named:
    return msgspec.structs.replace(named, words=tuple(each for each in named.words if each not in words))


def _names(words: CaseWords, asked: Words) -> Iterator[tuple[str, str, str]]:
    """Kind, value and phrase of what descriptions say was done, and on whose claim."""
    for kind, values in words.names.items():
        for value, synonyms in values.items():
            of_things = (phrase for thing in synonyms.things for phrase in asked.things[thing].words)
            yield from ((kind, value, phrase) for phrase in (*synonyms.words, *of_things))
