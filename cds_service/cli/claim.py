"""`cds-service claim`: the review of a claim as coders type it."""

import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from cds_service.ask.cases import CaseReader
from cds_service.cli import as_line, described, examples, terminal
from cds_service.errors import UnreadableCase
from cds_service.intake.typed import CLAIM_TYPES
from cds_service.intake.writer import CaseWriter
from cds_service.review.advisor import Advisor
from cds_service.review.report import empty_sentence
from cds_service.review.typed_cases import review_case

UNREADABLE = 2


def claim_command(
    create: Callable[[], Advisor],
    create_reader: Callable[[], CaseReader],
    writer: CaseWriter,
    console: Callable[[], Console],
) -> click.Command:
    """The command. `create` makes the advisor with the site's settings, `create_reader` the reader of cases in words;
    `writer` knows the names of products.
    """

    @click.command(
        "claim",
        epilog=examples('claim "CODE-26, CODEx2-JZ" --professional --place 11 --payer Medicare --day 2026-11-03'),
    )
    @click.argument("lines", default="")
    @click.option("--professional", is_flag=True, help="The lines are on a professional claim.")
    @click.option("--institutional", is_flag=True, help="The lines are on a hospital claim.")
    @click.option("--place", help="Place of service of the claim, such as 11.")
    @click.option("--bill", help="Type of bill of a hospital claim, such as 0131.")
    @click.option("--payer", help="The payer's name, such as Medicare.")
    @click.option("--day", help="Date of service as YYYY-MM-DD.")
    @click.option(
        "--given", multiple=True, metavar="TEXT", help='Contrast given, such as "PRODUCT 1.3 mL, 0.2 mL discarded".'
    )
    @click.option("--done", multiple=True, metavar="CODE", help="A procedure on the record.")
    @click.option("--ordered", multiple=True, metavar="CODE", help="An order.")
    @click.option("--observed", multiple=True, metavar="TEXT", help='An observation, such as "LOINC 8867-4".')
    @click.option("--words", help='The case in words, such as "stress echo in our office, ...", in place of LINES.')
    @click.option("--yes", is_flag=True, help="With --words: the words are understood correctly; propose lines.")
    @click.option("--json", "as_json", is_flag=True, help="Print the answer of `POST /claim` as JSON.")
    def claim(lines: str, words: str | None, yes: bool, as_json: bool, **options: Any) -> None:
        """Review LINES in billers' notation: "CODE-26, CODE, CODEx2-JZ"; or propose lines for a case in words.

        What is given, done or observed is taken for complete; `none` says that there was nothing. With --words, it is
        shown how the words are understood, and what is asked; lines are proposed once you confirm it.

        Exit code 0: no warnings. 1: at least one warning. 2: something was not read, is asked, or not confirmed.
        """
        fields = _fields(options)
        if words is not None:
            if lines or fields:
                raise click.UsageError("--words: expected a description alone, without LINES and their options")
            described.review_words(create_reader(), words, yes, as_json, console())
        if yes:
            raise click.UsageError("--yes: expected only with --words")
        try:
            reviewed = review_case(create(), writer, writer.parsed(fields | {"lines": lines}))
        except UnreadableCase as error:
            click.echo(f"{_option(error.key)}{error}", err=True)
            sys.exit(UNREADABLE)
        if as_json:
            click.echo(as_line(reviewed.report))
        else:
            empty = empty_sentence(reviewed.answer) if reviewed.report.empty else ""
            terminal.show_report(console(), reviewed.report.notation.rstrip("\n"), reviewed.report, empty)
        sys.exit(any(each.indicator == "warning" for each in reviewed.report.findings))

    return claim


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The members of a case that the options set. Raises click.UsageError for two types of claim."""
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value}
    types = [name for name in CLAIM_TYPES if fields.pop(name, False)]
    if len(types) > 1:
        raise click.UsageError(f"{' '.join(f'--{each}' for each in types)}: expected one of them")
    return fields | ({"claim_type": types[0]} if types else {})


def _option(key: str) -> str:
    """The option of a key, to begin a line with."""
    if key in {"lines", "charged", ""}:
        return ""
    return "--professional: " if key == "claim_type" else f"--{key}: "
