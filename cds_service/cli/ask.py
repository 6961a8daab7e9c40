"""`cds-service ask`: a question in words, answered from the tables and the rules."""

import sys
from collections.abc import Callable

import click
from rich.console import Console

from cds_service.ask.asker import Asker
from cds_service.cli import as_line, examples, terminal
from cds_service.errors import RequestError

DECLINED = 2


def ask_command(create: Callable[[], Asker], console: Callable[[], Console]) -> click.Command:
    """The command. `create` makes the asker with the site's settings."""

    @click.command("ask", epilog=examples('ask "units for 1.3 mL of an agent"', 'ask "what is MUE" --json'))
    @click.argument("question", nargs=-1, required=True)
    @click.option("--json", "as_json", is_flag=True, help="Print the answer of `GET /ask` as JSON.")
    def ask(question: tuple[str, ...], as_json: bool) -> None:
        """Answer a QUESTION in words from the dated tables and the rules, with the source of each sentence.

        Exit code 2: declined, since the tables do not hold the answer.
        """
        try:
            answer = create().ask(" ".join(question))
        except RequestError as error:
            click.echo(error.message.replace("`q`", "question"), err=True)
            sys.exit(DECLINED)
        if as_json:
            click.echo(as_line(answer))
        else:
            terminal.show_answer(console(), answer)
        sys.exit(0 if answer.answered else DECLINED)

    return ask
