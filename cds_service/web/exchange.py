"""How messages travel: gzip in both directions, and calls from browsers of listed origins."""

import zlib

from flask import Flask, request
from flask_compress import Compress
from flask_cors import CORS

from cds_service.errors import BadRequest, TooLarge


def register(app: Flask, origins: tuple[str, ...]) -> None:
    """Compress answers for clients that accept it, and answer preflights of listed origins without a token."""
    app.config |= {"COMPRESS_ALGORITHM": ["gzip"], "COMPRESS_MIMETYPES": _COMPRESSED}
    Compress(app)
    if origins:
        CORS(
            app,
            origins=list(origins),
            methods=["GET", "POST", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "Accept"],
            supports_credentials=False,
            max_age=600,
        )


_COMPRESSED = ["application/json", "application/fhir+json", "text/html", "text/css", "text/markdown", "image/svg+xml"]


def body(limit: int) -> bytes:
    """The body of the request, unpacked where it came as gzip; at most `limit` bytes, as sent and unpacked.

    Raises TooLarge, and BadRequest where the gzip is broken or the encoding is not known.
    """
    sent = request.get_data()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return sent
    if encoding != "gzip":
        raise BadRequest("`Content-Encoding`: expected gzip or none", "Content-Encoding")
    return _unpacked(sent, limit)


def _unpacked(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacker.decompress(packed, limit + 1)
    except zlib.error:
        raise BadRequest("the body is not well-formed gzip") from None
    if len(content) > limit:
        raise TooLarge("the body is larger than this service accepts")
    if not unpacker.eof:
        raise BadRequest("the body is not well-formed gzip: it ends too early")
    return content
