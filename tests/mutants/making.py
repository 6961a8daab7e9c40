"""Makes the mutants of a module: its text with one small change."""

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutants.operators import operators

# A change in these places is none of behavior, or is made at import and noticed by any test.
_NO_DECISIONS = frozenset({"annassign", "tfpdef", "param", "decorator", "import_from", "import_name"})


@dataclass(frozen=True)
class Mutant:
    """A module with one change: the operator, which of its places in the module, and the lines, counted from one."""

    module: str
    operator: str
    occurrence: int
    first_line: int
    column: int
    last_line: int
    source: str = field(repr=False)

    @cached_property
    def text(self) -> str:
        """The text of the changed module."""
        made: str | None = mutate_code(self.source, operators()[self.operator], self.occurrence)
        assert made is not None, self
        return made

    @cached_property
    def was(self) -> str:
        """The lines that are changed, without the space around them."""
        return _only(self._difference, "-")

    @cached_property
    def becomes(self) -> str:
        """The lines that they become, without the space around them."""
        return _only(self._difference, "+")

    @cached_property
    def _difference(self) -> list[str]:
        before, after = self.source.splitlines(), self.text.splitlines()
        return list(difflib.unified_diff(before, after, self.module, self.module, lineterm="", n=2))

    @property
    def diff(self) -> str:
        """The change as a unified difference with two lines of context."""
        return "\n".join(self._difference)

    @cached_property
    def is_python(self) -> bool:
        """False if the change is none, or cannot be compiled: no mistake that anyone can make unnoticed."""
        try:
            compile(self.text, self.module, "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return self.text != self.source

    @property
    def line(self) -> str:
        """The first changed line as it was, without the space around it."""
        return self.source.splitlines()[self.first_line - 1].strip()

    def rank(self, seed: int) -> str:
        """A place in the order of samples that hangs on the line alone: an edit elsewhere changes no sample."""
        return hashlib.sha256(f"{seed} {self.module} {self.operator} {self.column} {self.line}".encode()).hexdigest()


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's text in a place that decides something; the texts are made when they are asked for."""
    tree = get_ast(source)
    for name, operator in operators().items():
        places = ((node, start, end) for node in ast_nodes(tree) for start, end in operator.mutation_positions(node))
        for occurrence, (node, start, end) in enumerate(places):
            if _decides(node):
                yield Mutant(module, name, occurrence, start[0], start[1], end[0], source)


def _decides(node: Any) -> bool:
    """False inside annotations, decorators, imports and the annotation of a function's result."""
    child, parent = node, node.parent
    while parent is not None:
        if parent.type in _NO_DECISIONS and not _is_value_of(parent, child):
            return False
        if parent.type == "argument" and _is_guard(parent):
            return False
        if parent.type == "funcdef" and child is parent.annotation:
            return False
        child, parent = parent, parent.parent
    return node.type not in _NO_DECISIONS


def _is_guard(argument: Any) -> bool:
    """True for `strict=` of `zip`, which asserts equal lengths, for `gc=` of a struct, which saves time, and for its
    `frozen=` and `kw_only=`: they refuse what the type checker refuses too.
    """
    return str(argument.get_code()).strip().startswith(("strict=", "gc=", "frozen=", "kw_only="))


def _is_value_of(parent: Any, child: Any) -> bool:
    """True for the value of an annotated name or the default of a parameter."""
    if parent.type == "annassign":
        return len(parent.children) > 3 and child is parent.children[3]
    return parent.type == "param" and child is parent.default


def _only(difference: list[str], sign: str) -> str:
    changed = [line[1:].strip() for line in difference[2:] if line.startswith(sign)]
    return "\n".join(changed)
