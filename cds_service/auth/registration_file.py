"""Edits the registration file atomically, preserving existing content and comments."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from cds_service.auth.registrations import DEFAULT_ALGORITHMS, Client, load_clients
from cds_service.errors import SettingsError

_HEAD = "# Registered clients, read at startup. Keys are explained in cds_service/auth/registrations.py.\nclients:\n"


def add(path: Path, client: Client) -> None:
    """Append a client to the file, creating it if missing. Raises SettingsError."""
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    if path.exists():
        load_clients(path)
    lines, (position, indent) = text.splitlines(), _insert_position(text, path.name)
    written = [" " * indent + line for line in _entry(client)]
    _write(path, [*lines[:position], *written, *lines[position:]])


def remove(path: Path, name: str) -> None:
    """Remove the client with an id. Raises SettingsError if there is none."""
    names = [client.id for client in load_clients(path)]
    if name not in names:
        raise SettingsError(f"{path.name}: no client `{name}`; registered are {', '.join(names)}")
    text = path.read_text(encoding="utf-8")
    item = _clients_node(text, path.name).value[names.index(name)]
    lines = text.splitlines()
    _write(path, lines[: item.start_mark.line] + lines[_last_line(item) + 1 :])


def _insert_position(text: str, name: str) -> tuple[int, int]:
    """The line index before which to insert a client, and its indentation."""
    node = _clients_node(text, name)
    if not isinstance(node, yaml.SequenceNode):
        return node.start_mark.line + 1, 2
    return _last_line(node) + 1, node.start_mark.column


def _clients_node(text: str, name: str) -> yaml.Node:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    parts: dict[str, yaml.Node] = {key.value: value for key, value in root.value} if root else {}
    node = parts.get("clients")
    is_written = isinstance(node, yaml.SequenceNode) and not node.flow_style
    if node is None or not (is_written or node.tag == "tag:yaml.org,2002:null"):
        raise SettingsError(f"{name}: expected `clients:` followed by a list with one hyphen per client")
    return node


def _last_line(node: yaml.Node) -> int:
    """The last line of a node; comments after it belong to the next node."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return int(node.end_mark.line)
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    return max(map(_last_line, parts))


def _entry(client: Client) -> Iterator[str]:
    yield f"- id: {_text(client.id)}"
    yield f"  issuer: {_text(client.issuer)}"
    for name in ("jwks_url", "jwks_file"):
        if getattr(client, name):
            yield f"  {name}: {_text(getattr(client, name))}"
    if client.algorithms != DEFAULT_ALGORITHMS:
        yield f"  algorithms: {_text(client.algorithms)}"
    if client.tenants:
        yield f"  tenants: {_text(client.tenants)}"
    if client.services is not None:
        yield f"  services: {_text(client.services)}"
    if client.token_seconds is not None:
        yield f"  token_seconds: {client.token_seconds}"
    if client.language is not None:
        yield f"  language: {_text(client.language)}"
    if client.fhir_servers:
        yield "  fhir_servers:"
    for server in client.fhir_servers:
        yield f"    - url: {_text(server.url)}"
        yield from ["      private: true"] if server.private else []


def _text(value: str | tuple[str, ...]) -> str:
    """The value as JSON, which YAML always parses as text."""
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, lines: list[str]) -> None:
    """Replace the file atomically, after validating the new content. Raises SettingsError."""
    try:
        _replace(path, lines)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


def _replace(path: Path, lines: list[str]) -> None:
    with TemporaryDirectory(dir=path.parent, prefix=".clients-") as folder:
        draft = Path(folder) / path.name
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        load_clients(draft)
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o640)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
