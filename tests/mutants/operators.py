"""The kinds of change that make a mutant: one of cosmic-ray's per operator, and those that it lacks.

cosmic-ray offers every operator in place of every other; most of these are noticed by any test or are no Python for
the values at hand, so they would flatter the score. One other is kept for each. Decorators and annotations stay.
"""

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator

Position = tuple[tuple[int, int], tuple[int, int]]

_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot", "IsNot_Is")
_CALCULATIONS = ("Add_Sub", "Sub_Add", "Mul_Add", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "BitOr_BitAnd", "BitAnd_BitOr")
_OF_COSMIC_RAY = (
    *(f"core/ReplaceComparisonOperator_{each}" for each in _COMPARISONS),
    *(f"core/ReplaceBinaryOperator_{each}" for each in _CALCULATIONS),
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_USub_UAdd",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/AddNot",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)


class SwapMembership(Operator):  # type: ignore[misc] # cosmic-ray has no types
    """`in` becomes `not in`, and the reverse."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """The operators of a comparison that ask for membership."""
        for each in node.children[1::2] if node.type == "comparison" else ():
            if _words(each) in {"in", "not in"}:
                yield each.start_pos, each.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The comparison with its membership test number `index` reversed."""
        at = [i for i, each in enumerate(node.children) if i % 2 and _words(each) in {"in", "not in"}][index]
        node.children[at] = _parsed(" not in" if _words(node.children[at]) == "in" else " in")
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """Examples that cosmic-ray's own tests can run."""
        return (Example("x in y", "x not in y"), Example("x not in y", "x in y"))


class NegateFilter(Operator):  # type: ignore[misc]
    """The condition of a comprehension becomes its opposite."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """The condition of a comprehension's `if`."""
        if node.type in {"comp_if", "old_comp_if"}:
            yield node.children[1].start_pos, node.children[1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The `if` with its condition negated."""
        assert index == 0
        node.children[1] = _parsed(f" not ({node.children[1].get_code().strip()})")
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """Examples that cosmic-ray's own tests can run."""
        return (Example("[x for x in y if x]", "[x for x in y if not (x)]"),)


class SwapCall(Operator):  # type: ignore[misc]
    """`any` becomes `all`, `min` becomes `max`, and the reverse."""

    OTHERS: dict[str, str] = {"any": "all", "all": "any", "min": "max", "max": "min"}  # noqa: RUF012

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """The name of a function that is called or handed over."""
        if node.type == "name" and node.value in self.OTHERS and node.get_previous_leaf() not in {".", "def"}:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The name of the other function."""
        assert index == 0
        node.value = self.OTHERS[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """Examples that cosmic-ray's own tests can run."""
        return (Example("any(x)", "all(x)"), Example("max(x)", "min(x)"))


def _parsed(code: str) -> Any:
    return parso.parse(code)  # type: ignore[no-untyped-call]


def _words(node: Any) -> str:
    return " ".join(str(node.get_code()).split())


def operators() -> dict[str, Any]:
    """Each operator by its name, in a fixed order."""
    found = {name.removeprefix("core/"): get_operator(name)() for name in _OF_COSMIC_RAY}
    return found | {each.__name__: each() for each in (SwapMembership, NegateFilter, SwapCall)}
