"""Advice as a person reads it in a terminal; plain text where the output is not a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cds_service.advice import Advice
from cds_service.fhir.read import Unread
from cds_service.protocol import Card

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


def _silence(advice: Advice) -> str:
    passed = len(advice.review.passed)
    return f"nothing to say ({passed} of {len(advice.review.passed) + len(advice.review.not_checked)} rules passed)"


def _show_card(console: Console, card: Card) -> None:
    heading = Text(f"{card.indicator.upper()}: {card.summary}", style=f"bold {_COLOURS[card.indicator]}")
    console.print(heading)
    if console.is_terminal:
        console.print(Panel(Markdown(card.detail or "")))
    else:
        console.print(Text(_unmarked(card.detail or "")))
    for number, suggestion in enumerate(card.suggestions or (), 1):
        mark = " (recommended)" if suggestion.is_recommended else ""
        console.print(Text(f"  [{number}] {suggestion.label}{mark}"))
        for action in suggestion.actions or ():
            console.print(Text(f"      {action.type}: {action.description}"))


def _unmarked(markdown: str) -> str:
    """Markdown without its marks, indented under the card's heading."""
    text = markdown.replace("**", "").replace("`", "").replace("\\", "")
    lines = [_row(line) for line in text.splitlines() if line.strip() and not line.startswith(("|---", "| Item |"))]
    return "\n".join(f"  {line}" for line in lines)


def _row(line: str) -> str:
    """A row of a table without its bars."""
    if not line.startswith("|"):
        return line
    what, *rest = [cell.strip() for cell in line.strip("|").split("|")]
    return f"- {what}: {' '.join(cell for cell in rest if cell)}"
