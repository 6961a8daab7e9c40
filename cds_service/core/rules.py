"""Rules, what they find, and how a whole body of rules is run over a case.

A rule is a function that is decorated with `@rule` and stands alone in a file of its own name. Its docstring is what
people read about it: a title line and the sections `Why`, `Flags` and `Passes`. It looks at a Case and yields a Finding
for each fault, a Undecided for each question that the case does not answer, and nothing where all is well.
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

from cds_service.core.case import Case, Concept, Line, Record, Stage
from cds_service.core.changes import AddLine, Change, ReplaceCode
from cds_service.core.tables import Source, Table
from cds_service.errors import RuleError

Indicator = Literal["info", "warning"]

INFO: Indicator = "info"
WARNING: Indicator = "warning"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that a finding rests on: what was seen, and the record it was seen in."""

    seen: str
    record: Record


@dataclass(frozen=True, slots=True)
class Fix:
    """A way to mend a fault: the changes belong together. `recommended` only where the record decides for it."""

    label: str
    changes: tuple[Change, ...]
    recommended: bool = False

    def __str__(self) -> str:
        return ", ".join(str(change) for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault. Several remedies are alternatives. `indicator` lowers the rule's own where the case asks for it.

    `summary` is one sentence that says what to do, `notes` are further sentences for the detail of the card. `day` is
    the date of service, against which the tables' dates of verification are held. `checklist` are rows of what was
    looked for, whether it was found, and where.
    """

    summary: str
    evidence: tuple[Evidence, ...]
    fixes: tuple[Fix, ...] = ()
    notes: tuple[str, ...] = ()
    day: date | None = None
    indicator: Indicator | None = None
    checklist: tuple[tuple[str, str, str], ...] = ()


# Why a rule cannot decide: a `table` does not reach the date of service; the `record` is incomplete or leaves it open;
# the record belongs to one of several `studies`; record and charges are in `contradiction`; or the `claim` does not say
# what the rule needs, such as setting, payer or date.
Why = Literal["table", "record", "studies", "contradiction", "claim"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A question that the case does not answer, and why, in words and as a kind. Never to be shown as a pass."""

    why: Why
    reason: str
    evidence: tuple[Evidence, ...] = ()


Check = Callable[[Case], Iterator[Finding | Undecided]]


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """Why a user may set advice aside; `standard` is the nearest code of HL7's non-adherence reasons.

    `only` names the stage at which the reason makes sense, None where it does at both.
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
            for line in case.lines.about(self._is_named)
            if line.code in self.codes
        )

    def _is_named(self, charged: Concept) -> bool:
        return any(code.value[:5].upper() in self.codes for code in charged.codes)


def scope_of(rules: Iterable["Rule"]) -> Scope:
    """The scopes of several rules as one."""
    every = [rule.about for rule in rules]
    topics = dict.fromkeys(topic for scope in every for topic in scope.topics)
    return Scope(frozenset[str]().union(*(scope.codes for scope in every)), tuple(topics))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule and what is said of it. `id` is the public form of its name: `add-on-without-primary`."""

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
        """How loudly a finding is said: never louder than the rule says for the stage."""
        if finding.indicator == INFO:
            return INFO
        return self.indicator[stage]

    def reasons_at(self, stage: Stage) -> tuple[OverrideReason, ...]:
        """Why a user may set the advice aside at a stage."""
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
    """Declare a rule: how loudly it speaks at order and at claim time, and the tables and sources it rests on.

    The first source is the one that the card names first. `override_reasons` are offered to whoever sets the advice
    aside. `about` is the subject of the rule: codes, tables (for the codes in them) and topics; without it, the codes
    of `tables`. Rules run only for cases that hold the subject of at least one rule. Raises RuleError where the
    docstring lacks a section.
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

    Each module holds one rule, and module, function and id have one name.
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
    """What a body of rules says of a case.

    `passed` holds the rules that had nothing to say, `switched_off` those that the site does not want.
    """

    findings: tuple[tuple[Rule, Finding], ...]
    not_checked: tuple[tuple[Rule, Undecided], ...]
    passed: tuple[Rule, ...]
    switched_off: tuple[Rule, ...] = ()


def review(case: Case, rules: Iterable[Rule], scope: Scope | None = None) -> Review:
    """Run every rule that the site wants over a case; all pass a case outside of `scope`."""
    every = tuple(rules)
    off = tuple(each for each in every if each.id in case.site.rules_off)
    wanted = tuple(each for each in every if each.id not in case.site.rules_off)
    if scope is not None and not scope.covers(case):
        return Review((), (), wanted, off)
    findings: list[tuple[Rule, Finding]] = []
    not_checked: list[tuple[Rule, Undecided]] = []
    passed: list[Rule] = []
    for each in wanted:
        verdicts = [_withheld(verdict, case) for verdict in each.check(case)]
        if not verdicts:
            passed.append(each)
            continue
        found = [verdict for verdict in verdicts if isinstance(verdict, Finding)]
        findings += [(each, _as_site_wants(each, finding, case)) for finding in found]
        not_checked += [(each, verdict) for verdict in verdicts if isinstance(verdict, Undecided)]
    return Review(tuple(findings), tuple(not_checked), tuple(passed), off)


def _withheld(verdict: Finding | Undecided, case: Case) -> Finding | Undecided:
    """A finding that misses a code is no finding where that code stands in a charge that could not be read."""
    if isinstance(verdict, Undecided) or not (there := _missed(verdict) & case.unreadable_codes):
        return verdict
    reason = f"{' and '.join(sorted(there))} may be charged already, in a charge that could not be read"
    return Undecided("record", reason, verdict.evidence)


def _missed(finding: Finding) -> set[str]:
    """The codes that a finding asks for: those that it would charge, and those that it names and did not see."""
    changes = [change for fix in finding.fixes for change in fix.changes]
    charged = {change.code for change in changes if isinstance(change, AddLine | ReplaceCode)}
    seen = {each.record.code for each in finding.evidence if isinstance(each.record, Line)}
    return charged | (set(_CODE.findall(finding.summary)) - seen)


def _as_site_wants(rule: Rule, finding: Finding, case: Case) -> Finding:
    return replace(finding, indicator=INFO) if rule.id in case.site.rules_lowered else finding
