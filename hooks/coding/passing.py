"""The words in which rules say why a case passes.

A reason is one clause about this case. It names only codes and days of the case, or of the rule's own tables.
"""

from collections.abc import Iterable
from datetime import date

from cds_service.core.case import Line
from cds_service.core.notation import joined
from cds_service.core.rules import Because
from hooks.coding.claims import charge_evidence

MOST_NAMED = 6  # codes or lines that a reason names one by one


def named(words: Iterable[str]) -> str:
    """Words without repetition, as a list: `93351, 93352 and Q9957`; of many, the first and the number of the rest."""
    every = list(dict.fromkeys(words))
    shown = every if len(every) <= MOST_NAMED else [*every[: MOST_NAMED - 1], f"{len(every) - MOST_NAMED + 1} more"]
    return joined(shown or [""])


def codes_of(lines: Iterable[Line]) -> str:
    """The codes of lines, as a list."""
    return named(line.code for line in lines)


def is_or_are(lines: Iterable[Line]) -> str:
    """The verb for the codes of lines."""
    return "is" if len({line.code for line in lines}) == 1 else "are"


def on_day(day: date | None) -> str:
    """` on 2026-03-02`; empty without a day."""
    return f" on {day.isoformat()}" if day else ""


def because_of(text: str, lines: Iterable[Line]) -> Because:
    """A reason with lines as its evidence."""
    return Because(text, charge_evidence(lines))


def judged_elsewhere(lines: Iterable[Line]) -> Because:
    """A reason where other rules flag the lines."""
    every = tuple(lines)
    return because_of(f"another rule judges {codes_of(every)}, which {is_or_are(every)} not valid here", every)


def left_to(rule_id: str, text: str, lines: Iterable[Line] = ()) -> Because:
    """A reason where another rule judges the lines."""
    return because_of(f"{text} (see {rule_id})", lines)
