"""`cds-service clients`: registrations of clients, and keys and tokens to try them."""

from pathlib import Path
from typing import Any

import click

from cds_service.auth import registration_file, trial_keys
from cds_service.auth.jwks import Key, UnusableKey
from cds_service.auth.registrations import (
    ALGORITHMS,
    LEAST_TOKEN_SECONDS,
    MOST_TOKEN_SECONDS,
    Client,
    load_clients,
)
from cds_service.auth.surfaces import ONLY_WHERE_LISTED, SURFACES
from cds_service.auth.tokens import key_source
from cds_service.cli import BadInput, examples
from cds_service.errors import KeysUnavailable
from cds_service.fhir.servers import AllowedServer
from cds_service.languages.known import LANGUAGES
from cds_service.settings import EXAMPLE_NAMESPACE
from cds_service.wiring import service_directory

_FILE = click.option(
    "--file",
    "path",
    envvar="CDS_CLIENTS_FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Registration file; default CDS_CLIENTS_FILE.",
)
_KEY = click.option(
    "--key", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Private key file (PEM)."
)


@click.group(epilog=examples("clients list --file clients.yaml"))
def clients() -> None:
    """Manage the registered clients. A running service must be restarted to read changes."""


@clients.command("list", epilog=examples("clients list"))
@_FILE
def list_clients(path: Path) -> None:
    """List the registered clients."""
    for client in load_clients(path):
        click.echo(f"{client.id}\n  issuer        {client.issuer}\n  keys          {_keys_of(client)}")
        click.echo(f"  algorithms    {', '.join(client.algorithms)}")
        click.echo(f"  services      {_services_of(client)}")
        click.echo(f"  tokens live   {_lifetime_of(client)}")
        click.echo(f"  language      {client.language or 'English'}")
        click.echo(f"  tenants       {', '.join(client.tenants) or 'none: its tokens name no tenant'}")
        servers = [each.url + (" (private)" if each.private else "") for each in client.fhir_servers]
        click.echo(f"  FHIR servers  {', '.join(servers) or 'none'}")


@clients.command(
    epilog=examples("clients add ehr --issuer https://ehr.example.org --jwks-url https://ehr.example.org/jwks.json")
)
@_FILE
@click.argument("name", metavar="ID")
@click.option("--issuer", required=True, help="`iss` of its tokens.")
@click.option("--jwks-url", help="URL of its public keys (https).")
@click.option("--jwks-file", help="File with its public keys, in the folder of the registration file.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(ALGORITHMS),
    help="Allowed signature algorithm; may be repeated. Default ES384 and RS384.",
)
@click.option("--tenant", "tenants", multiple=True, help="Tenant that it may call for; may be repeated.")
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    type=click.Choice([*(service.id for service in service_directory(EXAMPLE_NAMESPACE).services), *SURFACES]),
    help=f"Service or surface ({', '.join(SURFACES)}) that it may call; may be repeated. Default: all services, and "
    f"the surfaces but {', '.join(sorted(ONLY_WHERE_LISTED))}.",
)
@click.option(
    "--token-seconds",
    type=click.IntRange(LEAST_TOKEN_SECONDS, MOST_TOKEN_SECONDS),
    help="Maximum lifetime of its tokens in seconds; Epic's live 900. Default CDS_TOKEN_SECONDS.",
)
@click.option(
    "--language",
    type=click.Choice([each.tag for each in LANGUAGES]),
    help="Language of its cards where all of a card is translated. Default English.",
)
@click.option(
    "--fhir-server", "servers", multiple=True, help="FHIR server that may be queried for it; may be repeated."
)
@click.option("--private-fhir-server", "private", multiple=True, help="The same, at a private network address.")
def add(path: Path, name: str, servers: tuple[str, ...], private: tuple[str, ...], **options: Any) -> None:
    """Add a client to the registration file; the rest of the file is unchanged."""
    listed = [AllowedServer(url) for url in servers] + [AllowedServer(url, private=True) for url in private]
    given = {key: value for key, value in options.items() if value}
    client = Client(id=name, fhir_servers=tuple(listed), **given)
    registration_file.add(path, client)
    click.echo(f"{path}: added {name}")
    _hint_at_jku(client)
    if client.jwks_file and not (path.parent / client.jwks_file).is_file():
        click.echo(f"  {client.jwks_file}: not there yet, beside {path.name}; the service does not start without it")


