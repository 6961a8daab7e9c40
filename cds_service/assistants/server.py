"""The server of the protocol: lists and calls the tools, reads the resources, gives the prompt.

It is built on the SDK's `Server`, so that arguments and answers have the forms of our own types, and every fault is one
line that names the argument and what was expected. The SDK's own log is silent: it may repeat what was sent.
"""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import mcp_types as types
import msgspec
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from cds_service.assistants import library
from cds_service.assistants.tools import Tool, Toolbox, call
from cds_service.cdshooks.size_limits import require_within_limits
from cds_service.errors import RequestError, UnreadableCase
from cds_service.languages.worded import JSON
from cds_service.settings import Settings
from cds_service.telemetry.calls import CallSummary
from cds_service.telemetry.logs import location_of, log

NAME = "contrast-echo-cds"
INSTRUCTIONS = (
    "Coding advice for contrast stress echocardiography from dated tables, each fact with its source. Findings, rules "
    "that passed and what was not checked are kept apart: what was not checked has not passed. Cite the source and "
    "date of each fact. What a payer decides, which diagnosis to choose and what is medically necessary is not in the "
    "tables."
)
INTERNAL = "internal error: nothing was reviewed"
_JSON = "application/json"

Context = Any  # of the SDK: the request, by which a transport tells who calls
# Told of each answered call, with the request's context.
Record = Callable[[Context, CallSummary], None]
T = TypeVar("T")


def create_server(toolbox: Toolbox, settings: Settings, record: Record) -> "Server[Any]":
    """The server with all tools, resources and the prompt. `record` is told of each answered call."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)
    handlers = _Handlers(toolbox, settings, record)
    server: Server[Any] = Server(
        NAME,
        version=version(NAME),
        title="Coding advice for contrast stress echo",
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
    )
    server.middleware.clear()  # the SDK's traces are not ours: nobody has checked what they hold
    return server


class _Handlers:
    def __init__(self, toolbox: Toolbox, settings: Settings, record: Record) -> None:
        self._toolbox = toolbox
        self._settings = settings
        self._record = record
        self._tools = {tool.name: tool for tool in toolbox.tools()}
        self._threads: anyio.CapacityLimiter | None = None

    async def list_tools(self, _: Context, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in self._tools.values()])

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"`name`: expected one of {', '.join(self._tools)}")
        try:
            return await self._in_thread(partial(self._called, tool, params.arguments or {}, context))
        except (RequestError, UnreadableCase) as error:
            log.info("refused", service=tool.name, error=type(error).__name__)
            return _failed(str(error))
        except Exception as error:  # noqa: BLE001  # the client gets one line, whatever happened
            log.error("defect", service=tool.name, **location_of(error))
            return _failed(INTERNAL)

    def _called(self, tool: Tool, arguments: Mapping[str, Any], context: Context) -> types.CallToolResult:
        require_within_limits(msgspec.json.encode(arguments), self._settings.max_entries)
        called, summary = call(tool, arguments)
        self._record(context, summary)
        text = JSON.encode(called.answer).decode()
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content=json.loads(text)
        )

    async def list_resources(self, _: Context, __: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(
            resources=[
                types.Resource(uri=each.uri, name=each.name, title=each.title, mime_type=_JSON)
                for each in library.listed(self._toolbox)
            ]
        )

    async def list_templates(self, _: Context, __: Any) -> types.ListResourceTemplatesResult:
        described = (
            (library.CODES, "code", "The page of a code, each fact with its source and date."),
            (library.RULES, "rule", "The page of a rule: why it exists, what it flags and passes, its sources."),
        )
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(uri_template=uri, name=name, description=about, mime_type=_JSON)
                for uri, name, about in described
            ]
        )

    async def read_resource(self, _: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        page = await self._answered(partial(library.read, str(params.uri), self._toolbox))
        text = JSON.encode(page).decode()
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, text=text, mime_type=_JSON)]
        )

    async def list_prompts(self, _: Context, __: Any) -> types.ListPromptsResult:
        arguments = [
            types.PromptArgument(name=name, description=about, required=name == "denial")
            for name, about in library.ARGUMENTS.items()
        ]
        prompt = types.Prompt(
            name=library.PROMPT, title=library.PROMPT_TITLE, description=library.PROMPT_ABOUT, arguments=arguments
        )
        return types.ListPromptsResult(prompts=[prompt])

    async def get_prompt(self, _: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name != library.PROMPT:
            raise MCPError(types.INVALID_PARAMS, f"`name`: expected {library.PROMPT}")
        text = await self._answered(partial(library.denial_words, params.arguments or {}))
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=library.PROMPT_ABOUT, messages=[message])

    async def _answered(self, work: Callable[[], T]) -> T:
        """The result of work that answers by an error of the protocol where it fails."""
        try:
            return await self._in_thread(work)
        except RequestError as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from None
        except Exception as error:  # noqa: BLE001  # as above
            log.error("defect", service="resources", **location_of(error))
            raise MCPError(types.INTERNAL_ERROR, "internal error") from None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """The result of work in a thread of its own, since its CPU time is limited by thread."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(self._settings.max_calls)
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.arguments),
        output_schema=schema_of(tool.answer),
        annotations=types.ToolAnnotations(
            title=tool.title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def schema_of(form: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a type, with an object at its root, as the protocol wants it."""
    (root,), parts = msgspec.json.schema_components([form], ref_template="#/$defs/{name}")
    name = str(root["$ref"]).rpartition("/")[2]
    return {**parts[name], "$defs": {each: part for each, part in parts.items() if each != name}}


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
