"""The command line `cds-service`."""

import json
from typing import Any

import click
import msgspec

from cds_service.errors import ServiceError


class OneLineErrors(click.Group):
    """Commands that report errors in one line."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours ends it with exit code 1."""
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            raise click.ClickException(str(error)) from None


def examples(*arguments: str) -> str:
    """The last paragraph of a command's help: one example per line, in the form that click does not rewrap."""
    title = "Example:" if len(arguments) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  cds-service {each}" for each in arguments)])


def as_line(answer: msgspec.Struct) -> str:
    """An answer as JSON in one line, with decimals as numbers."""
    content: Any = json.loads(msgspec.json.Encoder(decimal_format="number").encode(answer))
    return json.dumps(content, ensure_ascii=False)
