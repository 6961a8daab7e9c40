"""Tokens of the sandbox: it signs its calls as CDS Hooks requires of an EHR.

In development the signature is not checked; the page shows it as an example. In production the sandbox is a registered
client with its key in a file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from cds_service.auth import trial_keys
from cds_service.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs tokens with a private key."""

    key: trial_keys.PrivateKey

    @classmethod
    def from_file(cls, path: Path | None) -> "Signer":
        """A signer with the key in a file, or with a new key if there is no file. Raises SettingsError."""
        return cls(trial_keys.load(path) if path else trial_keys.new_key())

    def signed(self, base: str, path: str) -> dict[str, Any]:
        """A token for one call of a service, with its decoded header and claims for display.

        Raises BadRequest if the path is not under `/cds-services/`.
        """
        if not path.startswith("/cds-services/"):
            raise BadRequest("`path`: expected the path of a service", "path")
        token = trial_keys.token(self.key, f"{base}/sandbox", f"{base}{path}")
        claims = jwt.decode(token, options={"verify_signature": False})
        return {"token": token, "header": jwt.get_unverified_header(token), "claims": claims}

    def keys(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        return {"keys": [trial_keys.public_jwk(self.key)]}
