"""Contrast in the orders of a study: ordered for certain, only for the case that it is needed, or in words only."""

from collections.abc import Iterable
from typing import Literal

from cds_service.core.case import Order, cached_fact
from cds_service.core.rules import Evidence
from cds_service.languages.worded import worded
from hooks.coding.contrast_words import (
    agent_name,
    denies_contrast,
    is_if_needed,
    mentions_contrast,
    names_agent,
    says_contrast_if_needed,
    says_if_needed,
    without_allergies,
)
from hooks.coding.products import agent_in
from hooks.coding.studies import Study
from hooks.coding.study_codes import names_contrast, study_kind

Weight = Literal["firm", "if needed", "words"]


def ordered_with_contrast(study: Study, weight: Weight) -> tuple[Evidence, ...]:
    """The evidence of contrast in the orders of a study that has a weight."""
    return tuple(evidence for evidence, own in _weighed(study) if own == weight)


@cached_fact
def _weighed(study: Study) -> tuple[tuple[Evidence, Weight], ...]:
    """An order by code does not count for certain where the order of the study leaves contrast open, or denies it."""
    is_open = _leaves_contrast_open(order for order in study.orders if study_kind(order))
    found: list[tuple[Evidence, Weight]] = []
    for order in study.orders:
        evidence, is_coded = _evidence(order)
        if evidence is not None:
            weight: Weight = "if needed" if is_open or _is_for_need(order) else "firm"
            found.append((evidence, weight if is_coded else "words"))
    return tuple(found)


def _evidence(order: Order) -> tuple[Evidence | None, bool]:
    """Evidence of contrast in an order, and whether a code names it."""
    ordered = without_allergies(order.concept)
    agent = agent_in(ordered)
    if agent and names_agent(ordered):
        return Evidence(worded("{agent} ordered", agent=agent_name(ordered)), order), agent.certain
    if names_contrast(order):
        return Evidence(worded("echo with contrast ordered"), order), True
    if order.kind == "service" and any(map(mentions_contrast, ordered.words)):
        return Evidence(worded("contrast mentioned in the order text"), order), False
    return None, False


def _leaves_contrast_open(orders: Iterable[Order]) -> bool:
    every = tuple(orders)
    texts = [text for order in every for text in without_allergies(order.concept).words]
    if any(denies_contrast(text) or says_contrast_if_needed(text) for text in texts):
        return True
    return bool(every) and all(map(_is_for_need, every))


def _is_for_need(order: Order) -> bool:
    """True of an order for the case that it is needed. Of a study, more words may leave something else open."""
    says = says_if_needed if order.kind == "medication" else is_if_needed
    return order.if_needed or any(map(says, order.concept.words))
