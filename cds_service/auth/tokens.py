"""Verifies the JSON Web Tokens of CDS Hooks clients against their registrations.

Claims are decoded strictly by our own types (for example, `exp` must be a finite number). PyJWT verifies the signature
with a registered algorithm and a matching key. Tokens are never logged, and nothing of a token that is not verified is;
the reason for rejecting one is logged but not sent to the client.
"""

import hashlib
import json
import math
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jwt
import msgspec

from cds_service.auth.jwks import Key, KeySource, UnusableKey
from cds_service.auth.registrations import MOST_TOKEN_SECONDS, Client, load_clients
from cds_service.auth.replay import ReplayStore, SharedReplayStore
from cds_service.auth.surfaces import may_call
from cds_service.database.connections import Database
from cds_service.errors import KeysUnavailable, NotAllowed, NotTrusted, SettingsError
from cds_service.fhir.servers import AllowList, is_secure
from cds_service.settings import Settings

# Clients read the clock once for `iat` and again for `exp`, and round both.
_ROUNDING_SECONDS = 1

_MAX_CHARACTERS = 8192
_BEARER = re.compile(r"[Bb]earer +(?P<token>(?P<header>[\w-]+)\.(?P<claims>[\w-]+)\.[\w-]+)", re.ASCII)

Named = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class _Header(msgspec.Struct):
    typ: str
    alg: str
    kid: Named
    jku: str | None = None


class _Claims(msgspec.Struct):
    iss: Named
    aud: str | tuple[str, ...]
    exp: float
    iat: float
    jti: Named
    tenant: Named | None = None
    nbf: float | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated client and its tenant; `registration` is None in development."""

    client: str
    tenant: str | None = None
    registration: Client | None = None

    @property
    def servers(self) -> AllowList | None:
        """The FHIR servers allowed for this client; None: those of the settings."""
        return self.registration.allowed_servers if self.registration else None

    @property
    def language(self) -> str | None:
        """The tag of the language of this client's cards; None: English."""
        return self.registration.language if self.registration else None

    def require_access(self, name: str | None) -> None:
        """Raises NotAllowed if the client is not registered for the tenant, or for the service or surface."""
        known = self.registration
        if known is None:
            return
        if self.tenant not in (known.tenants or (None,)):
            raise NotAllowed("this client is not registered for this tenant")
        if name is not None and not may_call(name, known.services):
            raise NotAllowed("this client is not registered for this service (`services` of its registration)")


