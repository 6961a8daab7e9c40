"""Running a set of rules over a case.

A finding counts only if it holds under every reading of the records that were not understood; see `core.alternatives`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from cds_service.core import work_limit
from cds_service.core.alternatives import (
    EVERYTHING_UNDERSTOOD,
    Alternative,
    Asked,
    Readings,
    Unclear,
    unparsed_charges,
    unparsed_code,
)
from cds_service.core.case import Case
from cds_service.core.changes import AddLine, ReplaceCode, SetUnits
from cds_service.core.comparison import holds_in, records_of
from cds_service.core.concepts import BILLING, Concept
from cds_service.core.folding import folded
from cds_service.core.notation import codes_without_modifiers
from cds_service.core.rules import INFO, Evidence, Finding, Passed, Rule, Scope, Undecided, Verdict
from cds_service.core.statements import Applies, names_no_payer_or_setting, with_statements
from cds_service.languages.worded import worded

_NOT_UNDERSTOOD = worded("not understood")


@dataclass(frozen=True, slots=True)
class Review:
    """The result of running rules over a case.

    `findings` that one fix repairs are folded into one, see `core.folding`.
    `passed` are the rules without findings or open questions, each with what it found right; `switched_off` are those
    that the site switched off or has not set up.
    `unclear` are the records to warn of, since they were not understood. `empty`: the case holds the subject of no
    rule, read or not, so that no rule was run, and none passed.
    """

    findings: tuple[tuple[Rule, Finding], ...]
    not_checked: tuple[tuple[Rule, Undecided], ...]
    passed: tuple[tuple[Rule, tuple[Passed, ...]], ...]
    switched_off: tuple[Rule, ...] = ()
    unclear: tuple[Unclear, ...] = ()
    empty: bool = False

    @property
    def unfolded(self) -> tuple[tuple[Rule, Finding], ...]:
        """All findings, also those that are folded into another one."""
        return tuple(each for rule, finding in self.findings for each in ((rule, finding), *finding.also))


def review(
    case: Case,
    rules: Iterable[Rule],
    scope: Scope | None = None,
    readings: Readings = EVERYTHING_UNDERSTOOD,
    applies: Applies = names_no_payer_or_setting,
) -> Review:
    """Run the rules that the site has not switched off.

    A case outside of `scope` is empty, unless the site wants every code of a claim checked: then the rules of every
    code run. `applies` tells which of the site's statements fit payer and setting; they are quoted after all is judged.
    """
    wanted: list[Rule] = []
    off: list[Rule] = []
    for each in rules:
        (off if _is_off(each, case) else wanted).append(each)
    on = tuple(wanted)
    if scope is not None and not scope.covers(case):
        wanted = [each for each in wanted if each.every_code and case.every_code]
        if not wanted or not case.lines.has_match_under_review(_has_billing_code):
            chosen = tuple(each for each in off if each.id in case.site.rules_off)
            unread = case.unreadable_codes & scope.codes
            undecided = tuple((each, _unread(each, unread)) for each in on if unread)
            return Review((), undecided, (), chosen, readings.unclear(case), empty=not unread)
    findings: list[tuple[Rule, Finding]] = []
    not_checked: list[tuple[Rule, Undecided]] = []
    passed: list[tuple[Rule, tuple[Passed, ...]]] = []
    for each in wanted:
        verdicts, passes = _verdicts(each, case, readings)
        if not verdicts:
            passed.append((each, passes))
            continue
        found = _findings(verdicts)
        findings += [(each, _with_site_indicator(each, finding, case)) for finding in found]
        not_checked += [(each, verdict) for verdict in verdicts if isinstance(verdict, Undecided)]
    unclear = (*readings.unclear(case), *_in_question(not_checked, case, readings))
    found_once = with_statements(folded(findings, case), case, applies)
    return Review(found_once, tuple(not_checked), tuple(passed), tuple(off), unclear)


def _unread(rule: Rule, codes: frozenset[str]) -> Undecided:
    """The open question of a rule where all that it could look at are charges that could not be parsed."""
    return Undecided("record", unparsed_code(min(codes & rule.about.codes or codes)))


def _is_off(rule: Rule, case: Case) -> bool:
    """True if the site switched the rule off, or has set up nothing of what it rests on."""
    return rule.id in case.site.rules_off or (rule.set_up is not None and not rule.set_up.is_there(case))


def _has_billing_code(charged: Concept) -> bool:
    return bool(codes_without_modifiers(charged.values(BILLING)))


def _in_question(not_checked: Iterable[tuple[Rule, Undecided]], case: Case, readings: Readings) -> Iterator[Unclear]:
    """The records not understood on which an open question rests, of those that are named only then."""
    reasons = [undecided.reason for _, undecided in not_checked]
    for each in readings.if_it_matters(case) if reasons else ():
        if any(reason.startswith(str(each)) for reason in reasons):
            yield each


def _with_site_indicator(rule: Rule, finding: Finding, case: Case) -> Finding:
    return replace(finding, indicator=INFO) if rule.id in case.site.rules_lowered else finding


def _verdicts(rule: Rule, case: Case, readings: Readings) -> tuple[list[Finding | Undecided], tuple[Passed, ...]]:
    """The verdicts of a rule, and what it found right; a verdict that fails under another reading is undecided."""
    every = list(rule.check(case))
    passes = tuple(each for each in every if isinstance(each, Passed))
    verdicts = [each for each in every if not isinstance(each, Passed)]
    if not any(map(_depends_on_reading, verdicts)):
        return verdicts, passes
    asked = _asked(rule, _findings(verdicts))
    for alternative in chain(readings.alternatives(case, asked), unparsed_charges(case, BILLING, asked.codes)):
        work_limit.check()
        read = _Reread(alternative, rule)
        verdicts = [read.undecided_unless_held(each) for each in verdicts]
        if not any(map(_depends_on_reading, verdicts)):
            break
    return verdicts, passes


def _depends_on_reading(verdict: Finding | Undecided) -> bool:
    """True for findings, and for contradictions, which state a fact as well: "the record shows that none was given"."""
    return isinstance(verdict, Finding) or verdict.why == "contradiction"


def _findings(verdicts: Iterable[Verdict]) -> list[Finding]:
    return [each for each in verdicts if isinstance(each, Finding)]


def _asked(rule: Rule, findings: list[Finding]) -> Asked:
    """The billing codes that the findings of a rule ask for or miss, those of its subject and tables, and the units.

    Any one of the codes that a finding misses takes it away, so the first stands for all of them.
    """
    changes = [change for finding in findings for fix in finding.fixes for change in fix.changes]
    asked = [change.code for change in changes if isinstance(change, AddLine | ReplaceCode)]
    asked += [code for finding in findings for code in finding.absent[:1]]
    known = rule.about.codes.union(*(table.codes for table in rule.tables))
    units = [change.units for change in changes if isinstance(change, AddLine | SetUnits) and change.units is not None]
    return Asked(tuple(dict.fromkeys([*asked, *sorted(known)])), tuple(dict.fromkeys(units)))


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
        seen = () if cause.record is None else (Evidence(_NOT_UNDERSTOOD, cause.record),)
        return Undecided(cause.why, cause.reason, (*verdict.evidence, *seen), cause.question)

    def _holds(self, verdict: Finding | Undecided) -> bool:
        if isinstance(verdict, Undecided):
            return verdict.reason in self._reasons
        found = self._by_record
        near = {id(each): each for place in records_of(verdict) for each in found.get(place, ())}
        return holds_in(verdict, list(near.values()))

    @cached_property
    def _verdicts(self) -> list[Finding | Undecided]:
        return [each for each in self._rule.check(self._alternative.case) if not isinstance(each, Passed)]

    @cached_property
    def _reasons(self) -> set[str]:
        return {each.reason for each in self._verdicts if isinstance(each, Undecided)}

    @cached_property
    def _by_record(self) -> dict[tuple[str, str], list[Finding]]:
        found: dict[tuple[str, str], list[Finding]] = {}
        for each in _findings(self._verdicts):
            for place in records_of(each):
                found.setdefault(place, []).append(each)
        return found

    @cached_property
    def _parts(self) -> "list[_Reread]":
        return [_Reread(each, self._rule) for each in self._alternative.parts]
