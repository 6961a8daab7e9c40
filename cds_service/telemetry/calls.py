"""The summary of an answered call, used by the log, the metrics and the database.

It has rules, services and counts, but no patient data.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """An issued card: its uuid, rule and indicator."""

    uuid: str
    rule: str
    indicator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """An answered call.

    `findings` has the rule of each finding, `not_checked` the rule and kind of reason of each undecided question, and
    `keys` each prefetch key with the source of its data. `skipped` counts skipped resources. `not_understood` has the
    kind, the code system and the number of the records that were not understood: never their codes or texts.
    """

    service: str
    seconds: float = 0.0
    findings: Sequence[str] = ()
    not_checked: Sequence[tuple[str, str]] = ()
    skipped: int = 0
    not_understood: Sequence[tuple[str, str, int]] = ()
    fetched: Sequence[str] = ()
    hook_instance: str | None = None
    cards: Sequence[IssuedCard] = ()
    keys: Sequence[tuple[str, str]] = ()

    @property
    def milliseconds(self) -> float:
        """The duration in milliseconds, to one decimal."""
        return round(self.seconds * 1000, 1)
