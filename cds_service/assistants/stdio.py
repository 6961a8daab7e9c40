"""The server over stdin and stdout, one message a line, for an assistant on this machine."""

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, BinaryIO, cast

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

Answer = Callable[[SessionMessage], Awaitable[None]]

_CHUNK = 1 << 16
# The id of a request, where it stands before its arguments, as clients write it.
_HEAD_BYTES = 1_000
_ID = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,100}")')
_PARAMS = re.compile(rb'"params"\s*:')


def serve(server: "Server[Any]", most_bytes: int) -> None:
    """Serve until stdin is closed. A message of more bytes than `most_bytes` is answered with an error, and skipped."""
    anyio.run(_serve, server, most_bytes)


async def _serve(server: "Server[Any]", most_bytes: int) -> None:
    lines = BoundedLines(sys.stdin.buffer, most_bytes)
    async with stdio_server(stdin=cast("anyio.AsyncFile[str]", lines)) as (read, write):
        lines.answer = write.send
        await server.run(read, write, server.create_initialization_options())


class BoundedLines:
    """The lines of a stream, as text.

    A line of more than `most_bytes` is never held whole; it is answered with an error, which `answer` sends.
    """

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self.answer: Answer | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            # The thread is left behind where the server is stopped: a read of stdin cannot be ended.
            line = await anyio.to_thread.run_sync(self._line, abandon_on_cancel=True)
            if not line:
                return
            if len(line.rstrip(b"\r\n")) <= self._most_bytes:
                yield line.decode(errors="replace")
            elif self.answer is not None:
                await self.answer(_too_large(line, self._most_bytes))

    def _line(self) -> bytes:
        """The next line, empty at the end; of a line that is too long, its beginning, one byte longer than allowed."""
        line = self._stream.readline(self._most_bytes + 1)
        rest = line
        while rest and not rest.endswith(b"\n") and len(line) > self._most_bytes:
            rest = self._stream.readline(_CHUNK)
        return line


def _too_large(line: bytes, most_bytes: int) -> SessionMessage:
    head = _PARAMS.split(line[:_HEAD_BYTES])[0]
    found = _ID.search(head)
    message_id: str | int | None = None
    if found:
        written = found[1].decode()
        message_id = written.strip('"') if written.startswith('"') else int(written)
    text = f"the message is larger than this service accepts: at most {most_bytes} bytes"
    error = types.ErrorData(code=types.INVALID_REQUEST, message=text)
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=message_id, error=error))
