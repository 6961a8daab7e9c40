"""What stands in front of the advice while it is measured. Another variant is one more entry of `VARIANTS`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.servers import Tokens


@dataclass(frozen=True)
class Variant:
    """A way to run the service.

    `prepare` writes what it needs (clients, keys) into a folder and returns the environment for it. `tokens` makes so
    many tokens for an address, one for each request, since each is taken once; without it requests carry none.
    """

    name: str
    prepare: Callable[[Path], dict[str, str]] = field(default=lambda _: {})
    tokens: Tokens | None = None


# (c), JWT checking and replay store, belongs here: `prepare` registers a client and its key, `tokens` signs one token
# with a `jti` of its own for each request.
VARIANTS = (Variant("open"),)
