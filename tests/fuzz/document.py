"""A JSON document that is changed in its tree, and where JSON has no tree for it, in its text."""

from typing import Any

import msgspec

# Stand in the tree for a piece of text; no one sends these characters.
_OPEN, _CLOSE = "\ue000", "\ue001"


class Document:
    """A JSON document. `tree` is its content as plain data; pieces of any text can stand in it."""

    def __init__(self, body: bytes) -> None:
        self.tree: Any = msgspec.json.decode(body)
        self._pieces: list[bytes] = []

    def piece(self, text: bytes) -> str:
        """A string for the tree, as a value or as a key, that comes out as this text."""
        self._pieces.append(text)
        return f"{_OPEN}{len(self._pieces) - 1}{_CLOSE}"

    def encode(self) -> bytes:
        """The document as it is sent."""
        text = msgspec.json.encode(self.tree)
        for number, piece in reversed(list(enumerate(self._pieces))):  # a later one may hold an earlier one
            text = text.replace(f'"{_OPEN}{number}{_CLOSE}"'.encode(), piece)
        return text


def encoded(tree: Any) -> bytes:
    """A tree as JSON."""
    return msgspec.json.encode(tree)
