"""Private keys and signed tokens of a test client, for trying out a registration."""

import base64
import hashlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.errors import SettingsError

PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey

_BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


def new_key() -> PrivateKey:
    """Generate a private key for ES384."""
    return generate_private_key(SECP384R1())


def save(key: PrivateKey, path: Path) -> None:
    """Write a private key as PEM, readable by its owner only. Raises SettingsError if the file exists."""
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


def save_pair(key: PrivateKey, path: Path, jwks: Path) -> None:
    """Write a private key, and its public key set beside it: both files or none. Raises SettingsError."""
    if path.resolve() == jwks.resolve():
        raise SettingsError(f"{jwks}: expected another file than that of the private key")
    save(key, path)
    try:
        jwks.write_text(json.dumps({"keys": [public_jwk(key)]}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        path.unlink()
        raise SettingsError(f"{jwks}: {error.strerror}") from None


def load(path: Path) -> PrivateKey:
    """Read a private key in PEM. Raises SettingsError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise SettingsError(f"{path}: expected an unencrypted private key in PEM format") from None
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise SettingsError(f"{path}: expected an elliptic curve key or an RSA key")
    return key


def algorithm_of(key: PrivateKey) -> str:
    """The signature algorithm for a key, as recommended by CDS Hooks."""
    return _BY_CURVE.get(key.curve.name, "ES384") if isinstance(key, EllipticCurvePrivateKey) else "RS384"


def public_jwk(key: PrivateKey) -> dict[str, Any]:
    """The public key as a JWK; its id is the key's thumbprint (RFC 7638)."""
    if isinstance(key, EllipticCurvePrivateKey):
        members = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    essence = {name: members[name] for name in sorted({"crv", "x", "y", "e", "n", "kty"} & set(members))}
    thumbprint = hashlib.sha256(json.dumps(essence, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    return essence | {"kid": kid, "use": "sig", "alg": algorithm_of(key)}


def token(key: PrivateKey, issuer: str, audience: str, tenant: str | None = None, seconds: int = 60) -> str:
    """A token for one call of an endpoint, valid for `seconds` from now."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": audience, "iat": now, "exp": now + seconds, "jti": str(uuid.uuid4())}
    named = {"tenant": tenant} if tenant else {}
    return jwt.encode(claims | named, key, algorithm_of(key), {"kid": public_jwk(key)["kid"]})
