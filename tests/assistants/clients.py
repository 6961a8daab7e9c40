"""Clients of the protocol, from its own SDK, that a test calls without `await`."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.support.running import ROOT

COMMAND = [sys.executable, "-W", "error", "-m", "cds_service", "mcp"]


@dataclass(frozen=True)
class Assistant:
    """A connected client."""

    client: Client
    portal: BlockingPortal

    def call(self, tool: str, /, **arguments: Any) -> types.CallToolResult:
        return self.portal.call(partial(self.client.call_tool, tool, arguments))

    def answer(self, tool: str, /, **arguments: Any) -> Any:
        """The structured answer of a tool that has no fault."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        return result.structured_content

    def fault(self, tool: str, /, **arguments: Any) -> str:
        """The text of a tool's fault."""
        result = self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content is None
        (content,) = result.content
        assert isinstance(content, types.TextContent)
        return content.text

    def tools(self) -> list[types.Tool]:
        return list(self.portal.call(self.client.list_tools).tools)

    def read(self, uri: str) -> str:
        (content,) = self.portal.call(partial(self.client.read_resource, uri)).contents
        assert isinstance(content, types.TextResourceContents)
        return content.text

    def prompt(self, name: str, **arguments: str) -> str:
        (message,) = self.portal.call(partial(self.client.get_prompt, name, arguments)).messages
        assert isinstance(message.content, types.TextContent)
        return message.content.text


Connect = Callable[[], AbstractAsyncContextManager[Client]]


@contextmanager
def connected(connect: Connect) -> Iterator[Assistant]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(connect()) as client:
        yield Assistant(client, portal)


@contextmanager
def over_stdio(log: Path, mode: Any = "auto", **environment: str) -> Iterator[Assistant]:
    """A client of a process of its own, which logs into a file."""
    process = StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], cwd=str(ROOT), env=dict(os.environ) | environment
    )
    with log.open("a") as errors, connected(lambda: Client(stdio_client(process, errlog=errors), mode=mode)) as made:
        yield made


class SignsEachRequest(httpx2.Auth):
    """A client that makes a token for each request, since a token is taken once."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._make()}"
        yield request


@contextmanager
def over_http(address: str, make_token: Callable[[], str] | None = None, mode: Any = "auto") -> Iterator[Assistant]:
    """A client of a server at an address."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        auth = SignsEachRequest(make_token) if make_token else None
        async with (
            httpx2.AsyncClient(auth=auth, timeout=120) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode) as client,
        ):
            yield client

    with connected(connect) as made:
        yield made
