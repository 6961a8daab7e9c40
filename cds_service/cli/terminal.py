"""Output for the terminal; plain text if the output is not a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cds_service.ask.answer import Answer as AskAnswer
from cds_service.ask.answer import Understood
from cds_service.ask.search import Found
from cds_service.cdshooks.messages import Action, Card
from cds_service.fhir.sources import SkippedItem
from cds_service.review.advisor import Answer
from cds_service.review.claim_files import ClaimReport
from cds_service.review.reference import Citation, CodePage, ExampleClaim, Footnotes, Grid, RulePage
from cds_service.review.report import (
    NOTHING_FOUND,
    EvidenceView,
    FindingView,
    QuestionView,
    Report,
    empty_sentence,
)
from cds_service.review.samples import Example

_COLORS = {"info": "cyan", "warning": "yellow", "critical": "red"}


def show(console: Console, name: str, answer: Answer, faults: Iterable[SkippedItem] = ()) -> None:
    """Print the cards for one file, the rules not checked, and the skipped resources."""
    console.print(Text(name, style="bold"))
    for card in answer.response.cards:
        _show_card(console, card)
    for rule, each in answer.review.not_checked:
        console.print(Text(f"  not checked  {rule.id}: {each.reason}"))
    for skipped in (*answer.skipped, *faults):
        console.print(Text(f"  skipped      {skipped.path}: {skipped.reason}"))
    if not answer.response.cards:
        console.print(_no_findings(answer))
    console.print()


def show_report(console: Console, name: str, report: Report, empty: str = "") -> None:
    """Print the review of one Bundle; `empty` is the sentence if it has nothing to check."""
    console.print(Text(name, style="bold"))
    for found in report.findings:
        _show_finding(console, found)
    for each in report.passed:
        console.print(Text(f"  passed       {each.rule}: {each.reason}", style="green"))
    for unchecked in report.not_checked:
        console.print(Text(f"  not checked  {unchecked.rule}: {unchecked.reason}"))
        _show_question(console, unchecked.question)
    for warned in report.warnings:
        console.print(Text(f"  skipped      {warned.location}: {warned.message}"))
    if empty:
        console.print(Text(f"  {empty}"))
    elif not report.findings:
        every = {each.rule for each in report.passed} | {each.rule for each in report.not_checked}
        console.print(Text(f"  no findings ({len(report.passed)} of {len(every)} rules passed)", style="green"))
    console.print()


def show_file(console: Console, name: str, note: str) -> None:
    """Print the head of a file of claims: its name, and a sentence that holds for all of them."""
    console.print(Text(name, style="bold"))
    console.print(Text(f"  {note}"))


def show_claim(console: Console, report: ClaimReport) -> None:
    """Print the review of one claim of a file; rules that lack the record are counted: the file's head says why."""
    console.print(Text(f"claim {report.claim}, {report.location}", style="bold"))
    for found in report.findings:
        _show_finding(console, found, places=True)
    asked = [each for each in report.not_checked if each.why not in {"record", "site"}]
    for unchecked in asked:
        console.print(Text(f"  not checked  {unchecked.rule}: {unchecked.reason}"))
    for warned in report.warnings:
        console.print(Text(f"  note         {warned.location}: {warned.message}"))
    if not report.empty:
        of_record = {each.rule for each in report.not_checked if each.why == "record"}
        lacking = f", {len(of_record)} not checked without the record" if of_record else ""
        none = "" if report.findings else "no findings; "
        console.print(Text(f"  {none}{len(report.passed)} rules passed{lacking}", style="green"))
    console.print()


def _show_finding(console: Console, found: FindingView, places: bool = False) -> None:
    """Print a finding; with `places`, those of its evidence."""
    _show_advice(console, found.indicator, found.summary, found.detail)
    if places:
        console.print(Text(f"  Segments: {'; '.join(dict.fromkeys(each.location for each in found.evidence))}"))
    for number, fix in enumerate(found.fixes, 1):
        _show_fix(console, number, fix.label, fix.recommended, fix.actions)
        for line in fix.segments or (() if fix.actions else ("; ".join(fix.changes),)):
            console.print(Text(f"      {line}"))
    _show_question(console, found.question)
    console.print(Text(f"  finding {found.id} ({', '.join((found.rule, *found.also_rules))})"))


