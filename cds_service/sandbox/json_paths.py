"""JSON documents and the places in them: `context.draftCharges.entry[0].resource`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from cds_service.errors import BadRequest

Json = dict[str, Any]


def decoded(body: bytes) -> Json:
    """A JSON object. Raises BadRequest that says in which line and column it ends to be one, and what was expected."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequest("expected text that holds no half of a character (a lone surrogate)") from None
    except UnicodeDecodeError:
        raise BadRequest("expected text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"line {error.lineno}, column {error.colno}: {_in_words(error.msg)}") from None
    except ValueError:
        raise BadRequest("a number of the JSON has more digits than can be read") from None
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise BadRequest("line 1, column 1: expected a JSON object, which begins with {")
    return value


def _in_words(message: str) -> str:
    """What Python's decoder says, as what was expected."""
    text = message.removesuffix(" at").removesuffix(" starting")
    known = {
        "Expecting value": "expected a value (a text in quotes, a number, an object or a list)",
        "Expecting property name enclosed in double quotes": "expected a member's name in double quotes",
        "Illegal trailing comma before end of object": "expected no comma before }",
        "Illegal trailing comma before end of array": "expected no comma before ]",
        "Expecting ',' delimiter": "expected a comma, or the end of the object or list",
        "Expecting ':' delimiter": "expected a colon after the member's name",
        "Extra data": "expected nothing more after the end of the JSON object",
        "Unterminated string": "expected the text that begins here to end with a quotation mark",
        "Invalid control character": "expected no line break or other control character within a text",
        "Invalid \\escape": "expected a known character after the backslash",
    }
    return known.get(text, f"expected JSON ({text.lower()})")


def at(document: Json, place: str) -> Any:
    """What stands at a place. Raises BadRequest where there is nothing."""
    value: Any = document
    for step in _steps(place):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise BadRequest("`place`: nothing of this case stands there", "place") from None
    return value


def put(document: Json, place: str, value: Any) -> None:
    """Write a value in place of what stands at a place. Raises BadRequest where there is nothing."""
    outer, _, last = place.rpartition(".")
    holder = at(document, outer) if outer else document
    if not isinstance(holder, dict) or last not in holder:
        raise BadRequest("`place`: nothing of this case stands there", "place")
    holder[last] = value


def _steps(place: str) -> Iterator[str | int]:
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        yield int(number) if number else name


def entries_of(value: Any) -> list[Json]:
    """The entries of a Bundle that hold a resource; a resource alone is one entry; anything else has none."""
    if not isinstance(value, dict):
        return []
    if value.get("resourceType") != "Bundle":
        return [{"resource": value}] if _is_resource(value) else []
    return [
        entry for entry in value.get("entry") or [] if isinstance(entry, dict) and _is_resource(entry.get("resource"))
    ]


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def reference_of(resource: Json) -> str:
    """`Type/id`, empty where the resource has no id."""
    return f"{resource.get('resourceType')}/{resource['id']}" if resource.get("id") else ""
