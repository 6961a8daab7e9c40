"""Finds the messages of a domain: in Python modules, in Jinja templates and in YAML tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from cds_service.core import strict_yaml
from cds_service.errors import TableError

# The functions that make a message, and the arguments that are its English text.
KEYWORDS: dict[str, Any] = {"message": None, "plural": (1, 2)}

# A template that Jinja cannot parse is an error, not a file without messages.
_OPTIONS = {"**.html": {"silent": "false"}}


@dataclass(frozen=True)
class Domain:
    """A part of the project with catalogs of its own.

    `sources` are patterns of files below `root` and how each is read: `python`, `jinja2` or `table`. In a table, the
    texts under the key `text` of its entries are messages.
    """

    name: str
    root: Path
    sources: Mapping[str, str]
    catalogs: Path


def template_of(domain: Domain) -> Catalog:
    """All messages of a domain, in the order of their files. Raises TableError."""
    methods = {"table": f"{__name__}:extract_table"}
    patterns = [(pattern, methods.get(kind, kind)) for pattern, kind in domain.sources.items()]
    template = Catalog(charset="utf-8")
    found = extract_from_dir(domain.root, patterns, keywords=KEYWORDS, options_map=_OPTIONS)
    for name, line, text, comments, _context in sorted(found, key=lambda each: (each[0], each[1])):
        template.add(text, locations=[(name, line)], auto_comments=comments)
    return template


def extract_table(
    fileobj: IO[bytes],
    keywords: object,  # noqa: ARG001  # Babel names all four
    comment_tags: object,  # noqa: ARG001
    options: object,  # noqa: ARG001
) -> Iterator[tuple[int, str, str, list[str]]]:
    """The texts of a table's entries, as Babel takes them: line, function, message, comments (here the codes)."""
    document = strict_yaml.read(Path(fileobj.name), TableError)
    for number, entry in enumerate(document.data["entries"]):
        codes = ", ".join([entry["code"], *entry.get("also", ())])
        yield document.line_of(f"$.entries[{number}]"), "message", entry["text"], [f"For {codes}"]
