"""Loads the registration file of clients, validated at startup.

    clients:
      - id: general-hospital                       # name in logs and limits
        issuer: https://ehr.example.org            # `iss` of its tokens
        jwks_url: https://ehr.example.org/jwks     # its public keys; or jwks_file, next to this file
        algorithms: ["ES384"]                      # default ES384 and RS384
        tenants: [main-campus]                     # default none: its tokens have no tenant
        services: [contrast-echo-order-sign]       # default all services, `review` and `reference`
        token_seconds: 900                         # maximum lifetime of its tokens; default CDS_TOKEN_SECONDS
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
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from cds_service.auth.surfaces import SURFACES
from cds_service.core import strict_yaml
from cds_service.errors import SettingsError
from cds_service.fhir.servers import AllowedServer, AllowList, is_secure

# Allowed signature algorithms: no shared secrets and no `none`.
ALGORITHMS = ("ES384", "RS384", "ES256", "ES512", "RS256", "RS512", "PS256", "PS384", "PS512")
DEFAULT_ALGORITHMS = ("ES384", "RS384")

# Longest lifetime that a registration may allow, in seconds: as long as used tokens are worth remembering.
LEAST_TOKEN_SECONDS = 10
MOST_TOKEN_SECONDS = 3600


class Client(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A registered client.

    `services` are ids of services and names of surfaces, None for those open by default. `token_seconds` is the maximum
    lifetime of its tokens, None for that of the settings.
    """

    id: str
    issuer: str
    jwks_url: str | None = None
    jwks_file: str | None = None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    tenants: tuple[str, ...] = ()
    services: tuple[str, ...] | None = None
    token_seconds: int | None = None
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


class _Loader:
    def __init__(self, document: strict_yaml.Document, known_services: Collection[str] | None) -> None:
        self.document = document
        self.known_services = known_services

    def clients(self) -> tuple[Client, ...]:
        written = self._convert(self.document.data, _File, "$").clients or []
        found = [self._client(raw, f"$.clients[{number}]") for number, raw in enumerate(written)]
        for name in ("id", "issuer"):
            values = [getattr(client, name) for client in found]
            for number, value in enumerate(values):
                if value in values[:number]:
                    raise self._fault(f"$.clients[{number}].{name}", f"another client has this `{name}`")
        return tuple(found)

    def _client(self, raw: dict[str, Any], path: str) -> Client:
        client: Client = self._convert(raw, Client, path)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", client.id):
            raise self._fault(f"{path}.id", "expected `id` to have only letters, digits, dots and hyphens")
        if not client.issuer.strip():
            raise self._fault(f"{path}.issuer", "expected `issuer` to be the `iss` of the client's tokens")
        self._require_keys(client, path)
        self._require_known(client, path)
        seconds = client.token_seconds
        if seconds is not None and not LEAST_TOKEN_SECONDS <= seconds <= MOST_TOKEN_SECONDS:
            raise self._fault(
                f"{path}.token_seconds", f"expected {LEAST_TOKEN_SECONDS} to {MOST_TOKEN_SECONDS} seconds"
            )
        for number, server in enumerate(client.fhir_servers):
            fault = server.fault()
            if fault:
                raise self._fault(f"{path}.fhir_servers[{number}].url", fault)
        return client

    def _require_keys(self, client: Client, path: str) -> None:
        if not (client.jwks_url or client.jwks_file):
            raise self._fault(path, "expected `jwks_url` or `jwks_file`")
        if client.jwks_url and not is_secure(client.jwks_url):
            raise self._fault(f"{path}.jwks_url", "expected an https URL; keys sent over http could be altered")
        if not client.algorithms:
            raise self._fault(f"{path}.algorithms", f"expected one or more of {', '.join(ALGORITHMS)}")
        for number, algorithm in enumerate(client.algorithms):
            if algorithm not in ALGORITHMS:
                raise self._fault(f"{path}.algorithms[{number}]", f"expected one of {', '.join(ALGORITHMS)}")

    def _require_known(self, client: Client, path: str) -> None:
        if self.known_services is None:
            return
        known = (*self.known_services, *SURFACES)
        for number, service in enumerate(client.services or ()):
            if service not in known:
                raise self._fault(f"{path}.services[{number}]", f"expected one of {', '.join(known)}")

    def _convert(self, data: Any, form: Any, path: str) -> Any:
        try:
            return msgspec.convert(data, form)
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at `$")
            within = path + where.rstrip("`")
            unknown = re.fullmatch(r"Object contains unknown field `(.+)`", text)
            if unknown:
                raise self._fault(f"{within}.{unknown[1]}", f"unknown key `{unknown[1]}`") from None
            missing = re.fullmatch(r"Object missing required field `(.+)`", text)
            words = f"`{missing[1]}` is required" if missing else text[:1].lower() + text[1:]
            raise self._fault(within, words) from None

    def _fault(self, path: str, text: str) -> SettingsError:
        return SettingsError(f"{self.document.name}: line {self.document.line_of(path)}: {text}")
