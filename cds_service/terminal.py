"""Advice as a person reads it in a terminal; plain text where the output is not a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cds_service.advice import Advice
from cds_service.fhir.read import Unread
from cds_service.protocol import Action, Card
from cds_service.report import Found, Report

_COLOURS = {"info": "cyan", "warning": "yellow", "critical": "red"}


def show(console: Console, name: str, advice: Advice, faults: Iterable[Unread] = ()) -> None:
    """Print the cards for one file, what could not be decided and what was left out."""
    console.print(Text(name, style="bold"))
    for card in advice.response.cards:
        _show_card(console, card)
    for rule, each in advice.review.not_checked:
        console.print(Text(f"  not checked  {rule.id}: {each.reason}"))
    for unread in (*advice.unread, *faults):
        console.print(Text(f"  left out     {unread.place}: {unread.reason}"))
    if not advice.response.cards:
        console.print(Text(f"  {_silence(advice)}", style="green"))
    console.print()


def show_report(console: Console, name: str, report: Report) -> None:
    """Print the review of one Bundle: what `/review` answers, as a person reads it."""
    console.print(Text(name, style="bold"))
    for found in report.findings:
        _show_found(console, found)
    for each in report.passed:
        console.print(Text(f"  passed       {each.rule}", style="green"))
    for unchecked in report.not_checked:
        console.print(Text(f"  not checked  {unchecked.rule}: {unchecked.reason}"))
    for warned in report.warnings:
        console.print(Text(f"  left out     {warned.location}: {warned.message}"))
    if not report.findings:
        every = {each.rule for each in report.passed} | {each.rule for each in report.not_checked}
        silence = f"nothing to say ({len(report.passed)} of {len(every)} rules passed)"
        console.print(Text(f"  {silence}", style="green"))
    console.print()


def _show_found(console: Console, found: Found) -> None:
    _show_advice(console, found.indicator, found.summary, found.detail)
    for number, remedy in enumerate(found.remedies, 1):
        _show_choice(console, number, remedy.label, remedy.recommended, remedy.actions)
        if not remedy.actions:
            console.print(Text(f"      {'; '.join(remedy.changes)}"))
    console.print(Text(f"  finding {found.id} ({found.rule})"))


def _silence(advice: Advice) -> str:
    passed = len(advice.review.passed)
    return f"nothing to say ({passed} of {len(advice.review.passed) + len(advice.review.not_checked)} rules passed)"


def _show_card(console: Console, card: Card) -> None:
    _show_advice(console, card.indicator, card.summary, card.detail or "")
    for number, suggestion in enumerate(card.suggestions or (), 1):
        _show_choice(console, number, suggestion.label, bool(suggestion.is_recommended), suggestion.actions or ())


def _show_advice(console: Console, indicator: str, summary: str, detail: str) -> None:
    console.print(Text(f"{indicator.upper()}: {summary}", style=f"bold {_COLOURS[indicator]}"))
    if console.is_terminal:
        console.print(Panel(Markdown(detail)))
    else:
        console.print(Text(_unmarked(detail)))


def _show_choice(console: Console, number: int, label: str, recommended: bool, actions: Iterable[Action]) -> None:
    mark = " (recommended)" if recommended else ""
    console.print(Text(f"  [{number}] {label}{mark}"))
    for action in actions:
        console.print(Text(f"      {action.type}: {action.description}"))


def _unmarked(markdown: str) -> str:
    """Markdown without its marks, indented under the card's heading."""
    text = markdown.replace("**", "").replace("`", "").replace("\\", "")
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines)
