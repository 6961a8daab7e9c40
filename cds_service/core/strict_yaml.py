"""Strict loader for hand-written YAML: codes stay text, and mistakes are errors.

Rejects unquoted codes, duplicate keys, `on`, `off`, `yes` and `no`, and numbers that YAML would reinterpret. Errors
name the file, the line and the expected value.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

Fault = Callable[[str], Exception]
FormT = TypeVar("FormT", bound=msgspec.Struct)

# The C loader, if available, parses the tables ten times as fast and saves 0.1 s at startup.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content as plain data, and its nodes, which know their lines."""

    name: str
    data: Any
    node: yaml.Node

    def line_of(self, path: str) -> int:
        """The line of a path (`$.payers[0].name`), or of its nearest parent in the file."""
        lines = dict(_lines(self.node, "$"))
        while path not in lines and path != "$":
            path = re.sub(r"(\.[^.\[\]]*|\[[^\]]*\])$", "", path)
        return lines[path]


def read(path: Path, fault: Fault) -> Document:
    """Read a YAML file. Raises `fault(message)`, where the message names the file, the line and the expected value."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_LOADER)
    except OSError as error:
        raise fault(f"{path.name}: {error.strerror or 'cannot open the file'}") from None
    except UnicodeDecodeError:
        raise fault(f"{path.name}: expected text in UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise fault(f"{path.name}: invalid YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise fault(f"{path.name}: expected a mapping, found an empty file")
    return Document(path.name, _Reader(path.name, fault).plain(node), node)


def read_as(path: Path, form: type[FormT], fault: Fault) -> FormT:
    """Read a YAML file as a structure. Raises `fault(message)`, which names the file and what was expected."""
    document = read(path, fault)
    try:
        return msgspec.convert(document.data, form)
    except msgspec.ValidationError as error:
        raise fault(f"{document.name}: {error}") from None


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            within = f"{path}.{key.value}"
            yield from _lines(value, within)
            yield within, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield from _lines(item, f"{path}[{position}]")


class _Reader:
    """Converts nodes to plain data: text unless it is a number, a date, true, false or null."""

    def __init__(self, name: str, fault: Fault) -> None:
        self.name = name
        self.fault = fault

    def plain(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101  # YAML has no fourth kind of node
        return self._scalar(node)

    def _at(self, node: yaml.Node, text: str) -> Exception:
        return self.fault(f"{self.name}: line {node.start_mark.line + 1}: {text}")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._at(key, "expected a key")
            if key.value in result:
                raise self._at(key, f"duplicate key `{key.value}`")
            result[key.value] = self.plain(value)
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.style in ("'", '"', "|", ">") or node.tag == "tag:yaml.org,2002:str":
            return self._text(node)
        if node.tag == "tag:yaml.org,2002:null":
            return None
        if node.tag == "tag:yaml.org,2002:bool" and node.value in {"true", "false"}:
            return node.value == "true"
        if node.tag == "tag:yaml.org,2002:timestamp":
            return self._date(node)
        # YAML would parse 00100 as 64: a five-digit number is a code without its quotes.
        if node.tag == "tag:yaml.org,2002:int" and node.value.isdecimal() and len(node.value) < 5:
            return int(node.value)
        raise self._at(node, f"put `{node.value}` in quotes (codes and decimals are text)")

    def _text(self, node: yaml.ScalarNode) -> str:
        if not node.style and _looks_like_code(node.value):
            raise self._at(node, f"put `{node.value}` in quotes (codes and decimals are text)")
        return str(node.value)

    def _date(self, node: yaml.ScalarNode) -> date:
        try:
            return date.fromisoformat(node.value)
        except ValueError:
            raise self._at(node, "expected a date such as 2026-09-30") from None


def _looks_like_code(text: str) -> bool:
    return len(text) == 5 and text.isalnum() and text.isupper() and any(map(str.isdigit, text))
