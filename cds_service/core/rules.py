"""Rules and their findings.

A rule is a function decorated with `@rule`, alone in a file of the same name. Its docstring is its published
description: a title line and the sections `Why`, `Flags` and `Passes`. It checks a Case and yields a Finding for each
fault, an Undecided for each question that it cannot answer from the case, and a Passed for what it has looked at and
found right. It passes if it yields neither of the first two.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from types import ModuleType
from typing import Any, Literal, TypeVarTuple

from cds_service.core.case import Case, Record, Stage
from cds_service.core.changes import Change
from cds_service.core.site import SiteStatement
from cds_service.core.tables import Source, Table
from cds_service.errors import RuleError
from cds_service.languages.worded import Worded, joined, worded

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


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question, and what it adds to the case: keys of billers' notation (`payer`, `lines`) and values.

    A value of None is for a person to enter.
    """

    label: str
    set: Mapping[str, str | tuple[str, ...] | None] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a person; each of its answers decides what is open, or leads to the next question."""

    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault. Several fixes are alternatives. `indicator` may lower the rule's indicator.

    `summary` is one sentence with the action to take, `notes` are further sentences for the card's detail. `day` is
    the date of service, compared with the tables' verification dates. `checklist` rows are item, state and reference.
    `absent` are codes of which none is charged, and any one would take the finding away, beside those its fixes add.
    `sources` are those that applied, where the rule rests on several of which only some did; empty for all of them.
    `question` is one whose answer would decide between fixes that the record does not support. `also` are the findings
    of other rules that its fixes repair too, which `core.folding` folds into it. `statements` are the site's own on its
    rules, which `core.statements` quotes; nothing is judged by them.
    """

    summary: str
    evidence: tuple[Evidence, ...]
    fixes: tuple[Fix, ...] = ()
    notes: tuple[str, ...] = ()
    day: date | None = None
    indicator: Indicator | None = None
    checklist: tuple[tuple[str, str, str], ...] = ()
    absent: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    question: Question | None = None
    also: "tuple[tuple[Rule, Finding], ...]" = ()
    statements: tuple[SiteStatement, ...] = ()

    @property
    def cited(self) -> tuple[Evidence, ...]:
        """Its evidence, and that of the findings folded into it."""
        folded = (seen for _, each in self.also for seen in each.evidence)
        return tuple(dict.fromkeys((*self.evidence, *folded))) if self.also else self.evidence


