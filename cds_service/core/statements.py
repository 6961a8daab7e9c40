"""Statements of a site: sentences of its payers and of the house, quoted beside findings and never judged by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.core import work_limit
from cds_service.core.case import Case, Line
from cds_service.core.changes import AddLine, ReplaceCode
from cds_service.core.rules import Finding, Rule
from cds_service.core.site import SiteStatement

# True if the payer and the setting of lines are among those that a statement names.
Applies = Callable[[SiteStatement, Case, Sequence[Line]], bool]


def names_no_payer_or_setting(statement: SiteStatement, _case: Case, _lines: Sequence[Line]) -> bool:
    """True for a statement on any payer and setting: all that fits where nothing tells payers and settings."""
    return not statement.payers and not statement.settings


@dataclass(frozen=True, slots=True)
class _About:
    """The subject of a finding: its rules, the codes it charges or asks for, its lines and its date of service."""

    rules: frozenset[str]
    codes: frozenset[str]
    lines: tuple[Line, ...]
    day: date | None


def with_statements(
    findings: Sequence[tuple[Rule, Finding]], case: Case, applies: Applies
) -> tuple[tuple[Rule, Finding], ...]:
    """The findings, each with the site's statements that name one of its rules and fit its case.

    A statement fits by code, payer, setting and date of service; what the case does not tell fits none that names it.
    """
    if not case.site.statements:
        return tuple(findings)
    return tuple((rule, _quoting(rule, finding, case, applies)) for rule, finding in findings)


def _quoting(rule: Rule, finding: Finding, case: Case, applies: Applies) -> Finding:
    work_limit.check()
    about = _about(rule, finding)
    fitting = tuple(
        each
        for each in case.site.statements
        if not about.rules.isdisjoint(each.rules)
        and not about.codes.isdisjoint(each.codes)
        and each.covers(about.day)
        and applies(each, case, about.lines)
    )
    return replace(finding, statements=fitting) if fitting else finding


def _about(rule: Rule, finding: Finding) -> _About:
    changes = [change for fix in finding.fixes for change in fix.changes]
    lines = [each.record for each in finding.cited if isinstance(each.record, Line)]
    lines += [line for change in changes if (line := _line_of(change)) is not None]
    asked = {change.code for change in changes if isinstance(change, AddLine | ReplaceCode)}
    return _About(
        rules=frozenset((rule.id, *(other.id for other, _ in finding.also))),
        codes=frozenset(line.code for line in lines) | asked,
        lines=tuple({line.origin: line for line in lines}.values()),
        day=finding.day,
    )


def _line_of(change: object) -> Line | None:
    """The line that a change is made on, or beside."""
    line = change.sibling if isinstance(change, AddLine) else getattr(change, "line", None)
    return line if isinstance(line, Line) else None
