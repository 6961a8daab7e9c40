"""The command line `cds-service`: `serve`, `codes`, `rules` and `settings`, and the commands of the other modules."""

import sys
from collections.abc import Iterable
from difflib import get_close_matches

import click
from rich.console import Console

from cds_service.ask.search import Found
from cds_service.cli import OneLineErrors, examples, terminal
from cds_service.cli.ask import ask_command
from cds_service.cli.audit import audit_group
from cds_service.cli.check import check_command
from cds_service.cli.claim import claim_command
from cds_service.cli.clients import clients
from cds_service.cli.database import database
from cds_service.cli.mcp import mcp_command
from cds_service.cli.sample import sample_command
from cds_service.cli.site import site_group
from cds_service.cli.tables import tables_group
from cds_service.cms.lookup import Tables
from cds_service.core.site import Site
from cds_service.errors import RequestError, ServiceError, SettingsError
from cds_service.fhir.servers import is_loopback
from cds_service.review.advisor import Advisor
from cds_service.review.payment import page_with_payments
from cds_service.review.reference import rule_page
from cds_service.settings import load_settings, table
from cds_service.telemetry.logs import configure
from cds_service.wiring import (
    auditor_with_tables,
    codes_in_scope,
    create_advisor,
    create_asker,
    create_auditor,
    create_case_reader,
    create_case_writer,
    create_reference,
    create_site,
    create_tables,
    create_toolbox,
    describe,
    samples,
    service_directory,
)
from hooks.publish.candidates import candidates

_MOST_SIMILAR = 5

_DEVELOPMENT = """\
*** DEVELOPMENT MODE: no authentication; only this machine (localhost) may call. Not for patient data. ***
*** For production set CDS_MODE=production; see "Production in ten lines" in deploy/README.md.          ***"""


@click.group(
    cls=OneLineErrors,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("check request.json", "serve --port 8000"),
)
@click.version_option(package_name="contrast-echo-cds")
def main() -> None:
    """Coding advice for contrast stress echocardiography."""
    configure(sys.stderr)  # log lines never mix with what a command prints


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
    """Run the production server in the foreground until interrupted.

    Exit code 1: it could not start.
    """
    from cds_service.app import checked_settings, make_knowledge  # noqa: PLC0415
    from cds_service.server import granian  # noqa: PLC0415  # only this command needs the server, and Flask
    from cds_service.server.address import in_url, listening_address  # noqa: PLC0415

    try:
        settings = checked_settings()  # report errors once, here, and not in every worker
        if settings.mode == "development" and not is_loopback(host):
            raise SettingsError(f"development mode has no authentication: --host must be 127.0.0.1, not {host}")
        address = listening_address(host, port)
        make_knowledge()
    except ServiceError as error:
        raise click.ClickException(str(error)) from None  # exit code 1, as where no worker can start
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


@main.command(epilog=examples("codes", "codes contrast in hospital"))
@click.argument("query", nargs=-1, metavar="[CODE|WORDS]...")
def codes(query: tuple[str, ...]) -> None:
    """Print the reference page of a CODE, or list codes; words, an NDC or a question search them.

    Exit code 2: no match.
    """
    written, reference = " ".join(query), create_reference(_site())
    page = reference.page(written) if written else None
    if page is None:
        found = _found(written)
        terminal.show_correction(_console(), found)
        page = found.pages[0] if found.answer is None and len(found.pages) == 1 else None
        if page is None:
            terminal.show_found(_console(), found)
            return
    shown, _ = page_with_payments(page, _tables().snapshot(), reference.meaning)
    terminal.show_code(_console(), shown)


def _found(written: str) -> Found:
    """The result of a search; one line and exit code 2 if it has none."""
    try:
        found = create_asker(_advisor()).find(written)
    except RequestError as error:
        click.echo(error.message.replace("`q`", "CODE|WORDS"), err=True)
        sys.exit(2)
    if not found.pages and not found.answer:
        reason = found.declined.rstrip(".") or f"no code matches `{written}`"
        click.echo(f"{reason}; `cds-service codes` lists all", err=True)
        sys.exit(2)
    return found


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
        similar = _similar(rule_id, by_id)
        hint = f"did you mean {', '.join(f'`{each}`' for each in similar)}? " if similar else ""
        click.echo(f"no rule `{rule_id}`; {hint}`cds-service rules` lists all", err=True)
        sys.exit(2)


def _similar(written: str, ids: Iterable[str]) -> list[str]:
    """The ids that a word may stand for: those that contain it, else those that are spelled alike; a few at most."""
    word = written.strip().lower().replace("_", "-").replace(" ", "-")
    every = list(ids)
    holding = sorted((each for each in every if word and word in each), key=lambda each: not each.startswith(word))
    return (holding or get_close_matches(word, every))[:_MOST_SIMILAR]


def _advisor() -> Advisor:
    return create_advisor(load_settings())


def _tables() -> Tables:
    return create_tables(load_settings())


def _site() -> Site:
    return create_site(load_settings())


def _console() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


main.add_command(ask_command(lambda: create_asker(_advisor()), _console))
main.add_command(audit_group(create_auditor))
main.add_command(check_command(_advisor, service_directory, _console, create_case_writer(), describe))
main.add_command(claim_command(_advisor, lambda: create_case_reader(_advisor()), create_case_writer(), _console))
main.add_command(mcp_command(create_toolbox))
main.add_command(sample_command(create_case_writer()))
main.add_command(site_group(lambda: create_advisor(load_settings()), candidates))
main.add_command(tables_group(codes_in_scope, auditor_with_tables))
