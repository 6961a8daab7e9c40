"""`cds-service claim --words`: a case in words, confirmed by a person before lines are proposed."""

import sys
from collections.abc import Iterable

import click
from rich.console import Console
from rich.text import Text

from cds_service.ask.case_proposals import ProposedLine
from cds_service.ask.cases import WORDS, Asked, CaseReader, UnderstoodCase
from cds_service.cli import as_line, terminal
from cds_service.errors import RequestError
from cds_service.review.report import empty_sentence
from cds_service.web.claim_reports import case_report

UNREADABLE = 2
_CONFIRM = "Is this understood correctly?"
NOT_CONFIRMED = "not confirmed: no lines are proposed; add --yes if it is understood correctly"


def review_words(reader: CaseReader, words: str, is_confirmed: bool, as_json: bool, console: Console) -> None:
    """Show how a description is understood, have it confirmed, and show the proposed lines; ends the process.

    Exit code 0: proposed, without warnings. 1: with a warning. 2: not confirmed, something is asked, or no line.
    """
    try:
        case = reader.read(words, is_confirmed)
        if not as_json:
            show_understood(console, case)
        if not is_confirmed and not case.asked and not as_json and sys.stdin.isatty():
            is_confirmed = click.confirm(_CONFIRM)
            case = reader.read(words, is_confirmed)
            show_asked(console, case.asked)
    except RequestError as error:
        click.echo(error.message.replace(f"`{WORDS}`", f"--{WORDS}"), err=True)
        sys.exit(UNREADABLE)
    if as_json:
        click.echo(as_line(case_report(case)))
    if case.proposal is None:
        if not case.asked and not is_confirmed:
            click.echo(NOT_CONFIRMED, err=True)
        sys.exit(UNREADABLE)
    if not as_json:
        show_proposed(console, case)
    sys.exit(bool(case.proposal.warnings))


def show_understood(console: Console, case: UnderstoodCase) -> None:
    """Print how a description was understood, and what is asked."""
    console.print(Text("Understood", style="bold"))
    for each in case.understood:
        marks = [
            each.kind,
            *(["not"] if each.negated else []),
            *([each.value] if each.value.lower() != each.text.lower() else []),
            *(["(spelling corrected)"] if each.corrected else []),
            *(["(not said to have happened)"] if each.unsure else []),
        ]
        console.print(Text(f"  {each.text}: {' '.join(marks)}"))
    for note in case.notes:
        console.print(Text(f"  note: {note}", style="yellow"))
    show_asked(console, case.asked)


def show_asked(console: Console, asked: Iterable[Asked]) -> None:
    """Print the questions, with the words that answer them."""
    for question in asked:
        console.print(Text(f"? {question.question}", style="cyan"))
        for each in question.answers:
            words = each.words.replace("{}", "...")
            added = f': add "{words}" behind a bar (|)' if words else ""
            console.print(Text(f"    {each.label}{added}", style="cyan"))


def show_proposed(console: Console, case: UnderstoodCase) -> None:
    """Print the proposed lines with their reasons, and the review of their claim."""
    if case.proposal is None:
        return
    console.print(Text("Proposed", style="bold"))
    for each in case.proposal.lines:
        console.print(Text(f"  {each.line}: {each.reason}"))
        if cited := _cited(each):
            console.print(Text(f"      {cited}", style="dim"))
    reviewed = case.proposal.reviewed
    empty = empty_sentence(reviewed.answer) if reviewed.report.empty else ""
    terminal.show_report(console, reviewed.report.notation.rstrip("\n"), reviewed.report, empty)


def _cited(line: ProposedLine) -> str:
    if not line.source:
        return ""
    checked = f", verified through {line.verified_through}" if line.verified_through else ""
    mark = "" if line.confidence == "seen" else f"; {line.confidence}: verify before use"
    return f"{line.source}{checked}{mark} ({line.link})"
