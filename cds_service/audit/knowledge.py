"""Knowledge that `hooks` passes to the audit: relevant records, product names, and the questions of the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """A headline figure of the report, and the rules whose findings it counts."""

    text: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Relevant records, product names by billing code, and the questions of the report.

    `relevant` is a pattern (RE2 and Python, case ignored) that matches the text of every record that can lead to a
    finding; cases without a match are not reviewed.
    """

    relevant: str
    products: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
