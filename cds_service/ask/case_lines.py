"""The lines of a described study by the decision table, and what has to be asked first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from cds_service.ask.case_facts import CaseFacts
from cds_service.ask.case_knowledge import NOT, BaseLine, ClaimKind
from cds_service.core.notation import notation


@dataclass
class Decided:
    """The lines of the decision table with their rows, the statements that are asked for, and studies without a row."""

    lines: dict[str, BaseLine] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)
    no_row: list[str] = field(default_factory=list)


def decide(facts: CaseFacts, kind: ClaimKind) -> Decided:
    """The lines of the studies of a description on a kind of claim."""
    decided = Decided()
    for study in facts.studies:
        row = _first(facts, _rows(facts, kind, study), decided)
        if row is not None:
            decided.lines[_line(row, kind)] = row
            _beside(facts, kind, row.code, decided)
        elif not decided.asked:
            decided.no_row.append(study)
    return decided


def _beside(facts: CaseFacts, kind: ClaimKind, code: str, decided: Decided) -> None:
    """Add the lines that stand beside the line of a study."""
    for row in _rows(facts, kind, ""):
        if code in row.beside and all(facts.holds(each) for each in row.if_said):
            missing = _missing(facts, row)
            decided.asked.update(dict.fromkeys(missing or ()))
            if missing == ():
                decided.lines[_line(row, kind)] = row


def _first(facts: CaseFacts, rows: Iterator[BaseLine], decided: Decided) -> BaseLine | None:
    """The first row that holds; None if one before it lacks an answer, which is asked for, or if none holds."""
    for row in rows:
        missing = _missing(facts, row)
        if missing == ():
            return row
        if missing:
            decided.asked.update(dict.fromkeys(missing))
            return None
    return None


def _missing(facts: CaseFacts, row: BaseLine) -> tuple[str, ...] | None:
    """The needs of a row of which the text says nothing; None if one of them does not hold."""
    states = {need: facts.holds(need) for need in row.needs}
    if False in states.values():
        return None
    return tuple(need.removeprefix(NOT) for need, state in states.items() if state is None)


def _rows(facts: CaseFacts, kind: ClaimKind, study: str) -> Iterator[BaseLine]:
    day = date.fromisoformat(facts.day) if facts.day else None
    for row in facts.knowledge.lines:
        if row.study == study and kind in row.claims and row.in_force(day):
            yield row


def _line(row: BaseLine, kind: ClaimKind) -> str:
    return notation(row.code, row.claims[kind], None)