def show_why(console: Console, name: str, rule_id: str, report: Report) -> None:
    """Print the verdict of one rule in full; `report` is its part of the review."""
    console.print(Text(name, style="bold"))
    for found in report.findings:
        _show_finding(console, found)
    for each in report.passed:
        console.print(Text(f"PASSED: {rule_id}: {each.reason}", style="bold green"))
        _show_evidence(console, each.evidence)
    for unchecked in report.not_checked:
        console.print(Text(f"NOT CHECKED: {rule_id}: {unchecked.reason}", style="bold"))
        _show_evidence(console, unchecked.evidence)
        _show_question(console, unchecked.question)
    if report.empty:
        console.print(Text(f"  {NOTHING_FOUND}"))
    console.print()


def _show_evidence(console: Console, evidence: Iterable[EvidenceView]) -> None:
    for seen in evidence:
        console.print(Text(f"  - {seen.seen} ({seen.reference})"))


def _show_question(console: Console, question: QuestionView | None) -> None:
    """The question that would decide, and the labels of its answers."""
    if question:
        answers = " / ".join(each.label for each in question.answers)
        console.print(Text(f"               {question.text} ({answers})", style="cyan"))


def _no_findings(answer: Answer) -> Text:
    if answer.review.empty:
        return Text(f"  {empty_sentence(answer)}")
    passed = len(answer.review.passed)
    every = passed + len(answer.review.not_checked)
    return Text(f"  no findings ({passed} of {every} rules passed)", style="green")


def _show_card(console: Console, card: Card) -> None:
    _show_advice(console, card.indicator, card.summary, card.detail or "")
    for number, suggestion in enumerate(card.suggestions or (), 1):
        _show_fix(console, number, suggestion.label, bool(suggestion.is_recommended), suggestion.actions or ())


def _show_advice(console: Console, indicator: str, summary: str, detail: str) -> None:
    console.print(Text(f"{indicator.upper()}: {summary}", style=f"bold {_COLORS[indicator]}"))
    if console.is_terminal:
        console.print(Panel(Markdown(detail)))
    else:
        console.print(Text(_unmarked(detail)))


def _show_fix(console: Console, number: int, label: str, recommended: bool, actions: Iterable[Action]) -> None:
    mark = " (recommended)" if recommended else ""
    console.print(Text(f"  [{number}] {label}{mark}"))
    for action in actions:
        console.print(Text(f"      {action.type}: {action.description}"))


def _unmarked(markdown: str) -> str:
    """Markdown as plain text, indented."""
    text = markdown.replace("**", "").replace("`", "").replace("\\", "")
    lines = [_row(line) for line in text.splitlines() if line.strip() and not line.startswith(("|---", "| Item |"))]
    return "\n".join(f"  {line}" for line in lines)


def _row(line: str) -> str:
    """A table row as a list item."""
    if not line.startswith("|"):
        return line
    first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
    return f"- {first}: {' '.join(cell for cell in rest if cell)}"


# --- the reference --------------------------------------------------------------------------------------------------


def show_codes(console: Console, pages: Iterable[CodePage]) -> None:
    """Print codes, one per line."""
    for page in pages:
        dates = f" ({page.cited.dates})" if page.cited.dates else ""
        console.print(Text.assemble((page.code, "bold"), f"  {page.kind:11} {page.description}{dates}"))


def show_code(console: Console, page: CodePage) -> None:
    """Print the reference page of a code."""
    notes = Footnotes()
    console.print(Text(f"{page.code}  {page.description}", style="bold"))
    dates = page.cited.dates or "on all dates covered by the source"
    console.print(Text(f"{page.kind}, effective {dates}{_note(page.cited, notes)}"))
    for topic in page.glance.topics:
        _heading(console, topic.title)
        for fact in topic.facts:
            console.print(Text(f"  - {fact.text}{_note(fact.cited, notes)}"))
    _show_claims(console, page.glance.examples)
    for section in page.sections:
        _heading(console, section.title)
        for statement in section.statements:
            dates = f" ({statement.cited.dates})" if statement.cited.dates else ""
            console.print(Text(f"  - {statement.text}{dates}{_note(statement.cited, notes)}"))
        for grid in section.grids:
            _show_grid(console, grid, notes)
    if page.history:
        _heading(console, "History")
    for change in page.history:
        console.print(Text(f"  {change.day}  {change.what} ({change.source})"))
    if page.rules:
        _heading(console, "Rules that use this code")
        console.print(Text(f"  {', '.join(page.rules)}"))
    _heading(console, "Sources")
    for number, cited in enumerate(notes.every, 1):
        console.print(Text(f"  [{number}] {_sourced(cited.source, cited.url, cited.checked)}"))


