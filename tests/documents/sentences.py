"""Prints every sentence that a user may see, to be read in one go: `python -m tests.documents.sentences [PART…]`.

Parts are `code` (messages, cards, rules, help texts), `tables` (texts in YAML), `pages` (templates and scripts) and
`documents`.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.support.running import ROOT

_SHOWN_ATTRIBUTES = {"title", "alt", "placeholder", "aria-label", "content"}
_SCRIPT_TEXT = re.compile(r"""(["'`])((?:\\.|(?!\1).)*? (?:\\.|(?!\1).)*?)\1""")


class Sentence(NamedTuple):
    """A text, and the file and line where it stands."""

    path: Path
    line: int
    text: str


def is_sentence(text: str) -> bool:
    """True for two words or more with a lower-case letter among them; not for SQL, patterns and markup."""
    return bool(re.search(r"[a-z]\S* +\S", text)) and not re.match(r"\s*(SELECT|WITH|CREATE|<|\(\?)", text)


def in_code() -> Iterator[Sentence]:
    """Literals of the machine and the knowledge, and docstrings that users see; not other docstrings."""
    for path in [*_files("cds_service", "py"), *_files("hooks", "py")]:
        tree = ast.parse(path.read_text())
        hidden = {id(doc) for node in ast.walk(tree) if (doc := _docstring(node)) and not _is_shown(node)}
        hidden |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield from _sentence(path, node.lineno, _joined(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden:
                yield from _sentence(path, node.lineno, node.value)


def _docstring(node: ast.AST) -> ast.expr | None:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if not isinstance(node, kinds) or ast.get_docstring(node) is None:
        return None
    first = node.body[0]
    return first.value if isinstance(first, ast.Expr) else None


def _is_shown(node: ast.AST) -> bool:
    """True for a command, whose docstring is its help, and for a rule, whose docstring is on cards and pages."""
    names = [ast.unparse(each) for each in node.decorator_list] if isinstance(node, ast.FunctionDef) else []
    return any(re.search(r"command|group|^rule\(", name) for name in names)


def _joined(node: ast.JoinedStr) -> str:
    parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
    return "".join(parts)


def in_tables() -> Iterator[Sentence]:
    """Texts in the tables and in the descriptions of the samples."""
    for path in [*_files("hooks", "yaml"), *_files("sample_bundles", "yaml")]:
        for node in _scalars(yaml.compose(path.read_text(), yaml.CSafeLoader)):
            yield from _sentence(path, node.start_mark.line + 1, node.value)


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _scalars(each)
    elif isinstance(node, yaml.MappingNode):
        for _, each in node.value:
            yield from _scalars(each)


class _Texts(HTMLParser):
    """Collects the texts and the shown attributes of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(self.getpos()[0], value) for name, value in attrs if name in _SHOWN_ATTRIBUTES and value]

    def handle_data(self, data: str) -> None:
        self.found.append((self.getpos()[0], data))


def in_pages() -> Iterator[Sentence]:
    """Texts of the templates, and of the scripts."""
    for path in _files("cds_service", "html"):
        parser = _Texts()
        parser.feed(re.sub(r"\{%.*?%\}|\{#.*?#\}", "", path.read_text(), flags=re.DOTALL))
        for line, text in parser.found:
            yield from _sentence(path, line, text)
    for path in _files("cds_service", "js"):
        for number, row in enumerate(path.read_text().splitlines(), 1):
            if not row.lstrip().startswith(("//", "import ", "*", "/*")):
                for found in _SCRIPT_TEXT.finditer(row):
                    yield from _sentence(path, number, found[2])


def in_documents() -> Iterator[Sentence]:
    """Paragraphs, rows and items of the documents, without their blocks of code."""
    inner = [path for folder in ("deploy", "hooks", "cds_service") for path in _files(folder, "md")]
    for path in [*ROOT.glob("*.md"), *inner]:
        is_block = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("```"):
                is_block = not is_block
            elif not is_block and not line.startswith("    "):
                yield from _sentence(path, number, line)


def _sentence(path: Path, line: int, text: str) -> Iterator[Sentence]:
    flat = " ".join(text.split())
    if is_sentence(flat):
        yield Sentence(path.relative_to(ROOT), line, flat)


def _files(folder: str, ending: str) -> list[Path]:
    return sorted((ROOT / folder).rglob(f"*.{ending}"))


PARTS: dict[str, Callable[[], Iterator[Sentence]]] = {
    "code": in_code,
    "tables": in_tables,
    "pages": in_pages,
    "documents": in_documents,
}


def main(parts: list[str]) -> None:
    """Print the sentences of some parts, or of all."""
    for part in parts or PARTS:
        for path, line, text in PARTS[part]():
            sys.stdout.write(f"{path}:{line}: {text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
