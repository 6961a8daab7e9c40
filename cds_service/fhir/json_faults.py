"""Faults of JSON by line and column, with what was expected. They never repeat what was sent."""

import json
import re

# A string, which is passed over, or a number of JavaScript that JSON does not have.
_NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|-?Infinity)', re.DOTALL)

# The messages of Python's JSON decoder in plain words.
_EXPECTED = {
    "Expecting value": "expected a value (a text in quotes, a number, an object or a list)",
    "Expecting property name enclosed in double quotes": "expected a member name in double quotes",
    "Illegal trailing comma before end of object": "expected no comma before }",
    "Illegal trailing comma before end of array": "expected no comma before ]",
    "Expecting ',' delimiter": "expected a comma, or the end of the object or list",
    "Expecting ':' delimiter": "expected a colon after the member name",
    "Extra data": "expected nothing after the end of the JSON object",
    "Unterminated string": "expected a closing quotation mark for the string that starts here",
    "Invalid control character": "expected no line break or control character in a string",
    "Invalid \\escape": "expected a valid escape after the backslash",
}


def place_of(error: json.JSONDecodeError) -> str:
    """Line and column of an error of Python's JSON decoder, and what was expected there."""
    text = error.msg.removesuffix(" at").removesuffix(" starting")
    return f"line {error.lineno}, column {error.colno}: {_EXPECTED.get(text, f'expected JSON ({text.lower()})')}"


def no_number_in(text: str) -> str | None:
    """The place of the first NaN or Infinity outside of strings, which Python's decoder accepts; None if none."""
    if "NaN" not in text and "Infinity" not in text:
        return None  # the common case
    found = next((each for each in _NO_NUMBER.finditer(text) if each[1]), None)
    return found and place_of(json.JSONDecodeError("Expecting value", text, found.start()))


def malformed(body: bytes) -> str | None:
    """The message for a body that is not well-formed JSON; None if it is, or if the fault has no place."""
    text = body.decode("utf-8", "replace")
    try:
        json.loads(text)
        place = no_number_in(text)
    except json.JSONDecodeError as error:
        place = place_of(error)
    except (ValueError, RecursionError):  # a number with thousands of digits, or endless nesting: no fault of syntax
        place = None
    return place and f"the body is not well-formed JSON: {place}"
