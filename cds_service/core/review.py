"""Running a set of rules over a case.

A finding counts only if it holds under every reading of the records that were not understood; see `core.alternatives`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from cds_service.core import work_limit
from cds_service.core.alternatives import EVERYTHING_UNDERSTOOD, Alternative, Readings, Unclear, unparsed_charges
from cds_service.core.case import Case, Line, Record
from cds_service.core.changes import AddLine, Change, RemoveOrder, ReplaceCode
from cds_service.core.concepts import BILLING, Concept
from cds_service.core.notation import codes_without_modifiers
from cds_service.core.rules import INFO, Evidence, Finding, Fix, Rule, Scope, Undecided


@dataclass(frozen=True, slots=True)
class Review:
    """The result of running rules over a case.

    `passed` are the rules without findings or open questions, `switched_off` those that the site switched off or has
    not set up.
    `unclear` are the records to warn of, since they were not understood. `empty`: the case holds the subject of no
    rule, so that no rule was run, and none passed.
    """

    findings: tuple[tuple[Rule, Finding], ...]
    not_checked: tuple[tuple[Rule, Undecided], ...]
    passed: tuple[Rule, ...]
    switched_off: tuple[Rule, ...] = ()
    unclear: tuple[Unclear, ...] = ()
    empty: bool = False


def review(
    case: Case, rules: Iterable[Rule], scope: Scope | None = None, readings: Readings = EVERYTHING_UNDERSTOOD
) -> Review:
    """Run the rules that the site has not switched off.

    A case outside of `scope` is empty, unless the site wants every code of a claim checked: then the rules of every
    code run.
    """
    every = tuple(rules)
    off = tuple(each for each in every if _is_off(each, case))
    ids_off = {each.id for each in off}
    wanted = tuple(each for each in every if each.id not in ids_off)
    if scope is not None and not scope.covers(case):
        wanted = tuple(each for each in wanted if each.every_code and case.every_code)
        if not wanted or not case.lines.has_match_under_review(_has_billing_code):
            chosen = tuple(each for each in off if each.id in case.site.rules_off)
            return Review((), (), (), chosen, _worth_a_warning(readings.unclear(case), ()), empty=True)
    findings: list[tuple[Rule, Finding]] = []
    not_checked: list[tuple[Rule, Undecided]] = []
    passed: list[Rule] = []
    for each in wanted:
        verdicts = list(_verdicts(each, case, readings))
        if not verdicts:
            passed.append(each)
            continue
        found = _findings(verdicts)
        findings += [(each, _with_site_indicator(each, finding, case)) for finding in found]
        not_checked += [(each, verdict) for verdict in verdicts if isinstance(verdict, Undecided)]
    unclear = _worth_a_warning(readings.unclear(case), (undecided for _, undecided in not_checked))
    return Review(tuple(findings), tuple(not_checked), tuple(passed), off, unclear)


def _is_off(rule: Rule, case: Case) -> bool:
    """True if the site switched the rule off, or has set up nothing of what it rests on."""
    return rule.id in case.site.rules_off or (rule.set_up is not None and not rule.set_up.is_there(case))


def _has_billing_code(charged: Concept) -> bool:
    return bool(codes_without_modifiers(charged.values(BILLING)))


def _worth_a_warning(every: Iterable[Unclear], not_checked: Iterable[Undecided]) -> tuple[Unclear, ...]:
    reasons = [each.reason for each in not_checked]
    return tuple(
        each for each in every if not each.only_if_it_matters or any(reason.startswith(str(each)) for reason in reasons)
    )


def _with_site_indicator(rule: Rule, finding: Finding, case: Case) -> Finding:
    return replace(finding, indicator=INFO) if rule.id in case.site.rules_lowered else finding


def _verdicts(rule: Rule, case: Case, readings: Readings) -> list[Finding | Undecided]:
    """The verdicts of a rule; one that fails under another reading of the case is undecided."""
    verdicts = list(rule.check(case))
    if not any(map(_depends_on_reading, verdicts)):
        return verdicts
    codes = _codes(rule, _findings(verdicts))
    for alternative in chain(readings.alternatives(case, codes), unparsed_charges(case, BILLING, codes)):
        work_limit.check()
        read = _Reread(alternative, rule)
        verdicts = [read.undecided_unless_held(each) for each in verdicts]
        if not any(map(_depends_on_reading, verdicts)):
            break
    return verdicts


def _depends_on_reading(verdict: Finding | Undecided) -> bool:
    """True for findings, and for contradictions, which state a fact as well: "the record shows that none was given"."""
    return isinstance(verdict, Finding) or verdict.why == "contradiction"


def _findings(verdicts: Iterable[Finding | Undecided]) -> list[Finding]:
    return [each for each in verdicts if isinstance(each, Finding)]


def _codes(rule: Rule, findings: Iterable[Finding]) -> tuple[str, ...]:
    """The billing codes that matter to a rule: those its findings ask for or miss, then its subject and tables.

    Any one of the codes that a finding misses takes it away, so the first stands for all of them.
    """
    findings = list(findings)
    changes = [change for finding in findings for fix in finding.fixes for change in fix.changes]
    asked = [change.code for change in changes if isinstance(change, AddLine | ReplaceCode)]
    asked += [code for finding in findings for code in finding.absent[:1]]
    known = rule.about.codes.union(*(table.codes for table in rule.tables))
    return tuple(dict.fromkeys([*asked, *sorted(known)]))


class _Reread:
    """The verdicts of a rule under another reading of a case, made once for all that they are compared with."""

    def __init__(self, alternative: Alternative, rule: Rule) -> None:
        self._alternative = alternative
        self._rule = rule

    def undecided_unless_held(self, verdict: Finding | Undecided) -> Finding | Undecided:
        """The verdict; undecided if it does not hold under this reading."""
        if not _depends_on_reading(verdict) or self._holds(verdict):
            return verdict
        cause = next((each._alternative for each in self._parts if not each._holds(verdict)), self._alternative)
        seen = () if cause.record is None else (Evidence("not understood", cause.record),)
        return Undecided(cause.why, cause.reason, (*verdict.evidence, *seen))

    def _holds(self, verdict: Finding | Undecided) -> bool:
        if isinstance(verdict, Undecided):
            return verdict.reason in self._reasons
        found = self._by_record
        alike = {id(each): each for place in _records(verdict) for each in found.get(place, ())}
        return _holds_in(verdict, list(alike.values()))

    @cached_property
    def _verdicts(self) -> list[Finding | Undecided]:
        return list(self._rule.check(self._alternative.case))

    @cached_property
    def _reasons(self) -> set[str]:
        return {each.reason for each in self._verdicts if isinstance(each, Undecided)}

    @cached_property
    def _by_record(self) -> dict[tuple[str, str], list[Finding]]:
        found: dict[tuple[str, str], list[Finding]] = {}
        for each in _findings(self._verdicts):
            for place in _records(each):
                found.setdefault(place, []).append(each)
        return found

    @cached_property
    def _parts(self) -> "list[_Reread]":
        return [_Reread(each, self._rule) for each in self._alternative.parts]


# --- comparing findings ---------------------------------------------------------------------------------------------


def _holds_in(finding: Finding, others: Sequence[Finding]) -> bool:
    """True if other findings of the same rule that cite its records offer at least as much.

    Alternative fixes must be among the fixes of one of them: if some are recommended, these, else all. A single fix
    holds if they make its changes together, since a reading may divide a study. Without a fix, they must cite all its
    charges.
    """
    wanted = [each for each in finding.fixes if each.recommended] or list(finding.fixes)
    if not wanted:
        return bool(others) and _charges(finding) <= frozenset().union(*map(_charges, others))
    if len(wanted) == 1:
        return _is_made_by(wanted[0], others)
    return any(all(any(_is_part_of(each, theirs) for theirs in other.fixes) for each in wanted) for other in others)


def _is_made_by(fix: Fix, others: Iterable[Finding]) -> bool:
    """True if other findings together make all changes of a fix, each with one of its own fixes."""
    left = list(fix.changes)
    for other in others:
        left = min((_not_in(theirs, left) for theirs in other.fixes), key=len, default=left)
    return not left


def _not_in(other: Fix, changes: Iterable[Change]) -> list[Change]:
    """The changes that another fix does not make; compared by target, since a fix may have thousands."""
    made: dict[object, list[Change]] = {}
    for each in other.changes:
        made.setdefault(_target(each), []).append(each)
    return [each for each in changes if not any(_includes(theirs, each) for theirs in made.get(_target(each), ()))]


def _charges(finding: Finding) -> frozenset[tuple[str, str]]:
    """The charges that a finding cites: without a fix, it is said of each of them."""
    return frozenset(_place(each.record) for each in finding.evidence if isinstance(each.record, Line))


def _records(finding: Finding) -> set[tuple[str, str]]:
    return {_place(each.record) for each in finding.evidence}


def _is_part_of(fix: Fix, other: Fix) -> bool:
    """True if another fix makes all changes of this one."""
    return not _not_in(other, fix.changes)


def _includes(theirs: Change, change: Change) -> bool:
    """True if two changes are of one kind and record; a line to add may have other units and further modifiers."""
    if isinstance(change, AddLine) and isinstance(theirs, AddLine):
        return set(theirs.modifiers) >= set(change.modifiers)
    return True


def _target(change: Change) -> object:
    """The kind of a change with the code that it adds or the record that it is made to, and its words."""
    if isinstance(change, AddLine):
        return "add", change.code
    if isinstance(change, RemoveOrder):
        return "order", _place(change.order)
    return str(change), _place(change.line)


def _place(record: Record) -> tuple[str, str]:
    return record.origin.resource, record.origin.within
