"""The words for records that show contrast, or that none was given; and the words of records that deny it."""

import re

from cds_service.core.case import Administration, Procedure
from cds_service.core.concepts import Concept
from cds_service.languages.messages import Quantity
from cds_service.languages.worded import Worded, worded
from hooks.coding.products import ANY_WORD, agent_in, agent_ml, name_of
from hooks.coding.study_codes import names_contrast


def shown_by(record: Administration | Procedure, agent: Concept | None) -> str:
    """The way in which a record shows contrast; `agent` is what it names."""
    if agent is None:
        return worded("echo with contrast performed")
    if isinstance(record, Procedure):
        return worded("{agent} used", agent=agent_name(agent))
    ml = agent_ml(record)
    if ml is None:
        return worded("{agent} given", agent=agent_name(agent))
    return worded("{agent}, {amount} given", agent=agent_name(agent), amount=Quantity(ml, "mL"))


def not_performed(procedure: Procedure) -> Worded:
    """The echo of a procedure that was not done."""
    if names_contrast(procedure):
        return worded("echo with contrast recorded as not performed")
    return worded("echo recorded as not performed")


def agent_name(concept: Concept) -> str:
    """The agent of a concept by name; in words if the product is open."""
    agent = agent_in(concept)
    if agent is None or len(agent.codes) != 1:
        return worded("echo contrast (product not specified)")
    return name_of(next(iter(agent.codes)))


_NAMED = rf"(?:contrast|{ANY_WORD.pattern})"
_VERBS = r"(?: (?:agent|media|enhancement|was|were|is|has been|to be))*"
_DENIALS = re.compile(
    rf"\b(?:without|w/o|no|non|not|never)\b[ -]*(?:\w+ )?{_NAMED}"
    rf"|{_NAMED}{_VERBS} (?:not|never|declined|refused|contraindicated|withheld|deferred|unnecessary)\b"
)


def mentions_contrast(words: str) -> bool:
    """True of a text that speaks of contrast and does not deny it."""
    return "contrast" in words.lower() and not denies_contrast(words)


def denies_contrast(words: str) -> bool:
    """True of a text that denies contrast or an agent: "no contrast", "contrast was not used", "Definity declined"."""
    return _DENIALS.search(words.lower()) is not None


def names_agent(concept: Concept) -> bool:
    """True of a concept that names an agent by its code, or in words that do not deny it."""
    agent = agent_in(concept)
    return agent is not None and (agent.certain or not any(map(denies_contrast, concept.words)))


_ALLERGY = r"(?:allerg|anaphyla|hypersensitiv|sensitivit|intoleran|reaction)\w*"
_KIND = r"(?:iv|iodinated|iodine|media|medium|agents?|dye|material)"
_ALLERGIES = re.compile(
    r"(?:\b(?:no|not|denies|without|w/o|known|prior|previous|history of|hx of)\b[ :]*)*"
    rf"(?:{_NAMED}(?:[ /-]{_KIND}\b)*[ /-]{_ALLERGY}"
    rf"|\b{_ALLERGY}(?: reactions?)?(?: to|:) (?:{_KIND}[ /-])*{_NAMED}\w*(?:[ /-]{_KIND}\b)*)",
    re.IGNORECASE,
)


def without_allergies(concept: Concept) -> Concept:
    """A concept without what its words say of an allergy to contrast, which neither asks for contrast nor denies it."""
    if not any(map(_ALLERGIES.search, concept.words)):
        return concept
    return Concept(concept.codes, tuple(_ALLERGIES.sub("", text) for text in concept.words), concept.parts)


_IF_NEEDED = r"(?:\bprn\b|\bp\.r\.n\.|\b(?:as|if|when|where) (?:\w+ )?(?:needed|necessary|required|indicated)\b)"
_CONTRAST_IF_NEEDED = re.compile(rf"{_NAMED}\W+(?:\w+\W+){{0,3}}?{_IF_NEEDED}")


def is_if_needed(words: str) -> bool:
    """True of a text that says no more than "if needed", "PRN" or the like."""
    return re.fullmatch(_IF_NEEDED, words.strip().lower()) is not None


def says_if_needed(words: str) -> bool:
    """True of a text that says "if needed", "PRN" or the like."""
    return re.search(_IF_NEEDED, words.lower()) is not None


def leaves_open(words: str) -> bool:
    """True of a text that leaves open, or denies, what the codes beside it order."""
    return denies_contrast(words) or says_if_needed(words)


def says_contrast_if_needed(words: str) -> bool:
    """True of a text that leaves contrast open: "contrast if needed", "Definity, PRN"."""
    return _CONTRAST_IF_NEEDED.search(words.lower()) is not None