@clients.command(epilog=examples("clients remove ehr"))
@_FILE
@click.argument("name", metavar="ID")
def remove(path: Path, name: str) -> None:
    """Remove a client from the registration file."""
    registration_file.remove(path, name)
    click.echo(f"{path}: removed {name}")


@clients.command(epilog=examples("clients test ehr"))
@_FILE
@click.argument("name", metavar="ID")
def test(path: Path, name: str) -> None:
    """Load a client's public keys as the service would, and print which are usable. Exit code 1: none."""
    client = next((each for each in load_clients(path) if each.id == name), None)
    if client is None:
        raise BadInput(f"{path.name}: no client `{name}`")
    try:
        keys = key_source(client, path.parent).load()
    except KeysUnavailable as error:
        raise click.ClickException(f"{_keys_of(client)}: {error}") from None
    click.echo(f"{_keys_of(client)}: {len(keys)} public keys with an id")
    click.echo(f"  tokens may live {_lifetime_of(client)}; Epic's live 900 seconds (`token_seconds`)")
    _hint_at_jku(client)
    usable = [_describe(key, client) for key in keys.values()]
    if not any(usable):
        raise click.ClickException(f"none of the keys can be used with {', '.join(client.algorithms)}")


@clients.command(epilog=examples("clients key --key private.pem --jwks public.json"))
@_KEY
@click.option(
    "--jwks", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File for the public key set."
)
def key(key: Path, jwks: Path) -> None:
    """Create a key pair to try a registration: a private key and a public key set."""
    made = trial_keys.new_key()
    trial_keys.save_pair(made, key, jwks)
    click.echo(f"{key}: keep secret\n{jwks}: register with --jwks-file {jwks.name}")


@clients.command(
    epilog=examples(
        "clients token --key private.pem --issuer https://ehr.example.org --audience https://cds.example.org/review"
    )
)
@_KEY
@click.option("--issuer", required=True, help="`iss` of the registration.")
@click.option("--audience", required=True, help="Exact URL to be called.")
@click.option("--tenant", help="Tenant, if the registration lists any.")
@click.option(
    "--seconds",
    default=60,
    show_default=True,
    type=click.IntRange(1, MOST_TOKEN_SECONDS),
    help="Validity in seconds; a token is accepted once.",
)
def token(key: Path, issuer: str, audience: str, tenant: str | None, seconds: int) -> None:
    """Print a signed token for one call, to try a registration."""
    click.echo(trial_keys.token(trial_keys.load(key), issuer, audience, tenant, seconds))


def _hint_at_jku(client: Client) -> None:
    """Say that tokens with a `jku` are refused if the registration has a key file and no URL."""
    if client.jwks_url is None:
        click.echo(
            "  tokens with a `jku` are refused, as the CDS Hooks Sandbox, Inferno and Epic send them: add the URL that "
            "they name as `jwks_url` (--jwks-url); the keys are still read from the file"
        )


def _services_of(client: Client) -> str:
    if client.services is None:
        return f"all, and the surfaces but {', '.join(sorted(ONLY_WHERE_LISTED))}"
    return ", ".join(client.services) or "none"


def _lifetime_of(client: Client) -> str:
    return f"{client.token_seconds} seconds" if client.token_seconds else "CDS_TOKEN_SECONDS"


def _keys_of(client: Client) -> str:
    return str(client.jwks_file or client.jwks_url)


def _describe(key: Key, client: Client) -> bool:
    """Print the algorithms of a key; True if it can be used with any."""
    fits, reason = [], ""
    for algorithm in client.algorithms:
        try:
            key.for_algorithm(algorithm)
            fits.append(algorithm)
        except UnusableKey as error:
            reason = str(error)
    click.echo(f"  {key.kid}  {key.kty} {key.crv or ''}  {', '.join(fits) or f'cannot be used: {reason}'}")
    return bool(fits)
