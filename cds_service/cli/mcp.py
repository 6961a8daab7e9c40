"""`cds-service mcp`: tools for assistants, by the Model Context Protocol."""

from collections.abc import Callable

import click

from cds_service.assistants.tools import Toolbox
from cds_service.cli import examples, require_extra
from cds_service.errors import ServiceError, SettingsError
from cds_service.fhir.servers import is_loopback
from cds_service.settings import Settings, load_settings
from cds_service.telemetry.calls import CallSummary
from cds_service.telemetry.logs import log

CreateToolbox = Callable[[Settings], Toolbox]


def mcp_command(create: CreateToolbox) -> click.Command:
    """The command. `create` makes the parts that the tools use."""

    @click.command("mcp", epilog=examples("mcp", "mcp --http --port 8001"))
    @click.option(
        "--http", "over_http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdin and stdout."
    )
    @click.option("--host", default="127.0.0.1", show_default=True, help="With --http: address to listen on.")
    @click.option(
        "--port", default=8001, show_default=True, type=click.IntRange(1, 65535), help="With --http: port to listen on."
    )
    def mcp(over_http: bool, host: str, port: int) -> None:
        """Serve tools for assistants: review, explain and search, each answer with its sources.

        Without --http it speaks over stdin and stdout, for an assistant on this machine that starts it, and ends when
        stdin is closed. With --http it wants the tokens of registered clients, as the service does (CDS_CLIENTS_FILE);
        in development it answers this machine only. Needs the extra `mcp`.
        """
        require_extra("mcp", ("mcp",))
        try:
            if over_http:
                _serve_http(host, port)
            else:
                _serve_stdio(load_settings(), create)
        except ServiceError as error:
            raise click.ClickException(str(error)) from None

    return mcp


def _serve_stdio(settings: Settings, create: CreateToolbox) -> None:
    from cds_service.assistants.server import create_server  # noqa: PLC0415  # needs the extra
    from cds_service.assistants.stdio import serve  # noqa: PLC0415

    serve(create_server(create(settings), settings, log_call), settings.max_body_bytes)


def log_call(_: object, call: CallSummary) -> None:
    """Log an answered call of this machine, without anything of its arguments."""
    log.info("call", client="stdio", service=call.service, milliseconds=call.milliseconds)


def _serve_http(host: str, port: int) -> None:
    from cds_service.app import checked_settings  # noqa: PLC0415  # only here: the server, and Flask
    from cds_service.server import granian  # noqa: PLC0415
    from cds_service.server.address import in_url, listening_address  # noqa: PLC0415

    settings = checked_settings()
    if settings.mode == "development" and not is_loopback(host):
        raise SettingsError(f"development mode has no authentication: --host must be 127.0.0.1, not {host}")
    address = listening_address(host, port)
    click.echo(f"Serving tools for assistants on http://{in_url(host)}:{port}/mcp (Ctrl-C stops)", err=True)
    granian.run_for_assistants(settings, address, port)
