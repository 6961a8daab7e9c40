"""A case: a request, and the expectations on its answer. Saved to a file, it can be replayed."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

JSON_TYPE = "application/json"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Expectations on an answer.

    `statuses` are the allowed ones. `like` are other bodies: the answer must equal the answer to one of them. If it
    differs, a warning must name one of the `damaged` paths; without any, it must not differ. `warned` are paths that a
    warning must name in any case. `kept` is another body: the warnings of its answer must recur, except for paths in
    `touched`. `field` is the member that a 400 must name.
    """

    statuses: tuple[int, ...] = (200,)
    like: tuple[bytes, ...] = ()
    damaged: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    kept: bytes = b""
    touched: tuple[str, ...] = ()
    field: str | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and what must hold of its answer. `route` is the address without what varies, `name` what was done.

    `served` is what a FHIR server has for it by prefetch key, the `token` with which it is asked for, and the `address`
    of the server: that of a later run is another.
    """

    name: str
    route: str
    path: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})
    body: bytes = b""
    chunked: bool = False
    served: dict[str, bytes] = field(default_factory=dict)
    expected: Expected = field(default_factory=Expected)


@dataclass(frozen=True)
class _Kept:
    """A case in a file; bodies are in base64."""

    reasons: list[str]
    case: Case


def save(case: Case, reasons: list[str], path: Path) -> None:
    """Write a case, and what was wrong with its answer, into a file."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(_Kept(reasons, case)), indent=1))


def load(path: Path) -> Case:
    """Read a case from a file that `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=_Kept).case
