"""The command line `cds-service`."""

import importlib.util
import json
import sys
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from cds_service.errors import ServiceError
from cds_service.languages.worded import JSON


class BadInput(click.ClickException):
    """Input, a setting or a path that cannot be used: one line and exit code 2, as for a wrong option."""

    exit_code = 2


class OneLineErrors(click.Group):
    """The commands, which end with one line at an error of ours, or at a file that cannot be read or written."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Raises BadInput."""
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            raise BadInput(str(error)) from None
        except OSError as error:
            if error.filename is None:
                raise
            raise BadInput(f"{error.filename}: {error.strerror}") from None


def require_extra(extra: str, packages: Iterable[str]) -> None:
    """Exit with code 2 and the install command if one of the packages of an extra is missing.

    They are not imported here: workers can still be forked, and a command without the extra starts as fast.
    """
    try:
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
    except ImportError:
        missing = [extra]
    if missing:
        click.echo(f"this needs the extra `{extra}`: pip install 'contrast-echo-cds[{extra}]'", err=True)
        sys.exit(2)


def examples(*arguments: str) -> str:
    """The last paragraph of a command's help: one example per line, in the form that click does not rewrap."""
    title = "Example:" if len(arguments) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  cds-service {each}" for each in arguments)])


def as_line(answer: msgspec.Struct) -> str:
    """An answer as JSON in one line, with decimals as numbers."""
    content: Any = json.loads(JSON.encode(answer))
    return json.dumps(content, ensure_ascii=False)
