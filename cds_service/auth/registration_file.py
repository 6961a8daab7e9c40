"""Changes to the registration file: what is in it stays as it is, comments too, and nobody sees half of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from cds_service.auth.registrations import DEFAULT_ALGORITHMS, Client, load_clients
from cds_service.errors import SettingsError

_HEAD = "# Who may call; read at start. Every key is explained in cds_service/auth/registrations.py.\nclients:\n"


def add(path: Path, client: Client) -> None:
    """Add a client at the end of the file, which is made where there is none. Raises SettingsError."""
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    if path.exists():
        load_clients(path)
    lines, (position, indent) = text.splitlines(), _end(text, path.name)
    written = [" " * indent + line for line in _entry(client)]
    _write(path, [*lines[:position], *written, *lines[position:]])


def remove(path: Path, name: str) -> None:
    """Remove the client with an id. Raises SettingsError where there is none."""
    names = [client.id for client in load_clients(path)]
    if name not in names:
        raise SettingsError(f"{path.name}: no client `{name}`; known are {', '.join(names)}")
    text = path.read_text(encoding="utf-8")
    item = _list(text, path.name).value[names.index(name)]
    lines = text.splitlines()
    _write(path, lines[: item.start_mark.line] + lines[_last_line(item) + 1 :])


def _end(text: str, name: str) -> tuple[int, int]:
    """The line before which a further client is to be written, counted from 0, and how far it is indented."""
    node = _list(text, name)
    if not isinstance(node, yaml.SequenceNode):
        return node.start_mark.line + 1, 2
    return _last_line(node) + 1, node.start_mark.column


def _list(text: str, name: str) -> yaml.Node:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    parts: dict[str, yaml.Node] = {key.value: value for key, value in root.value} if root else {}
    node = parts.get("clients")
    is_written = isinstance(node, yaml.SequenceNode) and not node.flow_style
    if node is None or not (is_written or node.tag == "tag:yaml.org,2002:null"):
        raise SettingsError(f"{name}: expected `clients:`, and under it each client after a hyphen")
    return node


def _last_line(node: yaml.Node) -> int:
    """The last line on which something of a node is written; comments behind it are the next one's."""
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
    if client.fhir_servers:
        yield "  fhir_servers:"
    for server in client.fhir_servers:
        yield f"    - url: {_text(server.url)}"
        yield from ["      private: true"] if server.private else []


def _text(value: str | tuple[str, ...]) -> str:
    """As JSON, which YAML reads as text whatever it looks like."""
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, lines: list[str]) -> None:
    """Replace the file at once, if what is to be in it can be read."""
    with TemporaryDirectory(dir=path.parent, prefix=".clients-") as folder:
        draft = Path(folder) / path.name
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        load_clients(draft)
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o640)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
