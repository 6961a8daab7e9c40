"""`cds-service clients`: who may call."""

import json
from pathlib import Path
from typing import Any

import click

from cds_service.auth import registration_file, trial_keys
from cds_service.auth.jwks import Key, KeysUnavailable, UnusableKey
from cds_service.auth.registrations import ALGORITHMS, Client, load_clients
from cds_service.auth.tokens import key_source
from cds_service.errors import ServiceError
from cds_service.fhir.servers import AllowedServer


class _Commands(click.Group):
    """Commands whose faults are one plain line for the person who can mend them."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            raise click.ClickException(str(error)) from None


_FILE = click.option(
    "--file",
    "path",
    envvar="CDS_CLIENTS_FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The registration file; default CDS_CLIENTS_FILE.",
)
_KEY = click.option("--key", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A private key, PEM.")


@click.group(cls=_Commands)
def clients() -> None:
    """Who may call: add, list, test and remove registrations. A running service reads them when it starts again."""


@clients.command("list")
@_FILE
def list_clients(path: Path) -> None:
    """Print every registered client."""
    for client in load_clients(path):
        click.echo(f"{client.id}\n  issuer        {client.issuer}\n  keys          {_keys_of(client)}")
        click.echo(f"  algorithms    {', '.join(client.algorithms)}")
        click.echo(f"  services      {'all' if client.services is None else ', '.join(client.services)}")
        click.echo(f"  tenants       {', '.join(client.tenants) or 'none: its tokens name no tenant'}")
        servers = [each.url + (" (private)" if each.private else "") for each in client.fhir_servers]
        click.echo(f"  FHIR servers  {', '.join(servers) or 'none'}")


@clients.command()
@_FILE
@click.argument("name", metavar="ID")
@click.option("--issuer", required=True, help="`iss` of its tokens.")
@click.option("--jwks-url", help="Where it publishes its public keys (https).")
@click.option("--jwks-file", help="A file with its public keys, beside the registration file.")
@click.option("--algorithm", "algorithms", multiple=True, type=click.Choice(ALGORITHMS), help="Default ES384, RS384.")
@click.option("--tenant", "tenants", multiple=True, help="A tenant for which it may call; may be repeated.")
@click.option("--service", "services", multiple=True, help="A service that it may call; default all.")
@click.option("--fhir-server", "servers", multiple=True, help="A FHIR server that may be asked on its behalf.")
@click.option("--private-fhir-server", "private", multiple=True, help="The same; its name may be a private address.")
def add(path: Path, name: str, servers: tuple[str, ...], private: tuple[str, ...], **options: Any) -> None:
    """Add a registration; what else stands in the file stays as it is."""
    listed = [AllowedServer(url) for url in servers] + [AllowedServer(url, private=True) for url in private]
    given = {key: value for key, value in options.items() if value}
    registration_file.add(path, Client(id=name, fhir_servers=tuple(listed), **given))
    click.echo(f"{path}: added {name}")


@clients.command()
@_FILE
@click.argument("name", metavar="ID")
def remove(path: Path, name: str) -> None:
    """Remove a registration."""
    registration_file.remove(path, name)
    click.echo(f"{path}: removed {name}")


@clients.command()
@_FILE
@click.argument("name", metavar="ID")
def test(path: Path, name: str) -> None:
    """Fetch a client's keys as the service would, and say which of them it can use. Exit code 1: none."""
    client = next((each for each in load_clients(path) if each.id == name), None)
    if client is None:
        raise click.ClickException(f"{path.name}: no client `{name}`")
    try:
        keys = key_source(client, path.parent).load()
    except KeysUnavailable as error:
        raise click.ClickException(f"{_keys_of(client)}: {error}") from None
    click.echo(f"{_keys_of(client)}: {len(keys)} public keys with an id")
    usable = [_describe(key, client) for key in keys.values()]
    if not any(usable):
        raise click.ClickException(f"none of them can be used with {', '.join(client.algorithms)}")


@clients.command()
@_KEY
@click.option("--jwks", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The public key set.")
def key(key: Path, jwks: Path) -> None:
    """Make a pair of keys for trying a registration out: a private key, and the public key set."""
    made = trial_keys.new_key()
    trial_keys.save(made, key)
    jwks.write_text(json.dumps({"keys": [trial_keys.public_jwk(made)]}, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{key}: keep it secret\n{jwks}: register it with --jwks-file {jwks.name}")


@clients.command()
@_KEY
@click.option("--issuer", required=True, help="`iss` of the registration.")
@click.option("--audience", required=True, help="The exact address that is to be called.")
@click.option("--tenant", help="The tenant, if the registration has any.")
@click.option("--seconds", default=60, show_default=True, help="How long it is valid; it can be used once.")
def token(key: Path, issuer: str, audience: str, tenant: str | None, seconds: int) -> None:
    """Print a token for one call, as a client makes it. For trying a registration out."""
    click.echo(trial_keys.token(trial_keys.load(key), issuer, audience, tenant, seconds))


def _keys_of(client: Client) -> str:
    return str(client.jwks_file or client.jwks_url)


def _describe(key: Key, client: Client) -> bool:
    """Print what a key is good for; whether that is anything."""
    fits, reason = [], ""
    for algorithm in client.algorithms:
        try:
            key.for_algorithm(algorithm)
            fits.append(algorithm)
        except UnusableKey as error:
            reason = str(error)
    click.echo(f"  {key.kid}  {key.kty} {key.crv or ''}  {', '.join(fits) or f'cannot be used: {reason}'}")
    return bool(fits)
