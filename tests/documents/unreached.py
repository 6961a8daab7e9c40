"""Asserts that a test may pass without reaching: in a loop over nothing, or in one branch of a condition only.

An assert must be reached, or the test passes whatever the code does. The law, for every function of the tests:

- The iterable of a loop around an assert is known not to be empty, and so is one that `all(…)`, `not any(…)` or
  `[… if …] == []` goes through inside an assert. Known is a literal, `range(3)`, a constant that is such a literal or
  that a module of the tests asserts, and an expression of these (`sorted(X)`, `X.items()`, `[f(x) for x in X]`).
- Otherwise the function asserts it before the loop (`assert found`, `assert len(found) == 3`, `assert "a" in found`,
  `(one,) = found`), or asserts after it what the loop counted or collected (`seen += 1`, later `assert seen`). The
  exceptions of a parametrized test are named behind `or`: `assert seen or name in {"clients_file"}`.
- Where one branch of an `if`, `match` or `try` has an assert, each has one or fails (`raise`, `pytest.fail`). A branch
  that leaves early needs one too where asserts follow. Or, as for loops, a count is asserted afterwards.

Expressions are compared as they are written: an assert on `report.cards` proves nothing of `cards = report.cards`.
Not seen are helpers that are called in a loop, and lists that are bound to a name more than once.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from tests.support.running import ROOT

_KEEPING = {"sorted", "list", "tuple", "set", "frozenset", "dict", "reversed", "enumerate", "iter", "Counter", "cast"}
_VIEWS = {"items", "keys", "values", "copy", "split", "splitlines"}
_COLLECTING = {"append", "add", "extend", "update", "insert", "setdefault"}
_LEAVING = ast.Return | ast.Continue | ast.Break
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
# A call of one of these fails as an assert does: of Playwright, of pytest, and of helpers with asserts of their own.
_FAILING = re.compile(r"expect$|pytest\.raises$|assert_|require_|judged$")
Known = frozenset[str]


def unreached(text: str, known: Known = frozenset()) -> list[str]:
    """The asserts of a module's text that may not be reached, each as its line and the reason.

    `known` are the constants that are known not to be empty.
    """
    tree = ast.parse(text)
    blocks = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    functions = [each for block in blocks for each in block if isinstance(each, _Function)]
    for each in functions:
        _note_filters(each)
    found = {fault for each in functions for fault in _in_block(each.body, known, [], "")}
    return [f"line {line}: {why}" for line, why in sorted(found)]


def _note_filters(function: _Function) -> None:
    """Note at each name in an assert the filter that it stands for, if it is bound once and to a filter."""
    bound: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            bound.setdefault(node.targets[0].id, []).append(node.value)
    for node in (node for each in ast.walk(function) if isinstance(each, ast.Assert) for node in ast.walk(each.test)):
        values = bound.get(node.id, []) if isinstance(node, ast.Name) else []
        if len(values) == 1 and isinstance(values[0], _Comprehension):
            node.filter = values[0]  # type: ignore[attr-defined]


@cache
def constants(path: Path) -> Known:
    """The names that a module of the tests binds, or imports from another one, and that are known not to be empty."""
    known: Known = frozenset()
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("tests."):
            source = ROOT / (str(statement.module).replace(".", "/") + ".py")
            theirs = constants(source) if source.exists() else frozenset()
            known |= {each.asname or each.name for each in statement.names if each.name in theirs}
        else:
            known = _after(statement, known)
    return known


def _in_block(body: Sequence[ast.stmt], known: Known, later: Sequence[ast.stmt], why: str) -> Iterator[tuple[int, str]]:
    """The faults of a block; `why` is the reason for which the block may not be reached."""
    for at, statement in enumerate(body):
        rest = [*body[at + 1 :], *later]
        if isinstance(statement, _Function):  # one within a function is called there: by a library, or more than once
            yield from _in_block(statement.body, known, rest, "")
        elif isinstance(statement, ast.Assert):
            reason = why or _idle_within(statement.test, known)
            if reason:
                yield statement.lineno, reason
        elif isinstance(statement, ast.For):
            reason = (
                "" if _is_full(statement.iter, known) or _is_counted(statement.body, rest) else _text(statement.iter)
            )
            yield from _in_block(
                statement.body, known, rest, why or (reason and f"nothing shows that {reason} has any")
            )
        elif branches := _branches(statement):
            for number, branch in enumerate(branches):
                others = [*branches[:number], *branches[number + 1 :]]
                inner = (
                    known | _shown_by(statement.test, known) if isinstance(statement, ast.If) and not number else known
                )
                yield from _in_block(branch, inner, rest, why or _one_sided(statement, branch, others, rest))
        elif isinstance(statement, ast.With | ast.AsyncWith | ast.While):
            yield from _in_block(statement.body, known, rest, why)
        known = _after(statement, known)
        why = why or _left_before(statement, rest, later)


def _branches(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of a statement of which one is run."""
    if isinstance(statement, ast.If):
        return [statement.body, statement.orelse]
    if isinstance(statement, ast.Match):
        return [case.body for case in statement.cases]
    if isinstance(statement, ast.Try):
        return [[*statement.body, *statement.orelse, *statement.finalbody], *(each.body for each in statement.handlers)]
    return []


