"""The words in which rules say why a case passes.

A reason is one clause about this case. It names only codes and days of the case, or of the rule's own tables.
"""

from collections.abc import Iterable
from datetime import date

from cds_service.core.case import Line
from cds_service.core.rules import Because
from cds_service.languages.worded import Worded, counted, joined, listed, name, worded
from hooks.coding.claims import charge_evidence

MOST_NAMED = 6  # codes or lines that a reason names one by one


def named(words: Iterable[str]) -> Worded:
    """Words without repetition, as a list: `93351, 93352 and Q9957`; of many, the first and the number of the rest."""
    every = list(dict.fromkeys(words))
    if len(every) <= MOST_NAMED:
        return listed(every or [""])
    more = worded("{number} more", number=len(every) - MOST_NAMED + 1)
    return listed([*every[: MOST_NAMED - 1], more])


def codes_of(lines: Iterable[Line]) -> Worded:
    """The codes of lines, as a list."""
    return named(line.code for line in lines)


def number_of_codes(lines: Iterable[Line]) -> int:
    """The number of different codes of lines, for `counted`: a sentence about them is singular or plural."""
    return len({line.code for line in lines})


def is_or_are(lines: Iterable[Line]) -> str:
    """The verb for the codes of lines, for texts that are not yet said in other languages."""
    return "is" if number_of_codes(lines) == 1 else "are"


def on_day(day: date | None) -> Worded:
    """` on 2026-03-02`, with the space before it; empty without a day. A value for a message: `{codes}{on_day}`."""
    return joined(" ", ("", worded("on {day}", day=day))) if day else name("")


def because_of(text: str, lines: Iterable[Line]) -> Because:
    """A reason with lines as its evidence."""
    return Because(text, charge_evidence(lines))


def judged_elsewhere(lines: Iterable[Line]) -> Because:
    """A reason where other rules flag the lines."""
    every = tuple(lines)
    return because_of(
        counted(
            "another rule judges {codes}, which is not valid here",
            "another rule judges {codes}, which are not valid here",
            number_of_codes(every),
            codes=codes_of(every),
        ),
        every,
    )


def left_to(rule_id: str, text: str, lines: Iterable[Line] = ()) -> Because:
    """A reason where another rule judges the lines; the text is a worded one."""
    return because_of(worded("{text} (see {rule})", text=text, rule=rule_id), lines)
