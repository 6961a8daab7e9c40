"""A FHIR server that has for each call what its case holds ready; and calls that leave their data there.

What is fetched must lead to the same advice as what is sent along.
"""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from hooks.prefetch import PREFETCH
from tests.fuzz.bases import Base
from tests.fuzz.calls import mutated
from tests.fuzz.case import Case, Expected
from tests.fuzz.document import encoded
from tests.support.ehr import FETCHED, UNAVAILABLE, access
from tests.support.fhir_double import serving

_KEYS = {template.partition("?")[0]: key for key, template in PREFETCH.items() if "?" in template}
_NOTHING = encoded({"resourceType": "Bundle", "type": "searchset", "entry": []})


@dataclass(frozen=True)
class Shelf:
    """A FHIR server at an address, and the folder in which it looks: a file for each token."""

    address: str
    folder: Path

    def put(self, token: str, served: dict[str, bytes]) -> None:
        """Have resources ready by prefetch key for whoever comes with the token."""
        path = self.folder / token
        path.write_text(json.dumps({key: body.decode("latin-1") for key, body in served.items()}))


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """Run the server for the time of the block."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        held = _held(folder, handler.headers.get("Authorization", ""), handler.path)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(held)}\r\n\r\n"
        handler.wfile.write(head.encode() + held)

    folder.mkdir(parents=True, exist_ok=True)
    with serving(answer) as address:
        yield Shelf(address, folder)


def _held(folder: Path, authorization: str, path: str) -> bytes:
    token = authorization.removeprefix("Bearer ")
    key = _KEYS.get(path.removeprefix("/fhir/").partition("?")[0], "")
    held: dict[str, str] = json.loads((folder / token).read_text()) if token.isalnum() else {}
    return held[key].encode("latin-1") if key in held else _NOTHING


# --- calls ----------------------------------------------------------------------------------------------------------


def fetched(address: str, base: Base, rng: random.Random) -> Case:
    """A call, changed somewhere, whose data are on the server; answered like the one that sends them along.

    What the call itself lacks is said not to be had, on both ways.
    """
    changed = mutated(base, rng)
    whole = _whole(changed.body) if changed.expected.statuses == (200,) else None
    if whole is None or base.path == "/review":
        return changed
    unavailable = {key: UNAVAILABLE for key in FETCHED if key not in whole["prefetch"]}
    sent_along = whole | {"prefetch": unavailable | whole["prefetch"]}
    left = {key: value for key, value in whole["prefetch"].items() if key in FETCHED and value is not None}
    rest = {key: value for key, value in sent_along["prefetch"].items() if key not in left}
    token = f"{rng.getrandbits(64):x}"
    served = {"token": token.encode(), "address": address.encode()}
    return replace(
        changed,
        name=f"{changed.name}, fetched",
        body=encoded(whole | {"prefetch": rest} | access(address, token)),
        served=served | {key: encoded(value) for key, value in left.items()},
        expected=Expected(statuses=changed.expected.statuses, like=(encoded(sent_along),)),
    )


def _whole(body: bytes) -> Any:
    """A body as plain data; None where it is beyond that, or where the call has a FHIR server of its own."""
    try:
        tree = json.loads(body)
        encoded(tree)
    except (ValueError, RecursionError, OverflowError):
        return None
    return tree if tree.get("prefetch") and "fhirServer" not in tree else None