def _one_sided(statement: ast.stmt, branch: list[ast.stmt], others: list[list[ast.stmt]], rest: list[ast.stmt]) -> str:
    """The reason for which the asserts of a branch may not be reached: another has none and does not fail."""
    is_reached = all(_has_assert(each) or _fails(each) or (_leaves(branch) and _has_assert(rest)) for each in others)
    if is_reached or _is_counted(branch, rest):
        return ""
    return (
        f"it is in one branch of the {type(statement).__name__.lower()} of line {statement.lineno}, the other has none"
    )


def _left_before(statement: ast.stmt, rest: list[ast.stmt], later: Sequence[ast.stmt]) -> str:
    """The reason for which what follows a statement may not be reached: it leaves without an assert."""
    if not isinstance(statement, ast.If):
        return ""
    is_leaving = any(_leaves(each) and not _has_assert(each) for each in _branches(statement))
    following = rest[: len(rest) - len(later)]
    if not is_leaving or _is_counted(following, later):
        return ""
    return f"line {statement.lineno} may leave before it"


def _leaves(block: list[ast.stmt]) -> bool:
    return bool(block) and isinstance(block[-1], _LEAVING)


def _fails(block: list[ast.stmt]) -> bool:
    return bool(block) and (isinstance(block[-1], ast.Raise) or ast.unparse(block[-1]).startswith("pytest.fail("))


def _has_assert(block: Iterable[ast.stmt]) -> bool:
    """True for a block with an assert, or with a statement that fails as one does."""
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _FAILING.match(_text(node.func)))
        for each in block
        for node in ast.walk(each)
    )


def _is_counted(block: Sequence[ast.stmt], later: Sequence[ast.stmt]) -> bool:
    """True where an assert that surely follows shows that a block counted or collected something."""
    shown = {text for each in later if isinstance(each, ast.Assert) for text in _shown_by(each.test, frozenset())}
    return not shown.isdisjoint(_collected(block))


def _collected(block: Sequence[ast.stmt]) -> Iterator[str]:
    for node in (node for each in block for node in ast.walk(each)):
        if isinstance(node, ast.AugAssign):
            yield _text(node.target.value if isinstance(node.target, ast.Subscript) else node.target)
        elif isinstance(node, ast.Assign):
            yield from (_text(each.value if isinstance(each, ast.Subscript) else each) for each in node.targets)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COLLECTING:
            yield _text(node.func.value)


def _after(statement: ast.stmt, known: Known) -> Known:
    """The expressions that are known not to be empty after a statement."""
    if isinstance(statement, ast.Assert):
        return known | _shown_by(statement.test, known)
    if isinstance(statement, ast.With | ast.AsyncWith):
        for each in statement.body:
            known = _after(each, known)
        return known
    if isinstance(statement, ast.AnnAssign) and statement.value:
        return _bound([statement.target], statement.value, known)
    if isinstance(statement, ast.Assign):
        return _bound(statement.targets, statement.value, known)
    return known


def _bound(targets: list[ast.expr], value: ast.expr, known: Known) -> Known:
    is_full = _is_full(value, known)
    for target in targets:
        if isinstance(target, ast.Name):
            known = frozenset(each for each in known if not re.match(rf"{target.id}\b", each))
            known |= {target.id} if is_full else set()
        elif isinstance(target, ast.Tuple | ast.List) and any(
            not isinstance(each, ast.Starred) for each in target.elts
        ):
            known |= set(_within(value))
    return known