# Why a rule cannot decide: the `table` does not cover the date of service; the `record` is incomplete or unclear; a
# record could belong to one of several `studies`; record and charges are in `contradiction`; the `claim` does not
# state what the rule needs, such as setting, payer or date; or a code, drug, payer or day was `not-understood`, so that
# a finding may be wrong (only `core.review` says this).
Why = Literal["table", "record", "studies", "contradiction", "claim", "not-understood"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """An open question of a rule, with the kind of reason and its text. Never shown as a pass.

    `question` asks a person for what is missing, if an answer would decide it.
    """

    why: Why
    reason: str
    evidence: tuple[Evidence, ...] = ()
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Because:
    """The reason for a pass: one clause about the case, and the evidence for it."""

    text: str
    evidence: tuple[Evidence, ...] = ()


Ts = TypeVarTuple("Ts")


class Passed:
    """Something that a rule has looked at and found right: `Passed(reason, *about)`.

    `reason(*about)` words it. Most calls need no reasons, so it is only called where a report asks for them.
    """

    __slots__ = ("_about", "_reason")

    def __init__(self, reason: Callable[[*Ts], Because], *about: *Ts) -> None:
        self._reason: Callable[..., Because] = reason
        self._about = about

    def reason(self) -> Because:
        """The reason in words."""
        return self._reason(*self._about)


Verdict = Finding | Undecided | Passed
Check = Callable[[Case], Iterator[Verdict]]


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


@dataclass(frozen=True, slots=True)
class SetUp:
    """The set-up that a rule needs of the site: a test of a case, and the words for what is missing."""

    is_there: Topic
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule and its description. `id` is its public name: `add-on-without-primary`.

    `if_none` is the reason for a pass where it found nothing to look at. `every_code`: with the loaded tables of CMS,
    it speaks of any code of a claim. `set_up`: it runs only where the site has set up what it rests on, and is
    otherwise off.
    """

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
    if_none: str
    every_code: bool = False
    set_up: SetUp | None = None

    def reason_of(self, passes: Sequence[Passed]) -> Because:
        """The reason for a pass as one sentence, with the evidence; of many reasons, the first that fit.

        At most REASON_LIMIT characters, unless a single reason has more.
        """
        if not passes:
            return Because(self.if_none)
        reasons = [each.reason() for each in islice(passes, MOST_REASONS)]
        every = list(dict.fromkeys(each.text for each in reasons))
        evidence = tuple(dict.fromkeys(seen for each in reasons for seen in each.evidence))
        return Because(_in_one_sentence(every), evidence)

    def indicator_of(self, finding: Finding, stage: Stage) -> Indicator:
        """The finding's indicator, at most the rule's own for the stage; of findings folded into one, the highest."""
        if any(rule.indicator_of(each, stage) == WARNING for rule, each in finding.also):
            return WARNING
        return INFO if finding.indicator == INFO else self.indicator[stage]

    def sources_of(self, finding: Finding) -> tuple[Source, ...]:
        """The sources that a finding cites, the card's own first, with those of findings folded into it."""
        folded = (source for rule, each in finding.also for source in rule.sources_of(each))
        return tuple(dict.fromkeys((*(finding.sources or self.sources), *folded)))

    def reasons_at(self, stage: Stage) -> tuple[OverrideReason, ...]:
        """The override reasons that apply at a stage."""
        return tuple(reason for reason in self.override_reasons if reason.only in (None, stage))

    def overrides_of(self, finding: Finding, stage: Stage) -> tuple[OverrideReason, ...]:
        """The override reasons of a finding at a stage, with those of findings folded into it."""
        folded = (reason for rule, _ in finding.also for reason in rule.reasons_at(stage))
        return tuple(dict.fromkeys((*self.reasons_at(stage), *folded)))


MOST_REASONS = 50  # passes of a rule of which a report gives the reasons
REASON_LIMIT = 180  # characters


def _in_one_sentence(reasons: Sequence[str]) -> str:
    """The reasons that fit, and the number of the others; a single one as it is."""
    first, *others = reasons
    shown, length = [first], len(first)
    for number, other in enumerate(others):
        more = _and_more(len(others) - number)
        length += len(_BETWEEN) + len(other)
        if length > REASON_LIMIT - len(_BETWEEN) - len(more):
            shown.append(more)
            break
        shown.append(other)
    return joined(_BETWEEN, shown) if others else first


_BETWEEN = "; "


def _and_more(number: int) -> Worded:
    return worded("and {number} more", number=number)


SECTIONS = ("Why", "Flags", "Passes")
NOTHING_IN_SCOPE = worded("nothing that this rule is about is charged or ordered")


def rule(  # noqa: PLR0913  # a declaration, all by name
    *,
    order: Indicator,
    claim: Indicator,
    tables: Iterable[Table],  # type: ignore[type-arg]
    sources: Iterable[Source],
    override_reasons: Iterable[OverrideReason],
    about: "Iterable[str | Table[Any] | Topic] | None" = None,
    if_none: str = NOTHING_IN_SCOPE,
    every_code: bool = False,
    set_up: SetUp | None = None,
) -> Callable[[Check], Rule]:
    """Declare a rule: its indicators at order and claim time, its tables, sources and override reasons.

    The first source is the card's source. `about` is the subject of the rule: codes, tables (for the codes in them) and
    topics; without it, the codes of `tables`. Rules run only for cases that hold the subject of at least one rule, and
    rules of `every_code` also where the site wants every code of a claim checked. `if_none` is the reason for a pass
    without a Passed, such as "no add-on is charged": it has to be true of any case in which the rule yields nothing.
    Raises RuleError if the docstring lacks a section.
    """
    rests_on = tuple(tables)

    def declare(check: Check) -> Rule:
        name = check.__name__
        title, sections = read_docstring(name, inspect.getdoc(check) or "")
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
            if_none=if_none,
            every_code=every_code,
            set_up=set_up,
        )

    return declare


def _scope(about: "Iterable[str | Table[Any] | Topic]") -> Scope:
    every = tuple(about)
    named = frozenset(each for each in every if isinstance(each, str))
    codes = named.union(*(each.codes for each in every if isinstance(each, Table)))
    return Scope(codes, tuple(each for each in every if not isinstance(each, str | Table)))


def read_docstring(name: str, text: str) -> tuple[str, dict[str, str]]:
    """The title and the sections of a rule's docstring, each as one line. Raises RuleError for a missing one."""
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
