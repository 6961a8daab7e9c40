"""HTTP transport: gzip in both directions."""

import gzip
import re
import zlib
from io import BytesIO

from flask import Flask, Response, request

from cds_service.errors import BadRequest, TooLarge, UnknownEncoding

_COMPRESSED_TYPES = re.compile(r"^text/|json$|[/+]xml$|javascript$")

# A shorter response fits into one packet uncompressed.
_SMALLEST_COMPRESSED_BYTES = 1000


def register(app: Flask) -> None:
    """Compress responses for clients that accept gzip."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    varies = response.headers.get("Vary")  # `response.vary` would parse and write it as a set, for 3 µs
    response.headers["Vary"] = f"{varies}, Accept-Encoding" if varies else "Accept-Encoding"
    content = b"" if response.is_streamed else response.get_data()
    if len(content) < _SMALLEST_COMPRESSED_BYTES or not _COMPRESSED_TYPES.search(response.mimetype or ""):
        return response
    if request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(content, compresslevel=5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def read_limit(limit: int) -> int:
    """Bytes to read of a body: one more than is accepted, since Flask truncates a body of unknown length."""
    return limit + 1


def body(limit: int) -> bytes:
    """The body of the request, decompressed; at most `limit` bytes, both as sent and decompressed.

    Raises TooLarge, UnknownEncoding, and BadRequest if the gzip is corrupt.
    """
    received = _require_at_most(limit, request.get_data(cache=False))
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return received
    if encoding not in {"gzip", "x-gzip"}:
        raise UnknownEncoding("`Content-Encoding`: expected gzip or none", "Content-Encoding")
    try:
        return _require_at_most(limit, gzip.GzipFile(fileobj=BytesIO(received)).read(limit + 1))
    except (OSError, EOFError, zlib.error):
        raise BadRequest("the body is not well-formed gzip") from None


def _require_at_most(limit: int, content: bytes) -> bytes:
    if len(content) > limit:
        raise TooLarge("the body is larger than this service accepts")
    return content
