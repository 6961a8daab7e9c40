"""What the audit must be told of the codes: which records can matter, what the products are called, what people ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the report answers first, and the rules whose findings answer it."""

    text: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`relevant` is a pattern (RE2 and Python, case ignored) for the text of a record.

    Every record that can make a rule speak matches it; a case in which none does is not read. `products` are the names
    of products by their billing codes.
    """

    relevant: str
    products: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
