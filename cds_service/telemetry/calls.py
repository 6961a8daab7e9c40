"""The summary of one answered call: the only form in which a call reaches the log, the metrics and the database.

It names rules, services and counts, and nothing of the patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A card as it is counted and stored: its uuid, its rule and its indicator."""

    uuid: str
    rule: str
    indicator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """One answered call.

    `findings` names the rule of each finding, `not_checked` the rule and the kind of reason of each undecided one,
    `keys` each prefetch key and where its data came from. `skipped` counts resources that were left out.
    """

    service: str
    seconds: float = 0.0
    findings: Sequence[str] = ()
    not_checked: Sequence[tuple[str, str]] = ()
    skipped: int = 0
    fetched: Sequence[str] = ()
    hook_instance: str | None = None
    cards: Sequence[IssuedCard] = ()
    keys: Sequence[tuple[str, str]] = ()

    @property
    def milliseconds(self) -> float:
        """The duration in milliseconds, to one decimal."""
        return round(self.seconds * 1000, 1)
