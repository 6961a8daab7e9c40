"""The command line: `cds-service serve`, `check`, `codes`, `rules`, `site`, `tables`, `clients`, `database`,
`settings`."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from cds_service.cdshooks.messages import Response
from cds_service.cli import examples, terminal
from cds_service.cli.audit import audit_group
from cds_service.cli.clients import clients
from cds_service.cli.database import database
from cds_service.cli.sample import sample_command
from cds_service.cli.site import site_group
from cds_service.cli.tables import tables_group
from cds_service.errors import BadRequest, ServiceError, SettingsError, UnreadableInput
from cds_service.fhir.servers import is_loopback
from cds_service.fhir.text_faults import utf8_json
from cds_service.fhir.validate import faults_in
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.reference import rule_page
from cds_service.review.report import Report, empty_sentence, report_of
from cds_service.settings import load_settings, table
from cds_service.wiring import (
    codes_in_scope,
    create_advisor,
    create_auditor,
    create_case_writer,
    samples,
    service_directory,
)
from hooks.publish import reference as hooks_reference
from hooks.publish.candidates import candidates

_DEVELOPMENT = """\
*** DEVELOPMENT MODE: no authentication; only this machine (localhost) may call. Not for patient data. ***
*** For production set CDS_MODE=production; see "Production in ten lines" in the README.               ***"""


class _InputHead(msgspec.Struct, rename="camel"):
    hook: str | None = None
    resource_type: str | None = None


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("check request.json", "serve --port 8000"),
)
@click.version_option(package_name="contrast-echo-cds")
def main() -> None:
    """Coding advice for contrast stress echocardiography."""


main.add_command(clients)
main.add_command(database)


@main.command(epilog=examples("serve --port 8000 --workers 2"))
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on."
)
@click.option(
    "--workers", envvar="WORKERS", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes."
)
def serve(host: str, port: int, workers: int) -> None:
    """Run the production server in the foreground until interrupted."""
    from cds_service.app import checked_settings  # noqa: PLC0415
    from cds_service.server import granian  # noqa: PLC0415  # only this command needs the server, and Flask
    from cds_service.server.address import in_url, listening_address  # noqa: PLC0415

    try:
        settings = checked_settings()  # report errors once, here, and not in every worker
        if settings.mode == "development" and not is_loopback(host):
            raise SettingsError(f"development mode has no authentication: --host must be 127.0.0.1, not {host}")
        address = listening_address(host, port)
    except ServiceError as error:
        raise click.ClickException(str(error)) from None
    if settings.mode == "development":
        click.secho(_DEVELOPMENT, err=True, bold=True)
    base = f"http://{in_url(host)}:{port}"
    sandbox = f"; sandbox at {base}/sandbox" if settings.has_sandbox else ""
    click.echo(f"Serving on {base}/cds-services (Ctrl-C stops){sandbox}", err=True)
    granian.run(settings, address, port, workers)


@main.command("settings", epilog=examples("settings"))
def show_settings() -> None:
    """Print all settings with their defaults, as a Markdown table."""
    click.echo(table())


@main.command(epilog=examples("check request.json", "check --json - < bundle.json"))
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-")
@click.option("--json", "as_json", is_flag=True, help="Print the response as JSON, one line per file.")
@click.option("--strict", is_flag=True, help="Validate all resources against FHIR R4 and print the errors.")
def check(files: tuple[str, ...], as_json: bool, strict: bool) -> None:
    """Print the cards for CDS Hooks requests, or the review of FHIR Bundles; `-` reads standard input.

    Exit code 0: no warnings. 1: at least one warning. 2: a file could not be parsed.
    """
    advisor, console = _advisor(), _console()
    exit_codes = [_check_one(advisor, name, as_json, strict, console) for name in files]
    sys.exit(max(exit_codes))


@main.command(epilog=examples("codes", "codes hospital"))
@click.argument("code", required=False)
def codes(code: str | None) -> None:
    """Print the reference page of a CODE, or list codes; a word or an NDC searches them.

    Exit code 2: no match.
    """
    reference = hooks_reference.reference()
    page = reference.page(code) if code else None
    found = reference.search(code or "")
    if not found:
        click.echo(f"no code matches `{code}`; `cds-service codes` lists all", err=True)
        sys.exit(2)
    if page is None and code and len(found) == 1:
        page = found[0]
    if page:
        terminal.show_code(_console(), page)
    else:
        terminal.show_codes(_console(), found)


@main.command(epilog=examples("rules", "rules add-on-modifier"))
@click.argument("rule_id", metavar="[ID]", required=False)
def rules(rule_id: str | None) -> None:
    """Print a rule with its reasons and the results of its samples, or list the rules.

    Exit code 2: no such rule.
    """
    advisor = _advisor()
    by_id = {rule.id: rule for rule in advisor.rules}
    if rule_id is None:
        terminal.show_rules(_console(), (rule_page(rule, advisor) for rule in advisor.rules))
    elif rule_id in by_id:
        rule = by_id[rule_id]
        terminal.show_rule(_console(), rule_page(rule, advisor), samples(advisor.hook_namespace).run(rule, advisor))
    else:
        click.echo(f"no rule `{rule_id}`; `cds-service rules` lists all", err=True)
        sys.exit(2)


main.add_command(audit_group(create_auditor))
main.add_command(sample_command(create_case_writer()))
main.add_command(site_group(lambda: create_advisor(load_settings()), candidates))
main.add_command(tables_group(codes_in_scope))


def _advisor() -> Advisor:
    try:
        return create_advisor(load_settings())
    except ServiceError as error:
        raise click.ClickException(str(error)) from None


def _console() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _check_one(advisor: Advisor, name: str, as_json: bool, strict: bool, console: Console) -> int:
    try:
        body = _read(name)
        answer, is_call = _advise(advisor, body)
    except UnreadableInput as error:
        click.echo(f"{name}: {error}", err=True)
        return 2
    faults = faults_in(body) if strict else ()
    report = None if is_call else report_of(answer, faults)
    if as_json:
        click.echo(_as_line(report or answer.response))
        for fault in faults if is_call else ():
            click.echo(f"{name}: {fault.path}: {fault.reason}", err=True)
    elif report:
        terminal.show_report(console, name, report, empty_sentence(answer) if report.empty else "")
    else:
        terminal.show(console, name, answer, faults)
    return 1 if any(card.indicator == "warning" for card in answer.response.cards) else 0


def _read(name: str) -> bytes:
    try:
        return utf8_json(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
    except OSError as error:
        raise UnreadableInput(error.strerror or "could not be read") from None
    except BadRequest:
        raise UnreadableInput("expected JSON in UTF-8, found another encoding") from None


def _advise(advisor: Advisor, body: bytes) -> tuple[Answer, bool]:
    """The answer to a CDS Hooks request or a Bundle; True if it is a request."""
    try:
        head = msgspec.json.decode(body, type=_InputHead)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreadableInput("expected JSON: a FHIR Bundle or a CDS Hooks request") from None
    try:
        if head.hook is not None:
            service, request = service_directory(advisor.hook_namespace).localized(body)
            return advisor.answer(service, request), True
        return advisor.review_bundle(body), False
    except BadRequest as error:
        raise UnreadableInput(error.message) from None


def _as_line(response: Response | Report) -> str:
    content: Any = json.loads(msgspec.json.Encoder(decimal_format="number").encode(response))
    return json.dumps(content, ensure_ascii=False)
