"""A test client: its keys, the URL where it publishes them, and tokens, valid and invalid."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org"
BASE = "https://cds.example.org/echo"
DISCOVERY = f"{BASE}/cds-services"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

P384 = ec.generate_private_key(ec.SECP384R1())
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def jwk(key: PrivateKey, kid: str, **members: Any) -> dict[str, Any]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kid": kid, "use": "sig"} | dict(public) | members


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change to None leaves the claim out."""
    now = time.time()
    good = {"iss": ISSUER, "aud": DISCOVERY, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(key: PrivateKey = P384, alg: str = "ES384", header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token; a header member or claim that is None is left out."""
    members = {"kid": "k1", "typ": "JWT"} | (header or {})
    return jwt.encode(claims(**changes), key, alg, {k: v for k, v in members.items() if v is not None or k == "typ"})


def signed_with_secret(secret: bytes, kid: str, alg: str = "HS256", **changes: Any) -> str:
    """A token whose signature is made with a shared secret, whatever that secret is."""
    head = {"alg": alg, "typ": "JWT", "kid": kid}
    content = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims(**changes)))
    signature = hmac.new(secret, content, hashlib.sha256).digest()
    return (content + b"." + _encoded(signature)).decode()


def signed_content(content: bytes) -> str:
    """Any content, well signed."""
    return jwt.PyJWS().encode(content, P384, "ES384", {"kid": "k1"})


def raw_token(header: bytes, content: bytes) -> str:
    """Anything in a token's form, signed by nobody."""
    return b".".join((_encoded(header), _encoded(content), b"c2lnbmF0dXJl")).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class Published:
    """The current response of a client's key URL, and the number of requests to it."""

    def __init__(self, address: str, content: bytes) -> None:
        self.address = address
        self.content = content
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked = 0


@contextmanager
def published(content: bytes) -> Iterator[Published]:
    """Publish a key set on an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = state.status, state.headers, state.content
            state.asked += 1  # last: whoever waits for it may then change the rest
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Published(f"http://127.0.0.1:{server.server_address[1]}/jwks", content)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
