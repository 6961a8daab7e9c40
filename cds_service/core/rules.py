"""Rules, their findings, and running a set of rules over a case.

A rule is a function decorated with `@rule`, alone in a file of the same name. Its docstring is its published
description: a title line and the sections `Why`, `Flags` and `Passes`. It checks a Case and yields a Finding for each
fault, an Undecided for each question that it cannot answer from the case, and nothing if the case passes.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import ModuleType
from typing import Any, Literal

from cds_service.core.case import Case, Line, Record, Stage
from cds_service.core.changes import AddLine, Change, ReplaceCode
from cds_service.core.tables import Source, Table
from cds_service.errors import RuleError

Indicator = Literal["info", "warning"]

INFO: Indicator = "info"
WARNING: Indicator = "warning"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that supports a finding, and the record that states it."""

    seen: str
    record: Record


@dataclass(frozen=True, slots=True)
class Fix:
    """A fix: changes to be made together. `recommended` only if the record supports this fix over the others."""

    label: str
    changes: tuple[Change, ...]
    recommended: bool = False

    def __str__(self) -> str:
        return ", ".join(str(change) for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault. Several fixes are alternatives. `indicator` may lower the rule's indicator.

    `summary` is one sentence with the action to take, `notes` are further sentences for the card's detail. `day` is
    the date of service, compared with the tables' verification dates. `checklist` rows are item, state and reference.
    """

    summary: str
    evidence: tuple[Evidence, ...]
    fixes: tuple[Fix, ...] = ()
    notes: tuple[str, ...] = ()
    day: date | None = None
    indicator: Indicator | None = None
    checklist: tuple[tuple[str, str, str], ...] = ()


# Why a rule cannot decide: the `table` does not cover the date of service; the `record` is incomplete or unclear; a
# record could belong to one of several `studies`; record and charges are in `contradiction`; or the `claim` does not
# state what the rule needs, such as setting, payer or date.
Why = Literal["table", "record", "studies", "contradiction", "claim"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A question that a rule could not decide, with the kind of reason and its text. Never shown as a pass."""

    why: Why
    reason: str
    evidence: tuple[Evidence, ...] = ()


Check = Callable[[Case], Iterator[Finding | Undecided]]


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """A reason to override advice; `standard` is the nearest code of HL7's non-adherence reasons.

    `only` is the stage at which the reason applies, None for both.
    """

    code: str
    display: str
    standard: str
    only: Stage | None = None


# A question about a case, such as "does it hold an echo study?": true where a rule has something to look at.
Topic = Callable[[Case], object]


@dataclass(frozen=True, slots=True)
class Scope:
    """The subject of a rule, or of several rules together: billing codes and topics."""

    codes: frozenset[str] = frozenset()
    topics: tuple[Topic, ...] = ()

    def covers(self, case: Case) -> bool:
        """True if the case holds one of the topics, or charges one of the codes on a day under review."""
        return any(topic(case) for topic in self.topics) or self._is_charged(case)

    def _is_charged(self, case: Case) -> bool:
        days = frozenset(line.day for line in case.lines.under_review()) if case.stage == "claim" else frozenset()
        return any(
            line.under_review or (line.day is not None and line.day in days)
            for line in case.lines.matching(lambda charged: charged.names_any(self.codes))
            if line.code in self.codes
        )


def scope_of(rules: Iterable["Rule"]) -> Scope:
    """The scopes of several rules as one."""
    every = [rule.about for rule in rules]
    topics = dict.fromkeys(topic for scope in every for topic in scope.topics)
    return Scope(frozenset[str]().union(*(scope.codes for scope in every)), tuple(topics))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule and its description. `id` is its public name: `add-on-without-primary`."""

    id: str
    title: str
    why: str
    flags: str
    passes: str
    indicator: Mapping[Stage, Indicator]
    tables: tuple[Table, ...]  # type: ignore[type-arg]  # tables of any kind of entry
    sources: tuple[Source, ...]
    override_reasons: tuple[OverrideReason, ...]
    about: Scope
    check: Check

    def indicator_of(self, finding: Finding, stage: Stage) -> Indicator:
        """The finding's indicator: at most the rule's own for the stage."""
        if finding.indicator == INFO:
            return INFO
        return self.indicator[stage]

    def reasons_at(self, stage: Stage) -> tuple[OverrideReason, ...]:
        """The override reasons that apply at a stage."""
        return tuple(reason for reason in self.override_reasons if reason.only in (None, stage))


SECTIONS = ("Why", "Flags", "Passes")

_CODE = re.compile(r"\b[0-9A-Z]{5}\b")


def rule(
    *,
    order: Indicator,
    claim: Indicator,
    tables: Iterable[Table],  # type: ignore[type-arg]
    sources: Iterable[Source],
    override_reasons: Iterable[OverrideReason],
    about: "Iterable[str | Table[Any] | Topic] | None" = None,
) -> Callable[[Check], Rule]:
    """Declare a rule: its indicators at order and claim time, its tables, sources and override reasons.

    The first source is the card's source. `about` is the subject of the rule: codes, tables (for the codes in them) and
    topics; without it, the codes of `tables`. Rules run only for cases that hold the subject of at least one rule.
    Raises RuleError if the docstring lacks a section.
    """
    rests_on = tuple(tables)

    def declare(check: Check) -> Rule:
        name = check.__name__
        title, sections = _read_docstring(name, inspect.getdoc(check) or "")
        return Rule(
            id=name.replace("_", "-"),
            title=title,
            why=sections["Why"],
            flags=sections["Flags"],
            passes=sections["Passes"],
            indicator={"order": order, "claim": claim},
            tables=rests_on,
            sources=tuple(sources),
            override_reasons=tuple(override_reasons),
            about=_scope(rests_on if about is None else about),
            check=check,
        )

    return declare


def _scope(about: "Iterable[str | Table[Any] | Topic]") -> Scope:
    every = tuple(about)
    named = frozenset(each for each in every if isinstance(each, str))
    codes = named.union(*(each.codes for each in every if isinstance(each, Table)))
    return Scope(codes, tuple(each for each in every if not isinstance(each, str | Table)))


def _read_docstring(name: str, text: str) -> tuple[str, dict[str, str]]:
    title, *rest = text.split("\n\n", 1)
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\s*", "".join(rest), flags=re.MULTILINE)
    sections = {heading: " ".join(body.split()) for heading, body in zip(parts[1::2], parts[2::2], strict=True)}
    missing = [section for section in SECTIONS if not sections.get(section)]
    if not title or missing:
        raise RuleError(f"{name}.py: expected a docstring with a title and the sections {', '.join(SECTIONS)}")
    return " ".join(title.split()), sections


def find_rules(package: ModuleType) -> tuple[Rule, ...]:
    """Import every module of a package and return its rules, sorted by id. Raises RuleError.

    Each module holds one rule; module, function and id share one name.
    """
    found = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        declared = [value for value in vars(module).values() if isinstance(value, Rule)]
        if [each.id for each in declared] != [module_info.name.replace("_", "-")]:
            raise RuleError(f"{module_info.name}.py: expected one rule, a function named {module_info.name}")
        found += declared
    return tuple(sorted(found, key=lambda each: each.id))


@dataclass(frozen=True, slots=True)
class Review:
    """The result of running rules over a case.

    `passed` are the rules without findings or open questions, `switched_off` those that the site switched off.
    """

    findings: tuple[tuple[Rule, Finding], ...]
    not_checked: tuple[tuple[Rule, Undecided], ...]
    passed: tuple[Rule, ...]
    switched_off: tuple[Rule, ...] = ()


def review(case: Case, rules: Iterable[Rule], scope: Scope | None = None) -> Review:
    """Run the rules that the site has not switched off; a case outside of `scope` passes all."""
    every = tuple(rules)
    off = tuple(each for each in every if each.id in case.site.rules_off)
    wanted = tuple(each for each in every if each.id not in case.site.rules_off)
    if scope is not None and not scope.covers(case):
        return Review((), (), wanted, off)
    findings: list[tuple[Rule, Finding]] = []
    not_checked: list[tuple[Rule, Undecided]] = []
    passed: list[Rule] = []
    for each in wanted:
        verdicts = [_undecided_if_unparsed(verdict, case) for verdict in each.check(case)]
        if not verdicts:
            passed.append(each)
            continue
        found = [verdict for verdict in verdicts if isinstance(verdict, Finding)]
        findings += [(each, _with_site_indicator(each, finding, case)) for finding in found]
        not_checked += [(each, verdict) for verdict in verdicts if isinstance(verdict, Undecided)]
    return Review(tuple(findings), tuple(not_checked), tuple(passed), off)


def _undecided_if_unparsed(verdict: Finding | Undecided, case: Case) -> Finding | Undecided:
    """The verdict; undecided if it asks for a code that appears in a charge that could not be parsed."""
    if isinstance(verdict, Undecided) or not (found := _requested_codes(verdict) & case.unreadable_codes):
        return verdict
    reason = f"{' and '.join(sorted(found))} may already be charged, on a charge that could not be parsed"
    return Undecided("record", reason, verdict.evidence)


def _requested_codes(finding: Finding) -> set[str]:
    """The codes that a finding asks for: codes its fixes add, and codes its summary names beyond its evidence."""
    changes = [change for fix in finding.fixes for change in fix.changes]
    charged = {change.code for change in changes if isinstance(change, AddLine | ReplaceCode)}
    seen = {each.record.code for each in finding.evidence if isinstance(each.record, Line)}
    return charged | (set(_CODE.findall(finding.summary)) - seen)


def _with_site_indicator(rule: Rule, finding: Finding, case: Case) -> Finding:
    return replace(finding, indicator=INFO) if rule.id in case.site.rules_lowered else finding
