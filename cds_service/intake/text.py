"""Cases as text: YAML, or lines such as `charged: CODE, CODEx2`. Also writes a case as such a text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from cds_service.errors import UnreadableCase
from cds_service.intake.fields import KEYS, fields_of, parse_fields
from cds_service.intake.typed import TypedCase
from cds_service.languages.worded import worded

LONGEST_CASE = 50_000  # characters

# All scalars are texts: YAML's own types would make a number of a code, and a date of a day.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LINE_WITH_KEY = re.compile(rf"^\s*[\"']?({'|'.join(KEYS)})[\"']?\s*:", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9](?:[^\x00-\x1f\"#:]|:(?! )|(?<! )#|(?<=.)\")*", re.ASCII)


_MOST = f"{LONGEST_CASE:,}"


def is_notation(text: str) -> bool:
    """True if a text has a line that begins with a key of the notation, and is no JSON."""
    return not text.lstrip("\ufeff \t\r\n").startswith(("{", "[", "<")) and _LINE_WITH_KEY.search(text) is not None


def parse_text(text: str, products: Mapping[str, str]) -> TypedCase:
    """The case in a text; a text without keys states the lines. Raises UnreadableCase with the line at fault."""
    if len(text) > LONGEST_CASE:
        raise UnreadableCase("", worded("expected a case of at most {most} characters", most=_MOST))
    content = text.lstrip("\ufeff")
    node = _composed(content)
    if node is None:
        return TypedCase()
    if isinstance(node, yaml.ScalarNode):
        return parse_fields({"charged": _lines_alone(content)}, products)
    if not isinstance(node, yaml.MappingNode):
        raise UnreadableCase("", worded("expected lines with a key, such as `charged: ...`"))
    fields, lines = _fields(node)
    try:
        return parse_fields(fields, products)
    except UnreadableCase as error:
        if error.key in lines:
            error.line = lines[error.key]
        raise


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        rows = text.splitlines()
        word = rows[line - 1].strip() if line <= len(rows) else ""
        fault = UnreadableCase(word, worded("cannot be read; put a text with a colon or a # into quotation marks"))
        fault.line = line
        raise fault from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise UnreadableCase("", worded("expected text of lines such as `charged: ...`")) from None


def _lines_alone(text: str) -> list[str]:
    """A text without a key, such as a pasted column of codes."""
    return [part for part in re.split(r"[\n,;]+", text) if part.strip()]


def _fields(node: yaml.MappingNode) -> tuple[dict[str, Any], dict[str, int]]:
    """The values by key, and the line of each key. Raises UnreadableCase."""
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name in values:
            fault = UnreadableCase(name, worded("this key is written twice"), name)
            fault.line = key.start_mark.line + 1
            raise fault
        values[name] = _plain(name, value)
        lines[name] = key.start_mark.line + 1
    return values, lines


def _plain(key: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return None if node.value in {"", "~", "null"} and not node.style else node.value
    if isinstance(node, yaml.SequenceNode) and all(isinstance(each, yaml.ScalarNode) for each in node.value):
        return [each.value for each in node.value]
    raise UnreadableCase(key, worded("expected a text or a list of texts"), key)


# --- writing --------------------------------------------------------------------------------------------------------


def text_of(case: TypedCase) -> str:
    """A case as lines, one for each key, which `parse_text` reads as the same case."""
    return "".join(f"{line}\n" for line in _written(fields_of(case)))


def _written(fields: Mapping[str, Any]) -> Iterator[str]:
    names = {"lines": fields["claim_type"] if fields.get("claim_type") else "charged"}
    for key, value in fields.items():
        if key == "claim_type" and fields.get("lines"):
            continue  # the lines stand under it
        yield f"{names.get(key, key)}: {_quoted(', '.join(value) if isinstance(value, list) else value)}"


def _quoted(value: str) -> str:
    """A value as YAML reads it: plain where that is safe, else in quotation marks."""
    is_plain = _PLAIN.fullmatch(value) and not value.endswith((":", " ")) and value != "null"
    return value if is_plain else json.dumps(value, ensure_ascii=False)
