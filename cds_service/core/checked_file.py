"""The parts that files of settings are read into: unknown and missing members are faults that name file and line."""

import re
from typing import Any, TypeVar

import msgspec

from cds_service.core import strict_yaml
from cds_service.errors import SettingsError


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of a file; other members than its own are faults."""


PartT = TypeVar("PartT", bound=msgspec.Struct)


class CheckedFile:
    """A document, converted part by part. All faults are SettingsError."""

    def __init__(self, document: strict_yaml.Document) -> None:
        self.document = document

    def at(self, path: str, text: str) -> str:
        """A line that tells of a path of the document, with the file's name and the line."""
        return f"{self.document.name}: line {self.document.line_of(path)}: {text}"

    def fault(self, path: str, text: str) -> SettingsError:
        """A fault at a path of the document."""
        return SettingsError(self.at(path, text))

    def convert(self, data: Any, form: type[PartT], path: str) -> PartT:
        """The data at a path as a part. Raises SettingsError with the line."""
        try:
            return msgspec.convert(data, form)
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at `$")
            within = path + where.rstrip("`")
            unknown = re.fullmatch(r"Object contains unknown field `(.+)`", text)
            missing = re.fullmatch(r"Object missing required field `(.+)`", text)
            if unknown:
                raise self.fault(f"{within}.{unknown[1]}", f"unknown key `{unknown[1]}`") from None
            if missing:
                raise self.fault(within, f"`{missing[1]}` is required") from None
            named = (_name(within), _in_words(text[:1].lower() + text[1:]))
            raise self.fault(within, ": ".join(filter(None, named))) from None


# What a decoder calls the values of a file.
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "names with values",
    "null": "nothing",
}


def _in_words(text: str) -> str:
    """A decoder's sentence on types with words for them: "expected a text or nothing, got a whole number"."""

    def named(found: re.Match[str]) -> str:
        return " or ".join(_KINDS.get(each, each) for each in found[1].split(" | "))

    if text.startswith("invalid RFC3339"):
        return "expected a date such as 2026-11-03"
    return re.sub(r"`([a-z |]+)`", named, text)


def _name(path: str) -> str:
    """The member at a path, in backticks: its last that is no position in a list; empty for the whole file."""
    names = [each for each in re.findall(r"[^.$\[\]]+", path) if not each.isdigit()]
    return f"`{names[-1]}`" if names else ""
