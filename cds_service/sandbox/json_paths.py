"""JSON documents and paths in them, such as `context.draftCharges.entry[0].resource`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from cds_service.errors import BadRequest
from cds_service.fhir.json_faults import no_number_in, place_of

Json = dict[str, Any]


def decoded(body: bytes) -> Json:
    """The JSON object in a body. Raises BadRequest with the line and column of the error and what was expected."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequest("expected text without lone surrogates (half of a character)") from None
    except UnicodeDecodeError:
        raise BadRequest("expected text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRequest(place_of(error)) from None
    except ValueError:
        raise BadRequest("a number in the JSON has too many digits") from None
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None
    if place := no_number_in(text):
        raise BadRequest(place)
    if not isinstance(value, dict):
        raise BadRequest("line 1, column 1: expected a JSON object, starting with {")
    return value


def at(document: Json, path: str) -> Any:
    """The value at a path. Raises BadRequest if there is none."""
    value: Any = document
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise BadRequest("`path`: this case has nothing at this path", "path") from None
    return value


def put(document: Json, path: str, value: Any) -> None:
    """Replace the value at a path. Raises BadRequest if there is none."""
    outer, _, last = path.rpartition(".")
    holder = at(document, outer) if outer else document
    if not isinstance(holder, dict) or last not in holder:
        raise BadRequest("`path`: this case has nothing at this path", "path")
    holder[last] = value


def _steps(path: str) -> Iterator[str | int]:
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        yield int(number) if number else name


def entries_of(value: Any) -> list[Json]:
    """The entries of a Bundle that hold a resource; a bare resource counts as one entry."""
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
    """`Type/id`; empty if the resource has no id."""
    return f"{resource.get('resourceType')}/{resource['id']}" if resource.get("id") else ""
