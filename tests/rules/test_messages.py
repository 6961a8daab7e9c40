"""The texts of rules are messages: none is put together in a way that loses what a translator needs."""

import ast
from pathlib import Path

import pytest

from hooks import rules

RULES = sorted(Path(rules.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_no_text_of_a_rule_is_an_f_string(path: Path) -> None:
    """Also not in a branch that no case reaches, where the made-up language would not find it."""
    tree = ast.parse(path.read_text())
    assert any(isinstance(each, ast.Call) and ast.unparse(each.func) == "worded" for each in ast.walk(tree))
    assert [each.lineno for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)] == []
