"""Variants of the measured service. Another variant is one more entry of `VARIANTS`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.servers import Tokens
from tests.support.tokens import BASE, ISSUER, P384, RSA, jwk, key_set, token

_CLIENTS = [{"id": "bench", "issuer": ISSUER, "jwks_file": "bench-keys.json"}]


@dataclass(frozen=True)
class Variant:
    """A way to run the service.

    `prepare` writes what it needs (clients, keys) into a folder and returns the environment for it. `tokens` makes so
    many tokens for an address, one for each request, since each is taken once; without it requests carry none.
    """

    name: str
    prepare: Callable[[Path], dict[str, str]] = field(default=lambda _: {})
    tokens: Tokens | None = None


def _in_production(folder: Path) -> dict[str, str]:
    """One registered client with its key in a file, and no limit of its calls that the load would reach."""
    (folder / "bench-keys.json").write_bytes(key_set(jwk(P384, "k1"), jwk(RSA, "k2")))
    (folder / "bench-clients.yaml").write_text(json.dumps({"clients": _CLIENTS}))  # JSON is YAML
    return {
        "CDS_MODE": "production",
        "CDS_CLIENTS_FILE": str(folder / "bench-clients.yaml"),
        "CDS_PUBLIC_BASE_URL": BASE,
        "CDS_CALLS_PER_SECOND": "1000000",
        "CDS_MAX_CALLS_PER_CLIENT": "64",
    }


def _signed(address: str, count: int) -> Sequence[str]:
    """Tokens for the public form of an address, each with a `jti` of its own."""
    endpoint = BASE + urlsplit(address).path
    return [token(aud=endpoint) for _ in range(count)]


def _signed_by_rsa(address: str, count: int) -> Sequence[str]:
    """The same with RS384, whose signatures are slow to make and quick to check."""
    endpoint = BASE + urlsplit(address).path
    return [token(RSA, "RS384", {"kid": "k2"}, aud=endpoint) for _ in range(count)]


# The first is the one whose ratios have targets; the others add the check of a token and the replay store.
VARIANTS = (
    Variant("open"),
    Variant("signed calls", _in_production, _signed),
    Variant("signed calls (RS384)", _in_production, _signed_by_rsa),
)
