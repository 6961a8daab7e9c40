"""The command line: `cds-service serve`, `cds-service check` and `cds-service database`."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

import hooks
from cds_service import terminal
from cds_service.advice import Advice, Advisor
from cds_service.app import create_advisor
from cds_service.database_commands import database
from cds_service.errors import BadRequest, ServiceError, UnreadableInput
from cds_service.fhir.strict import faults_in
from cds_service.protocol import Response, Service, hook_name
from cds_service.settings import load_settings, table


class _Head(msgspec.Struct, rename="camel"):
    hook: str | None = None
    resource_type: str | None = None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="contrast-echo-cds")
def main() -> None:
    """Coding advice for contrast stress echocardiography."""


main.add_command(database)


@main.command()
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", envvar="WORKERS", default=1, show_default=True, type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Run the production server in the foreground until interrupted."""
    from cds_service import server  # noqa: PLC0415  # only this command needs the server

    try:
        settings = load_settings()  # a wrong setting is named here, once, and not by every worker
    except ServiceError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Serving on http://{host}:{port}/cds-services (Ctrl-C stops)", err=True)
    server.run(settings, host, port, workers)


@main.command("settings")
def show_settings() -> None:
    """Print every setting with its default, as a table in Markdown."""
    click.echo(table())


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-")
@click.option("--json", "as_json", is_flag=True, help="Print the response as JSON, one line for each file.")
@click.option("--strict", is_flag=True, help="Validate every resource as a whole, and print what is wrong with it.")
def check(files: tuple[str, ...], as_json: bool, strict: bool) -> None:
    """Print the cards for FHIR Bundles or CDS Hooks requests; `-` reads standard input.

    Exit code 0: nothing to say. 1: a finding at warning. 2: a file that cannot be read.
    """
    try:
        advisor = create_advisor(load_settings())
    except ServiceError as error:
        raise click.ClickException(str(error)) from None
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    codes = [_check_one(advisor, name, as_json, strict, console) for name in files]
    sys.exit(max(codes))


def _check_one(advisor: Advisor, name: str, as_json: bool, strict: bool, console: Console) -> int:
    try:
        body = _read(name)
        advice = _advise(advisor, body)
    except UnreadableInput as error:
        click.echo(f"{name}: {error}", err=True)
        return 2
    faults = faults_in(body) if strict else ()
    if as_json:
        click.echo(_as_line(advice.response))
        for fault in faults:
            click.echo(f"{name}: {fault.place}: {fault.reason}", err=True)
    else:
        terminal.show(console, name, advice, faults)
    return 1 if any(card.indicator == "warning" for card in advice.response.cards) else 0


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UnreadableInput(error.strerror or "cannot be read") from None


def _advise(advisor: Advisor, body: bytes) -> Advice:
    """A CDS Hooks request is answered by the service of its hook, a Bundle is reviewed as it is."""
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreadableInput("expected JSON: a FHIR Bundle or a CDS Hooks request") from None
    try:
        if head.hook is not None:
            return advisor.answer(_service_of(advisor, head.hook), body)
        return advisor.answer_bundle(body)
    except BadRequest as error:
        raise UnreadableInput(error.message) from None


def _service_of(advisor: Advisor, hook: str) -> Service:
    """The service on a hook; our own hook is known by its last part, whatever domain stands before it."""
    by_hook = {hook_name(service, advisor.settings.hook_namespace): service for service in hooks.all_services()}
    if hook not in by_hook:
        raise UnreadableInput(f"no service is called on the hook of this request; known are {', '.join(by_hook)}")
    return by_hook[hook]


def _as_line(response: Response) -> str:
    content: Any = json.loads(msgspec.json.Encoder(decimal_format="number").encode(response))
    return json.dumps(content, ensure_ascii=False)
