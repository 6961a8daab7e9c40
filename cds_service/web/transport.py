"""How messages travel: gzip in both directions, and calls from browsers of listed origins."""

import gzip
import re
import zlib
from io import BytesIO

from flask import Flask, Response, request
from flask_cors import CORS

from cds_service.errors import BadRequest, TooLarge, UnknownEncoding

_PACKED_TYPES = re.compile(r"^text/|json$|[/+]xml$|javascript$")

# A shorter answer fits into one packet as it is.
_WORTH_PACKING_BYTES = 1000


def register(app: Flask, origins: tuple[str, ...]) -> None:
    """Pack answers for clients that accept gzip, and answer preflights of listed origins without a token."""
    app.after_request(_pack)
    if origins:
        CORS(
            app,
            origins=list(origins),
            methods=["GET", "POST", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "Accept"],
            supports_credentials=False,
            max_age=600,
        )


def _pack(response: Response) -> Response:
    varies = response.headers.get("Vary")  # `response.vary` would read and write it as a set, for 3 µs
    response.headers["Vary"] = f"{varies}, Accept-Encoding" if varies else "Accept-Encoding"
    content = b"" if response.is_streamed else response.get_data()
    if len(content) < _WORTH_PACKING_BYTES or not _PACKED_TYPES.search(response.mimetype or ""):
        return response
    if request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(content, compresslevel=5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def most_read(limit: int) -> int:
    """How much of a body is read, in bytes: one more than is accepted, since a body of unknown length is cut off."""
    return limit + 1


def body(limit: int) -> bytes:
    """The body of the request, unpacked where it came as gzip; at most `limit` bytes, as sent and unpacked.

    Raises TooLarge, UnknownEncoding, and BadRequest where the gzip is broken.
    """
    sent = _within(limit, request.get_data(cache=False))
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return sent
    if encoding not in {"gzip", "x-gzip"}:
        raise UnknownEncoding("`Content-Encoding`: expected gzip or none", "Content-Encoding")
    try:
        return _within(limit, gzip.GzipFile(fileobj=BytesIO(sent)).read(limit + 1))
    except (OSError, EOFError, zlib.error):
        raise BadRequest("the body is not well-formed gzip") from None


def _within(limit: int, content: bytes) -> bytes:
    if len(content) > limit:
        raise TooLarge("the body is larger than this service accepts")
    return content
