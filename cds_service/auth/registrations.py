"""Loads the registration file of clients, validated at startup.

    clients:
      - id: general-hospital                       # name in logs and limits
        issuer: https://ehr.example.org            # `iss` of its tokens
        jwks_url: https://ehr.example.org/jwks     # its public keys; or jwks_file, next to this file
        algorithms: ["ES384"]                      # default ES384 and RS384
        tenants: [main-campus]                     # default none: its tokens have no tenant
        services: [contrast-echo-order-sign]       # default all services, `review` and `reference`
        token_seconds: 900                         # maximum lifetime of its tokens; default CDS_TOKEN_SECONDS
        language: es                               # of its cards; default English, and `Accept-Language` of a call wins
        fhir_servers:                              # default none: only prefetch is used
          - url: https://ehr.example.org/fhir
          - url: https://fhir.hospital.internal/r4
            private: true                          # its name may resolve to a private address

`services` binds everything but discovery and the descriptions of the interface: besides the ids of services it takes
the names in `surfaces.py`, of which `metrics`, `insights` and `sandbox` are open only to clients that list them. With
both `jwks_url` and `jwks_file`, the file is used, and the URL is the only allowed `jku` of tokens; with the file alone,
a token with a `jku` is refused. Errors name the file, the line and the expected value.
"""

import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cds_service.auth.surfaces import SURFACES
from cds_service.core import strict_yaml
from cds_service.core.checked_file import CheckedFile
from cds_service.errors import Faults, SettingsError
from cds_service.fhir.servers import AllowedServer, AllowList, is_secure
from cds_service.languages.known import LANGUAGES, language_of

# Allowed signature algorithms: no shared secrets and no `none`.
ALGORITHMS = ("ES384", "RS384", "ES256", "ES512", "RS256", "RS512", "PS256", "PS384", "PS512")
DEFAULT_ALGORITHMS = ("ES384", "RS384")

# Longest lifetime that a registration may allow, in seconds: as long as used tokens are worth remembering.
LEAST_TOKEN_SECONDS = 10
MOST_TOKEN_SECONDS = 3600


class Client(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A registered client.

    `services` are ids of services and names of surfaces, None for those open by default. `token_seconds` is the maximum
    lifetime of its tokens, None for that of the settings. `language` is that of its cards, None for English.
    """

    id: str
    issuer: str
    jwks_url: str | None = None
    jwks_file: str | None = None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    tenants: tuple[str, ...] = ()
    services: tuple[str, ...] | None = None
    token_seconds: int | None = None
    language: str | None = None
    fhir_servers: tuple[AllowedServer, ...] = ()

    @property
    def allowed_servers(self) -> AllowList:
        """The FHIR servers that may be queried for this client."""
        return AllowList(self.fhir_servers)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    clients: list[dict[str, Any]] | None


def load_clients(path: Path, known_services: Collection[str] | None = None) -> tuple[Client, ...]:
    """Load a registration file; without `known_services`, service names are not checked. Raises SettingsError."""
    loader = _Loader(strict_yaml.read(path, SettingsError), known_services)
    return loader.clients()


class _Loader(CheckedFile):
    def __init__(self, document: strict_yaml.Document, known_services: Collection[str] | None) -> None:
        self.document = document
        self.known_services = known_services

    def clients(self) -> tuple[Client, ...]:
        written = self.convert(self.document.data, _File, "$").clients or []
        faults = Faults()
        made = [faults.attempt(partial(self._client, raw, f"$.clients[{i}]")) for i, raw in enumerate(written)]
        faults.add(self._repeated(made))
        faults.raise_all()
        return tuple(client for client in made if client)

    def _repeated(self, clients: list[Client | None]) -> Iterator[str]:
        for name in ("id", "issuer"):
            values = [client and getattr(client, name) for client in clients]
            for number, value in enumerate(values):
                if value and value in values[:number]:
                    yield self.at(f"$.clients[{number}].{name}", f"another client has this `{name}`")

    def _client(self, raw: dict[str, Any], path: str) -> Client:
        """The client as written. Raises SettingsError with all its faults."""
        faults = Faults()
        types = {field.name: field.type for field in msgspec.structs.fields(Client)}
        for name, value in raw.items():
            if name in types:
                faults.attempt(partial(self.convert, value, types[name], f"{path}.{name}"))
            else:
                faults.add([self.at(f"{path}.{name}", f"unknown key `{name}`")])
        faults.raise_all()
        client: Client = self.convert(raw, Client, path)
        faults.add(self._faults(client, path))
        faults.raise_all()
        return client

    def _faults(self, client: Client, path: str) -> Iterator[str]:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", client.id):
            yield self.at(f"{path}.id", "expected `id` to have only letters, digits, dots and hyphens")
        if not client.issuer.strip():
            yield self.at(f"{path}.issuer", "expected `issuer` to be the `iss` of the client's tokens")
        yield from self._key_faults(client, path)
        known = None if self.known_services is None else (*self.known_services, *SURFACES)
        for number, service in enumerate(client.services or ()):
            if known is not None and service not in known:
                yield self.at(f"{path}.services[{number}]", f"expected one of {', '.join(known)}")
        seconds = client.token_seconds
        if seconds is not None and not LEAST_TOKEN_SECONDS <= seconds <= MOST_TOKEN_SECONDS:
            yield self.at(f"{path}.token_seconds", f"expected {LEAST_TOKEN_SECONDS} to {MOST_TOKEN_SECONDS} seconds")
        if client.language is not None and language_of(client.language) is None:
            tags = ", ".join(each.tag for each in LANGUAGES)
            yield self.at(f"{path}.language", f"expected one of {tags}")
        for number, server in enumerate(client.fhir_servers):
            fault = server.fault()
            if fault:
                yield self.at(f"{path}.fhir_servers[{number}].url", fault)

    def _key_faults(self, client: Client, path: str) -> Iterator[str]:
        if not (client.jwks_url or client.jwks_file):
            yield self.at(path, "expected `jwks_url` or `jwks_file`")
        if client.jwks_url and not is_secure(client.jwks_url):
            yield self.at(f"{path}.jwks_url", "expected an https URL; keys sent over http could be altered")
        if not client.algorithms:
            yield self.at(f"{path}.algorithms", f"expected one or more of {', '.join(ALGORITHMS)}")
        for number, algorithm in enumerate(client.algorithms):
            if algorithm not in ALGORITHMS:
                yield self.at(f"{path}.algorithms[{number}]", f"expected one of {', '.join(ALGORITHMS)}")