def _shown_by(test: ast.expr, known: Known) -> Known:
    """The expressions that are not empty where a condition holds."""
    if isinstance(test, ast.BoolOp):
        parts = test.values if isinstance(test.op, ast.And) else test.values[:1]  # an exception is named behind `or`
        return frozenset(text for each in parts for text in _shown_by(each, known))
    if isinstance(test, ast.Compare):
        sides = [test.left, *test.comparators]
        pairs = zip(sides, test.ops, sides[1:], strict=False)
        return frozenset(text for left, op, right in pairs for text in _compared(left, op, right, known))
    if isinstance(test, ast.Call) and _text(test.func) == "any":
        return frozenset(_within(test.args[0]))
    return frozenset(_within(test))


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, known: Known) -> Iterator[str]:
    if isinstance(op, ast.Gt | ast.In) or (isinstance(op, ast.NotEq) and _is_empty(right)):
        yield from _within(left if not isinstance(op, ast.In) else right)
    if isinstance(op, ast.Lt):
        yield from _within(right)
    if isinstance(op, ast.Eq | ast.GtE) and _is_full(right, known):
        yield from _within(left)
    if isinstance(op, ast.Eq | ast.LtE) and _is_full(left, known):
        yield from _within(right)


def _within(value: ast.expr) -> Iterator[str]:
    """The expressions that are not empty where this one is not."""
    yield _text(value)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _VIEWS:
        yield from _within(value.func.value)
    elif isinstance(value, ast.Call) and _text(value.func) in {*_KEEPING, "len", "sum", "zip"} and value.args:
        yield from _within(value.args[-1])
    elif isinstance(value, _Comprehension):
        yield from _within(value.generators[0].iter)
    elif isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice):
        yield from _within(value.value)
    elif isinstance(value, ast.NamedExpr):
        yield from _within(value.target)
        yield from _within(value.value)
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub | ast.BitAnd):
        yield from _within(value.left)


def _is_full(value: ast.expr, known: Known) -> bool:
    """True for an expression that is known not to be empty, and for a number that is known not to be zero."""
    match value:
        case ast.Constant(value=constant):
            is_full = bool(constant) and constant is not Ellipsis
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            is_full = any(not isinstance(each, ast.Starred) or _is_full(each.value, known) for each in parts)
        case ast.Dict(keys=keys, values=parts):
            is_full = any(key or _is_full(each, known) for key, each in zip(keys, parts, strict=True))
        case ast.JoinedStr(values=parts):
            is_full = any(_is_full(each, known) for each in parts)
        case ast.BinOp(left=left, op=ast.Add() | ast.BitOr(), right=right):
            is_full = _is_full(left, known) or _is_full(right, known)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            is_full = _is_full(left, known) and _is_full(right, known)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            is_full = all(not each.ifs and _is_full(each.iter, known) for each in value.generators)
        case ast.Subscript(value=inner, slice=ast.Slice(lower=None, upper=upper)):
            is_full = _is_full(inner, known) and (upper is None or _is_full(upper, known))
        case ast.NamedExpr(value=inner):
            is_full = _is_full(inner, known)
        case ast.Call():
            is_full = _is_full_call(value, known)
        case _:
            is_full = False
    return is_full or _text(value) in known


def _is_full_call(call: ast.Call, known: Known) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr in _VIEWS:
        return _is_full(call.func.value, known)
    full = [_is_full(each, known) for each in call.args]
    name = _text(call.func).rpartition(".")[2]
    is_strict = any(each.arg == "strict" and _text(each.value) == "True" for each in call.keywords)
    if name == "range":
        numbers = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, int)]
        return full == [True] or (len(numbers) > 1 and bool(range(*numbers)))
    if name == "chain" or (name == "zip" and is_strict):
        return any(full)
    if name in {"product", "zip"}:
        return bool(full) and all(full)
    return name in {*_KEEPING, "permutations", "fromkeys"} and bool(full) and full[-1 if name == "cast" else 0]


def _idle_within(test: ast.expr, known: Known) -> str:
    """The reason for which a condition may hold because it goes through nothing."""
    for node in ast.walk(test):
        for each in _gone_through(node):
            if not _is_full(each, known):
                return f"nothing shows that {_text(each)} has any"
    return ""


def _gone_through(node: ast.AST) -> Iterator[ast.expr]:
    """The iterables of which a part of a condition says that all, or none, of their elements are so."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        said: ast.AST = getattr(node.operand, "filter", node.operand)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq) and _is_empty(node.comparators[0]):
        said = getattr(node.left, "filter", node.left)
    else:
        said = node
    is_all = isinstance(said, ast.Call) and _text(said.func) in ({"all"} if said is node else {"any"})
    if isinstance(said, ast.Call) and is_all:
        said = said.args[0]
    if isinstance(said, _Comprehension) and said is not node and (is_all or said.generators[0].ifs):
        yield said.generators[0].iter


def _is_empty(value: ast.expr) -> bool:
    return _text(value) in {"[]", "{}", "()", "set()", "''", "b''", "0"}


def _text(value: ast.expr) -> str:
    return ast.unparse(value)
