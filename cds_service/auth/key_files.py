"""Faults of the key files (`jwks_file`) of registered clients, with every key judged as it would be for a token."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cds_service.auth.jwks import Key, UnusableKey
from cds_service.auth.registrations import Client

# Members of private keys: of elliptic curves and RSA, and of shared secrets.
_PRIVATE = ("d", "p", "q", "k")


def key_faults(clients: Collection[Client], folder: Path) -> Iterator[str]:
    """The faults of the clients' key files in one line each; relative paths are resolved against a folder."""
    for client in clients:
        if client.jwks_file:
            for fault in _file_faults(client, folder / client.jwks_file):
                yield f"client `{client.id}`: {client.jwks_file}: {fault}"


def _file_faults(client: Client, path: Path) -> Iterator[str]:
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).get("keys")
    except OSError as error:
        yield error.strerror or "cannot open the key file"
        return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        keys = None
    if not isinstance(keys, list):
        yield "expected a JSON Web Key Set"
        return
    faults = [_fault_of(raw, client) for raw in keys]
    yield from (f"key {number + 1}: {fault}" for number, fault in enumerate(faults) if fault)
    if not any(faults) and all(all(_reasons(raw, client)) for raw in keys):
        yield f"none of the keys can be used with {', '.join(client.algorithms)}"


def _fault_of(raw: Any, client: Client) -> str:
    """The fault of a key; empty if it can be used, or is meant for other algorithms or for encryption."""
    if not isinstance(raw, dict):
        return "expected an object"
    if any(member in raw for member in _PRIVATE):
        return "a private key; remove it here, and replace the key pair, since it is no longer secret"
    if raw.get("use", "sig") != "sig":
        return ""
    if not isinstance(raw.get("kid"), str):
        return "expected `kid`, the id that tokens name"
    reasons = _reasons(raw, client)
    return next((each for each in reasons if each and not each.startswith(_FOR_OTHERS)), "") if all(reasons) else ""


# Beginnings of reasons that are no fault of a key: it is meant for another algorithm.
_FOR_OTHERS = ("the key type does not match", "the key is not published")


def _reasons(raw: dict[str, Any], client: Client) -> list[str]:
    """For each of the client's algorithms the reason why a key cannot be used; empty if it can."""
    try:
        key = msgspec.convert(raw | {"content": raw}, Key)
    except msgspec.ValidationError as error:
        return [f"the key cannot be parsed: {str(error).lower()}"]
    return [_reason(key, algorithm) for algorithm in client.algorithms]


def _reason(key: Key, algorithm: str) -> str:
    try:
        key.for_algorithm(algorithm)
    except UnusableKey as error:
        return str(error)
    return ""