def _show_claims(console: Console, examples: Iterable[ExampleClaim]) -> None:
    """Claims to try, each with its notation in one line."""
    every = tuple(examples)
    if every:
        _heading(console, "Claims to try")
    for each in every:
        verdict = "right" if each.right else f"wrong ({each.rule})"
        console.print(Text(f"  - {verdict}: {each.what}"))
        console.print(Text(f"      {'; '.join(each.notation.splitlines())}"))


def _heading(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _show_grid(console: Console, grid: Grid, notes: Footnotes) -> None:
    console.print(Text(f"  {grid.title}", style="bold"))
    for row in grid.rows:
        cells = "; ".join(f"{name}: {cell}" for name, cell in zip(grid.columns, row.cells, strict=True) if cell)
        dates = f" ({row.cited.dates})" if row.cited.dates else ""
        console.print(Text(f"  - {cells}{dates}{_note(row.cited, notes)}"))


def _note(cited: Citation, notes: Footnotes) -> str:
    return f"{f' ({cited.mark})' if cited.mark else ''} [{notes.number(cited)}]"


def _sourced(source: str, url: str | None, checked: str) -> str:
    return f"{source}, {checked}{f' <{url}>' if url else ''}"


def show_rules(console: Console, pages: Iterable[RulePage]) -> None:
    """Print rules, one per line."""
    for page in pages:
        site = f" ({page.site})" if page.site else ""
        console.print(Text.assemble((f"{page.id:28}", "bold"), f"  {page.title}{site}"))


def show_rule(console: Console, page: RulePage, examples: Iterable[Example]) -> None:
    """Print the page of a rule."""
    console.print(Text(f"{page.id}  {page.title}", style="bold"))
    site = f"; {page.site}" if page.site else ""
    console.print(Text(f"at order time: {page.at_order_time}, at claim time: {page.at_claim_time}{site}"))
    for title, text in (("Why", page.why), ("Flags", page.flags), ("Passes", page.passes)):
        _heading(console, title)
        console.print(Text(f"  {text}"))
    every = tuple(examples)
    if every:
        _heading(console, "Examples")
    for example in every:
        console.print(Text(f"  {example.name} ({example.hook})", style="bold"))
        for line in example.holds:
            console.print(Text(f"    {line}"))
        for card in example.cards:
            console.print(Text(f"    {card.indicator.upper()}: {card.summary}", style=_COLORS[card.indicator]))
        if not example.cards:
            console.print(Text("    no card: no findings", style="green"))
        for line in example.not_checked:
            console.print(Text(f"    not checked: {line}"))
    _heading(console, "Sources")
    for source in page.sources:
        console.print(Text(f"  - {_sourced(source.source, source.url, source.checked)}"))
    console.print(Text(f"  Tables: {'; '.join(page.tables)}"))


# --- questions ------------------------------------------------------------------------------------------------------


def show_answer(console: Console, answer: AskAnswer) -> None:
    """Print the answer to a question: how it was understood, sentences with sources, open questions."""
    if answer.understood:
        console.print(Text(f"Understood: {', '.join(map(_understood, answer.understood))}"))
    if answer.not_understood:
        console.print(Text(f"Not understood: {', '.join(answer.not_understood)}", style="yellow"))
    for each in answer.corrections:
        console.print(Text(f"Did you mean {each.value}, in place of {each.text}?", style="yellow"))
    if answer.declined:
        console.print(Text(answer.declined, style="bold"))
    for sentence in answer.answer:
        checked = f", verified through {sentence.verified_through}" if sentence.verified_through else ""
        mark = "" if sentence.confidence == "seen" else f"; {sentence.confidence}: verify before use"
        console.print(Text(f"- {sentence.text}"))
        console.print(Text(f"    {sentence.source}{checked}{mark} ({sentence.link})", style="dim"))
    for question in answer.asked:
        console.print(Text(f"? {question}", style="cyan"))


def show_correction(console: Console, found: Found) -> None:
    """Print the query of a search with its spelling corrected, if a word was misspelled."""
    if found.corrected:
        console.print(Text(f"Did you mean {found.corrected}?", style="yellow"))


def show_found(console: Console, found: Found) -> None:
    """Print the result of a search: the answer, and the codes, one per line."""
    if found.answer is not None:
        show_answer(console, found.answer)
    elif found.declined:
        console.print(Text(found.declined, style="bold"))
    show_codes(console, found.pages)


def _understood(part: Understood) -> str:
    return (
        f"{part.text} ({part.kind})"
        if part.text.lower() == part.value.lower()
        else f"{part.text} ({part.kind} {part.value})"
    )
