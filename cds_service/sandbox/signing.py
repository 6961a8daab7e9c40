"""The sandbox as a client: it signs its calls as CDS Hooks asks of an EHR.

In development nobody checks the signature; the page shows it to those who have to make one. In production the page is
a client like any other: its key is in a file, and it is registered.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from cds_service.auth import trial_keys
from cds_service.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes tokens with a private key."""

    key: trial_keys.PrivateKey

    @classmethod
    def from_file(cls, path: Path | None) -> "Signer":
        """A signer with the key of a file, or without one with a key of this process. Raises SettingsError."""
        return cls(trial_keys.load(path) if path else trial_keys.new_key())

    def signed(self, base: str, path: str) -> dict[str, Any]:
        """A token for one call of a service at a base address, with its header and claims for people to read.

        Raises BadRequest where the path is not one of the services'.
        """
        if not path.startswith("/cds-services/"):
            raise BadRequest("`path`: expected the address of a service", "path")
        token = trial_keys.token(self.key, f"{base}/sandbox", f"{base}{path}")
        claims = jwt.decode(token, options={"verify_signature": False})
        return {"token": token, "header": jwt.get_unverified_header(token), "claims": claims}

    def keys(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key Set."""
        return {"keys": [trial_keys.public_jwk(self.key)]}