class TokenVerifier:
    """Verifies bearer tokens and identifies their clients.

    `max_seconds` is the maximum token lifetime where the registration states none, `leeway` the allowed difference of
    clocks in seconds, and `now` returns Unix time.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        folder: Path,
        replay: ReplayStore,
        max_seconds: int = 300,
        leeway: int = 10,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clients = {client.issuer: client for client in clients}
        self._keys = {issuer: key_source(client, folder) for issuer, client in self._clients.items()}
        self._replay = replay
        self._max_seconds = max_seconds
        self._leeway = leeway
        self._now = now

    def fetch_keys(self) -> None:
        """Fetch the keys of all clients in the background, so that the first calls find them."""
        for keys in self._keys.values():
            keys.refresh()

    def verify(self, authorization: str | None, endpoint: str) -> Principal:
        """The client identified by an `Authorization` header; `endpoint` is the public URL of the endpoint called.

        Raises NotTrusted if there is no valid token.
        """
        token = _token(authorization)
        claims = _decoded(token["claims"], _Claims, "claims")
        client = self._clients.get(claims.iss)
        if client is None:
            raise NotTrusted("`iss`: no client is registered with this issuer", issuer_sha256=issuer_digest(claims.iss))
        try:
            header = _decoded(token["header"], _Header, "header")
            _require_header(header, client)
            self._require_times(claims, client)
            _require_audience(claims, endpoint)
            self._verify_signature(token, header, client)  # last, since keys may have to be fetched for it
            self._require_first_use(claims)
        except NotTrusted as error:
            raise NotTrusted(error.message, claimed_client=client.id) from None
        return Principal(client.id, claims.tenant, client)

    def _verify_signature(self, token: re.Match[str], header: _Header, client: Client) -> None:
        try:
            key = self._key(client, header).for_algorithm(header.alg)
            jwt.PyJWS().decode_complete(token["token"], key, [header.alg])
        except (KeysUnavailable, UnusableKey) as error:
            raise NotTrusted(str(error)) from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise NotTrusted(f"invalid signature ({type(error).__name__})") from None

    def _key(self, client: Client, header: _Header) -> Key:
        key = self._keys[client.issuer].key(header.kid)
        if key is None:
            raise NotTrusted("`kid`: unknown key of this client")
        return key

    def _require_times(self, claims: _Claims, client: Client) -> None:
        now = self._now()
        if claims.exp <= now - self._leeway:
            raise NotTrusted("`exp`: the token has expired")
        if claims.iat > now + self._leeway or (claims.nbf or 0.0) > now + self._leeway:
            raise NotTrusted("`iat`: the token is not yet valid")
        most, lifetime = client.token_seconds or self._max_seconds, claims.exp - claims.iat
        if lifetime > most + _ROUNDING_SECONDS:
            raise NotTrusted(_too_long(lifetime, most))

    def _require_first_use(self, claims: _Claims) -> None:
        if not self._replay.record_use(claims.iss, claims.jti, claims.exp + self._leeway):
            raise NotTrusted("`jti`: the token was used before")


def verifier_of(settings: Settings, services: Collection[str]) -> TokenVerifier | None:
    """The token verifier for the settings; None in development. Raises SettingsError with all missing settings."""
    if settings.mode == "development":
        return None
    faults = list(_missing(settings))
    if faults or settings.clients_file is None:
        raise SettingsError("\n".join(faults))
    clients = load_clients(settings.clients_file, services)
    if not clients:
        raise SettingsError(
            f"{settings.clients_file.name}: no client is registered; add one with `cds-service clients`"
        )
    replay = SharedReplayStore(Database(settings.database_url, settings.database_connections, is_durable=False))
    folder, leeway = settings.clients_file.parent, settings.clock_leeway_seconds
    return TokenVerifier(clients, folder, replay, settings.token_seconds, leeway)


def _missing(settings: Settings) -> Iterator[str]:
    if settings.clients_file is None:
        yield (
            "CDS_CLIENTS_FILE: required in production to register clients (see `cds-service clients`); "
            "for local testing, set CDS_MODE=development"
        )
    if settings.public_base_url is None:
        yield "CDS_PUBLIC_BASE_URL: required in production; the base URL that clients call and name in their tokens"
    elif not is_secure(settings.public_base_url):
        yield "CDS_PUBLIC_BASE_URL: expected an https URL, since calls contain patient data"


def key_source(client: Client, folder: Path) -> KeySource:
    """The key source of a client; a relative file path is resolved against `folder`."""
    return KeySource(folder / client.jwks_file if client.jwks_file else client.jwks_url or "")


def _token(authorization: str | None) -> re.Match[str]:
    found = _BEARER.fullmatch((authorization or "").strip())
    if found is None or len(found["token"]) > _MAX_CHARACTERS:
        raise NotTrusted("no bearer token" if not authorization else "the bearer token is not a signed JWT")
    return found


PartT = TypeVar("PartT", bound=msgspec.Struct)


def _decoded(part: str, kind: type[PartT], name: str) -> PartT:
    try:
        content = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        decoded = msgspec.json.decode(content, type=kind)
        json.loads(content.decode(), object_pairs_hook=_without_duplicates)
    except msgspec.ValidationError as error:
        raise NotTrusted(f"the token's {name}: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise NotTrusted(f"the token's {name}: not well-formed") from None
    return decoded


def _without_duplicates(members: list[tuple[str, Any]]) -> None:
    """Raises ValueError if a JSON object has two members of one name: of these, other readers may take the other."""
    if len({name for name, _ in members}) < len(members):
        raise ValueError("duplicate members")


def issuer_digest(issuer: str) -> str:
    """The first 8 hexadecimal digits of an issuer's SHA-256, by which the log names issuers that are not registered."""
    return hashlib.sha256(issuer.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _too_long(lifetime: float, most: int) -> str:
    if lifetime > MOST_TOKEN_SECONDS + _ROUNDING_SECONDS:
        return f"`exp`: the token's lifetime exceeds {MOST_TOKEN_SECONDS} seconds, the most that can be allowed"
    seconds = min(math.ceil(lifetime), MOST_TOKEN_SECONDS)
    return (
        f"`exp`: the token's lifetime of {seconds} seconds exceeds {most}; if this client's tokens live that long, "
        f"set `token_seconds: {seconds}` in its registration"
    )


def _require_audience(claims: _Claims, endpoint: str) -> None:
    if endpoint not in ((claims.aud,) if isinstance(claims.aud, str) else claims.aud):
        raise NotTrusted("`aud`: the token is for another endpoint")


def _require_header(header: _Header, client: Client) -> None:
    if header.typ != "JWT":
        raise NotTrusted("`typ`: expected JWT")
    if header.alg not in client.algorithms:
        raise NotTrusted("`alg`: not one of the client's algorithms")
    if header.jku is not None and client.jwks_url is None:
        raise NotTrusted(
            "`jku`: this client is registered with `jwks_file` alone; add the `jwks_url` that its tokens name in `jku` "
            "(the keys are still read from the file)"
        )
    if header.jku not in (None, client.jwks_url):
        raise NotTrusted("`jku`: not the registered `jwks_url` of the client")
