"""Finds the messages of a domain: in modules, in templates, in scripts, in YAML tables and in docstrings."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_javascript, extract_python

from cds_service.core import strict_yaml
from cds_service.core.rules import read_docstring
from cds_service.errors import TableError
from cds_service.languages import scripts
from cds_service.languages.facts import has_words, one_line, with_facts_apart

Found = Iterator[tuple[int, str, str, list[str]]]  # line, function, message, comments, as Babel takes them

# The functions that make a message, and the arguments that are its English text.
_ONE, _SEVERAL = ("message", "worded", "in_words", "in_label"), ("plural", "counted")
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(_ONE),
    **dict.fromkeys(_SEVERAL, (1, 2)),
    "number_of": (2, 3),
    **scripts.KEYWORDS,
}

# A template that Jinja cannot parse is an error, not a file without messages.
_OPTIONS = {"**.html": {"silent": "false"}}


@dataclass(frozen=True)
class Domain:
    """A part of the project with catalogs of its own.

    `sources` are patterns of files below `root` and how each is read: `python` and `jinja2` (calls of `message` and
    the like), `javascript` (those of `scripts.py`), `rule` (those of a module, and the docstring of its rule),
    `docstrings:Policy,AddOn` (those of classes), and `table:name,words`: the title of a table, and these fields of its
    entries; `words:declines.*.text,topics.@`: these places of a YAML file, where `*` is every value and `@` every key.
    `beside` are other folders with sources of theirs.
    """

    name: str
    root: Path
    sources: Mapping[str, str]
    catalogs: Path
    beside: Mapping[Path, Mapping[str, str]] = dataclasses.field(default_factory=dict)


def template_of(domain: Domain) -> Catalog:
    """All messages of a domain, in the order of their files. Raises TableError."""
    template = Catalog(charset="utf-8")
    found = list(_found_in(domain.root, domain.sources))
    for root, sources in domain.beside.items():
        found += ((f"{root.name}/{name}", *rest) for name, *rest in _found_in(root, sources))
    for name, line, text, comments, _context in sorted(found, key=lambda each: (each[0], each[1])):
        several = (text,) if isinstance(text, str) else text
        lines = tuple(map(one_line, several))
        if not any(map(has_words, lines)):
            continue
        template.add(lines if len(lines) > 1 else lines[0], locations=[(name, line)], auto_comments=comments)
    return template


def _found_in(root: Path, sources: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    """The messages in the files of a folder, as Babel finds them."""
    kinds = {pattern: kind.partition(":")[::2] for pattern, kind in sources.items()}
    patterns = [(pattern, _METHODS.get(kind, kind)) for pattern, (kind, _) in kinds.items()]
    options = _OPTIONS | {pattern: {"of": of} for pattern, (kind, of) in kinds.items() if kind in _METHODS}
    yield from extract_from_dir(root, patterns, keywords=KEYWORDS, options_map=options)


def extract_table(fileobj: IO[bytes], _keywords: object, _tags: object, options: Mapping[str, str]) -> Found:
    """The title of a table and the texts of its entries, each with the codes that it is for."""
    document = strict_yaml.read(Path(fileobj.name), TableError)
    yield from _apart(document.line_of("$.title"), document.data["title"])
    fields = [each for each in options["of"].split(",") if each]
    for number, entry in enumerate(document.data["entries"]):
        codes = ", ".join([entry["code"], *(entry.get("also", ()) if "also" not in fields else ())])
        for text in (text for field in fields for text in _texts(entry.get(field))):
            yield from _apart(document.line_of(f"$.entries[{number}]"), text, f"For {codes}")


def extract_words(fileobj: IO[bytes], _keywords: object, _tags: object, options: Mapping[str, str]) -> Found:
    """The texts in some places of a YAML file."""
    document = strict_yaml.read(Path(fileobj.name), TableError)
    for place in options["of"].split(","):
        for text in _texts_at(document.data, place.split(".")):
            yield from _apart(1, text, f"In {place}")


def extract_rule(fileobj: IO[bytes], keywords: Any, tags: Any, options: Any) -> Iterator[Any]:
    """The title of a rule, the sections of its docstring, and the messages of its module."""
    yield from extract_python(fileobj, keywords, tags, options)
    fileobj.seek(0)
    for function in ast.walk(ast.parse(fileobj.read())):
        documented = ast.get_docstring(function) if isinstance(function, ast.FunctionDef) else None
        if documented and any(_is_rule(each) for each in function.decorator_list):  # type: ignore[attr-defined]
            title, sections = read_docstring(Path(fileobj.name).stem, documented)
            for text in (title, *sections.values()):
                yield from _apart(function.lineno, text)  # type: ignore[attr-defined]


def extract_script(fileobj: IO[bytes], _keywords: object, tags: Any, options: Any) -> Iterator[Any]:  # noqa: ARG001
    """The messages of a page's script, by its own functions: names such as `message` mean something else there."""
    yield from extract_javascript(fileobj, scripts.KEYWORDS, tags, scripts.OPTIONS)


def extract_docstrings(fileobj: IO[bytes], _keywords: object, _tags: object, options: Mapping[str, str]) -> Found:
    """The docstrings of classes, in which names in backticks are placeholders."""
    wanted = options["of"].split(",")
    for each in ast.walk(ast.parse(fileobj.read())):
        if isinstance(each, ast.ClassDef) and each.name in wanted:
            yield from _apart(each.lineno, with_names_apart(ast.get_docstring(each) or ""))


_METHODS = {
    kind: f"{__name__}:{method.__name__}"
    for kind, method in {
        "table": extract_table,
        "words": extract_words,
        "javascript": extract_script,
        "rule": extract_rule,
        "docstrings": extract_docstrings,
    }.items()
}


def with_names_apart(docstring: str) -> str:
    """A docstring as one line, with its names in backticks as placeholders."""
    return re.sub(r"`(\w+)`", r"{\1}", one_line(inspect.cleandoc(docstring)))


def _is_rule(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "rule"


def _texts_at(value: Any, place: Sequence[str]) -> Iterator[str]:
    """The texts in a place of data."""
    if not place:
        yield value
        return
    step, *rest = place
    if step == "@":
        yield from value
        return
    every = value.values() if isinstance(value, dict) else value
    for each in every if step == "*" else [value[step]] if step in value else []:
        yield from _texts_at(each, rest)


def _texts(value: object) -> Iterator[str]:
    """The texts in a field: one, those of a list, or the values of a mapping."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        yield from (value.values() if isinstance(value, dict) else value)


def _apart(line: int, text: str, *comments: str) -> Found:
    """A text with its facts apart, if it has words; the whole text is a comment for translators."""
    found = with_facts_apart(text).text
    if has_words(found):
        yield line, "message", found, [*comments, *([text] if found != text else [])]
